"""Private daemons, against the real one; skipped where it is not built."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

import irrepd
from irrepd import ConnectionFailed, private

BUILD = Path(__file__).resolve().parents[3] / "build"
DAEMON = Path(os.environ.get("IRREPD_TEST_DAEMON", BUILD / "irrepd"))
MODELS = BUILD / "models"
needs_daemon = pytest.mark.skipif(
    not (DAEMON.exists() and (MODELS / "sevennet-0.safetensors").exists()),
    reason="needs build/irrepd and build/models",
)
PROGRAM = """
import sys
from irrepd.private import local_url
print(local_url("sevennet-0"), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime folder of the test's own."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setenv("IRREPD_DAEMON", str(DAEMON))
    monkeypatch.setenv("IRREPD_MODELS", str(MODELS))
    monkeypatch.setenv("PYTHONPATH", str(Path(irrepd.__file__).parents[1]))
    return runtime


def user() -> tuple[subprocess.Popen[str], str]:
    """A process that uses a private daemon until its standard input ends, and the URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=30)


def is_there(url: str) -> bool:
    return private._answers(Path(url.removeprefix("unix:")))


def wait_until(holds: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


def wait_until_gone(url: str) -> None:
    wait_until(lambda: not Path(url.removeprefix("unix:")).exists(), "the daemon stays")


@needs_daemon
def test_shared_by_processes_and_gone_with_the_last(environment: Path) -> None:
    first, url = user()
    second, same = user()
    assert same == url and is_there(url) and str(environment) in url
    with irrepd.Client(url) as client:
        entry = irrepd.structure([14, 14], [[0, 0, 0], [1.4, 1.3, 1.3]])
        (result,) = client.predict("sevennet-0", [entry], dispersion=True)
        assert np.isfinite(result["energy"]) and result["dispersion_energy"] < 0
    leave(first)
    time.sleep(5 * private._POLL)
    assert is_there(url)
    second.kill()
    leave(second)
    wait_until_gone(url)
    third, again = user()
    assert again == url and is_there(url)
    leave(third)
    wait_until_gone(url)
    wait_until(lambda: not list(environment.rglob("*.safetensors")), "its models stay")


@needs_daemon
def test_local_is_a_calculator(environment: Path) -> None:
    code = (
        "import irrepd; from ase.build import bulk; atoms = bulk('Si'); "
        "atoms.calc = irrepd.local(precision='float64'); print(atoms.get_potential_energy())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert float(done.stdout) == pytest.approx(-10.8, abs=0.2)
    assert len(bulk("Si")) == 2


@needs_daemon
def test_damaged_models_are_named(environment: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\1" * 100)
    with pytest.raises(ConnectionFailed, match="cannot load"):
        private.local_url(damaged)
    assert not list(environment.rglob("*.safetensors"))


def test_missing_programs_and_models(environment: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="daemon="):
        private.local_url(daemon=tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="absent"):
        private.local_url("absent", daemon=sys.executable)


def test_long_paths_are_not_for_sockets(
    environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 100)
    (long / "irrepd").mkdir(parents=True, mode=0o700)
    long.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(private._base() / f"test-{os.getpid()}"))
    (private._base() / f"test-{os.getpid()}").unlink()


def test_folders_of_others_are_not_used(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.chmod(0o777)
    monkeypatch.setattr(private.tempfile, "gettempdir", lambda: str(environment))
    (environment / f"irrepd-{os.getuid()}").symlink_to("/")
    with pytest.raises(PermissionError):
        private._base()
