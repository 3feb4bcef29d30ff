"""A structure divided into parts with ghosts gives the numbers of the whole."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from libirrep import Model
from models import model_names, model_path
from parts import Settings, Sum, boxes_of, cut, evaluate
from systems import System, system

TOLERANCES = {"float64": 1e-12, "float32": 1e-4}


def without_repulsion(data: bytes) -> bytes | None:
    """A model file whose pair repulsion is zero; None where it has none."""
    size = struct.unpack("<Q", data[:8])[0]
    tensor = json.loads(data[8 : 8 + size]).get("pair_repulsion.coefficients")
    if tensor is None:
        return None
    first, end = (8 + size + offset for offset in tensor["data_offsets"])
    return data[:first] + bytes(end - first) + data[end:]


def check(
    model: Model, structure: System, boxes: np.ndarray, n_parts: int, settings: Settings
) -> Sum:
    whole = model.evaluate_one(structure, settings.precision, settings.exact_filters)
    parts = cut(structure, boxes, n_parts, model.r_max)
    assert any(len(part.ghosts) for part in parts)
    found = evaluate(model, parts, settings)
    tolerance = TOLERANCES[settings.precision]
    size = np.abs(whole.energies).sum()
    assert abs(found.energy - whole.energy) <= tolerance * size
    assert np.abs(found.energies - whole.energies).max() <= tolerance * size
    volume = 1.0 if whole.stress is None else -abs(np.linalg.det(structure.cell))
    virials = whole.stresses * volume
    largest = max(np.abs(a).max() for a in (whole.forces, whole.virial, virials))
    for ours, theirs in (
        (found.forces, whole.forces),
        (found.virial, whole.virial),
        (found.virials, virials),
    ):
        assert np.abs(ours - theirs).max() <= tolerance * largest
    return found


@pytest.mark.parametrize(
    ("kind", "n_parts"),
    [("molecule", 2), ("wire", 4), ("layer", 8), *(("crystal", n) for n in (1, 2, 4, 8))],
)
def test_boxes(model, kind, n_parts):
    """Some of eight boxes are empty, others have one atom."""
    structure = system(model, kind)
    found = check(model, structure, boxes_of(structure, n_parts), n_parts, Settings())
    layers = len(model.metadata["model"].get("layers", []))
    if model.architecture == "tensornet":
        layers += 1  # the first features are sums over edges, too
    if model.architecture == "allegro" or layers < 2:
        assert found.n_exchanges == 0
    else:  # there and back, at the latest from the second layer on
        assert found.n_exchanges in (2 * layers - 2, 2 * layers)


@pytest.mark.parametrize(
    ("precision", "exact_filters"), [("float64", False), ("float64", True), ("float32", False)]
)
def test_larger_boxes(model, precision, exact_filters):
    structure = system(model, "crystal", 1).repeated((2, 2, 2))
    settings = Settings(precision, exact_filters)
    check(model, structure, boxes_of(structure, 8), 8, settings)


def test_scattered_atoms(model):
    """Atoms may belong to any part; one part has none."""
    structure = system(model, "crystal", 2).repeated((2, 1, 2))
    boxes = np.random.default_rng(5).integers(0, 3, len(structure.numbers))
    check(model, structure, boxes, 4, Settings())


def test_threads_do_not_change_bits(model):
    structure = system(model, "crystal", 3).repeated((3, 2, 2))
    boxes = boxes_of(structure, 2)
    alone = check(model, structure, boxes, 2, Settings())
    helped = check(model, structure, boxes, 2, Settings(n_helpers=2))
    for ours, theirs in zip(helped[:5], alone[:5]):
        assert np.array_equal(ours, theirs)


def test_pair_repulsion():
    """Atoms so close that it is a good part of the energy."""
    n_models = 0
    for name in model_names():
        data = model_path(name).read_bytes()
        other = without_repulsion(data)
        if other is None:
            continue
        n_models += 1
        model, network = Model(data), Model(other)
        near = system(model, "crystal", 4).deformed(0.5 * np.eye(3)).repeated((2, 2, 2))
        found = check(model, near, boxes_of(near, 4), 4, Settings())
        without = network.evaluate_one(near)
        repulsion = found.energies - without.energies
        assert (repulsion > 0.01).any() and (repulsion > -1e-9).all()
        assert np.abs(found.forces - without.forces).max() > 0.01
    assert n_models >= 3
