"""ASE against the running daemon: relaxation, numerical derivatives, dynamics, the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, graphene, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress
from ase.filters import FrechetCellFilter
from ase.md.verlet import VelocityVerlet
from ase.optimize import BFGS

from irrepd import Client, IrrepCalculator, ServerError

MODEL = "sevennet-0"
PACKAGE = Path(__file__).resolve().parents[2] / "clients" / "python"


@pytest.fixture
def calculator(server_url: str) -> IrrepCalculator:
    return IrrepCalculator(url=server_url, model=MODEL, precision="float64")


def silicon(rattle: float) -> Atoms:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(rattle, seed=3)
    return atoms


def test_card(server_url: str) -> None:
    with Client(server_url) as client:
        card = client.model(MODEL)
        assert card in client.models()
    assert (card["architecture"], card["variant"]) == ("nequip", "sevennet")
    assert (card["state"], card["precision"], card["r_max"]) == ("ready", "float32", 5.0)
    assert len(card["elements"]) == len(card["atomic_numbers"]) == 89


def test_silicon_relaxes_to_diamond(calculator: IrrepCalculator) -> None:
    perfect, atoms = silicon(0.0), silicon(0.1)
    perfect.calc = atoms.calc = calculator
    lowest = perfect.get_potential_energy()
    assert atoms.get_potential_energy() > lowest + 0.1
    assert BFGS(atoms, logfile=None).run(fmax=0.002, steps=60)
    assert atoms.get_potential_energy() == pytest.approx(lowest, abs=1e-4)


def test_forces_and_stress_are_derivatives(calculator: IrrepCalculator) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    atoms.rattle(0.1, seed=1)
    shear = np.array([[0.1, 0, 0.2], [0, -0.1, 0], [0.05, 0, 0]])
    atoms.set_cell(atoms.cell.array + shear, scale_atoms=True)
    atoms.calc = calculator
    forces, stress = atoms.get_forces(), atoms.get_stress()
    assert np.abs(forces).max() > 0.01 and np.abs(stress).min() > 1e-5
    assert np.allclose(calculate_numerical_forces(atoms, eps=1e-4), forces, rtol=0, atol=1e-6)
    assert np.allclose(calculate_numerical_stress(atoms, eps=1e-5), stress, rtol=0, atol=1e-7)


def test_slab_stress_relaxes_graphene(server_url: str, calculator: IrrepCalculator) -> None:
    atoms = graphene(a=2.55, vacuum=6.0)
    assert atoms.pbc.tolist() == [True, True, False]
    atoms.rattle(0.02, seed=5)
    atoms.calc = calculator
    with pytest.raises(PropertyNotImplementedError, match="slab_stress"):
        atoms.get_stress()
    atoms.calc = IrrepCalculator(server_url, MODEL, precision="float64", slab_stress=True)
    stress = atoms.get_stress()
    assert np.abs(stress[:2]).min() > 0.01
    assert np.allclose(calculate_numerical_stress(atoms, eps=1e-5), stress, rtol=0, atol=1e-7)
    assert np.allclose(atoms.get_stresses().sum(axis=0), stress, rtol=0, atol=1e-10)
    height = atoms.cell[2].copy()
    in_plane = FrechetCellFilter(atoms, mask=[1, 1, 0, 0, 0, 1])
    assert BFGS(in_plane, logfile=None).run(fmax=0.005, steps=60)
    assert np.abs(atoms.get_stress()[[0, 1, 5]]).max() < 1e-4
    assert np.abs(atoms.cell.lengths()[:2] - 2.46).max() < 0.03
    assert np.allclose(atoms.cell[2], height, atol=1e-12)


def test_molecule(calculator: IrrepCalculator) -> None:
    atoms = molecule("CH3CH2OH")
    atoms.calc = calculator
    forces = atoms.get_forces()
    assert np.abs(forces.sum(axis=0)).max() < 1e-10
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())
    with pytest.raises(PropertyNotImplementedError):
        atoms.get_stress()


def test_precisions_agree(server_url: str) -> None:
    energies = {}
    for precision in ("float32", "float64", None):
        atoms = silicon(0.1)
        atoms.calc = IrrepCalculator(url=server_url, model=MODEL, precision=precision)
        energies[precision] = atoms.get_potential_energy()
    assert energies[None] == energies["float32"] != energies["float64"]
    assert energies["float32"] == pytest.approx(energies["float64"], abs=1e-5 * 8)


def test_dynamics_conserve_energy(calculator: IrrepCalculator) -> None:
    atoms = silicon(0.02)
    atoms.calc = calculator
    momenta = np.random.default_rng(5).normal(size=(len(atoms), 3))
    atoms.set_momenta(momenta * np.sqrt(atoms.get_masses() * 600 * units.kB)[:, None])
    dynamics = VelocityVerlet(atoms, timestep=0.5 * units.fs)
    potential, total = [], []
    for _ in dynamics.irun(60):
        potential.append(atoms.get_potential_energy())
        total.append(atoms.get_total_energy())
    assert np.ptp(potential) > 0.1
    assert np.ptp(total) < 0.01 * np.ptp(potential)


def test_refusals_name_the_atoms(calculator: IrrepCalculator) -> None:
    for atoms, pointer in (
        (Atoms("HOg", [[0, 0, 0], [0, 0, 1]]), "#/structures/0/numbers/1"),
        (Atoms("H2", [[0, 0, 0], [0, 0, 0]]), "#/structures/0/positions"),
    ):
        atoms.calc = calculator
        with pytest.raises(ServerError) as caught:
            atoms.get_potential_energy()
        assert caught.value.status == 422 and pointer in str(caught.value.problem)
    calculator.set(model="no-such-model")
    atoms = molecule("H2O")
    atoms.calc = calculator
    with pytest.raises(ServerError) as caught:
        atoms.get_potential_energy()
    assert caught.value.status == 404


def test_command_line(server_url: str, calculator: IrrepCalculator, tmp_path: Path) -> None:
    frames = [silicon(0.05), molecule("H2O"), Atoms("Og"), bulk("Cu")]
    path, output = tmp_path / "in.extxyz", tmp_path / "out.extxyz"
    ase.io.write(path, frames)
    command = [sys.executable, "-m", "irrepd", path, "--url", server_url, "--model", MODEL]
    done = subprocess.run(
        [*command, "--precision", "float64", "--output", output],
        cwd=PACKAGE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "irrepd: 1 of 4 frames have no result\n")
    lines = done.stdout.splitlines()
    assert len(lines) == 5 and len(lines[3].split()) > 6  # the refusal, in words
    answers = ase.io.read(output, ":")
    for given, line, answer in zip(ase.io.read(path, ":"), lines[1:], answers):
        if "Og" in given.symbols:
            assert answer.calc is None
            continue
        given.calc = calculator
        energy = given.get_potential_energy()
        assert float(line.split()[3]) == pytest.approx(energy, abs=1e-6)
        assert answer.get_potential_energy() == pytest.approx(energy, abs=1e-7)
        assert np.allclose(answer.get_forces(), given.get_forces(), atol=1e-7)
