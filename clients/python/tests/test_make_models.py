"""tools/make_models.py without a network: what is current stays, what cannot be had is said."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import REPOSITORY

from irrepd import safetensors


@pytest.fixture
def tool(tmp_path: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tool with another root and a wheel that holds a tiny checkpoint in place of each."""
    path = REPOSITORY / "tools" / "make_models.py"
    spec = importlib.util.spec_from_file_location("make_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "make_models", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["make_models.py"])
    wheel = tmp_path / "build" / "wheels" / module.WHEEL
    wheel.parent.mkdir(parents=True)
    with zipfile.ZipFile(wheel, "w") as file:
        for recipe in module.RECIPES:
            if not recipe.modality:
                file.write(fixtures / "solid.pth", module.FOLDER + recipe.checkpoint)
    monkeypatch.setattr(module, "SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    data = wheel.with_name(module.make_dispersion.WHEEL)
    with zipfile.ZipFile(data, "w") as file:
        file.writestr(module.make_dispersion.MEMBER, made_up_data())
    sha256 = hashlib.sha256(data.read_bytes()).hexdigest()
    monkeypatch.setattr(module.make_dispersion, "SHA256", sha256)
    return module


@functools.cache
def made_up_data() -> bytes:
    """Arrays of the shapes and units that torch-dftd has, rounded to float32 as there."""
    z = np.arange(95.0)
    bohr = 0.52917726
    there = np.array([[[1, 1], [1, 0]]] * 95)[:, None] * np.ones((1, 95, 1, 1))
    c6ab = np.full((95, 95, 5, 5, 3), -1.0)
    c6ab[1:, 1:, :2, :2, 0] = np.where(there, 4.5, -1.0)[1:, 1:]
    c6ab[1:, 1:, :2, :2, 1] = np.array([[0.0], [0.98]])
    c6ab[1:, 1:, :2, :2, 2] = np.array([[0.0, 0.98]])
    arrays = {
        "c6ab": c6ab,
        "rcov": np.float32(4 / 3 * np.round(0.3 + z / 100, 2) / bohr).astype(float),
        "r2r4": np.float32(np.sqrt(0.5 * np.round(3.1415 + z, 4) * np.sqrt(z))).astype(float),
        "r0ab": np.float32(np.round(2 + z[:, None] / 97 + z / 97, 4) / bohr).astype(float),
    }
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_data_of_dispersion(tool: ModuleType) -> None:
    """Radii are the decimals again that they were before they were rounded."""
    target = tool.ROOT / "build" / "models" / "dftd3.params.safetensors"
    assert tool.main() == 0
    tensors, metadata = safetensors.read(target)
    assert json.loads(metadata["irrepd"])["parameters"] == "dftd3"
    z = np.arange(95)
    assert np.array_equal(tensors["covalent_radii"], np.round(0.3 + z / 100, 2))
    assert np.array_equal(tensors["r4_over_r2"][1:], np.round(3.1415 + z, 4)[1:])
    assert tensors["reference_cn"][7].tolist() == [0, 0.98, -1, -1, -1]
    assert tensors["c6"][7, 8, :2, :2].tolist() == [[4.5, 4.5], [4.5, 0]]
    first = target.stat().st_mtime_ns
    assert tool.main() == 0
    assert target.stat().st_mtime_ns == first


def test_data_that_are_no_decimals(tool: ModuleType) -> None:
    radii = np.array([0.0, 1.2345678])
    with pytest.raises(ValueError, match="rcov are not numbers of 2 digits"):
        tool.make_dispersion.published(radii, 1.0, 2, "rcov")


def test_makes_what_is_missing_or_outdated(tool: ModuleType, tmp_path: Path) -> None:
    model = tmp_path / "build" / "models" / "sevennet-0.safetensors"
    assert tool.main() == 0
    _, metadata = safetensors.read(model)
    assert '"spdx":"MIT"' in metadata["irrepd"] and "SevenNet_0__11Jul2024" in metadata["irrepd"]
    first = model.stat().st_mtime_ns
    assert tool.main() == 0
    assert model.stat().st_mtime_ns == first
    model.write_bytes(model.read_bytes()[:-8])
    assert tool.main() == 0
    safetensors.read(model)
    assert not (tmp_path / "build" / "models-all").exists()


def test_a_wheel_that_cannot_be_had(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert "--no-deps" in command
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no route to host\n")

    for name in (tool.WHEEL, tool.make_dispersion.WHEEL):
        (tool.ROOT / "build" / "wheels" / name).unlink()
    monkeypatch.setattr(tool.subprocess, "run", no_network)
    assert tool.main() == 1
    error = capsys.readouterr().err
    for name in ("sevenn 0.13.0", "torch-dftd 0.5.3", tool.WHEEL, tool.make_dispersion.WHEEL):
        assert name in error
    assert "no route to host" in error
    assert not (tool.ROOT / "build" / "models").exists()


def test_a_wheel_with_another_checksum(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = tool.ROOT / "build" / "wheels" / tool.WHEEL
    monkeypatch.setattr(tool, "SHA256", "0" * 64)
    monkeypatch.setattr(
        tool.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0, "", "")
    )
    assert tool.main() == 1
    assert "checksum" in capsys.readouterr().err
    assert not wheel.exists()


def test_examples_come_along_and_stand_in(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = tool.ROOT / "models"
    examples.mkdir()
    (examples / "a-small.safetensors").write_bytes(b"first")
    copy = tool.ROOT / "build" / "models" / "a-small.safetensors"
    assert tool.main() == 0
    assert copy.read_bytes() == b"first" and copy.with_name("sevennet-0.safetensors").exists()
    (examples / "a-small.safetensors").write_bytes(b"second")
    copy.with_name("sevennet-0.safetensors").unlink()
    (tool.ROOT / "build" / "wheels" / tool.WHEEL).unlink()
    monkeypatch.setattr(
        tool.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1, "", "")
    )
    assert tool.main() == 0
    assert copy.read_bytes() == b"second" and "warning" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["make_models.py", "--all"])
    assert tool.main() == 1


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "models").glob("*.safetensors")), ids=lambda path: path.stem
)
def test_each_example_says_how_good_it_is(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    _, metadata = safetensors.read(path)
    card = json.loads(metadata["irrepd"])
    assert card["name"] == path.stem and card["license"] == "MIT"
    errors = card["training"]["held_back"]
    assert errors["structures"] >= 50
    assert 0 < errors["energy_mae_mev_per_atom"] < 50
    assert 0 < errors["forces_mae_mev_per_angstrom"] < 500
