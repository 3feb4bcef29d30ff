"""The daemon is killed in the middle of the work of Python clients, and started anew."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

from daemon import MODEL, ROOT, Daemon

sys.path.insert(0, str(ROOT / "clients" / "python"))

import irrepd
from irrepd.client import Client

N_STRUCTURES = 2000
N_THREADS = 3


def dimer(i: int) -> dict[str, Any]:
    return irrepd.structure([8, 8], [[0, 0, 0], [0, 0, 1.0 + 1e-4 * i]])


def done(daemon: Daemon) -> float:
    return daemon.metric("inference_structures_total", outcome="ok")


def test_clients_outlive_the_daemon(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    daemon = Daemon(folders[0], "--workers", "1").wait_ready()
    found: list[list[float]] = []

    def run(client: Client) -> None:
        work = (dimer(i) for i in range(N_STRUCTURES))
        results = irrepd.evaluate(work, model=MODEL, client=client)
        found.append([result["energy"] for result in results])

    with Client(daemon.url) as client:
        client.models()
        threads = [threading.Thread(target=run, args=(client,)) for _ in range(N_THREADS)]
        for thread in threads:
            thread.start()
        daemon.wait_for(lambda: done(daemon) > N_STRUCTURES / 4, "some work")
        daemon.process.kill()
        daemon.wait()
        again = Daemon(folders[1], "--workers", "1", "--listen", f"127.0.0.1:{daemon.port}")
        for thread in threads:
            thread.join(60)
    assert 0 < done(again) < N_THREADS * N_STRUCTURES
    assert len(found) == N_THREADS and found[0] == found[1] == found[2]
    assert len(found[0]) == N_STRUCTURES
    again.end()
