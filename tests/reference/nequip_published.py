"""Builds NequIP-OAM at its published sizes, with random weights, and compares irrepd with it.

    python tests/reference/nequip_published.py [--only NAME]

needs the packages of requirements-nequip.txt and build/libirrep.so. nequip builds each network; the
converter reads its checkpoint in a process without torch. published_sizes.py says what is compared.

Hyperparameters: the presets of nequip 0.19.1, which has them from its foundation potentials, and
matbench-discovery's models/nequip/nequip-OAM-L-0.1.yml and -XL-0.1.yml: 6 Angstrom, ZBL, a type
embedding of 48 in L; L has 9.6 and XL 32.1 million parameters there and here. Numbers that change
no shape (scales, reference energies, mean numbers of neighbours) are not the published ones.
Allegro-OAM-L is left out for the time that it takes.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from nequip.model import nequip_models
from nequip.utils.global_state import set_global_state
from nequip_models import ZBL
from nequip_upstream import SYMBOLS, Upstream, builder_in, convert, save_checkpoint
from published_sizes import HEAD, compare

ELEMENTS = [SYMBOLS[z - 1] for z in (*range(1, 84), *range(89, 95))]
STRUCTURES = ("dimer-n2", "s22-water-dimer", "slab-pt-co", "si-sheared", "batio3")


def _oam(preset: str, **options: Any) -> dict[str, Any]:
    zbl = {"_target_": ZBL, "chemical_species": ELEMENTS, "units": "metal",
           "polynomial_cutoff_p": 6}  # fmt: skip
    return {
        "_target_": "nequip.model.PresetNequIPGNNModel", "preset": preset, "r_max": 6.0,
        "type_names": ELEMENTS, "avg_num_neighbors": 40.0, "polynomial_cutoff_p": 5,
        "per_type_energy_scales": 2.0, "pair_potential": zbl, **options,
    }  # fmt: skip


MODELS: dict[str, dict[str, Any]] = {
    "NequIP-OAM-S": _oam("S"),
    "NequIP-OAM-M": _oam("M"),
    "NequIP-OAM-L": _oam("L", type_embed_num_features=48),
    "NequIP-OAM-XL": _oam("XL"),
}  # fmt: skip


def measure(name: str, options: dict[str, Any], folder: Path) -> None:
    """Prints the rows of one network."""
    build = builder_in(nequip_models)
    model = build(options, None)
    weights = model.state_dict()
    checkpoint = folder / "model.ckpt"  # a package in float32 holds rounded constants
    save_checkpoint(checkpoint, options, model)
    exact, single = (Upstream(build, options, weights, d) for d in ("float64", "float32"))
    compare(
        name,
        sum(p.numel() for p in model.parameters()),
        "nequip",
        convert(checkpoint, folder / "converted", name),
        exact,
        single,
        STRUCTURES,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODELS, help="one network")
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    set_global_state()
    print(HEAD)
    for name, options in MODELS.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                measure(name, options, Path(folder))


if __name__ == "__main__":
    main()
