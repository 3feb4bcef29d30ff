from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.calculator import (
    CalculatorSetupError,
    PropertyNotImplementedError,
    get_calculator_class,
)
from ase.mep import NEB
from ase.optimize import BFGS, FIRE
from fake_server import FakeServer, busy

import irrepd
from irrepd import IrrepCalculator, ServerError, ase_plugin


@pytest.fixture
def calculator(server: FakeServer) -> IrrepCalculator:
    return IrrepCalculator(url=server.url, model="springs")


def test_one_request_gives_everything(server: FakeServer, calculator: IrrepCalculator) -> None:
    atoms = bulk("Si", cubic=True)
    atoms.calc = calculator
    x = atoms.positions
    assert atoms.get_potential_energy() == pytest.approx((x**2 @ [0.5, 1.0, 1.5]).sum())
    assert atoms.get_potential_energy(force_consistent=True) == atoms.get_potential_energy()
    assert np.allclose(atoms.get_forces(), -x * [1, 2, 3])
    assert atoms.get_potential_energies().sum() == pytest.approx(atoms.get_potential_energy())
    assert atoms.get_stress().tolist() == [1, 2, 3, 4, 5, 6]  # xx, yy, zz, yz, xz, xy
    assert len(server.requests) == 1
    sent = server.requests[0]
    assert sent["structures"][0]["cell"] == atoms.cell.tolist()
    assert sent["structures"][0]["pbc"] == [True, True, True]
    assert set(sent["properties"]) == {"energy", "forces", "stress", "energies"}
    assert "precision" not in sent


def test_stresses_of_atoms_are_asked_for_when_wanted(
    server: FakeServer, calculator: IrrepCalculator
) -> None:
    atoms = bulk("Si", cubic=True)
    atoms.calc = calculator
    atoms.get_forces()
    stresses = atoms.get_stresses()
    assert stresses.shape == (8, 6)
    assert np.allclose(stresses.sum(axis=0), atoms.get_stress())
    assert atoms.get_stresses(voigt=False).shape == (8, 3, 3)
    assert ["stresses" in request["properties"] for request in server.requests] == [False, True]


def test_moved_atoms_are_a_new_request(server: FakeServer, calculator: IrrepCalculator) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    before = atoms.get_potential_energy()
    atoms.positions[0, 0] += 1.0
    assert atoms.get_potential_energy() != before
    atoms.set_initial_charges([1, 0, 0])
    atoms.get_forces()
    assert len(server.requests) == 2


def test_no_stress_without_three_periodic_axes(
    server: FakeServer, calculator: IrrepCalculator
) -> None:
    slab = Atoms("H", cell=[3, 3, 3], pbc=[True, True, False])
    for atoms in (molecule("H2O"), slab):
        atoms.calc = calculator
        atoms.get_forces()
        for wanted in (atoms.get_stress, atoms.get_stresses):
            with pytest.raises(PropertyNotImplementedError):
                wanted()
    assert "cell" not in server.requests[0]["structures"][0]
    assert server.requests[1]["structures"][0]["pbc"] == [True, True, False]
    assert len(server.requests) == 2


def test_slab_stress_is_by_the_volume_of_a_whole_cell(server: FakeServer) -> None:
    calculator = IrrepCalculator(url=server.url, model="springs", slab_stress=True)
    slab = Atoms("H2", [[0, 0, 0], [0, 0, 1]], cell=[2, 2, 2], pbc=[True, True, False])
    slab.calc = calculator
    assert slab.get_stress() == pytest.approx([1, 2, 3, 4, 5, 6])  # the virial is of 8 A^3
    assert np.allclose(slab.get_stresses().sum(axis=0), slab.get_stress())
    assert "stress" not in server.requests[0]["properties"]
    crystal = bulk("Si", cubic=True)
    crystal.calc = calculator
    crystal.get_stress()
    assert "virial" not in server.requests[-1]["properties"]
    sheet = Atoms("H", cell=[3, 3, 0], pbc=[True, True, False])
    sheet.calc = calculator
    sheet.get_forces()
    assert "virial" not in server.requests[-1]["properties"]
    with pytest.raises(PropertyNotImplementedError, match="three vectors"):
        sheet.get_stress()


def test_parameters(server: FakeServer, calculator: IrrepCalculator) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    atoms.get_forces()
    calculator.set(precision="float64")
    atoms.get_forces()
    assert [request.get("precision") for request in server.requests] == [None, "float64"]
    with pytest.raises(CalculatorSetupError, match="cutoff"):
        IrrepCalculator(url=server.url, cutoff=5)


def test_problems_are_exceptions_and_leave_no_results(
    server: FakeServer, calculator: IrrepCalculator
) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    atoms.get_potential_energy()
    atoms.numbers[1] = 118
    with pytest.raises(ServerError, match="unknown element Og"):
        atoms.get_potential_energy()
    assert "energy" not in calculator.results
    calculator.set(model="absent")
    with pytest.raises(ServerError) as caught:
        atoms.get_potential_energy()
    assert caught.value.status == 404


def test_waits_for_a_busy_daemon(server: FakeServer, calculator: IrrepCalculator) -> None:
    server.faults = [busy("0")]
    atoms = molecule("H2O")
    atoms.calc = calculator
    assert atoms.get_potential_energy() > 0


