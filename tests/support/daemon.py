"""A running build/irrepd, a client over sockets that checks every answer, and its metrics."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DAEMON = Path(os.environ.get("IRREPD_TEST_DAEMON", ROOT / "build" / "irrepd"))
MODELS = Path(os.environ.get("IRREPD_TEST_MODELS", ROOT / "build" / "models"))
MODEL = "sevennet-0"
PREDICT = f"/v1/models/{MODEL}/predict"
PATIENCE = float(os.environ.get("IRREPD_TEST_PATIENCE", "60"))  # seconds; for sanitizers more


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # lower-case names
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Daemon:
    """A running irrepd; `port` is known once the object is made, `wait_ready` waits for models."""

    def __init__(
        self,
        folder: Path,
        *flags: str,
        models: Path = MODELS,
        host: str = "127.0.0.1",
        environment: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        inside: Callable[..., list[str]] | None = None,
    ):
        self.host, self.tls = host, tls
        self.headers = headers or {}  # of every `ask`
        self.log = folder / "log"
        self.lines: list[str] = []
        self.url = ""
        self._listening, self._ready = threading.Event(), threading.Event()
        command = [DAEMON, "--models", models, "--listen", f"{host}:0", *flags]
        command = [str(part) for part in command]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(
                inside(*command) if inside else command,  # in a container, say
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        threading.Thread(target=self._read, daemon=True).start()
        if not self._listening.wait(PATIENCE) or not self.url:
            self.process.kill()
            raise RuntimeError(f"irrepd did not listen:\n{self.log.read_text()[-2000:]}")
        self.port = int(self.url.rsplit(":", 1)[1])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            found = re.fullmatch(r"irrepd: listening on (https?://[\d.]+:\d+)\n", line)
            if found:
                self.url = found[1]
                self._listening.set()
            if line.startswith("curl "):
                self._ready.set()
        self._listening.set()
        self._ready.set()

    def wait_ready(self) -> Daemon:
        assert self._ready.wait(PATIENCE) and "irrepd: ready" in self.lines, self.log.read_text()
        return self

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        """A connection; with a receive buffer of so many bytes, or the system's."""
        plain = socket.socket(socket.AF_INET)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(PATIENCE)
        plain.connect((self.host, self.port))
        return plain if self.tls is None else self.tls.wrap_socket(plain, server_hostname=self.host)

    def connection(self) -> HTTPConnection:
        if self.tls is not None:
            return HTTPSConnection(self.host, self.port, timeout=PATIENCE, context=self.tls)
        return HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, {**self.headers, **(headers or {})})
            return check(read(connection.getresponse()))

    def raw(self, request: bytes, method: str = "GET") -> Answer:
        """Sends bytes as they are and reads one answer."""
        with self.connect() as peer:
            peer.sendall(request)
            return check(read_raw(peer, method))

    def predict(self, request: Any, headers: dict[str, str] | None = None) -> Answer:
        text = request if isinstance(request, bytes) else json.dumps(request).encode()
        return self.ask(
            "POST", PREDICT, text, {"Content-Type": "application/json", **(headers or {})}
        )

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's series that carry these labels."""
        total = 0.0
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            found = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line)
            if found and found[1] == f"irrepd_{name}":
                given = dict(re.findall(r'(\w+)="([^"]*)"', found[2] or ""))
                if all(given.get(key) == value for key, value in labels.items()):
                    total += float(found[3])
        return total

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.01)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Ends the daemon if it runs; it must not have crashed, whatever it was sent."""
        if self.process.poll() is None:
            self.signal()
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self.check_log()
        assert status >= 0, f"ended by signal {-status}:\n{self.log.read_text()[-4000:]}"

    def check_log(self) -> None:
        """Whatever the daemon writes is a log line; a sanitizer's report is not."""
        strange = [
            x for x in self.log.read_text().splitlines() if not x.startswith(("{", "irrepd:"))
        ]
        assert not strange, "\n".join(strange[:40])


def read(response: HTTPResponse) -> Answer:
    body = response.read()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)


def read_raw(peer: socket.socket, method: str = "GET") -> Answer:
    response = HTTPResponse(peer, method=method)
    response.begin()
    return read(response)


def check(answer: Answer) -> Answer:
    """What every answer must have: an id, a line's end behind JSON, whole problem objects."""
    assert re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", answer.headers["x-request-id"])
    is_json = re.match(r"application/(problem\+)?json", answer.headers.get("content-type", ""))
    if answer.body and is_json and "content-encoding" not in answer.headers:
        assert answer.body[-2:] in (b"}\n", b"]\n")
    if answer.status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    if answer.status >= 400 and answer.body:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == answer.status
        assert problem["type"].startswith("urn:irrepd:") and problem["title"] and problem["detail"]
        assert problem["retryable"] is (answer.status in (408, 429, 503, 504))
        assert all(error["pointer"].startswith("#") for error in problem["errors"])
    return answer


def kind(answer: Answer) -> str:
    return answer.json()["type"].removeprefix("urn:irrepd:") if answer.status >= 400 else "ok"


def pointer(answer: Answer) -> str:
    errors = answer.json()["errors"]
    return errors[0]["pointer"] if errors else ""


@dataclass
class Factory:
    """Makes daemons of other flags, and ends them with the test."""

    folder: Path
    made: list[Daemon] = field(default_factory=list)

    def __call__(self, *flags: str, **options: Any) -> Daemon:
        folder = self.folder / str(len(self.made))
        folder.mkdir()
        self.made.append(Daemon(folder, *flags, **options))
        return self.made[-1]
