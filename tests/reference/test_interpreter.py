"""The interpreter, the format's executable specification, against upstream in float64."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from accuracy import MODELS, SEVENNET, references
from models import model_path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))
from interpreter import Interpreter, harmonics, neighbours
from interpreter_allegro import AllegroInterpreter
from interpreter_tensornet import TensorNetInterpreter

EDGES_MAX = 250  # of the structures compared; the interpreter is slow


KINDS = {"allegro": AllegroInterpreter, "tensornet": TensorNetInterpreter}
FAMILIES = ("nequip/", "allegro/", "tensornet/")
INTERPRETED = [*SEVENNET, *(m for m in MODELS if m.startswith(FAMILIES))]


@pytest.mark.parametrize("model", INTERPRETED)
def test_energies_are_those_of_upstream(model: str) -> None:
    interpreter = KINDS.get(model.partition("/")[0], Interpreter)(model_path(model))
    cases = [case for case in references(model).values() if case.n_edges <= EDGES_MAX]
    assert len(cases) >= 5
    for case in cases:
        at = case.structure
        energies = interpreter.energies(at.numbers, at.positions, at.cell, at.pbc)
        assert np.abs(energies - case.energies).max() < 1e-10 * (1 + np.abs(case.energies).max())


def test_neighbours_of_a_crystal() -> None:
    """Shells of the face-centred cubic lattice: 12, 6, 24, 12 atoms at sqrt(1, 2, 3, 4)."""
    cell = np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]) / np.sqrt(2)
    everywhere = np.ones(3, dtype=bool)
    for reach, count in ((1.1, 12), (1.5, 18), (1.8, 42), (2.1, 54)):
        assert len(neighbours(np.zeros((1, 3)), cell, everywhere, reach).senders) == count
    along = np.array([True, False, False])
    assert len(neighbours(np.zeros((1, 3)), cell, along, 2.1).senders) == 4


def test_neighbours_do_not_depend_on_wrapping() -> None:
    generator = np.random.default_rng(0)
    cell = np.diag([2.0, 2.5, 3.0]) + generator.normal(0, 0.3, (3, 3))
    positions = generator.normal(size=(3, 3))
    moved = positions + generator.integers(-4, 5, (3, 3)) @ cell
    everywhere = np.ones(3, dtype=bool)
    lengths = [
        np.sort(np.linalg.norm(neighbours(x, cell, everywhere, 4.0).vectors, axis=1))
        for x in (positions, moved)
    ]
    assert len(lengths[0]) > 50 and np.allclose(*lengths, atol=1e-12)


def test_harmonics() -> None:
    directions = np.random.default_rng(1).normal(size=(20, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    x, y, z = directions.T
    found = harmonics(4, directions)
    for degree, values in enumerate(found):
        assert np.allclose((values**2).sum(axis=1), 2 * degree + 1)
    quadrupole = [x * z, x * y, (2 * y**2 - x**2 - z**2) / np.sqrt(12), y * z, (z**2 - x**2) / 2]
    assert np.allclose(found[2], np.sqrt(15) * np.array(quadrupole).T)
