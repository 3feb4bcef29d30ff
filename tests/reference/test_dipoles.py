"""Dipoles against mace-torch's in float64 (fixtures/dipoles-mace.npz), and how they turn."""

from __future__ import annotations

import numpy as np
import pytest
from libirrep import Model
from models import model_path
from structures import FIXTURES, load

DEBYE = 0.20819433270935597  # e Angstrom: 1e-21 / (299792458 * 1.602176634e-19) m, in which it is
NAMES = ("mace/dipoles", "mace/dipoles-l2")


def stored() -> dict[str, np.ndarray]:
    with np.load(FIXTURES / "dipoles-mace.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files if key != "made_with"}


@pytest.mark.parametrize("case", stored())
def test_mace(case: str) -> None:
    name, key = case.split()
    structure, model = load()[key], Model(model_path(name))
    found = model.evaluate_one(structure, exact_filters=True).dipole
    expected = DEBYE * stored()[case]
    bound = 1e-9 * len(structure.numbers) * (1 + np.abs(expected).max())
    assert np.abs(found - expected).max() <= bound
    rough = model.evaluate_one(structure, "float32").dipole
    assert np.abs(rough - expected).max() <= 2e-5 * len(structure.numbers)


@pytest.mark.parametrize("name", NAMES)
def test_the_references_are_not_zero(name: str) -> None:
    """But for structures whose symmetry says so."""
    for key in ("s22-water-dimer", "g2-ethanol"):
        assert np.abs(stored()[f"{name} {key}"]).max() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_it_turns_with_the_structure(name: str) -> None:
    structure, model = load()["g2-ethanol"], Model(model_path(name))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    for q in (turn, -turn):  # one of them mirrors
        turned = structure._replace(positions=structure.positions @ q.T)
        expected = q @ model.evaluate_one(structure).dipole
        assert np.abs(model.evaluate_one(turned).dipole - expected).max() < 1e-10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_equal_bits_in_any_batch(name: str, precision: str) -> None:
    structures = [load()[key] for key in ("s22-water-dimer", "g2-ethanol", "crystal-co2")]
    model = Model(model_path(name))
    alone = [model.evaluate_one(s, precision).dipole.tobytes() for s in structures]
    together = [r.dipole.tobytes() for r in model.evaluate([*structures, *structures], precision)]
    assert together == alone * 2


def test_models_without_one() -> None:
    model = Model(model_path("sevennet-0"))
    assert not model.card.has_dipole
    assert model.evaluate_one(load()["g2-ethanol"]).dipole is None
