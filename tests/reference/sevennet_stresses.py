"""Writes fixtures/stresses-sevennet.npz: virials of atoms by sevenn in float64, in equal halves.

    python tests/reference/sevennet_stresses.py

needs the packages of requirements.txt. sevenn's atomic virials (sevenn/nn/force_output.py) give
all of an edge to one of its atoms, and of an off-diagonal component one of two products. With the
edges' ends exchanged they give it to the other atom; the mean of both is what is compared. Turned
by 45 degrees about each axis, sevenn's diagonal components tell the symmetric part of the others.
Where inversion exchanges the atoms of a structure, both ends give the same, which is checked.
"""

from __future__ import annotations

import importlib.metadata
import warnings

import numpy as np
import sevenn._keys as KEY
import torch
from fixture_files import load, save_answers
from sevennet_fixtures import CHECKPOINTS, PACKAGES, Reference
from structures import Structure

CHOSEN = ("dimer-n2", "si-sheared", "s22-water-dimer", "batio3", "layer-mos2", "wire-skew")
CENTRIC = ("dimer-n2",)  # inversion exchanges the atoms
VOIGT = ([0, 1, 2, 0, 1, 2], [0, 1, 2, 1, 2, 0])  # xx yy zz xy yz zx, sevenn's order


class Ends:
    """A reference whose atomic virials are those of one end of each edge, or of the other."""

    def __init__(self) -> None:
        self.reference = Reference(CHECKPOINTS["sevennet-0"], torch.float64)
        self.is_other = False
        output = self.reference.model._modules["force_output"]
        output.use_atomic_virial = True
        output.register_forward_pre_hook(self._exchange)

    def _exchange(self, module, inputs):
        (data,) = inputs
        if self.is_other:
            data[KEY.EDGE_IDX] = data[KEY.EDGE_IDX].flip(0)

    def diagonal(self, structure: Structure, is_other: bool) -> np.ndarray:
        """[n_atoms, 3] eV: xx, yy, zz."""
        self.is_other = is_other
        data = self.reference.model(self.reference.graph(structure))
        return data[KEY.PRED_ATOMIC_VIRIAL].detach().numpy()[:, :3]

    def virials(self, structure: Structure, is_other: bool) -> np.ndarray:
        """[n_atoms, 3, 3] eV, symmetric."""
        found = np.zeros((len(structure.numbers), 3, 3))
        found[:, range(3), range(3)] = self.diagonal(structure, is_other)
        for a, b in zip(*(axes[3:] for axes in VOIGT)):
            turn = np.eye(3)
            turn[[a, a, b, b], [a, b, a, b]] = np.array([1, 1, -1, 1]) / np.sqrt(2)
            turned = structure._replace(
                positions=structure.positions @ turn.T, cell=structure.cell @ turn.T
            )
            along = self.diagonal(turned, is_other)[:, a]  # of the direction a + b
            found[:, a, b] = along - (found[:, a, a] + found[:, b, b]) / 2
            found[:, b, a] = found[:, a, b]
        return found


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    structures, ends, arrays = load(), Ends(), {}
    for key in CHOSEN:
        structure = structures[key]
        one, other = (ends.virials(structure, is_other) for is_other in (False, True))
        same = np.allclose(one, other, rtol=1e-9, atol=1e-9)
        assert same == (key in CENTRIC), key
        whole = -ends.reference.evaluate(structure).strain_derivative
        for part in (one, other):
            assert np.allclose(part.sum(axis=0), whole, rtol=1e-10, atol=1e-10)
        arrays[f"sevennet-0 {key}"] = (one + other) / 2
    made_with = [f"{package} {importlib.metadata.version(package)}" for package in PACKAGES]
    save_answers("stresses-sevennet", {**arrays, "made_with": np.array(made_with)})


if __name__ == "__main__":
    main()
