"""The structures of the fixtures: 1 to 500 atoms of every kind, and all 89 elements of SevenNet.

They are built here once and stored in fixtures/structures.npz, so that tests need only numpy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np

FIXTURES = Path(__file__).resolve().parent / "fixtures"
CUTOFF = 5.0  # Angstrom, of all four checkpoints
COPIES = 7  # of a structure, displaced, on which float32 is judged; a single number is luck
SUBSET = (  # for the checkpoints other than the default one
    "atom-isolated", "atom-tiny-cell", "atom-left-handed", "dimer-n2", "dimer-stretched",
    "dimer-h2", "dimers-of-all-lengths", "s22-water-dimer", "g2-thiophene", "slab-pt-co",
    "wire-nanotube", "layer-mos2", "si-sheared", "si-unwrapped", "quartz", "quartz-mirrored",
    "batio3", "cscl-flat", "alloy-refractory", "alloy-lanthanides", "actinides", "every-element",
    "crystal-co2",
)  # fmt: skip


class Structure(NamedTuple):
    numbers: np.ndarray  # int32 [n_atoms]
    positions: np.ndarray  # float64 [n_atoms, 3] Angstrom
    cell: np.ndarray  # float64 [3, 3] Angstrom, rows are lattice vectors
    pbc: np.ndarray  # bool [3]


def load() -> dict[str, Structure]:
    """The stored structures by name, in their stored order."""
    with np.load(FIXTURES / "structures.npz", allow_pickle=False) as stored:
        data = dict(stored)
    ends = np.cumsum(data["n_atoms"])
    return {
        str(name): Structure(
            data["numbers"][end - n : end], data["positions"][end - n : end], cell, pbc
        )
        for name, n, end, cell, pbc in zip(
            data["names"], data["n_atoms"], ends, data["cells"], data["pbc"]
        )
    }


def displaced(structure: Structure, copies: int) -> Iterator[Structure]:
    """The structure itself, and copies whose atoms and cell are moved by 0.01 A or so."""
    rng = np.random.default_rng(5)
    for copy in range(1 + copies):
        width = 0.01 if copy else 0.0  # Angstrom
        moved = structure.positions + width * rng.uniform(-1, 1, structure.positions.shape)
        deformation = np.eye(3) + 0.1 * width * rng.uniform(-1, 1, (3, 3))
        yield structure._replace(positions=moved @ deformation, cell=structure.cell @ deformation)


def pack(structures: dict[str, Structure]) -> dict[str, np.ndarray]:
    """The arrays that load() takes apart."""
    values = list(structures.values())
    return {
        "names": np.array(list(structures)),
        "n_atoms": np.array([len(s.numbers) for s in values], dtype=np.int32),
        "numbers": np.concatenate([s.numbers for s in values]).astype(np.int32),
        "positions": np.concatenate([s.positions for s in values]),
        "cells": np.array([s.cell for s in values]),
        "pbc": np.array([s.pbc for s in values]),
    }


def build() -> dict[str, Structure]:
    """Makes the structures with ASE; the same numbers on every call."""
    structures = {}
    for name, atoms in _all_atoms():
        atoms.cell = np.where(np.isclose(atoms.cell, 0, atol=1e-12), 0.0, atoms.cell)
        structures[name] = Structure(
            atoms.numbers.astype(np.int32), atoms.positions, np.array(atoms.cell), atoms.pbc
        )
    return structures


def _all_atoms() -> Iterator[tuple[str, object]]:
    families = (_isolated, _molecules, _surfaces, _elements, _compounds, _alloys, _odd_cells)
    for seed, family in enumerate(families):
        yield from family(_rattler(np.random.default_rng(seed)))


def _rattler(rng: np.random.Generator) -> Callable:
    def rattle(atoms, width: float = 0.06, strain: float = 0.02):
        """Displaces atoms (Angstrom) and strains the periodic axes, so that no symmetry is left."""
        atoms.positions += width * rng.uniform(-1, 1, atoms.positions.shape)
        deformation = np.eye(3) + strain * rng.uniform(-1, 1, (3, 3))
        atoms.set_cell(atoms.cell[:] @ deformation, scale_atoms=False)
        atoms.positions = atoms.positions @ deformation
        return atoms

    rattle.rng = rng
    return rattle


def _isolated(rattle):
    from ase import Atoms

    yield "atom-isolated", Atoms("Fe", positions=[[0.3, -0.2, 0.1]])
    yield "atom-no-edges", Atoms("He", positions=[[1, 2, 3]], cell=[7, 8, 9], pbc=True)
    yield "dimer-n2", Atoms("N2", positions=[[0, 0, 0], [0.4, -0.6, 0.85]])
    yield "dimer-stretched", Atoms("KF", positions=[[0, 0, 0], [2.1, 3.2, -2.6]])
    yield "dimer-apart", Atoms("ArKr", positions=[[0, 0, 0], [4.0, 3.2, -2.6]])
    yield "dimer-h2", Atoms("H2", positions=[[0, 0, 0], [0.25, 0.6, 0.35]])
    yield "dimers-of-all-lengths", _dimers(np.linspace(0.85, 4.98, 40))
    yield "trimer-linear", Atoms("OCO", positions=[[0, 0, -1.16], [0, 0, 0], [0, 0, 1.19]])


def _molecules(rattle):
    from ase.build import molecule
    from ase.collections import s22

    for name, key in (
        ("s22-water-dimer", "Water_dimer"),
        ("s22-benzene-dimer", "Benzene_dimer_parallel_displaced"),
        ("s22-adenine-thymine", "Adenine-thymine_Watson-Crick_complex"),
        ("s22-ethene-ethyne", "Ethene-ethyne_complex"),
    ):
        yield name, s22[key]
    for name, key in (
        ("g2-ethanol", "CH3CH2OH"),
        ("g2-thiophene", "C4H4S"),
        ("g2-aluminium-chloride", "AlCl3"),
        ("g2-silane-si2h6", "Si2H6"),
        ("g2-phosphine", "PH3"),
    ):
        yield name, rattle(molecule(key), 0.03, 0.0)


def _surfaces(rattle):
    from ase import Atoms
    from ase.build import add_adsorbate, fcc111, graphene, molecule, mx2, nanotube

    slab = fcc111("Pt", (2, 2, 3), vacuum=6.0)
    add_adsorbate(slab, molecule("CO"), 1.9, "ontop", mol_index=1)
    slab.pbc = True
    yield "slab-pt-co", rattle(slab)

    slab = fcc111("Al", (2, 2, 3), vacuum=4.0)
    yield "slab-al-two-axes", rattle(slab)

    tube = nanotube(4, 0, length=1)
    tube.pbc = (False, False, True)
    tube.cell[:2] = 0
    yield "wire-nanotube", rattle(tube)

    wire = Atoms("AuAgAu", positions=[[0, 0, 0], [1.9, 1.5, 0.9], [3.5, 3.1, 2.6]])
    wire.set_cell([[5.2, 4.9, 3.1], [0, 0, 0], [0, 0, 0]])
    wire.pbc = (True, False, False)
    yield "wire-skew", wire

    layer = mx2("MoS2", size=(2, 2, 1))
    layer.pbc = (True, True, False)
    yield "layer-mos2", rattle(layer)

    flake = graphene("BN", size=(2, 2, 1))
    cell = flake.cell[:]
    flake.set_cell([cell[0], [0, 0, 0], cell[1]])  # the second axis of the cell is not periodic
    flake.pbc = (True, False, True)
    yield "layer-bn-axes-0-2", rattle(flake)


def _elements(rattle):
    from ase.build import bulk

    yield "si-diamond", rattle(bulk("Si", cubic=True))
    yield "cu-fcc", rattle(bulk("Cu", cubic=True) * (2, 1, 1))
    yield "fe-bcc", rattle(bulk("Fe", cubic=True) * (2, 2, 1))
    yield "ti-hcp", rattle(bulk("Ti") * (2, 1, 1))
    yield "ga-as-cubic", rattle(bulk("GaAs", "zincblende", a=5.65, cubic=True))
    yield "p-block", rattle(_decorated(bulk("Po", "sc", a=3.1) * (3, 2, 2), rattle, _P_BLOCK))


def _compounds(rattle):
    from ase.build import bulk
    from ase.spacegroup import crystal

    yield "mgo", rattle(bulk("MgO", "rocksalt", a=4.21, cubic=True))
    rutile = dict(spacegroup=136, cellpar=[4.594, 4.594, 2.959, 90, 90, 90])
    yield "tio2-rutile", rattle(crystal("TiO", [(0, 0, 0), (0.305, 0.305, 0)], **rutile))
    quartz = dict(spacegroup=152, cellpar=[4.916, 4.916, 5.405, 90, 90, 120])
    silica = crystal("SiO", [(0.47, 0, 1 / 3), (0.413, 0.267, 0.119 + 2 / 3)], **quartz)
    yield "quartz", rattle(silica)
    mirrored = silica.copy()  # SevenNet's irreps know no parity: it tells mirror images apart
    mirrored.set_cell(-silica.cell[:], scale_atoms=True)
    yield "quartz-mirrored", mirrored
    perovskite = dict(spacegroup=221, cellpar=[4.01, 4.01, 4.01, 90, 90, 90])
    yield (
        "batio3",
        rattle(crystal("BaTiO", [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)], **perovskite)),
    )
    lico = dict(spacegroup=166, cellpar=[2.816, 2.816, 14.05, 90, 90, 120])
    yield "licoo2", rattle(crystal("LiCoO", [(0, 0, 0.5), (0, 0, 0), (0, 0, 0.26)], **lico))
    yield "nacl", rattle(bulk("NaCl", "rocksalt", a=5.64))
    yield "zno-wurtzite", rattle(bulk("ZnO", "wurtzite", a=3.25, c=5.2) * (2, 1, 1))
    water = _molecules_on_grid("H2O", (2, 2, 2), 3.1, rattle.rng)
    yield "crystal-water", water
    yield "crystal-co2", _molecules_on_grid("CO2", (2, 2, 1), 4.1, rattle.rng)
    yield "crystal-benzene", _molecules_on_grid("C6H6", (2, 1, 1), 6.6, rattle.rng)


def _alloys(rattle):
    from ase.build import bulk

    refractory = bulk("W", cubic=True) * (2, 2, 2)
    yield "alloy-refractory", rattle(_decorated(refractory, rattle, "Ti V Cr Zr Nb Mo Hf Ta W Re"))
    noble = bulk("Pd", cubic=True) * (2, 2, 1)
    yield "alloy-noble", rattle(_decorated(noble, rattle, "Ru Rh Pd Ag Os Ir Pt Au Ni Hg Cd"))
    lanthanides = bulk("Gd") * (2, 2, 2)
    names = "La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Y"
    yield "alloy-lanthanides", rattle(_decorated(lanthanides, rattle, names))
    yield "actinides", rattle(_decorated(bulk("Th", cubic=True), rattle, "Ac Th Pa U Np Pu"))
    universe = bulk("Po", "sc", a=2.9) * (5, 6, 3)
    del universe[89]
    yield "every-element", rattle(_decorated(universe, rattle, None))
    large = bulk("Cu", cubic=True) * (5, 5, 5)
    yield "alloy-500", rattle(_decorated(large, rattle, "Cu Au Cu Au Pd Zn"))


def _odd_cells(rattle):
    from ase import Atoms
    from ase.build import bulk

    yield "atom-tiny-cell", Atoms("Be", positions=[[9, 9, 9]], cell=[2.0, 2.1, 2.25], pbc=True)
    yield (
        "atom-left-handed",
        Atoms("W", cell=[[-1.6, 1.6, 1.55], [1.6, 1.58, -1.6], [1.62, -1.6, 1.6]], pbc=True),
    )
    sheared = rattle(bulk("Si", cubic=True))
    cell = sheared.cell[:]
    sheared.set_cell(cell @ [[1, 0.35, 0], [0, 1, -0.3], [0, 0, 1]], scale_atoms=True)
    yield "si-sheared", sheared

    skew = rattle(bulk("Ge"))
    cell = skew.cell[:]
    skew.set_cell([cell[0], cell[1] + 3 * cell[0], cell[2] - 2 * cell[1]])  # the same lattice
    yield "ge-skew-cell", skew

    unwrapped = rattle(bulk("Si", cubic=True))
    unwrapped.positions += rattle.rng.integers(-3, 4, (8, 3)) @ unwrapped.cell[:]
    yield "si-unwrapped", unwrapped

    left = rattle(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    left.set_cell(left.cell[[1, 0, 2]])
    yield "nacl-left-handed", left

    flat = Atoms("CsCl", scaled_positions=[[0, 0, 0], [0.5, 0.5, 0.5]], cell=[4.1, 4.2, 4.0])
    flat.set_cell(flat.cell[:] @ [[1, 0, 0], [0.8, 1, 0], [0.5, 0.7, 1.0]], scale_atoms=True)
    flat.pbc = True
    yield "cscl-flat", rattle(flat)


def _dimers(lengths: np.ndarray):
    """Pairs of O and H of the given lengths, each alone: the radial functions from end to end."""
    from ase import Atoms

    direction = np.array([2.0, -1.0, 2.0]) / 3
    origins = 20.0 * np.arange(len(lengths))[:, None] * np.array([[0.0, 1.0, 0.0]])
    ends = np.stack([origins, origins + lengths[:, None] * direction], axis=1)
    return Atoms("OH" * len(lengths), positions=ends.reshape(-1, 3))


_P_BLOCK = "Ge As Se Br In Sn Sb Te I Xe Tl Pb"


def _decorated(atoms, rattle, symbols: str | None):
    """Puts the elements on the sites in random order, each as often as the others; None: all 89."""
    from ase.data import atomic_numbers

    if symbols is None:
        numbers = [*range(1, 84), *range(89, 95)]
    else:
        numbers = [atomic_numbers[s] for s in symbols.split()]
    atoms.numbers = rattle.rng.permutation(np.resize(numbers, len(atoms)))
    return atoms


def _molecules_on_grid(name: str, repeats: tuple[int, int, int], spacing: float, rng):
    """A crystal of one molecule in random orientations on a slightly sheared grid."""
    from ase import Atoms
    from ase.build import molecule

    grid = spacing * (np.eye(3) + 0.05 * rng.uniform(-1, 1, (3, 3)))
    crystal = Atoms(cell=grid * np.array(repeats)[:, None], pbc=True)
    for site in np.ndindex(*repeats):
        copy = molecule(name)
        copy.positions -= copy.positions.mean(axis=0)
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        copy.positions = copy.positions @ q + np.array(site) @ grid
        crystal += copy
    return crystal
