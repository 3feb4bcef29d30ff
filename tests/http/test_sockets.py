"""POST /v1/sockets with bodies that ask for much."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import MODEL, Factory, kind

JSON = {"Content-Type": "application/json"}


def most_memory(pid: int) -> int:
    """The most bytes that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def test_many_connections_of_many_atoms(start: Factory) -> None:
    """Three megabytes do not make the daemon hold a gigabyte."""
    daemon = start().wait_ready()
    body = {"protocol": "ipi", "address": "unix:nobody", "model": MODEL}
    body.update(numbers=[14] * 1_000_000, connections=256)
    before = most_memory(daemon.process.pid)
    refused = daemon.ask("POST", "/v1/sockets", json.dumps(body).encode(), JSON)
    assert (refused.status, kind(refused)) == (503, "too-many-sockets")
    assert "256 connections of 1000000 atoms" in refused.json()["detail"]
    assert daemon.ask("GET", "/v1/sockets").json()["sockets"] == []
    assert most_memory(daemon.process.pid) - before < 300 << 20
    spaced = json.dumps(body, separators=(" " * 20 + ",", ":")).encode()
    refused = daemon.ask("POST", "/v1/sockets", spaced, JSON)
    assert (refused.status, kind(refused)) == (413, "body-too-large")
    body["numbers"] = [14] * 1000
    taken = daemon.ask("POST", "/v1/sockets", json.dumps(body).encode(), JSON)
    assert taken.status == 201 and len(taken.json()["connections"]) == 256
