"""Two hundred rattled crystals and molecules, relaxed by this library and by ASE with one model."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import ase.optimize
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.filters import FrechetCellFilter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from libirrep import ROOT, Model
from relax import Relax
from served import Served

FMAX = 1e-3  # eV/Angstrom
STEPS = 500
SAME = 1e-6  # eV/atom
GPA = 1 / 160.21766208  # eV/Angstrom^3
OPTIMIZERS = {
    "lbfgs": ase.optimize.LBFGS,
    "bfgs": ase.optimize.BFGS,
    "fire": ase.optimize.FIRE,
    "fire2": ase.optimize.FIRE2,
}
CRYSTALS = (
    ("Si", "diamond", 5.43),
    ("MgO", "rocksalt", 4.21),
    ("Cu", "fcc", 3.61),
    ("GaAs", "zincblende", 5.65),
    ("CsCl", "cesiumchloride", 4.12),
    ("Fe", "bcc", 2.87),
    ("Ge", "diamond", 5.66),
    ("NaCl", "rocksalt", 5.64),
)
MOLECULES = ("H2O", "CH3OH", "NH3", "C2H4", "CO2", "HCN", "CH3CHO", "H2CO")


@dataclass
class Case:
    atoms: Atoms
    optimizer: str
    cell: str
    pressure: float = 0.0  # GPa


def cases() -> list[Case]:
    """100 crystals whose cell moves, 50 whose cell does not, 50 molecules."""
    random = np.random.default_rng(2026)
    all_of_them = []
    names = tuple(OPTIMIZERS)
    for i in range(200):
        if i % 4 == 3:
            atoms, cell = molecule(MOLECULES[i // 4 % len(MOLECULES)]), "fixed"
        else:
            atoms = bulk(*CRYSTALS[i // 4 % len(CRYSTALS)], cubic=i % 8 > 3)
            strain = random.uniform(-0.03, 0.03, (3, 3))
            atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
            cell = "fixed" if i % 4 == 2 else "full"
        atoms.positions += random.normal(0, 0.08, atoms.positions.shape)
        pressure = float((0, 0, 5, 20)[i // 4 % 4]) if cell == "full" else 0.0
        optimizer = names[0] if i % 8 < 4 else names[i // 8 % 4]  # most by L-BFGS
        all_of_them.append(Case(atoms, optimizer, cell, pressure))
    return all_of_them


def enthalpy(atoms: Atoms, pressure: float) -> float:
    """eV/atom"""
    volume = atoms.get_volume() if pressure else 0.0
    return float(atoms.get_potential_energy() + pressure * GPA * volume) / len(atoms)


def by_ase(case: Case, model: Model) -> tuple[float, int, bool]:
    atoms = case.atoms.copy()
    atoms.calc = Served(model)
    moves = case.cell == "full"
    target = FrechetCellFilter(atoms, scalar_pressure=case.pressure * GPA) if moves else atoms
    run = OPTIMIZERS[case.optimizer](target, logfile=None)
    converged = run.run(fmax=FMAX, steps=STEPS)
    return enthalpy(atoms, case.pressure), run.nsteps, bool(converged)


def by_us(case: Case, model: Model) -> tuple[float, int, bool]:
    case.atoms.calc = Served(model)
    relax = Relax(
        case.atoms,
        optimizer=case.optimizer,
        cell=case.cell,
        pressure=case.pressure,
        fmax=FMAX,
        max_steps=STEPS,
    )
    state = "running"
    while state == "running":
        state = relax.tell()
    return enthalpy(relax.ask(), case.pressure), relax.progress.n_steps, state == "converged"


@pytest.fixture(scope="module")
def model() -> Model:
    return Model(ROOT / "build" / "models" / "sevennet-0.safetensors")


def test_the_same_minima_in_no_more_steps(model: Model) -> None:
    same, ours, theirs, converged = 0, [], [], 0
    for case in cases():
        energy, n_steps, done = by_us(case, model)
        wanted, n_wanted, was_done = by_ase(case, model)
        assert done or not was_done, (case.atoms.symbols, case.optimizer)
        same += abs(energy - wanted) < SAME
        converged += done
        ours.append(n_steps)
        theirs.append(n_wanted)
    print(
        f"\n{same} of 200 within {SAME} eV/atom, {converged} converged; "
        f"steps in the mean {np.mean(ours):.2f}, ASE's {np.mean(theirs):.2f}"
    )
    assert same >= 196
    assert converged >= 196
    assert np.mean(ours) <= np.mean(theirs)
