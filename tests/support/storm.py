"""Clients of many kinds that ask, all at once, for more memory than there is.

Every request is valid. Each client sends its next one when it has the answer; one that is refused
for now (429, 503) comes again a moment later. What each got is counted by kind and status.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any

from daemon import ROOT, Answer, Daemon, check, read

sys.path.insert(0, str(ROOT / "clients" / "python"))

from irrepd import binary

CHEAP, DEAR = "schnet-small", "sevennet-0"
LOADED = ("so3net-small", "nequip-small", "mace-small", "allegro-small")
BY_ATOM = ["energy", "forces", "energies", "stresses"]
SPACING, BOND = 12.0, 2.0  # Angstrom: pairs beyond each other's cutoff cost little
MOMENT = 0.05  # seconds
PATIENCE = 120.0  # seconds for an answer
SLOW_BYTES, SLOW_RATE = 65536, 2e6  # a slow reader's, and bytes a second
JSON = "application/json"
Request = tuple[str, bytes, dict[str, str]]  # path, body, fields


def grid(n: int, seed: int = 0) -> dict[str, Any]:
    """n atoms in pairs far from each other, with as many digits as a program writes."""
    side = round((n / 2) ** (1 / 3)) + 1
    noise = random.Random(seed)
    positions = []
    for i in range(n):
        site = (i // 2 % side, i // 2 // side % side, i // 2 // side**2)
        positions.append([SPACING * x + 0.3 * noise.random() for x in site])
        positions[-1][0] += BOND * (i % 2)
    return {"numbers": [8] * n, "positions": positions}


def crystal(n: int) -> dict[str, Any]:
    """8 n^3 atoms in the diamond structure."""
    a = 5.431
    corners = [(0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    basis = corners + [(x + 0.25, y + 0.25, z + 0.25) for x, y, z in corners]
    cells = [(x, y, z) for x in range(n) for y in range(n) for z in range(n)]
    positions = [[a * (c + b) for c, b in zip(cell, at)] for cell in cells for at in basis]
    box = [[n * a if i == k else 0.0 for k in range(3)] for i in range(3)]
    return {"numbers": [8] * len(positions), "positions": positions, "cell": box}


def predict(model: str, structures: list[dict[str, Any]], **options: Any) -> Request:
    body = json.dumps({"structures": structures, **options}).encode()
    return f"/v1/models/{model}/predict", body, {"Content-Type": JSON}


def predict_binary(model: str, structures: list[dict[str, Any]], properties: list[str]) -> Request:
    body = binary.encode(structures, properties, None)
    fields = {"Content-Type": binary.MEDIA_TYPE, "Accept": binary.MEDIA_TYPE}
    return f"/v1/models/{model}/predict", body, fields


def dense(n_bytes: int) -> Request:
    """A body whose numbers take two bytes each, so that what is read of it is much larger."""
    row = ",".join([f"[{i % 10},0,0]" for i in range(10)])
    numbers = ",".join(["1"] * 10)
    atoms = n_bytes // 90 * 10
    structures = [f'{{"numbers":[{numbers}],"positions":[{row}]}}' for _ in range(4096)][
        : max(1, atoms // 10)
    ]
    text = '{"properties":["energy"],"structures":[' + ",".join(structures) + "]}"
    return f"/v1/models/{CHEAP}/predict", text.encode(), {"Content-Type": JSON}


def widest(daemon: Daemon, most: int) -> Request:
    """The largest crystal that takes at most so many bytes to evaluate."""
    for n in range(16, 1, -1):
        path, body, fields = predict(CHEAP, [crystal(n)])
        answer = daemon.ask("POST", path.replace("predict", "estimate"), body, fields)
        if answer.status == 200 and answer.json()["total"]["bytes"] <= most:
            return path, body, fields
    raise AssertionError(f"no crystal takes less than {most} bytes")


def requests(body_bytes: int, wide: Request) -> dict[str, Callable[[int], Request]]:
    """By kind, the request of a turn: large ones of about so many bytes."""
    n_atoms = body_bytes // 62
    large = predict(CHEAP, [grid(n_atoms // 8, seed) for seed in range(8)])
    answers = predict(CHEAP, [grid(n_atoms // 2, seed) for seed in range(2)], properties=BY_ATOM)
    huge = predict(CHEAP, [grid(5 * n_atoms // 4, seed) for seed in range(2)], properties=BY_ATOM)
    many = predict(CHEAP, [grid(3, seed) for seed in range(4096)])
    water = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]}
    small = predict(DEAR, [water])
    tensors = predict_binary(CHEAP, [grid(n_atoms, 1)], ["energy", "forces"])
    tight = dense(body_bytes)

    def load(turn: int) -> Request:
        name = LOADED[turn % len(LOADED)]
        what = "load" if turn // len(LOADED) % 2 else "unload"
        return f"/v1/models/{name}/{what}", b"", {"Content-Type": JSON}

    return {
        "large": lambda turn: large,
        "answers": lambda turn: answers,
        "slow": lambda turn: answers,
        "huge": lambda turn: huge,
        "many": lambda turn: many,
        "small": lambda turn: small,
        "wide": lambda turn: wide,
        "binary": lambda turn: tensors,
        "tight": lambda turn: tight,
        "load": load,
    }


class Storm:
    """What all clients have got: answers[kind, status], "lost" where none came."""

    def __init__(self, daemon: Daemon, made: dict[str, Callable[[int], Request]]):
        self.daemon, self.made = daemon, made
        self.lock = threading.Lock()
        self.answers: Counter[tuple[str, int | str]] = Counter()
        self.wrong: list[str] = []
        self.stopped = threading.Event()

    def blow(self, seconds: float, clients: dict[str, int]) -> None:
        """So many clients of each kind for so long; returns when all have their last answer."""
        threads = [
            threading.Thread(name=kind, target=self._client, args=(kind, i), daemon=True)
            for kind, n in clients.items()
            for i in range(n)
        ]
        threads.sort(key=lambda thread: not thread.name.startswith("slow"))
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.stopped.set()
        deadline = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        waiting = sum(thread.is_alive() for thread in threads)
        if waiting:
            self._note("clients", "lost", f"{waiting} clients still wait for an answer")

    def count(self, kind: str | None = None, status: int | str | None = None) -> int:
        return sum(
            n for (k, s), n in self.answers.items() if kind in (None, k) and status in (None, s)
        )

    def __str__(self) -> str:
        kinds = sorted({kind for kind, _ in self.answers})
        lines = []
        for kind in kinds:
            got = sorted((str(s), n) for (k, s), n in self.answers.items() if k == kind)
            lines.append(f"  {kind:8} " + "  ".join(f"{status}: {n}" for status, n in got))
        return "\n".join(lines)

    def _note(self, kind: str, status: int | str, wrong: str = "") -> None:
        with self.lock:
            self.answers[kind, status] += 1
            if wrong:
                self.wrong.append(f"{kind}: {wrong}")

    def _client(self, kind: str, turn: int) -> None:
        peer: socket.socket | None = None
        while not self.stopped.is_set():
            try:
                peer = peer or self._connect(kind)
                answer = self._ask(peer, kind, turn)
            except (OSError, HTTPException, AssertionError) as error:
                if not self.stopped.is_set() or not isinstance(error, ConnectionRefusedError):
                    self._note(kind, "lost", f"{type(error).__name__}: {error}")
                peer = None
                if self.daemon.process.poll() is not None:
                    return
                time.sleep(MOMENT)
                continue
            turn += 1
            self._note(kind, answer.status, judge(answer))
            if answer.headers.get("connection") == "close":
                peer.close()
                peer = None
            if answer.status in (429, 503) or kind == "load":
                time.sleep(MOMENT)
        if peer:
            peer.close()

    def _connect(self, kind: str) -> socket.socket:
        peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if kind == "slow":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.settimeout(PATIENCE)
        peer.connect((self.daemon.host, self.daemon.port))
        return peer

    def _ask(self, peer: socket.socket, kind: str, turn: int) -> Answer:
        path, body, fields = self.made[kind](turn)
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused while it sends
            peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        response = HTTPResponse(peer, method="POST")
        response.begin()
        return check(self._read_slowly(response) if kind == "slow" else read(response))

    def _read_slowly(self, response: HTTPResponse) -> Answer:
        parts = []
        while part := response.read(SLOW_BYTES):
            parts.append(part)
            self.stopped.wait(SLOW_BYTES / SLOW_RATE)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, b"".join(parts))


def judge(answer: Answer) -> str:
    """What is wrong with an answer to a valid request; "" when nothing is."""
    if answer.status not in (200, 202, 413, 422, 429, 503):
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.status == 200 and answer.headers["content-type"] == JSON and answer.body:
        if not answer.body.rstrip().endswith(b"}"):
            return "an answer that is cut off"
    return ""
