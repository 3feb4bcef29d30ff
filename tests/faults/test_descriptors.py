"""The daemon runs out of descriptors: what needs one waits or is refused, and works afterwards."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

from daemon import MODEL, MODELS, Daemon, Factory, check, kind, read_raw

LIVE = b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
SILICON = b'{"structures":[{"numbers":[14],"positions":[[0,0,0]]}]}'


def open_descriptors(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def allow(daemon: Daemon, n: int) -> None:
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (n, hard))


def test_connections_wait(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    allow(daemon, open_descriptors(daemon) + 4)
    peers = [daemon.connect() for _ in range(12)]
    try:
        for peer in peers:
            peer.sendall(LIVE)
        for peer in peers:  # each gets its turn when those before it have gone
            assert check(read_raw(peer)).status == 200
            peer.close()
    finally:
        for peer in peers:
            peer.close()
    assert daemon.predict(SILICON).status == 200


def test_a_model_is_loaded_later(start: Factory, tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    shutil.copy(MODELS / f"{MODEL}.safetensors", served)
    daemon = start("--on-demand", "--workers", "1", models=served)
    with daemon.connect() as peer:
        peer.sendall(LIVE)
        assert check(read_raw(peer)).status == 200
        allow(daemon, open_descriptors(daemon))
        path = f"/v1/models/{MODEL}/predict"
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        request = f"{head}Content-Length: {len(SILICON)}\r\n\r\n".encode() + SILICON
        peer.sendall(request)
        refused = check(read_raw(peer))
        assert refused.status == 503 and "open files" in refused.json()["detail"], kind(refused)
        allow(daemon, 256)
        peer.sendall(request)
        assert check(read_raw(peer)).status == 200
