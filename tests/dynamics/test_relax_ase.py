"""Relaxations take ASE's steps: the same positions and cells, step by step."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import ase.optimize
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.constraints import FixAtoms, FixSymmetry
from ase.filters import FrechetCellFilter
from ase.spacegroup import crystal
from morse import Morse
from relax import OPTIMIZERS, Relax

STEPS = 20
ANGSTROM = 1e-9  # how far an atom or a cell entry may be from ASE's
GPA = 1 / 160.21766208  # eV/Angstrom^3
CLASSES = {
    "lbfgs": ase.optimize.LBFGS,
    "bfgs": ase.optimize.BFGS,
    "fire": ase.optimize.FIRE,
    "fire2": ase.optimize.FIRE2,
}


def copper() -> Morse:
    return Morse(depth=0.34, rho=3.9, r0=2.87, cutoff=6.0)


def alloy(seed: int) -> Atoms:
    """A crystal of two elements, sheared and rattled."""
    atoms = bulk("Cu", cubic=True) * (2, 1, 1)
    atoms.numbers[[1, 6]] = 47
    random = np.random.default_rng(seed)
    deformation = np.eye(3) + random.uniform(-0.04, 0.04, (3, 3))
    atoms.set_cell(atoms.cell @ deformation, scale_atoms=True)
    atoms.positions += random.normal(0, 0.12, (len(atoms), 3))
    atoms.calc = copper()
    return atoms


def cluster(seed: int) -> Atoms:
    """Far from its minimum."""
    atoms = Atoms("Cu13", positions=2.8 * np.indices((3, 3, 2)).reshape(3, -1).T[:13])
    atoms.positions += np.random.default_rng(seed).normal(0, 0.3, (13, 3))
    atoms.calc = copper()
    return atoms


def ethanol(seed: int) -> Atoms:
    atoms = molecule("CH3CH2OH")
    atoms.positions += np.random.default_rng(seed).normal(0, 0.1, atoms.positions.shape)
    atoms.calc = EMT()
    return atoms


def ase_steps(atoms: Atoms, optimizer: str, moves_cell: bool, **cell: Any) -> Iterator[Atoms]:
    calculator, atoms = copy.deepcopy(atoms.calc), atoms.copy()
    atoms.calc = calculator
    target = FrechetCellFilter(atoms, **cell) if moves_cell else atoms
    for _ in CLASSES[optimizer](target, logfile=None).irun(fmax=1e-6, steps=STEPS):
        yield atoms.copy()


def compare(relax: Relax, theirs: Iterator[Atoms]) -> None:
    n = 0
    start = relax.ask().copy()
    for ours, atoms in zip(relax.steps(), theirs, strict=True):
        assert np.abs(ours.positions - atoms.positions).max() < ANGSTROM, n
        assert np.abs(np.asarray(ours.cell) - np.asarray(atoms.cell)).max() < ANGSTROM, n
        n += 1
    assert n == STEPS + 1
    assert np.abs(relax.ask().positions - start.positions).max() > 0.02
    assert relax.progress.n_steps == STEPS


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", [alloy, cluster, ethanol])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fixed_cell(make: Any, optimizer: str, seed: int) -> None:
    atoms = make(seed)
    compare(Relax(atoms, optimizer=optimizer), ase_steps(atoms, optimizer, False))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("seed", [1])
@pytest.mark.parametrize(
    ("cell", "theirs"),
    [
        ("full", {}),
        ("volume", {"hydrostatic_strain": True}),
        ("shape", {"constant_volume": True}),
    ],
)
def test_a_cell(optimizer: str, cell: str, theirs: dict[str, Any], seed: int) -> None:
    atoms = alloy(seed)
    relax = Relax(atoms, optimizer=optimizer, cell=cell)
    compare(relax, ase_steps(atoms, optimizer, True, **theirs))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("pressure", "mask"),
    [
        (30.0, None),
        (-5.0, [[1, 0, 0], [0, 0, 0], [0, 0, 1]]),
        (30.0, [[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
    ],
)
def test_pressure_and_mask(optimizer: str, pressure: float, mask: Any) -> None:
    atoms = alloy(4)
    theirs = {} if mask is None else {"mask": np.array(mask, bool)}
    compare(
        Relax(atoms, optimizer=optimizer, cell="full", pressure=pressure, mask=mask),
        ase_steps(atoms, optimizer, True, scalar_pressure=pressure * GPA, **theirs),
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", ["fixed", "full"])
def test_fixed_atoms(optimizer: str, cell: str) -> None:
    atoms = alloy(5)
    theirs = alloy(5)
    theirs.set_constraint(FixAtoms(indices=[5, 0, 3]))
    compare(
        Relax(atoms, optimizer=optimizer, cell=cell, fixed=[5, 0, 3]),
        ase_steps(theirs, optimizer, cell == "full"),
    )


def turned(atoms: Atoms) -> Atoms:
    """In a general orientation, and off its symmetry by less than symprec."""
    random = np.random.default_rng(8)
    turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
    atoms.set_cell(atoms.cell @ (turn * np.linalg.det(turn)), scale_atoms=True)
    atoms.positions += random.normal(0, 1e-3, atoms.positions.shape)
    atoms.calc = copper()
    return atoms


def trigonal() -> Atoms:
    sites = [(0.47, 0, 0), (0.413, 0.267, 0.286)]
    cell = [5.2, 5.2, 5.6, 90, 90, 120]
    return turned(crystal(["Cu", "Ag"], sites, spacegroup=152, cellpar=cell))


def monoclinic() -> Atoms:
    cell = [4.2, 4.6, 4.9, 90, 103, 90]
    return turned(crystal(["Cu"], [(0.13, 0.21, 0.34)], spacegroup=14, cellpar=cell))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", ["fixed", "full"])
@pytest.mark.parametrize("make", [trigonal, monoclinic])
def test_symmetry(make: Any, optimizer: str, cell: str) -> None:
    """ASE's FixSymmetry, which makes the structure symmetric first as well."""
    atoms = make()
    theirs = atoms.copy()
    theirs.set_constraint(FixSymmetry(theirs))
    theirs.calc = copper()
    compare(
        Relax(atoms, optimizer=optimizer, cell=cell, symmetry=True),
        ase_steps(theirs, optimizer, cell == "full"),
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_convergence_counts_the_cell(optimizer: str) -> None:
    """ASE stops after the same step, at the same fmax."""
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell @ np.diag([1.04, 1.0, 0.97]), scale_atoms=True)
    atoms.calc = copper()
    relax = Relax(atoms, optimizer=optimizer, cell="full", fmax=0.003, max_steps=500)
    n_ours = len(list(relax.steps()))
    target = FrechetCellFilter(atoms)
    run = CLASSES[optimizer](target, logfile=None)
    assert run.run(fmax=0.003, steps=500)
    assert n_ours - 1 == run.nsteps > 5
    longest = np.linalg.norm(target.get_forces(), axis=1).max()
    assert relax.progress.fmax == pytest.approx(longest, rel=1e-6)
    assert relax.progress.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-9)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", ["fixed", "full"])
def test_saved_after_every_step(optimizer: str, cell: str) -> None:
    """The same bits with a save and a restore before every evaluation."""
    atoms = alloy(6)
    whole = list(Relax(atoms, optimizer=optimizer, cell=cell).steps())
    relax = Relax(atoms, optimizer=optimizer, cell=cell)
    last = None
    while True:
        relax.save_and_restore()
        last = relax.ask().copy()
        if relax.tell() != "running":
            break
    assert np.array_equal(last.positions, whole[-1].positions)
    assert np.array_equal(np.asarray(last.cell), np.asarray(whole[-1].cell))
