"""A short soak; `make soak` is the long one, with the figures of measures.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

import pytest
from drains import KINDS, drains
from jobs import SHORT_ENDS, jobs
from soak import Guarded, Open, soak

SECONDS = 8.0


@pytest.mark.parametrize("kind", [Open, Guarded])
def test_nothing_grows_and_the_metrics_add_up(tmp_path: Path, kind: type[Open]) -> None:
    assert soak(tmp_path, SECONDS, kind) == []


def test_jobs_leave_nothing(tmp_path: Path) -> None:
    assert jobs(tmp_path, 1.5, SHORT_ENDS, most=3) == []


def test_drains_lose_nothing(tmp_path: Path) -> None:
    assert drains(tmp_path, len(KINDS)) == []
