"""Daemons for the tests under faults."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from daemon import Factory


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Factory]:
    factory = Factory(tmp_path / "daemons")
    factory.folder.mkdir()
    yield factory
    for daemon in factory.made:
        daemon.end()
