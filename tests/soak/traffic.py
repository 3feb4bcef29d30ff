"""Clients of many kinds, good and bad, that keep account of what they have sent and got."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from daemon import ROOT, Answer, Daemon, check, read, read_raw
from ipi_driver import Driver

sys.path.insert(0, str(ROOT / "clients" / "python"))

from irrepd import binary

# The models' names, by what happens to them.
STEADY, SWAPPED, LOADED, LEFT = "steady", "swapped", "loaded", "left"
JSON = {"Content-Type": "application/json"}
BINARY = {"Content-Type": binary.MEDIA_TYPE, "Accept": binary.MEDIA_TYPE}
PREDICT = "/v1/models/{m}/predict"
INFER = "/v2/models/{m}/infer"
N_BATCH = 300


def molecule(seed: int) -> dict[str, Any]:
    """Water, displaced by a rule of the seed."""
    shift = 0.003 * (seed % 32)
    positions = [[0.0, 0.0, 0.0], [0.96 + shift, 0.0, 0.0], [-0.24, 0.93 - shift, 0.0]]
    return {"numbers": [8, 1, 1], "positions": positions}


def body_of(*structures: dict[str, Any], **options: Any) -> bytes:
    return json.dumps({"structures": structures, **options}).encode()


def tensors_of(structure: dict[str, Any]) -> bytes:
    """The body of an infer call for one structure."""
    tensors = [
        ("n_atoms", "INT32", [1], [len(structure["numbers"])]),
        ("numbers", "INT32", [len(structure["numbers"])], structure["numbers"]),
        ("positions", "FP64", [len(structure["numbers"]), 3], structure["positions"]),
    ]
    keys = ("name", "datatype", "shape", "data")
    return json.dumps({"inputs": [dict(zip(keys, tensor)) for tensor in tensors]}).encode()


SMALL = [body_of(molecule(seed)) for seed in range(32)]
TENSORS = [tensors_of(molecule(seed)) for seed in range(32)]
BATCH = body_of(*(molecule(seed) for seed in range(N_BATCH))) + b" " * (256 << 10)
CUBE_EDGE = 12.0

BAD: list[tuple[str, str, bytes, int]] = [
    ("POST", PREDICT, b"{", 400),
    ("POST", PREDICT, b"[" * 100_000, 400),
    ("POST", PREDICT, b'{"structures":[],"colour":1}', 400),
    ("POST", PREDICT, body_of({"numbers": [8, 8], "positions": [[0, 0, 0]] * 2}), 422),
    ("POST", PREDICT, body_of({"numbers": [200], "positions": [[0, 0, 0]]}), 422),
    ("POST", PREDICT, body_of(molecule(0), deadline_ms=0), 504),
    ("DELETE", PREDICT, b"", 405),
    ("GET", "/v1/models/{m}", b"", 404),
]


class Ledger:
    """What all clients together have sent and got."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answers: Counter[tuple[str, int]] = Counter()  # by route and status
        self.structures: Counter[str] = Counter()  # with numbers, by model
        self.left = 0  # predict calls whose client closed its connection before the answer
        self.reset = 0  # or reset it: what the daemon had not read by then is lost
        self.late = 0  # requests that never came to their end
        self.swaps = 0
        self.faults: list[str] = []

    def answered(self, route: str, answer: Answer, model: str = "", structures: int = 0) -> None:
        with self.lock:
            self.answers[route, answer.status] += 1
            if answer.status == 200 and structures:
                self.structures[model] += structures

    def fault(self, what: str) -> None:
        with self.lock:
            self.faults.append(what)

    def add(self, name: str, n: int = 1) -> None:
        with self.lock:
            setattr(self, name, getattr(self, name) + n)


