"""The systemd unit, as systemd-analyze judges it; test_service.py runs it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from installed import PREFIX, install

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


def test_it_is_sandboxed(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", unit)
    assert done.returncode == 0, done.stdout + done.stderr
