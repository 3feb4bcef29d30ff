"""Builds NequIP-OAM and Allegro-OAM at their published sizes, with random weights, and compares.

    python tests/reference/nequip_published.py [--only NAME]

needs the packages of requirements-nequip.txt and build/libirrep.so. nequip builds each network; the
converter reads its package in a process without torch. See published_sizes.py for what is compared.

Hyperparameters: the presets of nequip 0.19.1, which has them from its foundation potentials, and
matbench-discovery's models/nequip/nequip-OAM-*.yml and models/allegro/allegro-OAM-L-0.1.yml: 6
Angstrom, ZBL, a type embedding of 48 in L; Allegro's 7 Angstrom, 12 Bessel functions, networks of
two layers of 1024, coupled channels. Numbers that change no shape (scales, reference energies,
mean numbers of neighbours) are not the published ones.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from allegro.model import allegro_models
from allegro_models import BESSEL
from nequip.model import nequip_models
from nequip.utils.global_state import set_global_state
from nequip_models import ZBL
from nequip_upstream import SYMBOLS, Upstream, builder_in, convert, save_package
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
    "Allegro-OAM-L": {
        "_target_": "allegro.model.AllegroModel", "r_max": 7.0, "type_names": ELEMENTS,
        "l_max": 3, "parity": False, "num_layers": 4, "num_scalar_features": 64,
        "num_tensor_features": 64, "tp_path_channel_coupling": True,
        "allegro_mlp_hidden_layers_depth": 2, "allegro_mlp_hidden_layers_width": 1024,
        "radial_chemical_embed": {
            "_target_": BESSEL, "num_bessels": 12, "polynomial_cutoff_p": 8,
        },
        "avg_num_neighbors": 60.0, "per_type_energy_scales": 2.0,
    },
}  # fmt: skip


def measure(name: str, options: dict[str, Any], folder: Path) -> None:
    """Prints the rows of one network."""
    build = builder_in(allegro_models if name.startswith("Allegro") else nequip_models)
    model = build(options, None)
    weights = model.state_dict()
    package = folder / "model.nequip.zip"
    save_package(package, model)
    exact, single = (Upstream(build, options, weights, d) for d in ("float64", "float32"))
    compare(
        name,
        sum(p.numel() for p in model.parameters()),
        "nequip",
        convert(package, folder / "converted", name),
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
