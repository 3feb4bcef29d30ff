"""Start and end of the daemon, its flags, and clients that leave."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import DAEMON, MODELS, PATIENCE, PREDICT, Daemon, Factory, check, kind, read_raw


def body(copies: int, n: int = 6) -> bytes:
    """A request whose computation takes a while: copies of n^3 atoms of silicon."""
    a = 2.5
    points = [[a * x, a * y, a * z] for x in range(n) for y in range(n) for z in range(n)]
    edge = n * a
    cell = [[edge, 0, 0], [0, edge, 0], [0, 0, edge]]
    one = {"numbers": [14] * len(points), "positions": points, "cell": cell}
    return json.dumps({"structures": [one] * copies, "precision": "float64"}).encode()


def post(peer: socket.socket, text: bytes) -> None:
    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    peer.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)


def busy(daemon: Daemon) -> bool:
    return daemon.ask("GET", "/v1/status").json()["batches_running"] > 0


def queued(daemon: Daemon) -> int:
    return daemon.ask("GET", "/v1/status").json()["queue"]["structures"]


def connections(daemon: Daemon) -> int:
    return daemon.ask("GET", "/v1/status").json()["connections"]


def limits_of(daemon: Daemon) -> dict[str, Any]:
    limits: dict[str, Any] = daemon.ask("GET", "/v1/status").json()["limits"]
    return limits


def run(*flags: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in (DAEMON, *flags)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_start_prints_what_works_as_pasted(start: Factory) -> None:
    daemon = start().wait_ready()
    listening, ready, command = daemon.lines
    assert listening == f"irrepd: listening on {daemon.url}" and ready == "irrepd: ready"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert json.loads(done.stdout)["results"][0]["status"] == "ok"
    for line in daemon.log.read_text().splitlines():
        entry = json.loads(line)
        assert entry["level"] in ("info", "warning", "error") and entry["message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


def test_requests_are_logged_on_demand(start: Factory) -> None:
    daemon = start("--log-requests")
    daemon.ask("GET", "/nothing?secret=1", headers={"X-Request-Id": "find-me"})

    def entries() -> list[dict[str, Any]]:
        logged = [json.loads(line) for line in daemon.log.read_text().splitlines()]
        return [entry for entry in logged if entry.get("request_id") == "find-me"]

    daemon.wait_for(lambda: len(entries()) > 0, "the line of the log")
    (entry,) = entries()
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/nothing", 404)


def test_requests_while_loading_get_a_retry_or_an_answer(start: Factory) -> None:
    daemon = start()
    small = b'{"structures":[{"numbers":[14],"positions":[[0,0,0]]}]}'
    seen = set()

    def answered() -> bool:
        answer = daemon.predict(small)
        seen.add((answer.status, kind(answer)))
        return answer.status == 200

    daemon.wait_for(answered, "the model")
    assert seen <= {(200, "ok"), (503, "model-loading")}
    daemon.wait_ready()
    assert daemon.ask("GET", "/v1/health/ready").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains(start: Factory, number: int) -> None:
    patience = str(int(1000 * PATIENCE))
    daemon = start("--workers", "1", "--drain-timeout-ms", patience).wait_ready()
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(daemon.connect()) for _ in range(3)]
        for peer in peers:
            post(peer, body(8))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        late = stack.enter_context(daemon.connect())
        late.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode())
        daemon.signal(number)
        daemon.wait_for(lambda: daemon.ask("GET", "/v1/health/ready").status == 503, "the drain")
        unready = daemon.ask("GET", "/v1/health/ready")
        assert (kind(unready), unready.headers["connection"]) == ("draining", "close")
        assert daemon.ask("GET", "/v1/health/live").status == 200
        assert daemon.metric("draining") == 1
        refused = daemon.predict(body(1))
        assert (refused.status, kind(refused)) == (503, "draining")
        for peer in peers:
            answer = check(read_raw(peer))
            assert answer.status == 200
            assert [r["status"] for r in answer.json()["results"]] == ["ok"] * 8
    assert daemon.wait() == 0
    with pytest.raises(OSError):
        daemon.connect()


def test_a_client_that_has_ended_its_side_is_answered(start: Factory) -> None:
    """It sends no more, and reads; one that closes its socket is not computed for."""
    daemon = start("--workers", "1").wait_ready()
    for n in (1, 6):  # answered at once, and computed for a while
        with daemon.connect() as peer:
            post(peer, body(2, n))
            peer.shutdown(socket.SHUT_WR)
            answer = check(read_raw(peer))
            assert answer.status == 200
            assert [r["status"] for r in answer.json()["results"]] == ["ok"] * 2
            assert peer.recv(1) == b""
    assert daemon.metric("requests_cancelled_total", reason="disconnect") == 0


def test_a_client_of_a_unix_socket_that_has_ended_its_side(start: Factory, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    daemon = subprocess.Popen(
        [str(DAEMON), "--models", str(MODELS), "--listen", f"unix:{path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert daemon.stdout is not None
    while daemon.stdout.readline() != "irrepd: ready\n":
        assert daemon.poll() is None
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(path))
        post(peer, body(1, 5))
        peer.shutdown(socket.SHUT_WR)
        assert check(read_raw(peer)).status == 200
    daemon.terminate()
    assert daemon.wait(PATIENCE) == 0
    daemon.stdout.close()


def test_requests_are_still_taken_during_the_drain_delay(start: Factory) -> None:
    daemon = start("--drain-delay-ms", "1500").wait_ready()
    daemon.signal()
    daemon.wait_for(lambda: daemon.ask("GET", "/v1/health/ready").status == 503, "the drain")
    answer = daemon.predict(body(1))
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert daemon.wait() == 0
    with pytest.raises(OSError):
        daemon.connect()


def test_healthcheck(start: Factory) -> None:
    daemon = start("--drain-delay-ms", "60000").wait_ready()
    ready = run("--healthcheck", daemon.url)
    assert (ready.returncode, ready.stdout, ready.stderr) == (0, "", "")
    daemon.signal()
    daemon.wait_for(lambda: daemon.ask("GET", "/v1/health/ready").status == 503, "the drain")
    draining = run("--healthcheck", daemon.url)
    assert draining.returncode == 1 and "503" in draining.stderr
    assert run("--healthcheck", f"{daemon.url}/v1/health/live").returncode == 0


def test_a_drain_that_takes_too_long(start: Factory) -> None:
    daemon = start("--workers", "1", "--drain-timeout-ms", "1").wait_ready()
    with daemon.connect() as peer:
        post(peer, body(16))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        daemon.signal()
        answer = check(read_raw(peer))
        assert (answer.status, kind(answer)) == (503, "draining")
    assert daemon.wait() == 1


def test_a_second_signal_ends_at_once(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    with daemon.connect() as peer:
        post(peer, body(64))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        daemon.signal()
        daemon.wait_for(lambda: daemon.ask("GET", "/v1/health/ready").status == 503, "the drain")
        daemon.signal()
        assert daemon.wait() == 1


def test_idle_connections_do_not_hold_the_drain(start: Factory) -> None:
    daemon = start().wait_ready()
    with daemon.connect() as idle, daemon.connect() as silent:
        idle.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert check(read_raw(idle)).status == 200
        daemon.signal()
        assert daemon.wait() == 0
        assert silent.recv(1) == b""


def test_clients_that_leave_are_not_computed(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    with daemon.connect() as first:
        post(first, body(24))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        leavers = [daemon.connect() for _ in range(8)]
        for peer in leavers:
            post(peer, body(2))
        daemon.wait_for(lambda: queued(daemon) >= 16, "the queue")
        for index, peer in enumerate(leavers):
            if index % 2:  # half of them leave by a reset
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
        daemon.wait_for(lambda: daemon.metric("requests_cancelled_total") == 8, "the leaving")
        assert check(read_raw(first)).status == 200
    daemon.wait_for(lambda: queued(daemon) == 0, "an empty queue")
    assert daemon.metric("inference_structures_total", outcome="ok") == 24


def test_connection_limit(start: Factory) -> None:
    daemon = start("--max-connections", "4")
    held = [daemon.connect() for _ in range(4)]
    for peer in held:
        peer.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert check(read_raw(peer)).status == 200
    with daemon.connect() as waiting:
        waiting.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        waiting.settimeout(0.3)
        with pytest.raises(TimeoutError):
            waiting.recv(1)
        held[0].close()
        waiting.settimeout(PATIENCE / 3)  # below the timeout of idle connections
        assert check(read_raw(waiting)).status == 200
    for peer in held[1:]:
        peer.close()


def test_many_connections_come_and_go(daemon: Daemon) -> None:
    def visit() -> None:
        for turn in range(50):
            with daemon.connect() as peer:
                if turn % 3:
                    peer.sendall(b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n"[: 10 * turn])
                if turn % 2:
                    peer.settimeout(0.001)
                    with contextlib.suppress(OSError):
                        peer.recv(10)

    threads = [threading.Thread(target=visit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    daemon.wait_for(lambda: connections(daemon) <= 1, "the last connection to go")


class UnixDaemon:
    def __init__(self, path: Path, log: Path):
        command = [DAEMON, "--models", MODELS, "--listen", f"unix:{path}"]
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=log.open("wb"), text=True
        )
        assert self.process.stdout is not None
        self.lines = [self.process.stdout.readline().rstrip("\n") for _ in range(3)]

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "irrepd.sock"
    first = UnixDaemon(path, tmp_path / "log1")
    try:
        assert first.lines[:2] == [f"irrepd: listening on unix:{path}", "irrepd: ready"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        done = subprocess.run(["sh", "-c", first.lines[2]], capture_output=True, timeout=60)
        assert json.loads(done.stdout)["results"][0]["status"] == "ok"
        assert run("--healthcheck", f"unix:{path}").returncode == 0
        second = run("--models", MODELS, "--listen", f"unix:{path}")
        assert second.returncode == 1 and "another process" in second.stderr
    finally:
        first.end(signal.SIGKILL)
    assert path.exists()  # left behind: the next start removes it
    third = UnixDaemon(path, tmp_path / "log2")
    assert third.end() == 0
    assert not path.exists()
    path.write_text("precious")
    assert run("--models", MODELS, "--listen", f"unix:{path}").returncode == 1
    assert path.read_text() == "precious"


def test_flags(tmp_path: Path) -> None:
    assert re.fullmatch(r"irrepd \d+\.\d+\.\d+\n", run("--version").stdout)
    text = run("--help").stdout
    for flag in ("--models", "--listen", "--max-delay-us", "--config", "--check-config"):
        assert flag in text
    good = run("--check-config", "--models", MODELS)
    assert (good.returncode, good.stderr) == (0, "")
    for flags, named in [
        (["--max-queue", "0"], "--max-queue"),
        (["--max-queue", "many"], "--max-queue"),
        (["--memory-budget", "1T"], "--memory-budget"),
        (["--no-such-flag"], "--no-such-flag"),
        (["word"], "word"),
        (["--max-atoms"], "--max-atoms"),
        (["--config", tmp_path / "none.json"], "none.json"),
    ]:
        bad = run("--check-config", "--models", MODELS, *flags)
        assert bad.returncode == 2 and named in bad.stderr
    assert run("--check-config", "--models", tmp_path / "none").returncode == 1
    from_environment = run("--check-config", "--models", MODELS, IRREPD_MAX_ATOMS="-1")
    assert from_environment.returncode == 2 and "IRREPD_MAX_ATOMS" in from_environment.stderr


def test_beyond_loopback_only_when_allowed() -> None:
    refused = run("--models", MODELS, "--listen", "0.0.0.0:0")
    assert refused.returncode == 1 and "--allow-remote" in refused.stderr
    check_only = ("--check-config", "--models", MODELS, "--listen", "0.0.0.0:0")
    assert run(*check_only).returncode == 1
    assert run(*check_only, "--allow-remote").returncode == 0


def test_precedence_of_flag_environment_and_file(
    start: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"max-queue": 11, "max-atoms": 12, "max-structures": 13}')
    monkeypatch.setenv("IRREPD_MAX_ATOMS", "22")
    monkeypatch.setenv("IRREPD_MAX_STRUCTURES", "23")
    daemon = start("--config", str(file), "--max-structures", "33")
    limits: dict[str, Any] = daemon.ask("GET", "/v1/status").json()["limits"]
    assert (limits["max_queue"], limits["max_atoms"], limits["max_structures"]) == (11, 22, 33)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_daemon_of_root_becomes_another_user(tmp_path: Path) -> None:
    open_to_all = Path(tempfile.mkdtemp())
    try:
        open_to_all.chmod(0o755)
        models, keys = open_to_all / "models", open_to_all / "keys"
        shutil.copytree(MODELS, models, ignore=lambda _, names: {n for n in names if "net" in n})
        keys.write_text(f"one predict {'ab' * 32}\n")
        daemon = Daemon(tmp_path, "--user", "nobody", "--keys", str(keys), models=models)
        try:
            nobody = pwd.getpwnam("nobody").pw_uid
            status = Path(f"/proc/{daemon.process.pid}/status").read_text()
            for name in ("Uid", "Gid"):
                ids = re.search(rf"^{name}:\s(.*)$", status, re.M)
                assert ids and "0" not in ids[1].split()
            assert re.search(rf"^Uid:\t{nobody}\t{nobody}\t{nobody}\t{nobody}$", status, re.M)
            assert re.search(r"^NoNewPrivs:\t1$", status, re.M)
            assert daemon.ask("GET", "/v1/health/live").status == 200
        finally:
            daemon.end()
        keys.chmod(0o600)  # of root: the user cannot read it
        refused = run("--models", models, "--user", "nobody", "--keys", keys, "--listen", "[::1]:0")
        assert refused.returncode == 1 and "Permission denied" in refused.stderr
    finally:
        shutil.rmtree(open_to_all)
    unknown = run("--check-config", "--models", MODELS, "--user", "no-such-user-here")
    assert unknown.returncode == 1 and "--user" in unknown.stderr
