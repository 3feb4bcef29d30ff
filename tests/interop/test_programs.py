"""Programs that people use with potentials, against the running daemon: ASE, phonopy, pymatgen."""

from __future__ import annotations

import os

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk, fcc100, molecule
from ase.constraints import FixAtoms
from ase.filters import FrechetCellFilter
from ase.md.langevin import Langevin
from ase.md.verlet import VelocityVerlet
from ase.mep import NEB
from ase.optimize import BFGS, FIRE, LBFGS
from ase.phonons import Phonons
from ase.vibrations import Vibrations

import irrepd
from irrepd import Client, IrrepCalculator

MODEL = "sevennet-0"
is_sanitized = pytest.mark.skipif(
    "IRREPD_TEST_DAEMON" in os.environ, reason="long, and nothing new to a sanitizer"
)


def calculator(url: str, precision: str = "float64") -> IrrepCalculator:
    return IrrepCalculator(url=url, model=MODEL, precision=precision)


@pytest.mark.parametrize("optimizer", [BFGS, LBFGS, FIRE])
def test_optimizers(server_url: str, optimizer: type) -> None:
    atoms = molecule("H2O")
    atoms.rattle(0.1, seed=2)
    atoms.calc = calculator(server_url)
    assert optimizer(atoms, logfile=None).run(fmax=0.01, steps=100)
    assert np.abs(atoms.get_forces()).max() < 0.01
    assert atoms.get_distance(0, 1) == pytest.approx(0.97, abs=0.03)


def test_cell_relaxes(server_url: str) -> None:
    atoms = bulk("Si", a=5.2)
    atoms.calc = calculator(server_url)
    assert BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.001, steps=60)
    assert np.abs(atoms.get_stress()).max() < 1e-4
    assert atoms.cell.lengths()[0] * 2**0.5 == pytest.approx(5.44, abs=0.06)


def test_band_over_a_barrier(server_url: str) -> None:
    first = fcc100("Al", (1, 1, 3), vacuum=5.0)
    first.set_constraint(FixAtoms(mask=[atom.tag > 1 for atom in first]))
    first += Atoms("H", [first.positions[-1] + [0.1, 0.2, 1.7]])
    last = first.copy()
    last.positions[-1, 0] += 0.8
    images = [first, *(first.copy() for _ in range(3)), last]
    for image in images:
        image.calc = calculator(server_url)
    band = NEB(images, method="improvedtangent")
    band.interpolate()
    before = np.abs(band.get_forces()).max()
    FIRE(band, logfile=None).run(fmax=0.05, steps=15)
    assert np.isfinite(band.get_forces()).all() and np.abs(band.get_forces()).max() < before
    for image in images[1:-1]:
        alone = image.copy()
        alone.calc = calculator(server_url)
        assert image.get_potential_energy() == alone.get_potential_energy()


@is_sanitized
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_picosecond_conserves_energy(server_url: str, precision: str) -> None:
    atoms = bulk("Si")
    atoms.rattle(0.02, seed=1)
    atoms.calc = calculator(server_url, precision)
    momenta = np.random.default_rng(1).normal(size=(2, 3))
    momenta -= momenta.mean(axis=0)
    atoms.set_momenta(momenta * np.sqrt(atoms.get_masses() * 100 * units.kB)[:, None])
    dynamics = VelocityVerlet(atoms, timestep=0.5 * units.fs)
    kinetic, total = [], []
    for _ in dynamics.irun(2000):
        kinetic.append(atoms.get_kinetic_energy())
        total.append(atoms.get_total_energy())
    assert np.ptp(kinetic) > 1e-3 * len(atoms)
    assert np.ptp(total) < 1e-5 * len(atoms)


def test_langevin_heats_and_keeps_the_stream_of_numbers(server_url: str) -> None:
    ends = []
    for _ in range(2):
        atoms = bulk("Si", cubic=True)
        atoms.calc = calculator(server_url)
        rng = np.random.default_rng(7)
        options = {"temperature_K": 600, "friction": 0.1 / units.fs, "fixcm": False, "rng": rng}
        Langevin(atoms, 1.0 * units.fs, **options).run(30)
        ends.append(atoms.positions.copy())
        assert 50 < atoms.get_temperature() < 2000
    assert np.array_equal(*ends)


