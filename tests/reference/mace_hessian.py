"""Writes fixtures/hessian-mace.npz: what mace-torch's get_hessian gives in float64.

    python tests/reference/mace_hessian.py

needs the packages of requirements-mace.txt. The models are those of mace_fixtures.py.
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
    "mace/residual": ("dimer-n2", "s22-water-dimer", "crystal-co2"),
    "mace/density": ("s22-water-dimer", "si-sheared"),
    "mace/l2": ("quartz",),
}


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
            n = 3 * len(atoms)
            found = np.reshape(calculator.get_hessian(atoms), (n, n))
            assert np.abs(found - found.T).max() < 1e-10
            arrays[f"{name} {key}"] = found
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("hessian-mace", {**arrays, "made_with": np.array(made_with)})


if __name__ == "__main__":
    main()
