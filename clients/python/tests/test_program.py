"""Which program is taken for the daemon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from irrepd import program


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('#!/bin/sh\necho "$0" "$@"\n')
    path.chmod(0o755)
    return path


def test_the_first_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CARRIED", "TREE"):
        monkeypatch.setattr(program, name, tmp_path / name)
    monkeypatch.delenv("IRREPD_DAEMON", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    with pytest.raises(FileNotFoundError, match="IRREPD_DAEMON"):
        program.find()
    places = [tmp_path / "TREE" / "irrepd", tmp_path / "path" / "irrepd", tmp_path / "CARRIED"]
    for place in places:
        put(place)
        assert program.find() == place
    monkeypatch.setenv("IRREPD_DAEMON", str(put(tmp_path / "variable")))
    assert program.find() == tmp_path / "variable"
    assert program.find(put(tmp_path / "argument")) == tmp_path / "argument"


def test_the_command_becomes_the_daemon(tmp_path: Path) -> None:
    carried = put(tmp_path / "bin" / "irrepd")
    code = f"from irrepd import program; program.CARRIED = {str(carried)!r}; program.main()"
    command = [sys.executable, "-c", code, "--flag", "a b"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{carried} --flag a b\n"
