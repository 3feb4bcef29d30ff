"""Second derivatives by tangents (irrep/tangents.h), of every model whose operations have them."""

from __future__ import annotations

import numpy as np
import pytest
from libirrep import IrrepError, Model
from models import COMMITTED, committed_names
from systems import KINDS, System, system

STEP = 4e-5  # Angstrom, of differences of fourth order
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
TOLERANCE = 1e-7  # what truncation and rounding leave of them

# Filters that depend on the direction of an edge, and dipoles.
WITHOUT = {"mace/nonlinear", "nequip/nequip-edges", "mace/dipoles", "mace/dipoles-l2"}


def differences(model: Model, start: System) -> np.ndarray:
    """Of forces with filters that are computed for each edge."""
    n = start.positions.size
    batch = []
    for k in range(n):
        for step, _ in STENCIL:
            displacement = np.zeros(n)
            displacement[k] = step * STEP
            batch.append(start.moved(displacement.reshape(-1, 3)))
    heads = [model.heads[0]] * len(batch) if model.heads else None
    results = model.evaluate(batch, "float64", exact_filters=True, heads=heads)
    forces = np.array([result.forces.ravel() for result in results]).reshape(n, len(STENCIL), n)
    return -np.einsum("s,ksj->kj", [w / STEP for _, w in STENCIL], forces)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_those_of_differences(model: Model, kind: str) -> None:
    if not model.has_tangents:
        pytest.skip("an operation has no tangent")
    start = system(model, kind)
    found, expected = model.tangents(start), differences(model, start)
    size = 1 + np.abs(expected).max()
    assert np.abs(found - expected).max() <= TOLERANCE * size
    assert np.abs(found).max() > 1e-3
    assert np.abs(found - found.T).max() <= 1e-12 * size
    of_translations = found.reshape(len(found), -1, 3).sum(axis=1)
    assert np.abs(of_translations).max() <= 1e-11 * size


def test_heads_are_told_apart(model: Model) -> None:
    if not model.has_tangents or len(model.heads) < 2:
        pytest.skip("a model of one head, or an operation has no tangent")
    start = system(model, "molecule")
    first, last = (model.tangents(start, head) for head in (0, len(model.heads) - 1))
    assert np.abs(first - last).max() > 1e-6 * np.abs(first).max()
    with pytest.raises(IrrepError, match="heads"):
        model.tangents(start, len(model.heads))


def test_which_models_have_none() -> None:
    for name in committed_names():
        path = COMMITTED / f"{name}.safetensors"
        expected = not name.startswith(("allegro/", "tensornet/")) and name not in WITHOUT
        assert Model(path).has_tangents == expected, name
