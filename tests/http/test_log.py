"""Readers of the log that stall, and standard descriptors that are closed."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from pathlib import Path

from conftest import DAEMON, MODELS, PATIENCE, read_raw

N_REQUESTS = 3000
PATH = "/" + "a" * 900  # of a request whose line in the log is long


def listening_on(daemon: subprocess.Popen[str]) -> int:
    """The port, once the models are there."""
    assert daemon.stdout is not None
    port = 0
    while (line := daemon.stdout.readline()) != "irrepd: ready\n":
        found = re.search(r"listening on http://127.0.0.1:(\d+)", line)
        port = int(found[1]) if found else port
        assert line
    return port


def test_a_reader_that_stalls(tmp_path: Path) -> None:
    """Nobody waits for it, and it is told of what it has missed: here, by the metric."""
    command = [str(DAEMON), "--models", str(MODELS), "--listen", "127.0.0.1:0", "--log-requests"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert daemon.stderr is not None
    port = listening_on(daemon)
    request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
        for _ in range(N_REQUESTS):
            peer.sendall(request)
            assert read_raw(peer).status == 404
        peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        text = read_raw(peer).body.decode()
    found = re.search(r"^irrepd_log_lines_lost_total (\d+)$", text, re.M)
    assert found is not None
    lost = int(found[1])
    assert 0 < lost < N_REQUESTS
    # Now it reads, and all but those come.
    lines = []
    while "lines of the log were lost" not in (line := daemon.stderr.readline()):
        lines.append(json.loads(line))
    told = json.loads(line)
    assert (told["level"], told["lines"] >= lost) == ("warning", True)
    assert sum(x.get("path") == PATH for x in lines) >= N_REQUESTS - told["lines"]
    daemon.terminate()
    last = [json.loads(x)["message"] for x in daemon.stderr]
    assert daemon.wait(PATIENCE) == 0
    assert last[-1] == "stopping"


def test_the_end_does_not_wait_for_a_reader(tmp_path: Path) -> None:
    command = [str(DAEMON), "--models", str(MODELS), "--listen", "127.0.0.1:0", "--log-requests"]
    daemon = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    request = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", listening_on(daemon)), timeout=PATIENCE) as peer:
        for _ in range(200):
            peer.sendall(request)
            assert read_raw(peer).status == 404
    daemon.terminate()
    assert daemon.wait(PATIENCE) == 0
    daemon.communicate()


def test_standard_descriptors_that_are_closed(tmp_path: Path) -> None:
    for closed in ("2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        path = tmp_path / "socket"
        flags = f"--models '{MODELS}' --listen 'unix:{path}' --log-requests"
        daemon = subprocess.Popen(
            ["sh", "-c", f"exec '{DAEMON}' {flags} {closed}"], stdout=subprocess.DEVNULL
        )
        check = [str(DAEMON), "--healthcheck", f"unix:{path}"]
        begun = time.monotonic()
        while subprocess.run(check, capture_output=True).returncode != 0:
            assert daemon.poll() is None and time.monotonic() - begun < PATIENCE
            time.sleep(0.02)
        daemon.terminate()
        assert daemon.wait(PATIENCE) == 0
