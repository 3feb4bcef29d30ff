"""Stresses of atoms against mace-torch's and sevenn's, in float64 (fixtures/stresses-*.npz)."""

from __future__ import annotations

import numpy as np
import pytest
from libirrep import Model
from models import model_path
from structures import FIXTURES, load


def stored(name: str) -> dict[str, np.ndarray]:
    with np.load(FIXTURES / f"stresses-{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files if key != "made_with"}


def assert_same(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert found.shape == expected.shape, what
    assert np.abs(found - expected).max() <= 1e-9 * (1 + np.abs(expected).max()), what


@pytest.mark.parametrize("case", stored("mace"))
def test_mace(case: str) -> None:
    """The same partition: half of each edge to each of its atoms; sign and units are ours too."""
    name, key = case.split()
    result = Model(model_path(name)).evaluate_one(load()[key])
    assert_same(result.stresses, stored("mace")[case], case)


@pytest.mark.parametrize("case", stored("sevennet"))
def test_sevennet(case: str) -> None:
    """The mean of sevenn's virials by either end of the edges."""
    name, key = case.split()
    structure = load()[key]
    result = Model(model_path(name)).evaluate_one(structure)
    volume = -abs(np.linalg.det(structure.cell)) if structure.pbc.all() else 1.0
    assert_same(result.stresses * volume, stored("sevennet")[case], case)
