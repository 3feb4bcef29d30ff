#!/usr/bin/env python3
"""A daemon in containers of 512 MB and 1 GB, asked for more than they hold: `make containers`.

Prints what each kind of client got and the most memory that the container held. The daemon must
live, every request get an answer, and most of what is sent be computed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from control_group import ControlGroup, Unavailable
from daemon import Daemon
from storm import Storm, requests, widest

SIZES = (512 << 20, 1 << 30)
ROOM = 8 << 30  # a container in which nothing is short, for comparison
CLIENTS = {
    "large": 10,
    "answers": 8,
    "slow": 8,
    "huge": 2,
    "many": 6,
    "small": 12,
    "wide": 2,
    "binary": 6,
    "tight": 6,
    "load": 1,
}
COMPUTED = 0.7  # of the requests that got an answer
OF_ROOM = 0.5  # of the bytes of bodies that are computed where nothing is short


@dataclass
class Outcome:
    storm: Storm
    seconds: float
    peak: int
    before: int
    kills: int
    alive: bool

    @property
    def computed(self) -> int:
        """Predictions: loads are no work."""
        return self.storm.count(status=200) - self.storm.count("load", 200)

    @property
    def body_bytes(self) -> int:
        """Of all bodies that were computed: most are large ones'."""
        made = self.storm.made
        return sum(self.storm.count(kind, 200) * len(make(0)[1]) for kind, make in made.items())

    @property
    def asked(self) -> int:
        return self.storm.count() - self.storm.count("load")


def blow(folder: Path, limit: int, scale: int, seconds: float, flags: list[str]) -> Outcome:
    """A storm in a container of so many bytes, of requests that suit one of `scale`."""
    group, daemon = ControlGroup("irrepd-storm", limit), None
    try:
        daemon = Daemon(folder, *flags, inside=group.command).wait_ready()
        before = group.peak()
        storm = Storm(daemon, requests(scale // 200, widest(daemon, scale // 5)))
        begun = time.monotonic()
        storm.blow(seconds, CLIENTS)
        took = time.monotonic() - begun
        alive = daemon.process.poll() is None
        return Outcome(storm, took, group.peak(), before, group.kills(), alive)
    finally:
        if daemon and daemon.process.poll() is None:
            daemon.end()
        group.remove()


def contain(folder: Path, limit: int, seconds: float, flags: list[str]) -> list[str]:
    """Storms in the container, and where nothing is short; what was wrong."""
    outcomes = []
    for i, size in enumerate((limit, ROOM)):
        place = folder / str(i)
        place.mkdir()
        o = blow(place, size, limit, seconds, flags)
        outcomes.append(o)
        print(
            f"{size >> 20} MB: {o.asked} requests in {o.seconds:.0f} s, {o.computed} computed "
            f"({o.body_bytes / 1e6:.0f} MB of bodies), "
            f"{o.storm.count(status='lost')} lost, peak {o.peak / 2**20:.0f} MiB "
            f"({o.peak / size:.0%}; before: {o.before / 2**20:.0f} MiB), {o.kills} killed for "
            f"memory, daemon {'alive' if o.alive else 'dead'}\n{o.storm}",
            flush=True,
        )
    inside, outside = outcomes
    wrong = sorted(set(inside.storm.wrong))[:20]
    if inside.kills or not inside.alive:
        wrong.append(f"killed for memory: {inside.kills}, alive: {inside.alive}")
    if inside.computed < COMPUTED * inside.asked:
        wrong.append(f"only {inside.computed} of {inside.asked} were computed")
    mine, theirs = inside.body_bytes, outside.body_bytes
    if mine < OF_ROOM * theirs:
        wrong.append(f"bodies of {mine} bytes were computed, and of {theirs} with more memory")
    return [f"{limit >> 20} MB: {line}" for line in wrong]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("flags", nargs="*", help="of the daemon, behind --")
    arguments = parser.parse_args()
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for limit in SIZES:
            place = Path(folder) / str(limit)
            place.mkdir()
            try:
                wrong += contain(place, limit, arguments.seconds, arguments.flags)
            except Unavailable as error:
                print(f"skipped: {error}")
                return 0
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
