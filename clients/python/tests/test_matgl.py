"""Conversion of a tiny TensorNet that matgl saved, by the sums of either version of its class
(tests/reference/matgl_fixtures.py)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from interpreter_tensornet import TensorNetInterpreter

from irrepd import safetensors
from irrepd.convert import convert
from irrepd.convert.__main__ import main
from irrepd.convert.matgl import FILES
from irrepd.convert.state import StateDict
from irrepd.convert.tensornet import convert as convert_tensornet
from irrepd.convert.tensornet import smooth_bessel
from irrepd.errors import FormatError

FOLDERS = "matgl-tensornet", "matgl-tensornet-version-1"


@pytest.fixture
def copied(fixtures: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fixtures / FOLDERS[0], tmp_path / "folder"))


@pytest.mark.parametrize("name", FOLDERS)
def test_energies(name: str, fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    convert(fixtures / name, target)
    answers = json.loads((fixtures / name / "answers.json").read_text())
    positions, isolated = np.array(answers["positions"]), np.zeros(3, dtype=bool)
    found = TensorNetInterpreter(target).energies(answers["numbers"], positions, None, isolated)
    assert np.allclose(found, answers["energies"], rtol=1e-11, atol=1e-11)


def test_versions_differ(fixtures: Path, tmp_path: Path, copied: Path) -> None:
    """The same weights are another model in the other version."""
    answers = json.loads((copied / "answers.json").read_text())
    text = (copied / "model.json").read_text()
    assert '"@model_version": 2' in text
    pickle = (copied / "model.pt").read_bytes()
    shutil.copy(fixtures / FOLDERS[1] / "model.pt", copied)  # of the same sizes
    assert (copied / "model.pt").read_bytes() != pickle
    convert(copied, tmp_path / "model")
    positions, isolated = np.array(answers["positions"]), np.zeros(3, dtype=bool)
    interpreter = TensorNetInterpreter(tmp_path / "model")
    found = interpreter.energies(answers["numbers"], positions, None, isolated)
    assert np.abs(found - answers["energies"]).max() > 1e-4


def test_any_of_the_files_names_the_folder(fixtures: Path, tmp_path: Path) -> None:
    cards = []
    for name in ("", *FILES):
        card = convert(fixtures / FOLDERS[0] / name, tmp_path / "model")
        assert len(card["sha256_source"]) == 64
        cards.append(card)
    assert all(card == cards[0] for card in cards)
    card = cards[0]
    assert (card["architecture"], card["r_max"], card["precision"]) == ("tensornet", 3.5, "float32")
    assert card["atomic_numbers"] == [8, 1, 6] and card["training"] == {"code": "matgl"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_missing(name: str, copied: Path, tmp_path: Path) -> None:
    (copied / name).unlink()
    with pytest.raises(FormatError, match=f"lacks {name}"):
        convert(copied, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_model_pt_alone(copied: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.pt"
    shutil.copy(copied / "model.pt", alone)
    with pytest.raises(FormatError, match="convert the folder"):
        convert(alone, tmp_path / "model")


def test_other_folders(tmp_path: Path, copied: Path) -> None:
    with pytest.raises(FormatError, match="none of matgl's"):
        convert(tmp_path, tmp_path / "model")
    with pytest.raises(FormatError, match="--modality"):
        convert(copied, tmp_path / "model", modality="x")


def test_the_weights_are_not_overwritten(copied: Path) -> None:
    with pytest.raises(FormatError, match="take the place"):
        convert(copied, copied / "state.pt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "no JSON"),
        ("[" * 100000, "no JSON"),
        ("[]", "a list"),
        ('{"@class": "M3GNet", "@model_version": 3}', "'M3GNet'"),
        ('{"@class": "Potential", "@model_version": 4}', "version 4"),
        ('{"@class": "Potential"}', "version None"),
    ],
)
def test_refuses_model_json(text: str, message: str, copied: Path, tmp_path: Path) -> None:
    (copied / "model.json").write_text(text)
    with pytest.raises(FormatError, match=message):
        convert(copied, tmp_path / "model")


@pytest.mark.parametrize("name", ["model.pt", "state.pt"])
def test_cut_anywhere(name: str, copied: Path, tmp_path: Path) -> None:
    data = (copied / name).read_bytes()
    for size in range(0, len(data), max(1, len(data) // 40)):
        (copied / name).write_bytes(data[:size])
        with pytest.raises(FormatError):
            convert(copied, tmp_path / "model")
    assert not (tmp_path / "model").exists()


Change = Callable[[dict[str, Any]], Any]


def option(key: str, value: Any) -> Change:
    return lambda model: model["init_args"].update({key: value})


def converted(copied: Path, change: Change) -> Any:
    """The converter of TensorNet by itself, on changed options."""
    from irrepd import pickles
    from irrepd.archives import Archive

    with Archive(copied / "model.pt") as built, Archive(copied / "state.pt") as weights:
        model = pickles.load(built)["model"]
        change(model)
        return convert_tensornet(model, StateDict(pickles.load(weights)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model.update({"@model_version": 3}), "version 3"),
        (lambda model: model.update({"@model_version": None}), "version None"),
        (option("attention", True), "not known: 'attention'"),
        (option("units", 4), "shape"),
        (option("units", 0), "'units'"),
        (option("units", 10**9), "'units'"),
        (option("nblocks", 2), "missing"),
        (option("nblocks", 17), "'nblocks'"),
        (option("equivariance_invariance_group", "SO(3)"), r"SO\(3\)"),
        (option("is_intensive", True), "is_intensive"),
        (option("include_state", True), "include_state"),
        (option("task_type", "classification"), "classification"),
        (option("ntargets", 2), "ntargets"),
        (option("activation_type", "softexp"), "softexp"),
        (option("rbf_type", "ExpNorm"), "ExpNorm"),
        (option("use_smooth", False), "use_smooth"),
        (option("max_n", 3), "shape"),
        (option("max_n", 65), "max_n"),
        (option("rbf_type", "Gaussian"), "missing"),
        (option("cutoff", 1e9), "'cutoff'"),
        (option("cutoff", 4.0), "radial basis is 3.5"),
        (option("dtype", "float32"), "'dtype'"),
        (option("element_types", ("O", "H", "Xx")), "'Xx'"),
        (option("element_types", ("O", "H", "H")), "twice"),
        (option("element_types", ("O", "H")), "shape"),
    ],
)
def test_refuses_options(change: Change, message: str, copied: Path) -> None:
    assert converted(copied, lambda model: None)
    with pytest.raises(FormatError, match=message):
        converted(copied, change)


def test_leftover_tensors_are_refused(copied: Path, tmp_path: Path) -> None:
    """As of a model with more layers than its options say."""
    assert converted(copied, option("nblocks", 0))[1]["model"]["layers"] == []
    data = (copied / "model.pt").read_bytes()
    changed = data.replace(b"nblocks", b"nblockz")
    assert changed != data
    (copied / "model.pt").write_bytes(changed)
    with pytest.raises(FormatError):
        convert(copied, tmp_path / "model")


def test_smooth_bessel_functions_are_orthonormal() -> None:
    """With the weight r^2, which is what their recursion is for."""
    r_max, count = 3.7, 5
    r = (np.arange(200000) + 0.5) * (r_max / 200000)
    k = np.arange(1, count + 2)
    values = (np.sin(k * np.pi / r_max * r[:, None]) / r[:, None]) @ smooth_bessel(count, r_max)
    overlap = np.einsum("ri,rj,r->ij", values, values, r**2) * (r_max / 200000)
    assert np.allclose(overlap, np.eye(count), atol=1e-6)
    assert np.abs(values[-1]).max() < 1e-6


def test_command(fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "model.safetensors"
    assert main([str(fixtures / FOLDERS[0]), str(target), "--license", "BSD-3-Clause"]) == 0
    assert "tensornet, 3 elements, r_max 3.5 A" in capsys.readouterr().out
    tensors, _ = safetensors.read(target)
    assert tensors["embedding.filter.0.weight"].shape == (3, 9)
