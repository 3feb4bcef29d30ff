"""Replicas of build/irrepd for the engines that spread work over them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT / "clients" / "python", ROOT / "tests" / "support"):
    sys.path.insert(0, str(folder))

from daemon import Daemon  # noqa: E402

os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # for the processes of the clusters


class Fleet:
    """Replicas with one worker each."""

    def __init__(self, folder: Path, n: int):
        self.daemons = []
        for i in range(n):
            (folder / str(i)).mkdir()
            self.daemons.append(Daemon(folder / str(i), "--workers", "1").wait_ready())
        self.urls = [daemon.url for daemon in self.daemons]

    def n_computed(self) -> list[float]:
        """Structures, by each replica."""
        return [d.metric("inference_structures_total", outcome="ok") for d in self.daemons]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, 3)
    yield made
    for daemon in made.daemons:
        if daemon.process.poll() is None:
            daemon.end()


@pytest.fixture
def model() -> str:
    return "schnet-small"
