"""tools/make_models.py without a network: what is current stays, what cannot be had is said."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

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
    return module


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
        assert "--no-deps" in command and "sevenn==0.13.0" in command
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no route to host\n")

    (tool.ROOT / "build" / "wheels" / tool.WHEEL).unlink()
    monkeypatch.setattr(tool.subprocess, "run", no_network)
    assert tool.main() == 1
    error = capsys.readouterr().err
    assert "no route to host" in error and tool.WHEEL in error
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
