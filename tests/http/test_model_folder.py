"""Folders of models that are empty, wrong or partly corrupt: what the daemon says to do."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import DAEMON, MODELS, PATIENCE, Daemon, Factory, kind
from test_operations import entries

SMALL = "schnet-small"


def run(folder: Path, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, str(DAEMON), "--models", str(folder), "--listen", "127.0.0.1:0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def told(daemon: Daemon, words: str) -> None:
    daemon.wait_for(lambda: any(words in line for line in daemon.lines), words)


@pytest.mark.parametrize("check", [[], ["--check-config"]])
def test_no_such_folder(tmp_path: Path, check: list[str]) -> None:
    (tmp_path / "file").write_text("")
    for path, words in (
        (tmp_path / "none", "--models names a folder of *.safetensors files"),
        (tmp_path / "file", "--models names the folder that holds the files"),
    ):
        command = [str(DAEMON), "--models", str(path), "--listen", "127.0.0.1:0", *check]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 1
        assert str(path) in done.stderr and words in done.stderr


def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir(mode=0)
    # root without what lets it read everything
    plain = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    done = run(folder, *plain) if os.getuid() == 0 else run(folder)
    assert done.returncode == 1
    assert "Permission denied" in done.stderr and "must be allowed to read" in done.stderr


def test_an_empty_folder(start: Factory, tmp_path: Path) -> None:
    """It says what to do, and serves what comes after a reload."""
    folder = tmp_path / "models"
    folder.mkdir()
    daemon = start(models=folder)
    told(daemon, "python3 -m irrepd.convert CHECKPOINT OUT.safetensors")
    ready = daemon.ask("GET", "/v1/health/ready")
    assert (ready.status, kind(ready)) == (503, "model-not-ready")
    assert str(folder) in ready.json()["detail"] and "SIGHUP" in ready.json()["detail"]
    (folder / "best.pth").write_bytes(b"PK")
    daemon.signal(signal.SIGHUP)
    words = "irrepd.convert best.pth OUT.safetensors"
    daemon.wait_for(
        lambda: any(words in x.get("detail", "") for x in entries(daemon)), "the checkpoint"
    )
    assert words in daemon.ask("GET", "/v1/health/ready").json()["detail"]
    shutil.copy(MODELS / f"{SMALL}.safetensors", folder)
    daemon.signal(signal.SIGHUP)
    daemon.wait_ready()
    assert daemon.ask("GET", "/v1/health/ready").status == 200
    shutil.move(folder, tmp_path / "elsewhere")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(
        lambda: any("the models stay" in x["message"] for x in entries(daemon)), "the complaint"
    )
    assert daemon.ask("GET", "/v1/health/ready").status == 200


def corrupt(folder: Path) -> dict[str, str]:
    """Files that are no models, with words of what is said of each."""
    good = (MODELS / f"{SMALL}.safetensors").read_bytes()
    foreign = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    contents = {
        "cut": (good[:20000], "cut short"),
        "zero": (b"", "the file is empty: copy it again"),
        "zeros": (bytes(30000), "not written to its end"),
        "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\n", "git lfs pull"),
        "page": (b"<!DOCTYPE html><html></html>", "was not downloaded"),
        "foreign": (
            struct.pack("<Q", len(foreign)) + foreign + bytes(4),
            "python3 -m irrepd.convert makes one",
        ),
    }
    for name, (content, _) in contents.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    with zipfile.ZipFile(folder / "torch.safetensors", "w") as archive:
        archive.writestr("a/data.pkl", "x")
    (folder / "inner.safetensors").mkdir()
    words = {name: said for name, (_, said) in contents.items()}
    return {**words, "torch": "a zip archive", "inner": "a folder of that name"}


def test_a_partly_corrupt_folder(start: Factory, tmp_path: Path) -> None:
    """What is whole is served; each of the others says what it is, and how many they are."""
    folder = tmp_path / "models"
    folder.mkdir()
    words = corrupt(folder)
    shutil.copy(MODELS / f"{SMALL}.safetensors", folder)
    daemon = start(models=folder).wait_ready()
    assert f"irrepd: {len(words)} of {len(words) + 1} models could not be loaded; " in (
        " ".join(daemon.lines)
    )
    models = {x["name"]: x for x in daemon.ask("GET", "/v1/models").json()["models"]}
    assert models.pop(SMALL)["state"] == "ready"
    assert set(models) == set(words)
    for name, said in words.items():
        assert said in models[name]["error"]["detail"], name
    (ready,) = (x for x in entries(daemon) if x["message"] == "ready")
    assert (ready["models"], ready["failed"]) == (len(words) + 1, len(words))


def test_nothing_but_corrupt_files(start: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    words = corrupt(folder)
    daemon = start(models=folder)
    told(daemon, f"{len(words)} of {len(words)} models could not be loaded")
    assert daemon.ask("GET", "/v1/health/ready").status == 503
