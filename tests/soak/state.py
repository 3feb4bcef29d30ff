"""What a daemon holds between the legs of a soak, which is to stay as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from allocations import Allocations
from daemon import Daemon


@dataclass
class State:
    """Of a daemon with nothing under way."""

    blocks: int
    descriptors: int
    threads: int
    resident: int

    def __str__(self) -> str:
        return (
            f"{self.blocks} blocks, {self.descriptors} descriptors, {self.threads} threads, "
            f"{self.resident / 2**20:.1f} MiB"
        )


def read_state(daemon: Daemon, allocations: Allocations) -> State:
    blocks = allocations.settled()
    process = Path(f"/proc/{daemon.process.pid}")
    fields = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return State(
        blocks=blocks,
        descriptors=len(list((process / "fd").iterdir())),
        threads=int(fields["Threads"]),
        resident=int(fields["VmRSS"].split()[0]) << 10,
    )
