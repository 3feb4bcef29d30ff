"""What is told of structures before they are sent: which atom, and why."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from fake_server import FakeServer

import irrepd
from irrepd import Client, IrrepCalculator, ServerError, StructureError, structure
from irrepd.checks import faults_of
from irrepd.structures import entry_of

WATER = structure([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Atoms("HXO", [[0, 0, 0], [1, 0, 0], [2, 0, 0]]), r"atom 1: 0 is no atomic number.*\(X\)"),
        (Atoms("H2", [[0, 0, 0], [0, np.nan, 0]]), r"Atom 1 is at \(0, nan, 0\): .* finite"),
        (Atoms("H2", [[0, 0, 0], [0, 0, np.inf]]), "Atom 1 .* finite"),
        (Atoms("H2", [[0, 0, 0], [0, 0, 0.05]]), "Atoms 0 and 1 are 0.05 Angstrom apart"),
        (
            Atoms("H2", [[0, 0, 0.01], [0, 0, 3.95]], cell=[4, 4, 4], pbc=True),
            "Atoms 0 and 1 are 0.06 Angstrom apart",
        ),
    ],
)
def test_the_atom_and_the_reason(server: FakeServer, given: Atoms, message: str) -> None:
    with Client(server.url) as client:
        with pytest.raises(StructureError, match=message) as caught:
            client.predict("springs", [given])
        assert isinstance(caught.value, ServerError) and isinstance(caught.value, ValueError)
        assert caught.value.status == 422 and caught.value.pointers
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        good, bad, other = client.predict("springs", [WATER, given, WATER])
    assert good.ok and other.ok and not bad.ok
    assert bad["error"]["status"] == 422
    assert bad["error"]["errors"][0]["pointer"].startswith("#/structures/1/")
    assert [len(request["structures"]) for request in server.requests] == [2]


@pytest.mark.parametrize("number", [0, -1, 119, "Si", 2.5])
def test_numbers_name_their_atom(number: Any) -> None:
    with pytest.raises(StructureError, match=r"atom 1: .* is no atomic number"):
        structure([1, number], [[0, 0, 0], [0, 0, 1]])


def test_positions_are_rows() -> None:
    with pytest.raises(StructureError, match="positions: rows of three numbers"):
        structure([1, 1], [[0, 0, 0], [0, 0]])


def test_a_stream_goes_on_after_what_cannot_be_sent(server: FakeServer) -> None:
    frames: list[Any] = [molecule("H2O") for _ in range(200)]
    frames[3] = Atoms("OX", [[0, 0, 0], [1, 0, 0]])
    frames[70].positions[2, 1] = np.nan
    frames[71].positions[1] = frames[71].positions[0]
    found = list(irrepd.evaluate(frames, "springs", server.url, batch_structures=16))
    assert [i for i, result in enumerate(found) if not result.ok] == [3, 70, 71]
    assert "atom 1" in found[3].problem and "Atom 2" in found[70].problem
    assert "Atoms 0 and 1" in found[71].problem
    only = list(irrepd.evaluate(frames[70:72], "springs", server.url))
    assert [result.ok for result in only] == [False, False]


def test_refusals_are_kept_and_resumed(server: FakeServer, tmp_path: Any) -> None:
    frames = [molecule("H2O"), Atoms("X"), molecule("CH4")]
    path = tmp_path / "results.jsonl"
    first = list(irrepd.evaluate(frames, "springs", server.url, output=path))
    server.requests.clear()
    again = list(irrepd.evaluate(frames, "springs", server.url, output=path))
    assert [result.ok for result in again] == [True, False, True]
    assert [result.problem for result in again] == [result.problem for result in first]
    assert not server.requests


def pairs(cell: Any, pbc: Any, seed: int) -> tuple[dict[str, Any], float]:
    """Atoms, the last one near an image of the first; and the shortest distance of two."""
    random = np.random.default_rng(seed)
    positions = random.uniform(-4, 4, size=(5, 3))
    shift = np.where(pbc, random.integers(-3, 4, 3), 0) @ cell
    step = random.normal(size=3)
    positions[-1] = positions[0] + shift + step * random.uniform(0, 0.2) / np.linalg.norm(step)
    axes = [range(-6, 7) if periodic else (0,) for periodic in pbc]
    images = np.array(np.meshgrid(*axes)).reshape(3, -1).T @ cell
    apart = [
        np.linalg.norm(positions[i] - positions[j] + images, axis=1).min()
        for i in range(5)
        for j in range(i)
    ]
    return structure([1] * 5, positions, cell, pbc), float(min(apart))


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (0, 1, 0), (1, 0, 1), (0, 0, 0)])
def test_overlaps_are_those_of_all_pairs(pbc: Any) -> None:
    cell = np.array([[3.1, 0, 0], [1.3, 2.9, 0], [-0.8, 1.1, 4.3]])
    entries, distances = zip(*(pairs(cell, np.array(pbc, bool), seed) for seed in range(200)))
    expected = [distance < 0.1 for distance in distances]
    assert 50 < sum(expected) < 150
    assert [fault is not None for fault in faults_of(entries)] == expected
    for fault, distance in zip(faults_of(entries), distances):
        assert fault is None or f"{distance:.3g} Angstrom" in str(fault)


def test_crystals_that_exist_are_sent() -> None:
    silicon = bulk("Si", cubic=True).repeat(6)
    silicon.rattle(0.1, seed=3)
    assert (
        faults_of([entry_of(silicon), entry_of(bulk("Cu")), entry_of(molecule("C6H6"))])
        == [None] * 3
    )


def test_disorder_of_ase_is_refused() -> None:
    atoms = Atoms("FeO", [[0, 0, 0], [2, 2, 2]], cell=[4, 4, 4], pbc=True)
    atoms.info["occupancy"] = {"0": {"Fe": 0.5, "Ni": 0.5}, "1": {"O": 1.0}}
    atoms.arrays["spacegroup_kinds"] = np.array([0, 1])
    with pytest.raises(StructureError, match=r"atom 0: its site holds 0.5 Fe and 0.5 Ni"):
        entry_of(atoms)
    atoms.info["occupancy"] = {"0": {"Fe": 1.0}, "1": {"O": 0.75}}
    with pytest.raises(StructureError, match=r"atom 1: its site holds 0.75 O"):
        entry_of(atoms)
    atoms.info["occupancy"] = {"0": {"Fe": 1.0}, "1": {"O": 1.0}}
    assert entry_of(atoms)["numbers"] == [26, 8]


def test_disorder_of_pymatgen_is_refused() -> None:
    core = pytest.importorskip("pymatgen.core")
    lattice = core.Lattice.cubic(4)
    places = [[0, 0, 0], [0.5, 0.5, 0.5]]
    disordered = core.Structure(lattice, [{"Fe": 0.5, "Ni": 0.5}, "O"], places)
    with pytest.raises(StructureError, match=r"atom 0: its site holds 0.5 Fe and 0.5 Ni"):
        entry_of(disordered)
    vacancies = core.Structure(lattice, ["O", {"Fe": 0.8}], places)
    with pytest.raises(StructureError, match=r"atom 1: its site holds 0.8 Fe"):
        entry_of(vacancies)
    dummies = core.Structure(lattice, ["O", core.DummySpecies("X")], places)
    with pytest.raises(StructureError, match=r"atom 1: .* dummy"):
        entry_of(dummies)
    assert entry_of(core.Structure(lattice, ["Fe2+", "O2-"], places))["numbers"] == [26, 8]
    assert entry_of(core.Molecule(["C", "O"], [[0, 0, 0], [0, 0, 1.1]]))["numbers"] == [6, 8]


def charged(**info: Any) -> Atoms:
    atoms = molecule("H2O")
    atoms.info.update(info)
    return atoms


def with_array(name: str, values: Any) -> Atoms:
    atoms = molecule("H2O")
    atoms.set_array(name, np.asarray(values, dtype=float))
    return atoms


EXTRAS = [
    (charged(charge=1), "the charge 1"),
    (charged(spin=3), "the spin 3"),
    (charged(charge=np.array([1.0])), "charge"),
    (with_array("initial_charges", [-1, 0.5, 0.5]), "initial charges"),
    (with_array("initial_magmoms", [2, 0, 0]), "magnetic moments"),
    (with_array("initial_magmoms", [[0, 0, 1]] * 3), "magnetic moments"),
]
NOTHING = [
    charged(charge=0, spin=0),
    charged(charge=None),
    with_array("initial_charges", [0, 0, 0]),
    with_array("initial_magmoms", [0, 0, 0]),
]


@pytest.mark.parametrize(("given", "words"), EXTRAS)
def test_what_no_model_takes_is_said_once(server: FakeServer, given: Atoms, words: str) -> None:
    for ask in (
        lambda: list(irrepd.evaluate([given] * 3, "springs", server.url)),
        lambda: Client(server.url).predict("springs", [given] * 3),
        lambda: energies_by_calculator(server, given),
    ):
        with pytest.warns(UserWarning, match=words) as caught:
            ask()
        assert len([one for one in caught if "ignored" in str(one.message)]) == 1


def energies_by_calculator(server: FakeServer, atoms: Atoms) -> None:
    atoms.calc = IrrepCalculator(url=server.url, model="springs")
    for _ in range(3):
        atoms.rattle(0.01)
        atoms.get_potential_energy()


@pytest.mark.parametrize(("given", "words"), EXTRAS)
def test_strict_refuses_it(server: FakeServer, given: Atoms, words: str) -> None:
    with pytest.raises(StructureError, match=words):
        Client(server.url, strict=True).predict("springs", [given])
    good, bad = irrepd.evaluate([molecule("H2O"), given], "springs", server.url, strict=True)
    assert good.ok and words in bad.problem
    given.calc = IrrepCalculator(url=server.url, model="springs", strict=True)
    with pytest.raises(StructureError, match=words):
        given.get_potential_energy()


@pytest.mark.parametrize("given", NOTHING)
def test_zeros_are_nothing(server: FakeServer, given: Atoms) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = irrepd.evaluate([given], "springs", server.url, strict=True)
        assert found.ok
        energies_by_calculator(server, given)


def test_charges_of_pymatgen(server: FakeServer) -> None:
    core = pytest.importorskip("pymatgen.core")
    lattice, places = core.Lattice.cubic(4), [[0, 0, 0], [0.5, 0.5, 0.5]]
    ion = core.Molecule(["C", "O"], [[0, 0, 0], [0, 0, 1.1]], charge=1)
    triplet = core.Molecule(["O", "O"], [[0, 0, 0], [0, 0, 1.2]], spin_multiplicity=3)
    cell = core.Structure(lattice, ["Fe", "O"], places, charge=2)
    magnet = core.Structure(lattice, ["Fe", "O"], places, site_properties={"magmom": [4, 0]})
    given_words = [(ion, "charge 1"), (triplet, "3"), (cell, "charge 2"), (magnet, "magnetic")]
    for given, words in given_words:
        with pytest.warns(UserWarning, match=words):
            list(irrepd.evaluate([given], "springs", server.url))
        (refused,) = irrepd.evaluate([given], "springs", server.url, strict=True)
        assert words in refused.problem
    plain = core.Structure(lattice, ["Fe", "O"], places)
    (found,) = irrepd.evaluate([plain], "springs", server.url, strict=True)
    assert found.ok


def test_strict_may_be_set_later(server: FakeServer) -> None:
    atoms = charged(charge=1)
    atoms.calc = calculator = IrrepCalculator(url=server.url, model="springs")
    with pytest.warns(UserWarning, match="charge"):
        atoms.get_potential_energy()
    calculator.set(strict=True)
    for copy in (calculator, pickle.loads(pickle.dumps(calculator))):
        atoms.calc = copy
        with pytest.raises(StructureError, match="charge"):
            atoms.get_potential_energy()