def test_vibrations(server_url: str, tmp_path: object) -> None:
    atoms = molecule("N2")
    atoms.calc = calculator(server_url)
    BFGS(atoms, logfile=None).run(fmax=1e-3, steps=50)
    vibrations = Vibrations(atoms, name=str(tmp_path))
    vibrations.run()
    wavenumbers = vibrations.get_frequencies()
    assert wavenumbers[-1].real == pytest.approx(2350, abs=500)
    assert np.abs(wavenumbers[:5]).max() < 60


def test_phonons_of_a_supercell(server_url: str, tmp_path: object) -> None:
    atoms = bulk("Si", a=5.46)
    phonons = Phonons(atoms, calculator(server_url), (2, 2, 2), delta=0.03, name=str(tmp_path))
    phonons.run()
    phonons.read(acoustic=True)
    energies = phonons.band_structure([[0, 0, 0]])[0] / units._hplanck * units._e * 1e-12
    assert np.abs(energies[:3]).max() < 0.3  # THz
    assert energies[3:] == pytest.approx([15.0] * 3, abs=2.5)


def test_phonopy(server_url: str) -> None:
    phonopy = pytest.importorskip("phonopy")
    from phonopy.structure.atoms import PhonopyAtoms

    cell = bulk("Si", a=5.46)
    unit = PhonopyAtoms(cell.get_chemical_symbols(), positions=cell.positions, cell=cell.cell[:])
    phonon = phonopy.Phonopy(unit, np.eye(3, dtype=int) * 2, log_level=0)
    phonon.generate_displacements(distance=0.03)
    supercells = phonon.supercells_with_displacements
    entries = [irrepd.structure(x.numbers, x.positions, x.cell) for x in supercells]
    results = irrepd.evaluate(entries, MODEL, server_url, precision="float64")
    phonon.forces = [result["forces"] for result in results]
    phonon.produce_force_constants()
    phonon.run_qpoints([[0, 0, 0]])
    frequencies = phonon.qpoints.frequencies[0]
    assert np.abs(frequencies[:3]).max() < 0.05  # THz
    assert frequencies[3:] == pytest.approx([15.0] * 3, abs=2.5)


def test_pymatgen(server_url: str) -> None:
    core = pytest.importorskip("pymatgen.core")
    lattice = core.Lattice.from_parameters(3.8, 3.9, 4.0, 60, 65, 70)
    crystal = core.Structure(lattice, ["Si", "Si"], [[0, 0, 0], [0.24, 0.26, 0.25]])
    molecules = core.Molecule(["O", "H", "H"], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    given = [crystal, molecules]
    found = list(irrepd.evaluate(given, MODEL, server_url, precision="float64"))
    for result, structure in zip(found, given):
        atoms = structure.to_ase_atoms()
        atoms.calc = calculator(server_url)
        assert result["energy"] == pytest.approx(atoms.get_potential_energy(), rel=1e-12)
        assert np.allclose(result["forces"], atoms.get_forces(), rtol=0, atol=1e-10)


def test_large_structures_are_the_same_in_either_form(
    server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.05, seed=4)
    entries = [irrepd.structure(atoms.numbers, atoms.positions, atoms.cell.array)] * 2
    answers = []
    for threshold in (1, 10**9):
        monkeypatch.setattr(irrepd.client, "BINARY_FROM", threshold)
        with Client(server_url) as client:
            answers.append(client.predict(MODEL, entries, irrepd.client.PROPERTIES))
    for one, other in zip(*answers):
        assert one["energy"] == other["energy"]
        for name in ("forces", "stress", "energies"):
            assert np.array_equal(one[name], other[name])


def test_streams_equal_single_answers(server_url: str) -> None:
    frames = [bulk("Si") for _ in range(60)] + [molecule("H2O") for _ in range(60)]
    for i, atoms in enumerate(frames):
        atoms.rattle(0.05, seed=i)
    found = list(irrepd.evaluate(frames, MODEL, server_url, batch_atoms=40))
    for i in (0, 17, 59, 60, 119):
        atoms = frames[i]
        atoms.calc = IrrepCalculator(url=server_url, model=MODEL)
        assert found[i]["energy"] == atoms.get_potential_energy()
        assert np.array_equal(found[i]["forces"], atoms.get_forces())
