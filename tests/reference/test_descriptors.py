"""Descriptors against mace-torch's, sevenn's, matgl's, in float64 (fixtures/descriptors-*.npz)."""

from __future__ import annotations

import numpy as np
import pytest
from libirrep import Model
from models import model_path
from structures import FIXTURES, load


def stored(name: str) -> dict[str, np.ndarray]:
    with np.load(FIXTURES / f"descriptors-{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files if key != "made_with"}


def columns(irreps: str, invariants_only: bool) -> int:
    n = 0
    for entry in irreps.split("+"):
        mul, ir = entry.split("x")
        if ir == "0e" or not invariants_only:
            n += int(mul) * (2 * int(ir[:-1]) + 1)
    return n


@pytest.mark.parametrize("case", stored("mace"))
def test_mace(case: str) -> None:
    name, key, invariants_only, num_layers = case.split()
    model = Model(model_path(name))
    result = model.evaluate_one(load()[key], exact_filters=True)
    found = result.descriptors if invariants_only == "1" else result.descriptors_l
    if num_layers != "-1":
        layers = model.descriptor_irreps[: int(num_layers)]
        found = found[:, : sum(columns(x, invariants_only == "1") for x in layers)]
    expected = stored("mace")[case]
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 1e-3
    assert np.abs(found - expected).max() <= 1e-9 * (1 + np.abs(expected).max())


@pytest.mark.parametrize("case", stored("sevennet"))
def test_sevennet(case: str) -> None:
    """What sevenn's reduce_input_to_hidden, the first module of its readout, is given."""
    name, key = case.split()
    result = Model(model_path(name)).evaluate_one(load()[key], exact_filters=True)
    expected = stored("sevennet")[case]
    assert np.abs(expected).max() > 1e-3
    for found in (result.descriptors, result.descriptors_l):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-9 * (1 + np.abs(expected).max())


@pytest.mark.parametrize("case", [key for key in stored("tensornet") if "numbers" not in key])
def test_tensornet(case: str) -> None:
    """What matgl's final_layer is given."""
    name, key = case.split()
    structure = load()[key]._replace(numbers=stored("tensornet")[f"{case} numbers"])
    result = Model(model_path(name)).evaluate_one(structure, exact_filters=True)
    expected = stored("tensornet")[case]
    assert np.abs(expected).max() > 1e-3
    for found in (result.descriptors, result.descriptors_l):
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-9 * (1 + np.abs(expected).max())
