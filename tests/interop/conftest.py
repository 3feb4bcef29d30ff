"""A daemon for the tests of clients: build/irrepd on a free port, serving build/models."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "clients" / "python"))

DAEMON = Path(os.environ.get("IRREPD_TEST_DAEMON", ROOT / "build" / "irrepd"))
MODELS = Path(os.environ.get("IRREPD_TEST_MODELS", ROOT / "build" / "models"))
START_SECONDS = 60.0


class Daemon:
    """A running irrepd; `url` answers once the object is made."""

    def __init__(self, log: Path, *flags: str):
        command = [DAEMON, "--models", MODELS, "--listen", "127.0.0.1:0", *flags]
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                list(map(str, command)), stdout=subprocess.PIPE, stderr=sink, text=True
            )
        self.url = ""
        self._is_ready = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        if not self._is_ready.wait(START_SECONDS) or not self.url:
            self.process.kill()
            raise RuntimeError(f"{DAEMON} did not become ready:\n{log.read_text()[-2000:]}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"irrepd: listening on (http://\S+)", line)
            if found:
                self.url = found[1]
            if line.startswith("irrepd: ready"):
                self._is_ready.set()
        self._is_ready.set()

    def stop(self) -> int:
        """Asks the daemon to drain and end; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    daemon = Daemon(tmp_path_factory.mktemp("daemon") / "log")
    yield daemon.url
    assert daemon.stop() == 0