def test_pickles_and_copies(server: FakeServer, calculator: IrrepCalculator) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    for copy in (pickle.loads(pickle.dumps(calculator)), deepcopy(calculator)):
        assert copy.parameters["model"] == "springs"
        assert copy.get_potential_energy(atoms) == energy
        copy.reset()
        assert copy.get_potential_energy(atoms) == energy
    assert len(server.requests) == 3


def test_relaxes(calculator: IrrepCalculator) -> None:
    atoms = Atoms("H", [[0.3, -0.2, 0.4]])
    atoms.calc = calculator
    assert BFGS(atoms, logfile=None).run(fmax=1e-4, steps=100)
    assert np.abs(atoms.positions).max() < 1e-3


def test_charge_and_spin_of_info_are_compared(
    server: FakeServer, calculator: IrrepCalculator
) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    for info in ({}, {"charge": 1}, {"charge": 1, "spin": 2}, {"charge": 1, "spin": 2, "x": 3}):
        atoms.info.update(info)
        atoms.get_forces()
    assert len(server.requests) == 3


def test_info_may_hold_arrays(server: FakeServer, calculator: IrrepCalculator) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    for spin in ([1, 2], [1, 2], [1, 3]):
        atoms.info["spin"] = np.array(spin)
        atoms.get_forces()
    assert len(server.requests) == 2


def test_images_of_a_band_share_a_calculator(calculator: IrrepCalculator) -> None:
    images = [Atoms("H", [[x, 0.5, 0]]) for x in (-1.0, -0.4, 0.1, 1.0)]
    for image in images:
        image.calc = calculator
    band = NEB(images, method="improvedtangent", allow_shared_calculator=True)
    FIRE(band, logfile=None).run(fmax=0.01, steps=5)
    for image in images:
        x = image.positions
        assert image.get_potential_energy() == pytest.approx((x**2 @ [0.5, 1, 1.5]).sum())
        assert np.allclose(image.get_forces(), -x * [1, 2, 3])


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs work(0), work(1), ... at a time; raises what one of them raises."""
    faults: list[BaseException] = []

    def guarded(i: int) -> None:
        try:
            work(i)
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def test_threads_get_numbers_of_their_own(server: FakeServer, calculator: IrrepCalculator) -> None:
    """Two requests are answered only once both are there, so that calculations overlap."""
    barrier = threading.Barrier(2, timeout=20)
    server.faults = [lambda _: bool(barrier.wait() < 0)] * 40

    def work(i: int) -> None:
        atoms = Atoms("H", [[0.0, 0.0, 0.0]])
        atoms.calc = calculator
        for step in range(20):
            atoms.positions[0, 0] = x = 1.0 + i + step / 100
            assert atoms.get_potential_energy() == x * x / 2
            assert atoms.get_forces()[0, 0] == -x
            assert calculator.results["energy"] == x * x / 2
            assert calculator.atoms.positions[0, 0] == x

    in_threads(2, work)
    assert len(server.requests) == 40


def test_a_thread_that_calculates_nothing_sees_the_latest(
    server: FakeServer, calculator: IrrepCalculator
) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    for _ in range(2):
        atoms.rattle(0.05)
        energy = atoms.get_potential_energy()

        def look(_: int, energy: float = energy) -> None:
            assert calculator.results["energy"] == energy
            assert atoms.get_potential_energy() == energy

        in_threads(1, look)
    assert len(server.requests) == 2


def test_parameters_are_changed_for_all_threads(
    server: FakeServer, calculator: IrrepCalculator
) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    atoms.get_forces()
    in_threads(1, lambda _: calculator.set(precision="float64") and None)
    atoms.get_forces()
    assert [request.get("precision") for request in server.requests] == [None, "float64"]


def test_files_of_ase_name_the_calculator(calculator: IrrepCalculator, tmp_path: Path) -> None:
    atoms = molecule("H2O")
    atoms.calc = calculator
    energy = atoms.get_potential_energy()
    atoms.write(tmp_path / "x.traj")
    stored = ase.io.read(tmp_path / "x.traj").calc
    assert (stored.name, stored.results["energy"]) == ("irrepd", energy)
    calculator.set(verify=tmp_path)
    json.dumps(calculator.todict())


def test_keys_are_no_parameters(server: FakeServer) -> None:
    calculator = IrrepCalculator(url=server.url, model="springs", key="secret")
    atoms = molecule("H2O")
    atoms.calc = deepcopy(calculator)
    atoms.get_forces()
    calculator.set(timeout=5)
    atoms.calc = pickle.loads(pickle.dumps(calculator))
    atoms.get_forces()
    assert [x["Authorization"] for x in server.headers] == ["Bearer secret"] * 2
    assert "secret" not in str(calculator.todict()) + repr(calculator)


def test_ase_knows_the_calculator_by_name() -> None:
    assert ase_plugin.__ase_plugins__ == frozenset()
    assert get_calculator_class("irrepd") is IrrepCalculator


def test_lazy_attributes() -> None:
    assert irrepd.IrrepCalculator is IrrepCalculator
    assert set(irrepd.__all__) == set(irrepd._HOMES) <= set(dir(irrepd))
    with pytest.raises(AttributeError, match="nothing"):
        _ = irrepd.nothing
