"""Writes fixtures/stresses-mace.npz: the stresses of atoms that mace-torch gives in float64.

    python tests/reference/mace_stresses.py

needs the packages of requirements-mace.txt. The models are those of mace_fixtures.py. mace gives
half of an edge's part to each of its atoms: get_atomic_virials_stresses in mace/modules/utils.py.
"""

from __future__ import annotations

import importlib.metadata

import numpy as np
import torch
from fixture_files import load, save_answers
from mace_fixtures import MODELS, PACKAGES
from mace_upstream import build, evaluate, graph_of, set_exact_couplings
from structures import Structure

CHOSEN = {
    "mace/residual": ("atom-tiny-cell", "s22-water-dimer", "wire-nanotube", "crystal-co2"),
    "mace/density": ("dimer-h2", "s22-water-dimer", "quartz", "si-sheared"),
    "mace/parity": ("atom-tiny-cell", "s22-water-dimer", "quartz"),
}


def stresses(model: torch.nn.Module, structure: Structure) -> np.ndarray:
    """[n_atoms, 3, 3] eV/Angstrom^3 with three periodic axes, otherwise virials, eV."""
    data, _ = graph_of(model, structure)
    is_periodic = structure.pbc.all()
    data["cell"] = torch.tensor(structure.cell if is_periodic else np.eye(3))
    out = model(data, compute_force=True, compute_atomic_stresses=True)
    found = out["atomic_stresses" if is_periodic else "atomic_virials"].detach().numpy()
    derivative = evaluate(model, structure).strain_derivative
    whole = derivative / abs(np.linalg.det(structure.cell)) if is_periodic else -derivative
    assert np.allclose(found.sum(axis=0), whole, rtol=1e-12, atol=1e-12)
    return found


def main() -> None:
    torch.set_num_threads(1)
    structures = load()
    arrays = {}
    for name, chosen in CHOSEN.items():
        options = MODELS[name]
        model = build(**options).double()
        set_exact_couplings(model, build(**{**options, "dtype": torch.float64}))
        for key in chosen:
            arrays[f"{name} {key}"] = stresses(model, structures[key])
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("stresses-mace", {**arrays, "made_with": np.array(made_with)})


if __name__ == "__main__":
    main()
