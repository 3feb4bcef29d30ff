"""`irrepd models`: what is in a folder or a daemon, and what is newer."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from irrepd import models_command, pull, safetensors
from irrepd.__main__ import main
from irrepd.catalogue import CATALOGUE, find
from irrepd.models_command import newer


@pytest.fixture
def folder(fixtures: Path, tmp_path: Path) -> Path:
    for name in ("mace-mp-0-small", "nequix-oam-1", "mace-omat-0-small"):
        pull.pull(find(name), tmp_path, source=str(fixtures / "nequix.nqx"), accept_license=True)
    return tmp_path


def test_a_folder(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "text.safetensors").write_text("no model")
    (folder / "dftd3.params.safetensors").write_bytes(b"")
    safetensors.write(folder / "other.safetensors", {}, {"format": "pt"})
    monkeypatch.setenv("IRREPD_MODELS", str(folder))
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in out.splitlines()}
    assert list(rows)[:6] == [
        "name", "mace-mp-0-small", "mace-omat-0-small", "nequix-oam-1", "other", "text",
    ]  # fmt: skip
    assert rows["mace-mp-0-small"][1] == "nequix" and rows["mace-mp-0-small"][4] == "MIT"
    assert rows["mace-mp-0-small"][-1] == "mace-mpa-0-medium"  # which took its place
    assert rows["nequix-oam-1"][-1] == "nequix-oam-1"  # it is made of another file
    assert rows["mace-omat-0-small"][-1] == "file"  # nothing is known to be newer
    assert " ".join(rows["other"][1:]) == "not a model file"
    assert " ".join(rows["text"][1:]) == "not a safetensors file"
    assert "mace-omat-0-small: Academic Software License: no commercial use" in out


def test_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--models", str(folder), "--json"]) == 0
    cards = {card["name"]: card for card in json.loads(capsys.readouterr().out)}
    assert cards["nequix-oam-1"]["citation"] == find("nequix-oam-1").citation
    assert cards["mace-mp-0-small"]["newer"] == "mace-mpa-0-medium"


def test_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--models", str(tmp_path / "absent")]) == 2
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "data",
    [b"", b"1234567", struct.pack("<Q", 1 << 40), struct.pack("<Q", 2) + b"[]",
     struct.pack("<Q", 40) + b"[" * 40, struct.pack("<Q", 24) + b'{"__metadata__":{"a":1}}'],
)  # fmt: skip
def test_files_that_are_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    (card,) = models_command.files(tmp_path)
    assert card == {"name": "x", "state": "not a safetensors file"}


@pytest.mark.parametrize("text", ["[]", "[" * 100000, "{"])
def test_cards_that_are_none(text: str, tmp_path: Path) -> None:
    safetensors.write(tmp_path / "x.safetensors", {}, {"irrepd": text})
    (card,) = models_command.files(tmp_path)
    assert card["state"] == "its card is no JSON object"


def test_texts_of_cards_are_cut_and_printable() -> None:
    card = {"name": "a\x1b[2J", "license": "x" * 1000, "atomic_numbers": 3}
    lines = models_command.table([card]).splitlines()
    assert "\x1b" not in lines[1] and len(lines[1]) < 150


def test_successors_are_published() -> None:
    names = {entry.name for entry in CATALOGUE}
    found = {entry.successor for entry in CATALOGUE} - {None}
    assert found and found <= names
    assert newer({"name": "of my own"}) is None and newer({}) is None
    assert newer({"name": "sevennet-0", "sha256_source": find("sevennet-0").sha256}) == (
        "sevennet-omni"
    )
