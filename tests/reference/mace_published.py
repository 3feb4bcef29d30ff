"""Builds MACE at the sizes that were published, with random weights, and compares irrepd with it.

    python tests/reference/mace_published.py [--only NAME]

needs the packages of requirements-mace.txt and build/libirrep.so. mace-torch builds each network
in float64, and once more for its float32. The converter reads it in a process without torch.
Both evaluate structures of 2 to 14 atoms and displaced copies of them. Fails where a bound of
accuracy.py does not hold; prints the table of README.md.

Hyperparameters:
- MP-0: the log of its training, cyrusyc/mace-universal on huggingface.co,
  pretrained/2023-12-10-mace-128-L0.log; Batatia et al., arXiv:2401.00096.
- 0b to 0b3, MPA-0, OMAT-0, MATPES: releases of github.com/ACEsuit/mace-foundations. They add to
  MP-0 density normalisation, Agnesi transform and ZBL repulsion; the first block has no residual.
- OFF23, OFF24: Kovacs et al., arXiv:2312.15211.
- MH-1: Batatia et al., arXiv:2510.25380: non-linear blocks, 512 channels on atoms and 128 on edges,
  product weights shared by the elements, the cutoff behind the radial network.
MPA-0 has 9,063,204 parameters in matbench-discovery's models/mace/mace-mpa-0.yml, as here. Of
OFF23, OFF24 and MH-1 the sizes of the published files agree. Numbers that change no shape (scales,
reference energies, mean numbers of neighbours other than of MP-0) are not the published ones.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from mace_upstream import build, convert_file, evaluate, modules, o3, save_pickle
from published_sizes import HEAD, compare

ELEMENTS = (*range(1, 84), *range(89, 95))
ORGANIC = (1, 6, 7, 8, 9, 15, 16, 17, 35, 53)
STRUCTURES = {
    ELEMENTS: ("dimer-n2", "s22-water-dimer", "slab-pt-co", "si-sheared", "batio3", "actinides"),
    ORGANIC: ("dimer-n2", "s22-water-dimer", "g2-ethanol", "g2-thiophene", "crystal-co2"),
}


def _mp(hidden: str, **options: Any) -> dict[str, Any]:
    return {
        "numbers": ELEMENTS, "hidden": hidden, "r_max": 6.0, "num_bessel": 10, "max_ell": 3,
        "radial_MLP": [64, 64, 64], "MLP_irreps": o3.Irreps("16x0e"), "avg_num_neighbors": 61.96,
        **options,
    }  # fmt: skip


def _mp_0b(hidden: str, **options: Any) -> dict[str, Any]:
    return _mp(
        hidden, first="Density", rest="DensityResidual", distance_transform="Agnesi",
        pair_repulsion=True, **options,
    )  # fmt: skip


def _off(hidden: str, r_max: float) -> dict[str, Any]:
    return _mp(hidden, numbers=ORGANIC, r_max=r_max, num_bessel=8, first="")


MODELS: dict[str, dict[str, Any]] = {
    "MP-0 small": _mp("128x0e"),
    "MP-0 medium": _mp("128x0e+128x1o"),
    "MP-0 large": _mp("128x0e+128x1o+128x2e"),
    "MP-0b, 0b2, OMAT-0 small": _mp_0b("128x0e"),
    "MP-0b, 0b2, 0b3, MPA-0, OMAT-0, MATPES medium": _mp_0b("128x0e+128x1o"),
    "MP-0b2 large": _mp_0b("128x0e+128x1o+128x2e"),
    "OFF23 small": _off("96x0e", 4.5),
    "OFF23 medium": _off("128x0e+128x1o", 5.0),
    "OFF23 large": _off("224x0e+224x1o+224x2e", 5.0),
    "OFF24 medium": _off("128x0e+128x1o", 6.0),
    "MH-1": _mp(
        "512x0e+512x1o", first="ResidualNonLinear", rest="ResidualNonLinear", apply_cutoff=False,
        edge_irreps=o3.Irreps("128x0e+128x1o"), use_edge_irreps_first=True,
        use_agnostic_product=True, readout_cls=modules.NonLinearBiasReadoutBlock,
        heads=["omat_pbe", "omol", "spice_wB97M", "rgd1_b3lyp", "oc20_usemppbe", "matpes_r2scan"],
    ),
}  # fmt: skip


def measure(name: str, options: dict[str, Any], folder: Path) -> None:
    """Prints the rows of one network."""
    exact = build(**options)
    source = save_pickle(exact, folder)
    single = build(**options).float()
    compare(
        name,
        sum(p.numel() for p in exact.parameters()),
        "mace-torch",
        convert_file(source, folder, exact.heads),
        lambda structure: evaluate(exact, structure),
        lambda structure: evaluate(single, structure),
        STRUCTURES[options["numbers"]],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODELS, help="one network")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    print(HEAD)
    for name, options in MODELS.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                measure(name, options, Path(folder))


if __name__ == "__main__":
    main()
