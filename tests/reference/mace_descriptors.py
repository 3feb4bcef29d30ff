"""Writes fixtures/descriptors-mace.npz: what mace-torch's get_descriptors gives in float64.

    python tests/reference/mace_descriptors.py

needs the packages of requirements-mace.txt. The models are those of mace_fixtures.py that it gives
them of: whose last layer has scalars alone, and no odd ones, which it takes for invariant.
"""

from __future__ import annotations

import importlib.metadata

import numpy as np
import torch
from ase import Atoms
from fixture_files import load, save_answers
from mace.calculators import MACECalculator
from mace_fixtures import MODELS, PACKAGES
from mace_upstream import build, set_exact_couplings

CHOSEN = {
    "mace/residual": ("s22-water-dimer", "g2-ethanol", "crystal-co2"),
    "mace/plain": ("si-diamond", "quartz"),
    "mace/l2": ("s22-water-dimer", "quartz", "si-sheared"),
    "mace/so3": ("crystal-water", "quartz"),
    "mace/nonlinear": ("quartz", "si-unwrapped"),
}
KINDS = ((True, -1), (False, -1), (True, 1), (False, 1))  # invariants_only, num_layers


def main() -> None:
    torch.set_num_threads(1)
    structures = load()
    arrays = {}
    for name, chosen in CHOSEN.items():
        options = MODELS[name]
        model = build(**options).double()
        set_exact_couplings(model, build(**{**options, "dtype": torch.float64}))
        calculator = MACECalculator(models=[model], device="cpu", default_dtype="float64")
        for key in chosen:
            s = structures[key]
            atoms = Atoms(s.numbers, s.positions, cell=s.cell, pbc=s.pbc)
            for invariants_only, num_layers in KINDS:
                found = calculator.get_descriptors(atoms, invariants_only, num_layers)
                arrays[f"{name} {key} {int(invariants_only)} {num_layers}"] = found
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("descriptors-mace", {**arrays, "made_with": np.array(made_with)})


if __name__ == "__main__":
    main()
