"""Daemons for the tests over HTTP, and what else they take from tests/support/daemon.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from daemon import (
    DAEMON,
    MODEL,
    MODELS,
    PATIENCE,
    PREDICT,
    ROOT,
    Answer,
    Daemon,
    Factory,
    check,
    kind,
    pointer,
    read,
    read_raw,
)

__all__ = [
    "DAEMON",
    "MODEL",
    "MODELS",
    "PATIENCE",
    "PREDICT",
    "ROOT",
    "Answer",
    "Daemon",
    "Factory",
    "check",
    "kind",
    "pointer",
    "read",
    "read_raw",
]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Factory]:
    factory = Factory(tmp_path / "daemons")
    factory.folder.mkdir()
    yield factory
    for daemon in factory.made:
        daemon.end()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all tests that leave it as it was; two workers, small limits."""
    made = Daemon(
        tmp_path_factory.mktemp("daemon"),
        *("--workers", "2", "--max-body-bytes", "1M", "--max-structures", "64"),
        *("--max-atoms", "5000", "--memory-budget", "1G"),
    )
    made.wait_ready()
    yield made
    made.signal()
    assert made.wait() == 0, made.log.read_text()[-4000:]
    made.check_log()
