"""Trajectories of irrep/md.h against ASE's integrators, step by step, with the same forces."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.lj import LennardJones
from ase.constraints import FixAtoms
from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT, MaskedMTKNPT, NoseHooverChainNVT
from ase.md.velocitydistribution import Stationary, thermalize_momenta
from ase.md.verlet import VelocityVerlet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from md import Frame, Told, Trajectory

fs = ase.units.fs
TIMESTEP = 4.0
TEMPERATURE = 120.0
PRESSURE = 0.3
CLOSE = 1e-9  # Angstrom; in velocities Angstrom/fs


def argon(sheared: bool = False) -> Atoms:
    atoms = bulk("Ar", "fcc", a=5.4, cubic=True).repeat((2, 2, 2))
    if sheared:
        atoms.set_cell(atoms.cell[:] @ [[1, 0.05, 0], [0.1, 0.95, 0.02], [0, 0.1, 1.1]], True)
    atoms.rattle(0.1, seed=3)
    thermalize_momenta(atoms, TEMPERATURE, rng=np.random.RandomState(1))
    Stationary(atoms)
    return with_forces(atoms)


def with_forces(atoms: Atoms) -> Atoms:
    atoms.calc = LennardJones(epsilon=0.0104, sigma=3.4, rc=6.5, ro=5.0, smooth=True)
    return atoms


def evaluator(atoms: Atoms) -> Any:
    """What ASE's calculator says of positions and a cell."""
    copy = with_forces(atoms.copy())

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Told:
        copy.set_cell(cell)
        copy.positions = positions
        stress = copy.get_stress(voigt=False) if all(copy.pbc) else None
        return copy.get_potential_energy(), copy.get_forces(apply_constraint=False), stress

    return evaluate


def trajectory(atoms: Atoms, n_steps: int, **options: Any) -> Iterator[Frame]:
    md = Trajectory(
        atoms.numbers,
        atoms.positions,
        atoms.cell[:],
        atoms.pbc,
        velocities=atoms.get_velocities() * fs,
        masses=atoms.get_masses(),
        timestep=TIMESTEP,
        n_steps=n_steps,
        **options,
    )
    return md.frames(evaluator(atoms))


def compare(atoms: Atoms, dynamics: Any, frames: Iterator[Frame], has_chain: bool = True) -> Frame:
    """Every step of ours against ASE's, which `dynamics` does on `atoms`."""
    first = atoms.positions.copy()
    conserved: list[float] = []
    for step, frame in enumerate(frames):
        if step:
            dynamics.run(1)
        assert frame.step == step and frame.time == pytest.approx(step * TIMESTEP)
        np.testing.assert_allclose(frame.positions, atoms.positions, 0, CLOSE)
        np.testing.assert_allclose(frame.velocities, atoms.get_velocities() * fs, 0, CLOSE)
        np.testing.assert_allclose(frame.cell, atoms.cell[:], 0, CLOSE)
        assert frame.potential == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        assert frame.kinetic == pytest.approx(atoms.get_kinetic_energy(), abs=1e-9)
        if all(atoms.pbc):
            stress = atoms.get_stress(voigt=False, include_ideal_gas=True)
            assert frame.pressure is not None
            assert frame.pressure == pytest.approx(-stress.trace() / 3 / ase.units.GPa, abs=1e-8)
        if has_chain:
            conserved.append(frame.conserved - dynamics.get_conserved_energy())
    assert np.abs(atoms.positions - first).max() > 0.1  # it has moved
    if has_chain:
        assert np.ptp(conserved) < 1e-8
    return frame


def test_velocity_verlet() -> None:
    atoms = argon()
    frames = trajectory(atoms.copy(), 100, ensemble="nve")
    frame = compare(atoms, VelocityVerlet(atoms, TIMESTEP * fs), frames, False)
    assert frame.degrees_of_freedom == 3 * len(atoms) - 3
    assert frame.temperature == pytest.approx(
        2 * atoms.get_kinetic_energy() / (3 * len(atoms) - 3) / ase.units.kB, rel=1e-9
    )


def test_fixed_atoms_of_a_molecule() -> None:
    atoms = argon()
    atoms.pbc = False
    atoms.set_constraint(FixAtoms([0, 5, 31]))
    atoms.set_momenta(atoms.get_momenta())
    frames = trajectory(atoms.copy(), 40, ensemble="nve", fixed=[0, 5, 31])
    frame = compare(atoms, VelocityVerlet(atoms, TIMESTEP * fs), frames, False)
    assert frame.degrees_of_freedom == atoms.get_number_of_degrees_of_freedom()
    assert frame.temperature == pytest.approx(atoms.get_temperature(), rel=1e-9)


@pytest.mark.parametrize("length", [1, 3, 5])
def test_nose_hoover_chain(length: int) -> None:
    atoms = argon()
    frames = trajectory(
        atoms.copy(),
        40,
        ensemble="nvt",
        thermostat="nose-hoover",
        temperature=TEMPERATURE,
        thermostat_time=100.0,
        chain_length=length,
        degrees_of_freedom=3 * len(atoms),
    )
    dynamics = NoseHooverChainNVT(
        atoms, TIMESTEP * fs, temperature_K=TEMPERATURE, tdamp=100 * fs, tchain=length
    )
    compare(atoms, dynamics, frames)


COUPLINGS = {
    "isotropic": (IsotropicMTKNPT, {}),
    "anisotropic": (MaskedMTKNPT, {"mask": (True, True, True)}),
    "triclinic": (MTKNPT, {}),
}


@pytest.mark.parametrize("coupling", COUPLINGS)
def test_mtk(coupling: str) -> None:
    atoms = argon(coupling != "anisotropic")
    frames = trajectory(
        atoms.copy(),
        40,
        ensemble="npt",
        thermostat="nose-hoover",
        barostat="mtk",
        coupling=coupling,
        temperature=TEMPERATURE,
        pressure=PRESSURE,
        thermostat_time=100.0,
        barostat_time=100.0,
        degrees_of_freedom=3 * len(atoms),
    )
    kind, options = COUPLINGS[coupling]
    dynamics = kind(
        atoms,
        TIMESTEP * fs,
        temperature_K=TEMPERATURE,
        pressure_au=PRESSURE * ase.units.GPa,
        tdamp=100 * fs,
        pdamp=100 * fs,
        **options,
    )
    if coupling == "triclinic":
        # A symmetric matrix of momenta has six degrees of freedom; ASE counts nine.
        barostat = dynamics._barostat
        barostat._R[0] *= 6 / barostat._cell_dof
        barostat._cell_dof = 6
    volume = atoms.get_volume()
    compare(atoms, dynamics, frames)
    assert abs(atoms.get_volume() / volume - 1) > 1e-3
