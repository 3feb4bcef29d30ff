"""Each allocation on the way of a request fails once: an answer or an end, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import pytest
from allocations import Allocations
from daemon import MODEL, MODELS, PREDICT, Answer, Daemon, Factory
from ipi_driver import Driver, Session

from irrepd import binary

JSON = {"Content-Type": "application/json"}
SILICON = {
    "id": "s",
    "numbers": [14, 14],
    "positions": [[0, 0, 0], [1.3575, 1.3575, 1.3575]],
    "cell": [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]],
}
SMALL = json.dumps({"structures": [SILICON]}).encode()
BAD = json.dumps({"structures": [SILICON, {"numbers": [0], "positions": [[0, 0, 0]]}]}).encode()
Ask = Callable[[], Answer]
ON_A_WORKER = SMALL + b" " * (300 << 10)


@dataclass
class Failing:
    daemon: Daemon
    allocations: Allocations

    def sweep(self, ask: Ask, step: int) -> set[int]:
        """Asks with the n-th allocation failing, for n up to all; the statuses, 0 for an end."""
        seen, nth = set(), 1
        while True:
            before = self.allocations.n_failed
            self.allocations.fail(nth)
            status = status_of(ask)
            self.allocations.fail(0)
            assert self.daemon.process.poll() is None, f"it ended at allocation {nth}"
            assert status in (0, 200, 500, 503), f"{status} at allocation {nth}"
            assert status_of(ask) == 200, f"not as before after allocation {nth}"
            seen.add(status)
            if self.allocations.n_failed == before:
                return seen
            nth += step

    def check(self, ask: Ask, step: int = 1) -> None:
        """The first sweep makes what is kept for good: series of metrics, room in arrays.

        Some of it comes later, when two things happen to meet; what is lost is lost in every sweep.
        """
        assert status_of(ask) == 200
        assert len(self.sweep(ask, step)) > 1
        held = [self.allocations.settled()]
        while len(held) == 1 or held[-1] > held[-2]:
            assert len(held) < 5, f"blocks that are held after each sweep: {held}"
            self.sweep(ask, step)
            held.append(self.allocations.settled())


def status_of(ask: Callable[[], Answer]) -> int:
    try:
        return ask().status
    except (OSError, HTTPException):
        return 0


@pytest.fixture
def failing(start: Factory, tmp_path: Path) -> Callable[..., Failing]:
    served = tmp_path / "served"
    served.mkdir()

    def make(*flags: str, model: str = MODEL) -> Failing:
        shutil.copy(MODELS / f"{model}.safetensors", served)
        allocations = Allocations(tmp_path / "allocations")
        environment = allocations.environment
        daemon = start("--workers", "1", *flags, models=served, environment=environment)
        return Failing(daemon, allocations)

    return make


def test_predictions(failing: Callable[..., Failing]) -> None:
    it = failing("--log-requests", "--profile")
    it.daemon.wait_ready()
    wanted = it.daemon.predict(SMALL).json()["results"]

    def small() -> Answer:
        answer = it.daemon.predict(SMALL)
        assert answer.status != 200 or answer.json()["results"] == wanted
        return answer

    it.check(small)
    it.check(lambda: it.daemon.predict(BAD))
    it.check(lambda: it.daemon.predict(ON_A_WORKER))
    data = binary.encode([SILICON], ("energy", "forces"), None)
    headers = {"Content-Type": binary.MEDIA_TYPE, "Accept": binary.MEDIA_TYPE}
    it.check(lambda: it.daemon.ask("POST", PREDICT, data, headers))
    it.check(lambda: it.daemon.ask("POST", f"/v1/models/{MODEL}/estimate", SMALL, JSON))


def kserve_infer() -> bytes:
    arrays = {
        "n_atoms": ("INT32", [1], [2]),
        "numbers": ("INT32", [2], SILICON["numbers"]),
        "positions": ("FP64", [2, 3], SILICON["positions"]),
        "cell": ("FP64", [1, 3, 3], [SILICON["cell"]]),
        "pbc": ("BOOL", [1, 3], [[True] * 3]),
    }
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "data": data}
        for name, (datatype, shape, data) in arrays.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


def test_kserve(failing: Callable[..., Failing]) -> None:
    it = failing()
    it.daemon.wait_ready()
    infer, text = f"/v2/models/{MODEL}/infer", kserve_infer()
    it.check(lambda: it.daemon.ask("POST", infer, text, JSON))
    it.check(lambda: it.daemon.ask("GET", f"/v2/models/{MODEL}"), 5)


@pytest.mark.parametrize(
    ("path", "step"),
    [("/v1/status", 3), ("/v1/models", 50), (f"/v1/models/{MODEL}", 13), ("/metrics", 1)],
)
def test_other_requests(failing: Callable[..., Failing], path: str, step: int) -> None:
    it = failing()
    it.daemon.wait_ready()
    it.check(lambda: it.daemon.ask("GET", path), step)


def test_loads(failing: Callable[..., Failing]) -> None:
    """A model that found no memory is loaded when it is asked for again."""
    it = failing("--on-demand", model="schnet-small")
    hydrogen = b'{"structures":[{"numbers":[1,1],"positions":[[0,0,0],[0,0,0.74]]}]}'

    def load_and_ask() -> Answer:
        assert it.daemon.ask("POST", "/v1/models/schnet-small/unload", b"", JSON).status == 200
        return it.daemon.ask("POST", "/v1/models/schnet-small/predict", hydrogen, JSON)

    it.check(load_and_ask, 7)


@pytest.mark.parametrize("nth", [*range(1, 30, 3)])
def test_many_connections(failing: Callable[..., Failing], nth: int) -> None:
    """Arrays that grow with the number of descriptors."""
    it = failing()
    it.daemon.wait_ready()
    it.allocations.fail(nth)
    peers: list[socket.socket] = []
    for _ in range(150):
        with contextlib.suppress(OSError):
            peers.append(it.daemon.connect())
    it.daemon.wait_for(lambda: it.allocations.n_failed == 1, "the allocation")
    for peer in peers:
        peer.close()
    assert it.daemon.predict(SMALL).status == 200


def test_an_engine(failing: Callable[..., Failing]) -> None:
    """It closes the connection, or answers; then it is there again."""
    driver = Driver()
    it = failing("--ipi", f"{driver.address},model={MODEL},species=Si2")
    it.daemon.wait_ready()
    session = driver.accept()
    wanted = evaluate(session)
    nth = before = 0
    while it.allocations.n_failed > before or nth == 0:
        nth, before = nth + 1, it.allocations.n_failed
        it.allocations.fail(nth)
        try:
            assert evaluate(session) == wanted
        except ConnectionError:
            session.close()
            session = driver.accept()
        finally:
            it.allocations.fail(0)
        assert evaluate(session) == wanted
    assert nth > 5
    session.close()
    driver.close()


def evaluate(session: Session) -> list[float]:
    return session.evaluate([[0, 0, 0], [1.3, 1.3, 1.3]], 6.0)
