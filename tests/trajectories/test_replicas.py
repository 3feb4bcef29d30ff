"""The same bits from another replica, and from one that goes on where another was killed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from daemon import PATIENCE, Daemon
from trajectories import (
    JSON,
    SMALL,
    diamond,
    events,
    follow,
    kind_of,
    md,
    of_structure,
    relax,
    water,
)

KILLS = 20
N = 64
MIXED = [water(i) if i % 3 else diamond(i, n=4 + i % 5) for i in range(N)]
CELLS = [diamond(i, n=4 + i % 5) for i in range(N)]
BODIES = {
    "md": md(MIXED, every=5, steps=120, thermostat="csvr"),
    "npt": md(
        CELLS,
        ensemble="npt",
        barostat="c-rescale",
        coupling="triclinic",
        pressure=5.0,
        every=5,
        steps=60,
        thermostat="langevin",
    ),
    "relax": relax(CELLS, cell="full", pressure=5.0, fmax=1e-4, max_steps=80, trajectory=4),
}


class Replicas:
    """Daemons one after the other, each with a folder of its own but that of jobs."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.random, self.n = folder, random.Random(seed), 0
        self.daemon = self.next()

    def next(self) -> Daemon:
        self.n += 1
        place = self.folder / f"replica-{self.n}"
        place.mkdir()
        flags = ("--jobs", str(self.folder / "jobs"), "--workers", str(1 + self.n % 2))
        self.daemon = Daemon(place, *flags).wait_ready()
        return self.daemon

    def kill(self) -> None:
        self.daemon.process.kill()
        self.daemon.process.wait(PATIENCE)
        self.daemon.check_log()


def frames_of(told: list[dict[str, Any]]) -> int:
    return sum(event["event"] == "frame" for event in told)


@pytest.mark.parametrize("name", BODIES)
def test_twenty_kills(tmp_path: Path, name: str) -> None:
    """A job that another replica takes over at twenty random moments tells of each structure, among
    63 others, what one that nobody disturbs tells."""
    body = BODIES[name]
    replicas = Replicas(tmp_path, seed=2)
    noise = replicas.random
    path = f"/v1/models/{SMALL}/{kind_of(body)}"
    headers = {**JSON, "Prefer": "respond-async"}
    answer = replicas.daemon.ask("POST", path, json.dumps(body).encode(), headers)
    job = answer.json()["id"]
    known: list[dict[str, Any]] = []
    for _ in range(KILLS):
        connection = replicas.daemon.connection()
        connection.request("GET", f"/v1/jobs/{job}/frames?from={frames_of(known)}")
        following = follow(connection.getresponse())
        more = [event for event, _ in zip(following, range(noise.randrange(1, 100)))]
        before = {json.dumps(event) for event in known}
        known += [event for event in more if json.dumps(event) not in before]
        if noise.random() < 0.5:
            action = json.dumps({"action": "checkpoint"}).encode()
            replicas.daemon.ask("POST", f"/v1/jobs/{job}", action, JSON)
            next(following, None)
        replicas.kill()
        connection.close()
        replicas.next()
    connection = replicas.daemon.connection()
    connection.request("GET", f"/v1/jobs/{job}/frames")
    kept = [*follow(connection.getresponse())]
    connection.close()
    assert kept[-1]["state"] == "done", kept[-1]
    lines = {json.dumps(event) for event in kept}
    assert all(json.dumps(event) in lines for event in known if "structure" in event)
    whole = events(replicas.daemon, body)
    assert len(kept) == len(whole)
    for i in range(N):
        assert of_structure(kept, i) == of_structure(whole, i)
    replicas.daemon.end()
