"""A memory cgroup of the machine's own, of either version, for one process under a limit."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class Unavailable(Exception):
    """Why no group can be made here."""


class ControlGroup:
    """A group below the caller's own, or at the top; its processes have no swap."""

    def __init__(self, name: str, limit: int):
        self.limit = limit
        self.old = (ROOT / "memory" / "memory.limit_in_bytes").exists()
        self.folder = self._parent() / f"{name}-{os.getpid()}-{time.monotonic_ns()}"
        try:
            self.folder.mkdir()
        except OSError as error:
            raise Unavailable(f"{self.folder}: {error.strerror}") from error
        try:
            self._limit()
        except OSError as error:
            self.remove()
            raise Unavailable(f"no limit of memory in {self.folder.parent}: {error}") from error

    def _parent(self) -> Path:
        if self.old:
            return ROOT / "memory"
        if not (ROOT / "cgroup.controllers").exists():
            raise Unavailable(f"no memory controller in {ROOT}")
        if "memory" not in (ROOT / "cgroup.controllers").read_text().split():
            raise Unavailable(f"{ROOT} does not hold the memory controller")
        with contextlib.suppress(OSError):  # it may be there already
            (ROOT / "cgroup.subtree_control").write_text("+memory")
        return ROOT

    def _limit(self) -> None:
        limits = (
            ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] if self.old else ["memory.max"]
        )
        for name in limits:
            path = self.folder / name
            if path.exists() or name in limits[:1]:
                path.write_text(str(self.limit))
        swap = self.folder / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")

    def command(self, *command: str) -> list[str]:
        """The command, begun inside the group."""
        return ["sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh", *command]

    def _number(self, name: str) -> int:
        return int((self.folder / name).read_text())

    def peak(self) -> int:
        """The most bytes that it has held, the cache of files included; 0 where nobody counts."""
        if self.old:
            return self._number("memory.max_usage_in_bytes")
        peak = self.folder / "memory.peak"  # Linux 5.19
        return int(peak.read_text()) if peak.exists() else 0

    def kills(self) -> int:
        """Processes that were killed for memory."""
        name = "memory.oom_control" if self.old else "memory.events"
        fields = dict(line.split() for line in (self.folder / name).read_text().splitlines())
        return int(fields["oom_kill"])

    def remove(self) -> None:
        """Its processes have ended."""
        for _ in range(100):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)
