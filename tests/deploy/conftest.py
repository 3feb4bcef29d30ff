"""What the tests of docker/ share: an engine for containers, keys, a request that takes seconds."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(ROOT / "clients" / "python")]

from engine import Engine, why_not  # noqa: E402


@dataclass
class Key:
    secret: str
    file: Path  # for --keys

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"}


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    file = tmp_path_factory.mktemp("keys") / "keys"
    command = [sys.executable, ROOT / "tools" / "make_key.py", "tester", "predict,admin", file]
    secret = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    file.chmod(0o644)
    return Key(secret, file)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    engine = Engine()
    reason = engine.why_not()
    if reason:
        pytest.skip(reason)
    yield engine
    if not os.environ.get("IRREPD_KEEP_CONTAINERS"):
        engine.podman("rm", "--all", "--force", "--time", "0", check=False)


def crystal(cells: int) -> dict[str, Any]:
    """Silicon, 8 cells^3 atoms, a little out of place so that it has forces."""
    face_centred = ((0, 0, 0), (0, 2, 2), (2, 0, 2), (2, 2, 0))
    corners = [(x + k, y + k, z + k) for x, y, z in face_centred for k in (0, 1)]
    a = 5.43
    positions = [
        [a * (n + x / 4) + 0.01 * ((7 * i + 3 * k) % 5) for k, (n, x) in enumerate(zip(cell, c))]
        for cell in itertools.product(range(cells), repeat=3)
        for i, c in enumerate(corners)
    ]
    side = a * cells
    return {
        "numbers": [14] * len(positions),
        "positions": positions,
        "cell": [[side, 0, 0], [0, side, 0], [0, 0, side]],
    }
