"""A short soak; `make soak` is the long one, with the figures of measures.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from soak import soak

SECONDS = 10.0


def test_nothing_grows_and_the_metrics_add_up(tmp_path: Path) -> None:
    assert soak(tmp_path, SECONDS) == []
