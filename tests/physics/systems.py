"""Small structures of a model's own elements: any architecture, any set of elements, any cutoff."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from edges import find_edges
from libirrep import Model

SPACING = 2.3  # Angstrom between neighbours, before displacement
CLEAR = 4e-3  # Angstrom between an edge's length and a radius where derivatives jump


class System(NamedTuple):
    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray

    def moved(self, displacement) -> System:
        """A displacement of all atoms, or one for each, in Angstrom."""
        return self._replace(positions=self.positions + np.asarray(displacement))

    def deformed(self, deformation: np.ndarray) -> System:
        """Positions and cell times a 3x3 matrix from the right: strain, rotation, reflection."""
        return self._replace(positions=self.positions @ deformation, cell=self.cell @ deformation)

    def permuted(self, order: np.ndarray) -> System:
        return self._replace(numbers=self.numbers[order], positions=self.positions[order])

    def repeated(self, repeats: tuple[int, int, int]) -> System:
        """A supercell: the whole structure once for each cell, in one block after the other."""
        shifts = np.array(list(np.ndindex(*repeats)), dtype=float) @ self.cell
        positions = (shifts[:, None, :] + self.positions[None, :, :]).reshape(-1, 3)
        numbers = np.tile(self.numbers, len(shifts))
        return System(numbers, positions, self.cell * np.array(repeats)[:, None], self.pbc)


# name: sites along each axis, periodic axes
KINDS = {
    "molecule": ((2, 2, 1), (False, False, False)),
    "wire": ((1, 2, 2), (False, True, False)),
    "layer": ((2, 1, 2), (True, False, True)),
    "crystal": ((2, 2, 1), (True, True, True)),
}


def system(model: Model, kind: str, seed: int = 0) -> System:
    """A structure without symmetry in which no edge's length is where a derivative jumps."""
    sites, pbc = KINDS[kind]
    jumps = [model.r_max]
    cutoff = model.metadata["radial"]["cutoff"]
    if "r_on" in cutoff:
        jumps.append(cutoff["r_on"])
    for attempt in itertools.count():
        rng = np.random.default_rng([seed, attempt])
        grid = SPACING * (np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3)))
        positions = np.array(list(np.ndindex(*sites)), dtype=float) @ grid
        positions += rng.uniform(-0.15, 0.15, positions.shape)
        numbers = rng.choice(model.atomic_numbers, len(positions))
        found = System(numbers, positions, grid * np.array(sites)[:, None], np.array(pbc))
        edges = find_edges(found.positions, found.cell, found.pbc, model.r_max + 1)
        lengths = np.linalg.norm(edges.vectors, axis=1)
        if all(np.abs(lengths - jump).min() > CLEAR for jump in jumps):
            return found
    raise AssertionError
