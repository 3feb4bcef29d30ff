"""Jobs under mixed traffic: begun, followed, paused, cancelled, forgotten, and the daemon killed.

A leg of traffic ends with nothing, with a drain or with kill -9 in its midst; then every job that a
client was told of must be there, go on to its end with the bits of a run that nobody has disturbed,
and leave nothing behind when it is forgotten: not a block of memory, descriptor or file.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from allocations import Allocations
from daemon import PATIENCE, Daemon
from state import State, read_state
from trajectories import JSON, NDJSON, SMALL, diamond, follow, kind_of, md, relax, water

ASYNC = {**JSON, "Prefer": "respond-async"}
FLAGS = ("--workers", "2", "--max-jobs", "100", "--max-jobs-client", "100")
MOST = 16
FOLLOWED = 200  # lines at most
BLOCKS_MORE = 16  # arenas that workers hold or not
RESIDENT_MORE = 32 << 20  # bytes that malloc may keep besides what is held
BODIES = (
    md([water(1), diamond(2)], every=10, steps=150),
    md([water(i) for i in range(5)], every=5, steps=400, thermostat="csvr"),
    md([diamond(3)], every=1, steps=60, ensemble="npt", pressure=0.0),
    relax([diamond(i) for i in range(6)], fmax=0.01, trajectory=1, cell="full", max_steps=60),
    relax([water(i) for i in range(80)], fmax=0.02, optimizer="fire"),
    relax([water(1), {"numbers": [118], "positions": [[0, 0, 0]]}], fmax=0.1, trajectory=2),
)


def line_of(event: dict[str, Any]) -> str:
    return json.dumps(event, sort_keys=True)


class Clients:
    """What clients do with jobs, and what they know of them."""

    def __init__(self, daemon: Daemon, most: int, seed: int):
        self.daemon, self.most = daemon, most
        self.random = random.Random(seed)
        self.lock = threading.Lock()
        self.known: dict[str, int] = {}  # jobs by the place of their body
        self.cancelled: set[str] = set()
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self.over = threading.Event()
        # What each body tells, to the bit; only the order among structures is chance.
        self.told = [{line_of(x) for x in self.events(body)} for body in BODIES]

    def events(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        path = f"/v1/models/{SMALL}/{kind_of(body)}"
        answer = self.daemon.ask("POST", path, json.dumps(body).encode(), NDJSON)
        assert answer.status == 200, answer.body
        return [json.loads(line) for line in answer.body.splitlines()]

    def fault(self, what: str) -> None:
        with self.lock:
            self.faults.append(what)

    def notice(self, what: str) -> None:
        """A fault that a client sees, unless the daemon has been told to stop, or killed."""
        if not self.over.is_set():
            self.fault(what)

    def any_job(self) -> str | None:
        with self.lock:
            return self.random.choice([*self.known]) if self.known else None

    # What each kind of client does, once.

    def begin(self) -> None:
        if len(self.known) >= self.most:
            time.sleep(0.01)
            return
        place = self.random.randrange(len(BODIES))
        body = BODIES[place]
        path = f"/v1/models/{SMALL}/{kind_of(body)}"
        answer = self.daemon.ask("POST", path, json.dumps(body).encode(), ASYNC)
        if answer.status != 202:
            self.notice(f"a job that begins: {answer.status} {answer.body[:200]!r}")
            return
        with self.lock:
            self.known[answer.json()["id"]] = place
            self.done["begun"] += 1

    def follow_one(self) -> None:
        """Some lines from a frame on, which are lines of the undisturbed run, frames in order."""
        job = self.any_job()
        if job is None:
            return
        place, start = self.known.get(job), self.random.choice([0, 0, self.random.randrange(100)])
        connection = self.daemon.connection()
        steps: dict[int, int] = {}
        try:
            connection.request("GET", f"/v1/jobs/{job}/frames?from={start}")
            response = connection.getresponse()
            if response.status == 404:
                return
            for n, event in enumerate(follow(response)):
                if "structure" in event and place is not None:
                    if line_of(event) not in self.told[place]:
                        self.notice(f"other bits: {line_of(event)[:200]}")
                    if event["event"] == "frame":
                        before = steps.get(event["structure"], -1)
                        steps[event["structure"]] = event["step"]
                        if event["step"] <= before:
                            self.notice(f"step {event['step']} after {before}")
                if n > FOLLOWED:
                    break
            self.done["followed"] += 1
        finally:
            connection.close()

    def act(self) -> None:
        job = self.any_job()
        action = self.random.choice(["pause", "resume", "resume", "checkpoint"])
        if job is not None:
            body = json.dumps({"action": action}).encode()
            answer = self.daemon.ask("POST", f"/v1/jobs/{job}", body, JSON)
            if answer.status not in (200, 404, 409):
                self.notice(f"{action}: {answer.status}")
            self.done[action] += 1
        time.sleep(0.02)

    def delete(self) -> None:
        """Cancels one that runs, and forgets one that has ended."""
        job = self.any_job()
        if job is not None:
            answer = self.daemon.ask("DELETE", f"/v1/jobs/{job}")
            with self.lock:
                if answer.status == 200:
                    self.cancelled.add(job)
                    self.done["cancelled"] += 1
                elif answer.status in (204, 404):
                    self.known.pop(job, None)
                    self.done["forgotten"] += answer.status == 204
            if answer.status not in (200, 204, 404):
                self.notice(f"DELETE: {answer.status}")
        time.sleep(0.1)

    def wait(self) -> None:
        """One who waits for the answer."""
        place = self.random.randrange(len(BODIES))
        told = {line_of(x) for x in self.events(BODIES[place])}
        if told != self.told[place]:
            self.notice("a stream: other bits")
        self.done["streamed"] += 1

    def leave(self) -> None:
        body = md([water(i) for i in range(20)], every=1, steps=100_000, ensemble="nve")
        connection: HTTPConnection = self.daemon.connection()
        headers = self.random.choice([JSON, NDJSON])
        connection.request("POST", f"/v1/models/{SMALL}/md", json.dumps(body), headers)
        time.sleep(self.random.random() * 0.1)
        connection.close()
        self.done["left"] += 1

    def watch(self) -> None:
        for path in ("/v1/jobs", "/v1/status", "/metrics"):
            if self.daemon.ask("GET", path).status != 200:
                self.notice(path)
        time.sleep(0.1)

    # All of them at once.

    def run(self, seconds: float, end: Callable[[Daemon], None]) -> None:
        """Traffic for a while; the end comes in its midst."""
        self.over.clear()

        def repeat(act: Callable[[], None]) -> None:
            while not self.over.is_set() and not self.faults:
                try:
                    act()
                except Exception as error:
                    if not self.over.is_set():
                        self.fault(f"{getattr(act, '__name__', act)}: {error!r}")

        acts = [self.begin, self.follow_one, self.follow_one, self.act, self.delete, self.wait]
        threads = [
            threading.Thread(target=repeat, args=(a,)) for a in [*acts, self.leave, self.watch]
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.over.set()
        end(self.daemon)
        for thread in threads:
            thread.join()

    def settle(self) -> None:
        """Every job that is known goes to its end, with all its lines, and is forgotten."""
        listed = {x["id"]: x for x in self.daemon.ask("GET", "/v1/jobs").json()["jobs"]}
        for job, place in self.known.items():
            if job not in listed:
                continue  # forgotten, as the answer did not arrive
            self.daemon.ask("POST", f"/v1/jobs/{job}", b'{"action":"resume"}', JSON)
            self.daemon.wait_for(lambda job=job: self.ended(job), f"the end of {job}")
            self.check(job, place)
        for job in listed:
            self.daemon.ask("DELETE", f"/v1/jobs/{job}")  # some clients never heard of theirs
            self.daemon.ask("DELETE", f"/v1/jobs/{job}")
        self.known.clear()

    def ended(self, job: str) -> bool:
        state = self.daemon.ask("GET", f"/v1/jobs/{job}").json()["state"]
        return state in ("done", "cancelled", "failed")

    def check(self, job: str, place: int) -> None:
        answer = self.daemon.ask("GET", f"/v1/jobs/{job}/frames")
        told = [json.loads(line) for line in answer.body.splitlines()]
        lines, state = [line_of(x) for x in told if "structure" in x], told[-1].get("state")
        wanted = {x for x in self.told[place] if "structure" in json.loads(x)}
        if len(set(lines)) != len(lines) or not set(lines) <= wanted:
            self.fault(f"{job}: lines that are others, or come twice")
        if state == "done" and set(lines) != wanted:
            self.fault(f"{job}: lines are missing")
        if state not in ("done", "cancelled"):
            self.fault(f"{job}: {told[-1]}")
        self.done[f"ended as {state}"] += 1


def nothing(daemon: Daemon) -> None:
    """The traffic ends, and the daemon goes on."""


def drain(daemon: Daemon) -> None:
    daemon.signal()
    assert daemon.wait() == 0, daemon.log.read_text()[-2000:]


def kill(daemon: Daemon) -> None:
    daemon.process.kill()
    daemon.process.wait(PATIENCE)


def state_of(daemon: Daemon, allocations: Allocations, folder: Path) -> State:
    def is_idle() -> bool:
        status = daemon.ask("GET", "/v1/status").json()
        return status["connections"] <= 1 and status["queue"]["structures"] == 0

    daemon.wait_for(is_idle, "the end of all work")
    daemon.wait_for(lambda: not [*folder.glob("*/frames")], "the files of jobs to go")
    return read_state(daemon, allocations)


def growth(states: list[State]) -> list[str]:
    """What has become more since the first leg after the warm-up."""
    first = states[1]
    return [
        f"{name} grew from {getattr(first, name)} to {getattr(state, name)} in leg {i}"
        for i, state in enumerate(states[2:], 2)
        for name, more in (
            ("blocks", BLOCKS_MORE),
            ("descriptors", 0),
            ("threads", 0),
            ("resident", RESIDENT_MORE),
        )
        if getattr(state, name) > getattr(first, name) + more
    ]


ENDS = (nothing, nothing, nothing, kill, drain, kill, nothing, kill)
SHORT_ENDS = (nothing, nothing, kill)


def jobs(
    folder: Path,
    seconds: float,
    ends: Sequence[Callable[[Daemon], None]] = ENDS,
    most: int = MOST,
    seed: int = 1,
) -> list[str]:
    """Runs the legs, with so many jobs at a time; what was wrong."""
    kept = folder / "jobs"
    life = 0

    def start() -> tuple[Daemon, Allocations]:
        nonlocal life
        life += 1
        place = folder / f"life-{life}"
        place.mkdir()
        allocations = Allocations(place / "allocations")
        flags = (*FLAGS, "--jobs", str(kept))
        made = Daemon(place, *flags, environment=allocations.environment).wait_ready()
        return made, allocations

    daemon, allocations = start()
    clients = Clients(daemon, most, seed)
    states: list[State] = []
    for leg, end in enumerate(ends):
        clients.run(seconds / len(ends), end)
        if end is not nothing:
            daemon.check_log()
            daemon, allocations = start()
            clients.daemon = daemon
        with contextlib.suppress(RuntimeError):
            clients.settle()
        if clients.faults:
            break
        states.append(state_of(daemon, allocations, kept))
        print(f"leg {leg}, {end.__name__}: then {states[-1]}", flush=True)
    print(f"jobs: {dict(sorted(clients.done.items()))}")
    daemon.end()
    return clients.faults or growth(states)
