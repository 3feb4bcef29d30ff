"""The cable between a client and the daemon fails: others notice nothing, descriptors come back."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from daemon import PREDICT, Answer, Daemon, check, read_raw
from network import Cable, NotPermitted, laid

TIMEOUT_MS = 900
ATOM = {"numbers": [14], "positions": [[0, 0, 0]]}
REQUEST = json.dumps({"structures": [ATOM]}).encode()
ENOUGH = 5
MANY = json.dumps({"structures": [ATOM] * 1000}).encode()


@pytest.fixture(scope="module")
def laid_cable() -> Iterator[Cable]:
    with contextlib.ExitStack() as stack:
        try:
            cable = stack.enter_context(laid())
        except NotPermitted as reason:
            pytest.skip(str(reason))
        yield cable


@pytest.fixture
def cable(laid_cable: Cable) -> Iterator[Cable]:
    yield laid_cable
    laid_cable.heal()


@pytest.fixture(scope="module")
def daemon(laid_cable: Cable, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    flags = ("--allow-remote", "--workers", "1", "--request-timeout-ms", str(TIMEOUT_MS))
    made = Daemon(tmp_path_factory.mktemp("daemon"), *flags, host="0.0.0.0").wait_ready()
    yield made
    made.end()


class Others:
    """A client over loopback that asks all the time, and must get its answer each time."""

    def __init__(self, daemon: Daemon):
        self.daemon, self.answers = daemon, 0
        self.wanted = daemon.predict(REQUEST).json()["results"]
        self.failed: list[object] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                answer = self.daemon.predict(REQUEST)
                assert (answer.status, answer.json()["results"]) == (200, self.wanted)
                self.answers += 1
            except Exception as error:
                self.failed.append(error)
                return

    def __enter__(self) -> Others:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        while self.answers < ENOUGH and not self.failed:
            time.sleep(0.01)
        self._end.set()
        self._thread.join()
        assert not self.failed


def connect(cable: Cable, daemon: Daemon) -> socket.socket:
    peer = cable.socket()
    peer.settimeout(30)
    peer.connect((cable.near, daemon.port))
    return peer


def head(size: int) -> bytes:
    lines = [f"POST {PREDICT} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    return "\r\n".join([*lines, f"Content-Length: {size}", "", ""]).encode()


def ask(peer: socket.socket, body: bytes = REQUEST) -> Answer:
    peer.sendall(head(len(body)) + body)
    return check(read_raw(peer))


def descriptors(daemon: Daemon) -> float:
    return daemon.metric("process_open_fds")


def descriptors_at_rest(daemon: Daemon) -> float:
    """Without the connections that come and go: the fewest of some looks."""
    found = []
    for _ in range(6):
        found.append(descriptors(daemon))
        time.sleep(0.05)
    return min(found)


def clients_of_every_kind(cable: Cable, daemon: Daemon) -> list[socket.socket]:
    """Idle before and after a request, in the head, in the body, and waiting for numbers."""
    peers = [connect(cable, daemon) for _ in range(5)]
    assert ask(peers[1]).status == 200
    peers[2].sendall(head(len(REQUEST))[:40])
    peers[3].sendall(head(len(MANY)) + MANY[:1000])
    peers[4].sendall(head(len(MANY)) + MANY)
    return peers


FAULTS = {
    "lost from the daemon": [("input", "tcp sport {port} drop")],
    "partition": [("output", "tcp dport {port} drop"), ("input", "tcp sport {port} drop")],
    "reset": [("input", "tcp sport {port} reject with tcp reset")],
}


@pytest.mark.parametrize("name", [*FAULTS, "cable out"])
def test_a_fault_on_the_way(cable: Cable, daemon: Daemon, name: str) -> None:
    before = descriptors_at_rest(daemon)
    with Others(daemon):
        peers = clients_of_every_kind(cable, daemon)
        for hook, rule in FAULTS.get(name, []):
            cable.rule(hook, rule.format(port=daemon.port))
        if name == "cable out":
            cable.up(False)
        # The connection of the one who asks, and of the others.
        daemon.wait_for(lambda: descriptors(daemon) <= before + 1, "the descriptors to come back")
        for peer in peers:
            peer.close()
        cable.heal()
        with connect(cable, daemon) as again:
            assert ask(again).status == 200
    assert daemon.metric("queue_structures") == 0


def test_a_short_fault_goes_unnoticed(cable: Cable, daemon: Daemon) -> None:
    with Others(daemon), connect(cable, daemon) as peer:
        cable.rule("input", f"tcp sport {daemon.port} drop")
        peer.sendall(head(len(REQUEST)) + REQUEST)
        time.sleep(TIMEOUT_MS / 4000)
        cable.heal()
        assert check(read_raw(peer)).status == 200


@pytest.mark.parametrize("reads", [False, True])
def test_a_peer_that_does_not_read(cable: Cable, daemon: Daemon, reads: bool) -> None:
    """Its answers wait as long as it takes some of them now and then, and no longer."""
    before = descriptors_at_rest(daemon)
    with Others(daemon), cable.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.settimeout(30)
        peer.connect((cable.near, daemon.port))
        peer.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 300)
        begun = time.monotonic()
        while reads and time.monotonic() < begun + 3:  # seconds; libmicrohttpd's end is at 2
            assert peer.recv(2000)
            time.sleep(0.02)
        if reads:
            assert descriptors_at_rest(daemon) > before
        else:
            daemon.wait_for(lambda: descriptors(daemon) <= before + 1, "the connection's end")
    daemon.wait_for(lambda: descriptors(daemon) <= before, "the connection's end")
