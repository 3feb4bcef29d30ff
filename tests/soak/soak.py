#!/usr/bin/env python3
"""Hours of mixed load on a daemon, on one with TLS and keys, and on one with jobs that is killed
and started again: `make soak MINUTES=10`.

A leg of traffic warms up; after each further leg, with nothing under way, the daemon must hold the
same number of blocks of memory, descriptors and threads as before, and its metrics must add up to
what was sent. Then come the figures of measures.py.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from allocations import Allocations
from authority import Authority
from authority import flags as tls_flags
from daemon import MODELS, Daemon
from drains import drains
from ipi_driver import Driver
from jobs import jobs
from measures import MEASURES
from state import State, read_state
from traffic import LEFT, LOADED, PREDICT, STEADY, SWAPPED, Traffic

SOURCES = {
    STEADY: "sevennet-0",
    SWAPPED: "schnet-small",
    LOADED: "so3net-small",
    LEFT: "sevennet-0",
}
FLAGS = ("--workers", "2", "--request-timeout-ms", "1500", "--max-structures", "1024")
LEGS = 4
BLOCKS_MORE = 8  # arenas that workers hold or not, what is met for the first time
RESIDENT_MORE = 32 << 20  # bytes that malloc may keep besides what is held


def state_of(daemon: Daemon, allocations: Allocations) -> State:
    daemon.wait_for(lambda: is_idle(daemon), "the end of all work")
    return read_state(daemon, allocations)


def is_idle(daemon: Daemon) -> bool:
    status = daemon.ask("GET", "/v1/status").json()
    states = {model["state"] for model in status["models"]}
    return (
        status["connections"] <= 1
        and status["queue"]["structures"] == status["batches_running"] == 0
        and states == {"ready"}
    )


def differences(traffic: Traffic) -> list[str]:
    """Where the daemon's metrics are other than what the clients have sent and got."""
    daemon, ledger = traffic.daemon, traffic.ledger
    found = []

    def compare(what: str, told: float, counted: float, maybe: float = 0) -> None:
        if not counted <= told <= counted + maybe:
            more = f" to {counted + maybe:.0f}" if maybe else ""
            found.append(f"{what}: the daemon says {told:.0f}, the clients {counted:.0f}{more}")

    for (route, status), n in sorted(ledger.answers.items()):
        if not route.startswith(("/v1/models/", "/v2/models/")):
            continue
        told = daemon.metric("http_requests_total", route=route, code=str(status))
        if (route, status) == (PREDICT, 200):
            told += daemon.metric("requests_cancelled_total", reason="disconnect")
            compare(f"{route} 200, and left", told, n + ledger.left, ledger.reset)
        else:
            compare(f"{route} {status}", told, n)
    for model in (STEADY, SWAPPED, LOADED):
        told = daemon.metric("inference_structures_total", model=model, outcome="ok")
        compare(f"structures of {model}", told, ledger.structures[model])
    compare("late requests", daemon.metric("http_rejected_total", reason="timeout"), ledger.late)
    for name in ("queue_structures", "queue_atoms", "memory_planned_bytes"):
        compare(name, daemon.metric(name), 0)
    batches = daemon.metric("batch_structures_count")
    compare("batches", daemon.metric("batch_flush_total"), batches)
    return found


class Open:
    """A daemon that asks nobody who he is."""

    def __init__(self, folder: Path):
        self.flags: list[str] = []
        self.options: dict[str, Any] = {}

    def renew(self) -> None:
        """What the daemon reads again on SIGHUP."""


class Guarded(Open):
    """A daemon with TLS and keys, whose certificate changes."""

    def __init__(self, folder: Path):
        self.authority = Authority(folder)
        keys = folder / "keys"
        keys.write_text(f"soak predict,admin {hashlib.sha256(b'soak').hexdigest()}\n")
        self.flags = [*tls_flags(self.authority.issue("soak")), "--keys", str(keys)]
        context = self.authority.context()
        self.options = {"tls": context, "headers": {"Authorization": "Bearer soak"}}

    def renew(self) -> None:
        self.authority.issue("soak")


def soak(folder: Path, seconds: float, kind: type[Open], seed: int = 1) -> list[str]:
    """Runs the legs; what was wrong."""
    door = kind(folder)
    models = folder / "models"
    models.mkdir()
    for name, source in SOURCES.items():
        shutil.copy(MODELS / f"{source}.safetensors", models / f"{name}.safetensors")
    driver = Driver()
    allocations = Allocations(folder / "allocations")
    engine = f"{driver.address},model={STEADY},species=OHH"
    daemon = Daemon(
        folder,
        *FLAGS,
        *door.flags,
        *("--ipi", engine),
        models=models,
        environment=allocations.environment,
        **door.options,
    ).wait_ready()
    traffic = Traffic(daemon, models, driver, seed, door.renew)
    states, wrong = [], []
    for leg in range(1 + LEGS):
        begun, before = time.monotonic(), sum(traffic.ledger.answers.values())
        traffic.run(seconds / (1 + LEGS))
        rate = (sum(traffic.ledger.answers.values()) - before) / (time.monotonic() - begun)
        wrong += traffic.ledger.faults
        if wrong:
            break
        states.append(state_of(daemon, allocations))
        print(f"leg {leg}: {rate:.0f} answers/s, then {states[-1]}", flush=True)
        wrong += differences(traffic)
    wrong += [] if wrong else growth(states)
    report(traffic)
    traffic.session.close()
    driver.close()
    daemon.end()
    return wrong


def growth(states: list[State]) -> list[str]:
    """What has become more since the first leg after the warm-up."""
    first, last = states[1], states[-1]
    bounds = {
        "blocks": first.blocks + BLOCKS_MORE,
        "descriptors": first.descriptors,
        "threads": first.threads,
        "resident": first.resident + RESIDENT_MORE,
    }
    return [
        f"{name} grew from {getattr(first, name)} to {getattr(last, name)}"
        for name, bound in bounds.items()
        if getattr(last, name) > bound
    ]


def report(traffic: Traffic) -> None:
    ledger = traffic.ledger
    statuses: dict[int, int] = {}
    for (_, status), n in ledger.answers.items():
        statuses[status] = statuses.get(status, 0) + n
    print(f"answers by status: {dict(sorted(statuses.items()))}")
    print(f"structures with numbers: {dict(sorted(ledger.structures.items()))}")
    print(
        f"{ledger.left + ledger.reset} clients left, {ledger.reset} of them by a reset; "
        f"{ledger.late} requests were late; a model was replaced {ledger.swaps} times, and "
        f"{len(traffic.shas)} versions of it answered"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    wrong = []
    for kind in (Open, Guarded):
        with tempfile.TemporaryDirectory(prefix="irrepd-soak-") as folder:
            print((kind.__doc__ or "").rstrip("."), flush=True)
            wrong += soak(Path(folder), 60 * arguments.minutes / 3, kind, arguments.seed)
    with tempfile.TemporaryDirectory(prefix="irrepd-soak-") as folder:
        print("Jobs", flush=True)
        wrong += jobs(Path(folder), 60 * arguments.minutes / 3, seed=arguments.seed)
    with tempfile.TemporaryDirectory(prefix="irrepd-soak-") as folder:
        for measure in (*MEASURES, drains):
            wrong += measure(Path(folder))
    print("\n".join(wrong[:40]) if wrong else "all as it must be")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
