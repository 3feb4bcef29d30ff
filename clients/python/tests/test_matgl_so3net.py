"""Conversion of a tiny SO3Net that matgl saved (tests/reference/matgl_so3net_fixtures.py).

That published weights give the numbers of matgl is tested in tests/reference/.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.convert import convert
from irrepd.convert.so3net import couplings, filter_degrees
from irrepd.convert.so3net_matgl import convert as convert_so3net
from irrepd.convert.state import StateDict
from irrepd.errors import FormatError


def test_a_folder(fixtures: Path, tmp_path: Path) -> None:
    card = convert(fixtures / "matgl-so3net", tmp_path / "model")
    tensors, _ = safetensors.read(tmp_path / "model")
    assert (card["architecture"], card["atomic_numbers"]) == ("so3net", [8, 1, 6])
    assert card["radial"]["cutoff"] == {"name": "polynomial", "p": 3.0}
    assert card["model"]["gated_readout"] == {"hidden": [3, 4, 4], "activation": "silu"}
    assert np.allclose(tensors["radial.frequencies"], np.pi * np.arange(1, 3) / 3.5, rtol=1e-7)
    assert tensors["layers.1.linear_gate.0e.weight"].shape == (3, 6)  # scalars alone leave it
    assert tensors["layers.0.linear_gate.0e.weight"].shape == (3, 9)
    assert tensors["readout.gate.3.0e.weight"].shape == (4, 1)
    assert (tensors["scale"] == 2.5).all() and (tensors["shift"] < 0).all()


def test_degrees_of_filters() -> None:
    for l_max in range(4):
        degrees = filter_degrees(l_max)
        assert len(degrees) == np.count_nonzero(np.abs(couplings(l_max)) > 1e-6)
        assert degrees.max() == l_max and (np.diff(degrees) >= 0).all()


def parts(fixtures: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    folder = fixtures / "matgl-so3net"
    with Archive(folder / "model.pt") as built, Archive(folder / "state.pt") as weights:
        model, state = pickles.load(built)["model"], pickles.load(weights)
        kept = {name: _Held(tensor.array()) for name, tensor in state.items()}
    return {**model, "init_args": dict(model["init_args"])}, kept


class _Held:
    def __init__(self, values: np.ndarray):
        self.values = values

    def array(self) -> np.ndarray:
        return self.values


class _State(StateDict):
    def __init__(self, tensors: dict[str, Any]):
        self._tensors, self._left = tensors, set(tensors)


REFUSED: dict[str, tuple[Callable[[dict, dict], Any], str]] = {
    "version": (lambda model, _: model.update({"@model_version": 2}), "a SO3Net of version 2"),
    "option": (lambda model, _: model["init_args"].update(extra=1), "not known: 'extra'"),
    "target": (
        lambda model, _: model["init_args"].update(target_property="dipole_moment"),
        "option 'target_property' is 'dipole_moment'",
    ),
    "intensive": (lambda model, _: model["init_args"].update(is_intensive=True), "a sum over"),
    "states": (lambda model, _: model["init_args"].update(include_state=True), "states"),
    "targets": (lambda model, _: model["init_args"].update(ntargets=2), "option 'ntargets'"),
    "degrees": (lambda model, _: model["init_args"].update(lmax=2), "is not of 2 degrees"),
    "cutoff": (lambda model, _: model["init_args"].update(cutoff=1e9), "not within 0.001..100"),
    "element": (
        lambda model, _: model["init_args"].update(element_types=("O", "H", "Xx")),
        "'Xx', no element",
    ),
    "shape": (lambda model, _: model["init_args"].update(units=5), "has shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_supported_is_refused_by_name(case: str, fixtures: Path) -> None:
    change, message = REFUSED[case]
    model, state = parts(fixtures)
    convert_so3net(model, _State(dict(state)))
    change(model, state)
    with pytest.raises(FormatError) as caught:
        convert_so3net(model, _State(state))
    assert message in str(caught.value)
