"""Structures of the benchmark, as ASE's Atoms with each atom a little off its site."""

from __future__ import annotations

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule

RATTLE = 0.05  # Angstrom


def rattled(atoms: Atoms, seed: int) -> Atoms:
    rng = np.random.default_rng(seed)
    atoms.positions += rng.uniform(-RATTLE, RATTLE, atoms.positions.shape)
    return atoms


def silicon(*repeats: int) -> Atoms:
    """Cubic cells of 8 atoms."""
    return rattled(bulk("Si", cubic=True) * repeats, seed=0)


def copper() -> Atoms:
    return rattled(bulk("Cu", cubic=True) * (2, 2, 2), seed=1)


def benzene() -> Atoms:
    """48 atoms, at about the density of the crystal."""
    one = molecule("C6H6")
    one.set_cell([6.8, 7.0, 4.6])
    one.pbc = True
    return rattled(one * (2, 1, 2), seed=2)


def telluride() -> Atoms:
    """81 atoms of Ge2Sb2Te5."""
    layers = ["Te", "Ge", "Te", "Sb", "Te", "Te", "Sb", "Te", "Ge"]
    a, c = 4.22, 17.2
    sites = [[(i % 3) / 3, (2 * i % 3) / 3, (i + 0.5) / 9] for i in range(9)]
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]]
    return rattled(Atoms(layers, scaled_positions=sites, cell=cell, pbc=True) * (3, 3, 1), seed=3)


def ethanol(seed: int = 4) -> Atoms:
    """9 atoms without a cell."""
    return rattled(molecule("CH3CH2OH"), seed)


SYSTEMS = {
    "64 Si": lambda: silicon(2, 2, 2),
    "32 Cu": copper,
    "benzene crystal": benzene,
    "Ge2Sb2Te5": telluride,
}
LARGE = {"512 Si": lambda: silicon(4, 4, 4), "4,096 Si": lambda: silicon(8, 8, 8)}
