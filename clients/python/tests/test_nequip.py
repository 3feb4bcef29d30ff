"""Conversion of a tiny NequIP model (make_nequip_fixtures.py): as trained, and as packaged."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interpreter import Interpreter
from nequip_changes import modified, put, stored, without

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.convert import convert, nequip
from irrepd.convert.nequip_model import SYMBOLS, chosen_categories
from irrepd.errors import FormatError

ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "nequip.json").read_text())


@pytest.fixture
def package(fixtures: Path, tmp_path: Path) -> Path:
    return stored(fixtures / "nequip.nequip.zip", tmp_path / "model.nequip.zip")


@pytest.fixture
def checkpoint(fixtures: Path) -> Any:
    """The loaded checkpoint, to be changed; its tensors are read where it lies."""
    with Archive(fixtures / "nequip.ckpt") as archive:
        yield pickles.load(archive)


def energies(source: Path, target: Path) -> np.ndarray:
    convert(source, target)
    isolated = np.zeros(3, dtype=bool)
    positions = np.array(ANSWERS["positions"])
    return Interpreter(target).energies(ANSWERS["numbers"], positions, None, isolated)


def test_energies_of_the_checkpoint(fixtures: Path, tmp_path: Path) -> None:
    """The averaged weights are those that count."""
    found = energies(fixtures / "nequip.ckpt", tmp_path / "model")
    assert np.allclose(found, ANSWERS["energies"], rtol=1e-12, atol=1e-12)


def test_energies_of_the_package(package: Path, tmp_path: Path) -> None:
    found = energies(package, tmp_path / "model")
    assert np.allclose(found, ANSWERS["energies"], rtol=1e-12, atol=1e-12)


def test_both_are_the_same_model(fixtures: Path, package: Path, tmp_path: Path) -> None:
    targets = [tmp_path / "one", tmp_path / "other"]
    cards = [convert(s, t) for s, t in zip((fixtures / "nequip.ckpt", package), targets)]
    (one, _), (other, _) = map(safetensors.read, targets)
    assert list(one) == list(other)
    assert all(np.allclose(one[key], other[key], rtol=1e-14, atol=0) for key in one)
    training = [card.pop("training") for card in cards]
    assert training == [{"code": "nequip 0.19.1", "epoch": 1}, {"code": "nequip 0.19.1"}]
    for card in cards:
        del card["sha256_source"]
    assert cards[0] == cards[1]
    assert cards[0]["atomic_numbers"] == [1, 6, 8] and cards[0]["precision"] == "float64"
    layers = cards[0]["model"]["layers"]
    assert [layer["self_connection"] for layer in layers] == ["none", "species"]
    assert {layer["linear_up"] for layer in layers} == {"species"}
    assert one["radial.r_max"].tolist() == [[3.0, 3.0, 3.0], [3.5, 3.5, 3.5], [3.5, 3.5, 3.5]]


def with_types(*names: str) -> Callable[[Any], None]:
    def change(checkpoint: Any) -> None:
        checkpoint["hyper_parameters"]["model"]["type_names"] = list(names)
        checkpoint["hyper_parameters"]["model"]["avg_num_neighbors"] = dict.fromkeys(names, 2.0)

    return change


def put_module(name: str) -> Callable[[Any], None]:
    def change(checkpoint: Any) -> None:
        info = checkpoint["hyper_parameters"]["info_dict"]
        info["training_module"]["_target_"] = name

    return change


LAYER = "model.sole_model.model.func.layer0_convnet.conv."
REFUSED: dict[str, tuple[Callable[[Any], None], str]] = {
    "unknown option": (put("attention", True), "unknown parts: 'attention'"),
    "residual": (put("convnet_resnet", True), "convnet_resnet"),
    "norm activation": (put("convnet_nonlinearity_type", "norm"), "supported: gate"),
    "odd gelu": (put("convnet_nonlinearity_scalars", {"e": "silu", "o": "abs"}), "supported: tanh"),
    "pair potential": (put("pair_potential/_target_", "x.LennardJones"), "supported: ZBL"),
    "types": (put("type_names", ["H", "C", "N"]), "avg_num_neighbors"),
    "no element": (with_types("H", "C", "my0"), "'my0' has not the symbol"),
    "twice": (with_types("H", "C", "C"), "no list of elements"),
    "neighbours": (put("avg_num_neighbors", 0.0), "not positive"),
    "another width": (put("num_features", 3), "weights"),
    "more layers": (put("num_layers", 3), "weights"),
    "fewer layers": (put("num_layers", 1), None),
    "r_max": (put("r_max", 200.0), "r_max"),
    "dtype": (put("model_dtype", "float16"), "supported: float32, float64"),
    "fine-tuned": (put("_target_", "nequip.model.ModelFromPackage"), "from its package"),
    "no network": (put("_target_", "nequip.model.ZBLPairPotential"), "'ZBLPairPotential'"),
    "schedule-free": (put_module("nequip.train.ScheduleFreeLightningModule"), "ScheduleFree"),
    "modifier": (modified("add_dispersion"), "'add_dispersion'"),
    "no weight": (without(f"{LAYER}linear_1.weight"), None),
    "no average": (without("ema.ema_weight_3"), "as many averaged weights"),
    "no state of the average": (without("ema._extra_state"), "averaged weights"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str, checkpoint: Any) -> None:
    change, message = REFUSED[case]
    change(checkpoint)
    with pytest.raises(FormatError, match=message):
        nequip.convert(checkpoint, None)


@pytest.mark.parametrize(
    "change",
    [
        modified("modify_PerTypeScaleShift"),
        modified("enable_OpenEquivariance"),
        put_module("nequip.train.EMALightningModule"),
        put("compile_mode", "compile"),
    ],
)
def test_what_leaves_the_numbers_alone(change: Callable[[Any], None], checkpoint: Any) -> None:
    expected, _ = nequip.convert(copy.copy(checkpoint), None)
    change(checkpoint)
    assert nequip.is_nequip(checkpoint)
    found, _ = nequip.convert(checkpoint, None)
    assert all(np.array_equal(found[key], expected[key]) for key in expected)


def test_other_lightning_checkpoints_are_not_taken(checkpoint: Any) -> None:
    put("_target_", "allegro.model.AllegroModel")(checkpoint)
    assert not nequip.is_nequip(checkpoint)
    assert not nequip.is_nequip({"state_dict": {}})


def test_modality_needs_categories(checkpoint: Any) -> None:
    with pytest.raises(FormatError, match="--modality is for models with several"):
        nequip.convert(checkpoint, "charge=1")


def test_categories() -> None:
    known = {"charge": (-1, 1), "spin": (1, 3)}
    assert chosen_categories(known, "charge=0,spin=1") == [("charge", 1), ("spin", 0)]
    for text in (None, "charge=0", "charge=2,spin=1", "charge=0,spin=1,mass=2", "charge,spin=1"):
        with pytest.raises(FormatError, match=r"charge=-1\.\.1, spin=1\.\.3"):
            chosen_categories(known, text)


def test_symbols() -> None:
    assert len(SYMBOLS) == len(set(SYMBOLS)) == 118
    assert [SYMBOLS.index(s) + 1 for s in ("H", "Si", "Fe", "La", "U", "Og")] == [
        1,
        14,
        26,
        57,
        92,
        118,
    ]
