"""The blocks of memory that a daemon holds, and which of its allocations fails."""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRELOADED = ROOT / "build" / "faults" / "failing_malloc.so"


class Allocations:
    """What tests/faults/failing_malloc.c shares; give `environment` to the daemon."""

    def __init__(self, path: Path):
        path.write_bytes(bytes(32))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 32)
        self.environment = {"LD_PRELOAD": str(PRELOADED), "FAILING_MALLOC": str(path)}
        assert os.access(PRELOADED, os.R_OK), f"{PRELOADED} has not been built"

    def fail(self, nth: int) -> None:
        struct.pack_into("<q", self._shared, 0, nth)

    @property
    def n_failed(self) -> int:
        return struct.unpack_from("<q", self._shared, 8)[0]

    @property
    def n_live(self) -> int:
        return struct.unpack_from("<q", self._shared, 24)[0]

    def settled(self) -> int:
        """The blocks that are held when nothing has been asked for a while."""
        held, before = self.n_live, -1
        while held != before:
            time.sleep(0.05)
            held, before = self.n_live, held
        return held