class Traffic:
    """All clients on one daemon, which serves the models of `folder` and calls at `driver`. Before
    its files are read again, `renew` makes them new."""

    def __init__(
        self,
        daemon: Daemon,
        folder: Path,
        driver: Driver,
        seed: int,
        renew: Callable[[], None] = lambda: None,
    ):
        self.daemon, self.folder, self.driver, self.renew = daemon, folder, driver, renew
        self.ledger = Ledger()
        self.random = random.Random(seed)
        self.shas: set[str] = set()
        self.wanted = [self._results(self._ask(STEADY, body)) for body in SMALL]
        session = driver.accept()
        self.session = session
        self.wanted_forces = self._evaluate()

    # What each kind of client does, once.

    def _ask(self, model: str, body: bytes) -> Answer:
        path = f"/v1/models/{model}/predict"
        answer = self.daemon.ask("POST", path, body, JSON)
        self.ledger.answered(PREDICT, answer, model, body.count(b"numbers"))
        return answer

    def _results(self, answer: Answer) -> Any:
        if answer.status != 200:
            self.ledger.fault(f"{answer.status}: {answer.body[:300]!r}")
            return None
        return answer.json()["results"]

    def _expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.ledger.fault(what)

    def small(self, connection: HTTPConnection) -> None:
        i = self.random.randrange(len(SMALL))
        path, headers = f"/v1/models/{STEADY}/predict", {**JSON, **self.daemon.headers}
        connection.request("POST", path, SMALL[i], headers)
        answer = check(read(connection.getresponse()))
        self.ledger.answered(PREDICT, answer, STEADY, 1)
        self._expect(self._results(answer) == self.wanted[i], "a small request: other numbers")

    def batch(self) -> None:
        results = self._results(self._ask(STEADY, BATCH)) or []
        same = all(results[i] == self.wanted[i % 32][0] for i in range(len(results)))
        self._expect(len(results) == N_BATCH and same, "a large request: other numbers")

    def binary(self) -> None:
        structures = [molecule(seed) for seed in range(32)]
        data = binary.encode(structures, ("energy", "forces"), None)
        answer = self.daemon.ask("POST", f"/v1/models/{STEADY}/predict", data, BINARY)
        self.ledger.answered(PREDICT, answer, STEADY, len(structures))
        self._expect(answer.status == 200, f"a binary request: {answer.status}")
        found = binary.decode(answer.body, structures, ("energy", "forces"))
        same = all(
            found[i]["energy"] == self.wanted[i][0]["energy"]
            and found[i]["forces"].tolist() == self.wanted[i][0]["forces"]
            for i in range(len(structures))
        )
        self._expect(same, "a binary request: other numbers")

    def infer(self) -> None:
        i = self.random.randrange(len(TENSORS))
        answer = self.daemon.ask("POST", INFER.format(m=STEADY), TENSORS[i], JSON)
        self.ledger.answered(INFER, answer, STEADY, 1)
        self._expect(answer.status == 200, f"an infer call: {answer.status}")
        outputs = {tensor["name"]: tensor["data"] for tensor in answer.json()["outputs"]}
        forces = [x for row in self.wanted[i][0]["forces"] for x in row]
        self._expect(outputs["forces"] == forces, "an infer call: other numbers")

    def stranger(self) -> None:
        """Somebody without a key, where keys are asked for."""
        if not self.daemon.headers:
            return
        wrong = {**JSON, "Authorization": "Bearer of nothing"}
        path = f"/v1/models/{STEADY}/predict"
        answer = self.daemon.ask("POST", path, SMALL[0], wrong)
        self.ledger.answered(PREDICT, answer)
        self._expect(answer.status == 401, f"a stranger: {answer.status}")
        time.sleep(0.02)

    def bad(self) -> None:
        method, route, body, status = self.random.choice(BAD)
        model = "none" if status == 404 else STEADY
        answer = self.daemon.ask(method, route.format(m=model), body or None, JSON)
        self.ledger.answered(route, answer)
        self._expect(answer.status == status, f"{method} {route} {body[:60]!r}: {answer.status}")

    def leave(self) -> None:
        """Goes away before the answer, at any moment; some by a reset."""
        body = body_of(*(molecule(seed) for seed in range(self.random.randrange(1, 64))))
        with self.daemon.connect() as peer:
            peer.sendall(self.head(LEFT, len(body)) + body)
            resets = self.random.random() < 0.5
            self.ledger.add("reset" if resets else "left")
            time.sleep(self.random.random() * 0.02)
            if resets:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def slow(self) -> None:
        """Byte by byte, but in time."""
        body = SMALL[0]
        with self.daemon.connect() as peer:
            data = self.head(STEADY, len(body)) + body
            for i in range(0, len(data), 40):
                peer.sendall(data[i : i + 40])
                time.sleep(0.02)
            answer = check(read_raw(peer))
        self.ledger.answered(PREDICT, answer, STEADY, 1)
        self._expect(self._results(answer) == self.wanted[0], "a slow request: other numbers")

    def late(self) -> None:
        """Stops in the middle of the head, or of the body."""
        size = len(SMALL[0])
        data = self.head(STEADY, size) + SMALL[0]
        with self.daemon.connect() as peer:
            peer.sendall(data[: self.random.choice([30, len(data) - 10])])
            answer = check_late(read_raw(peer))
        self.ledger.add("late")
        self._expect(answer.status == 408, f"a late request: {answer.status}")

    def swap(self) -> None:
        """Replaces a model's file by one of other bytes; asks it before and after."""
        self.ledger.add("swaps")
        replace(self.folder / f"{SWAPPED}.safetensors", 1 + self.ledger.swaps % 7)
        self.renew()
        self.daemon.signal(signal.SIGHUP)
        for i in range(10):
            answer = self._ask(SWAPPED, SMALL[i])
            if self._results(answer):
                self.shas.add(answer.json()["model_sha256"])
            time.sleep(0.05)

    def load(self) -> None:
        """A model that is unloaded comes back when it is asked for."""
        route = f"/v1/models/{{m}}/{self.random.choice(['load', 'unload'])}"
        answer = self.daemon.ask("POST", route.format(m=LOADED), b"", JSON)
        self.ledger.answered(route, answer)
        self._expect(answer.status == 200, f"{route}: {answer.status}")
        self._results(self._ask(LOADED, SMALL[0]))
        time.sleep(0.1)

    def engine(self) -> None:
        self._expect(self._evaluate() == self.wanted_forces, "an i-PI engine: other numbers")

    def _evaluate(self) -> list[float]:
        forces = self.session.evaluate(molecule(0)["positions"], CUBE_EDGE)
        with self.ledger.lock:
            self.ledger.structures[STEADY] += 1
        return forces

    def watch(self) -> None:
        for path in ("/v1/status", "/v1/models", "/metrics", "/v1/health/ready"):
            answer = self.daemon.ask("GET", path)
            self.ledger.answered(path, answer)
            self._expect(answer.status == 200, f"{path}: {answer.status}")
        time.sleep(0.2)

    def estimate(self) -> None:
        answer = self.daemon.ask("POST", f"/v1/models/{STEADY}/estimate", BATCH, JSON)
        self.ledger.answered("/v1/models/{m}/estimate", answer)
        self._expect(answer.status == 200, f"an estimate: {answer.status}")

    def head(self, model: str, size: int) -> bytes:
        return head(model, size, self.daemon.headers)

    # All of them at once.

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds

        def repeat(act: Callable[[], None]) -> None:
            while time.monotonic() < end and not self.ledger.faults:
                try:
                    act()
                except Exception as error:
                    self.ledger.fault(f"{getattr(act, '__name__', act)}: {error!r}")
                time.sleep(0.001)

        def keep_alive() -> None:
            with contextlib.closing(self.daemon.connection()) as connection:
                repeat(lambda: self.small(connection))

        acts = [self.batch, self.binary, self.bad, self.bad, self.leave, self.leave, self.slow]
        acts += [self.late, self.late, self.swap, self.load, self.engine, self.watch, self.estimate]
        acts += [self.infer, self.stranger]
        threads = [threading.Thread(target=keep_alive) for _ in range(4)]
        threads += [threading.Thread(target=repeat, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def head(model: str, size: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"POST /v1/models/{model}/predict HTTP/1.1", "Host: x"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Content-Type: application/json", f"Content-Length: {size}", "", ""]
    return "\r\n".join(lines).encode()


def check_late(answer: Answer) -> Answer:
    """Of a head that never came there is no request to name: its id is a dash."""
    return answer if answer.headers["x-request-id"] == "-" else check(answer)


def replace(path: Path, blanks: int) -> None:
    """The same model in other bytes: blanks behind the header. The file changes at once."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size].rstrip(b" ") + b" " * blanks
    partial = path.with_name("partial")
    partial.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
    os.replace(partial, path)
