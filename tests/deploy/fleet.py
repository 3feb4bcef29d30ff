"""Replicas of build/irrepd as processes, HAProxy with docker/haproxy/haproxy.cfg, clients that note
every answer."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import ROOT, free_port, wait_for

DAEMON = ROOT / "build" / "irrepd"
MODELS = ROOT / "build" / "models"
JSON = {"Content-Type": "application/json"}
HALFWAY = 0.05  # seconds


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, which network namespaces do not part."""

    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(
    address: str,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    timeout: float = 120.0,
    pause: float = 0.0,
) -> tuple[int, bytes]:
    """One request on a connection of its own, to HOST:PORT or a socket's path; never repeated. Its
    body comes in two halves with a pause between them."""

    def halves(text: bytes) -> Iterator[bytes]:
        yield text[: len(text) // 2]
        time.sleep(pause)
        yield text[len(text) // 2 :]

    if address.startswith("/"):
        connection: http.client.HTTPConnection = UnixConnection(address, timeout)
    else:
        connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        text = b"" if body is None else json.dumps(body).encode()
        size = {"Content-Length": str(len(text))} if text else {}
        sent = halves(text) if text else None
        connection.request(method, path, sent, {**JSON, **size, **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Process:
    """A program with its log in a file, ended when the test ends."""

    def __init__(self, log: Path, command: Sequence[object], **environment: str):
        self.log = log
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, patience: float = 120.0) -> int:
        return self.process.wait(patience)

    def end(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            self.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Replica(Process):
    """irrepd on a port that stays when it is started again."""

    def __init__(
        self,
        folder: Path,
        *flags: object,
        port: int = 0,
        host: str = "127.0.0.1",
        program: Path = DAEMON,
        models: Path = MODELS,
        inside: Sequence[str] = (),
    ):
        self.port = port or free_port()
        self.address = f"{host}:{self.port}"
        self.inside = list(inside)
        command = [*inside, program, "--models", models, "--listen", self.address, *flags]
        super().__init__(folder / f"irrepd-{self.port}.log", command)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        command = [*self.inside, DAEMON, "--healthcheck", f"http://{self.address}"]
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0

    def metric(self, name: str, headers: dict[str, str] | None = None) -> float:
        """The sum of a metric's series."""
        _, body = ask(self.address, "GET", "/metrics", headers=headers)
        found = re.findall(rf"^irrepd_{name}(?:{{.*}})? (\S+)$", body.decode(), re.M)
        return sum(float(value) for value in found)


class HAProxy(Process):
    def __init__(
        self,
        folder: Path,
        addresses: Sequence[str],
        *,
        routing: str = "load",
        listen: str = "",
        inside: Sequence[str] = (),
    ):
        self.address = listen or f"127.0.0.1:{free_port()}"
        self.metrics = f"127.0.0.1:{free_port()}"
        # Without resolvers of names: on some machines there are none.
        environment = {f"REPLICA_{n}": x for n, x in enumerate(addresses, 1)}
        super().__init__(
            folder / "haproxy.log",
            [*inside, "haproxy", "-f", ROOT / "docker" / "haproxy" / "haproxy.cfg"],
            LISTEN=self.address,
            METRICS=self.metrics,
            ROUTING=routing,
            **environment,
        )
        wait_for(self.answers, "HAProxy")

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        try:
            return ask(self.address, "GET", "/v1/health/ready")[0] == 200
        except OSError:
            return False

    def is_idle(self) -> bool:
        """Whether no request is under way, as HAProxy counts them."""
        text = ask(self.metrics, "GET", "/metrics")[1].decode()
        found = re.findall(r"^haproxy_server_current_sessions{.*} (\d+)$", text, re.M)
        return bool(found) and set(found) == {"0"}

    def lost(self, number: int) -> bool:
        """Whether the log says that a replica's check failed last."""
        found = re.findall(rf"Server by_load/replica-{number} is (UP|DOWN)", self.log.read_text())
        return bool(found) and found[-1] == "DOWN"


@dataclass
class Load:
    """Clients that ask for one structure after the other, and never ask again. Their bodies come in
    pieces, as large ones do on a network: a proxy must not have passed on what it cannot repeat."""

    address: str
    path: str
    structures: list[dict[str, Any]]
    headers: dict[str, str] = field(default_factory=dict)
    answers: list[tuple[int, int, bytes, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.numbers = itertools.count()
        self.stop = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self, clients: int) -> Load:
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]
        for thread in self.threads:
            thread.start()
        return self

    def run(self) -> None:
        while not self.stop.is_set():
            which = next(self.numbers) % len(self.structures)
            begun = time.monotonic()
            request = {"structures": [self.structures[which]]}
            try:
                status, body = ask(
                    self.address, "POST", self.path, request, self.headers, pause=HALFWAY
                )
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                continue
            self.answers.append((which, status, body, time.monotonic() - begun))

    def finish(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "a request is not answered"

    def check(self) -> list[float]:
        """All were answered with the same numbers for the same structure; the times they took."""
        assert not self.errors, self.errors[:5]
        bad = [(status, body[:300]) for _, status, body, _ in self.answers if status != 200]
        assert not bad, bad[:5]
        energies: dict[int, set[float]] = {}
        for which, _, body, _ in self.answers:
            (result,) = json.loads(body)["results"]
            energies.setdefault(which, set()).add(result["energy"])
        assert all(len(found) == 1 for found in energies.values()), energies
        return [seconds for *_, seconds in self.answers]
