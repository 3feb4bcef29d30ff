"""The systemd unit, as systemd-analyze judges it; test_service.py runs it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from installed import PREFIX, install, run

EXPOSURE_MAX = 20  # tenths
pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze, of the package systemd"
)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The installed unit, which starts the daemon where it lies for the test."""
    tree = install(tmp_path)
    path = tree / "lib" / "systemd" / "system" / "irrepd.service"
    path.write_text(path.read_text().replace(f"={PREFIX}/bin/", f"={tree}/bin/"))
    return path


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_every_setting_is_known(unit: Path) -> None:
    done = analyze("verify", "--man=no", unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    unit.write_text(unit.read_text() + "Colour=blue\n")
    assert "Colour" in analyze("verify", "--man=no", unit).stderr  # it looks


def test_it_is_bounded(unit: Path) -> None:
    text = unit.read_text()
    for setting in ("MemoryMax=", "TasksMax=", "IPAddressDeny=any", "IPAddressAllow=localhost"):
        assert f"\n{setting}" in text


def test_it_is_sandboxed(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give files to others")
def test_its_user_and_folder(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "etc").mkdir()
    run("systemd-sysusers", f"--root={tmp_path}")
    run("systemd-tmpfiles", f"--root={tmp_path}", "--create", "--prefix=/var/lib/irrepd")
    assert "\nirrepd:x:" in "\n" + (tmp_path / "etc" / "passwd").read_text()
    folder = (tmp_path / "var" / "lib" / "irrepd" / "models").stat()
    assert (folder.st_uid, stat.S_IMODE(folder.st_mode)) == (0, 0o755)
