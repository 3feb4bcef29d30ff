from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
for folder in (
    *(HERE, HERE.parent),
    *(REPOSITORY / "tests" / name for name in ("reference", "support")),
):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from daemon import DAEMON, MODELS, Daemon  # noqa: E402
from fake_server import FakeServer  # noqa: E402


@pytest.fixture
def fixtures() -> Path:
    return HERE / "fixtures"


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running
        running.shutdown()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A real one with the models of build/models; without those, tests that want it are skipped."""
    if not (DAEMON.exists() and (MODELS / "mace-small.safetensors").exists()):
        pytest.skip("needs build/irrepd and build/models")
    made = Daemon(tmp_path_factory.mktemp("daemon"), "--workers", "1").wait_ready()
    yield made
    made.end()
