#!/usr/bin/env python3
"""Writes seeds for fuzz_mdi: sessions of MDI drivers.

tests/fuzz/make_mdi_corpus.py FOLDER
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

GREETING = struct.pack("5i", 1, 4, 40, 256, 256)
SHORT_GREETING = struct.pack("5i", 1, 4, 40, 12, 12)
OLD_GREETING = struct.pack("3i", 1, 2, 0)


def message(datatype: int, count: int, data: bytes) -> bytes:
    return struct.pack("4i", 0, 0, datatype, count) + data


def command(name: str, length: int = 12) -> bytes:
    return message(3, length, name.encode().ljust(length, b"\0"))


def ints(*numbers: int) -> bytes:
    return message(1, len(numbers), struct.pack(f"{len(numbers)}i", *numbers))


def doubles(n: int) -> bytes:
    return message(2, n, struct.pack(f"{n}d", *(0.5 * i for i in range(n))))


ATOMS = command(">NATOMS") + ints(2) + command(">ELEMENTS") + ints(14, 8)
STRUCTURE = ATOMS + command(">CELL") + doubles(9) + command(">COORDS") + doubles(6)
NUMBERS = command("<ENERGY") + command("<FORCES") + command("<STRESS")
DISCOVERY = b"".join(
    command(f"<{name}")
    for name in ("NAME", "VERSION", "@", "NNODES", "NODES", "NCOMMANDS", "COMMANDS")
)
BACK = b"".join(command(f"<{name}") for name in ("NATOMS", "ELEMENTS", "COORDS", "CELL"))
SEEDS = {
    "step": GREETING + STRUCTURE + NUMBERS + command("EXIT"),
    "steps": GREETING + STRUCTURE + NUMBERS + command(">COORDS") + doubles(6) + command("<PE"),
    "discovery": SHORT_GREETING + DISCOVERY + command("<NCALLBACKS") + command("<CALLBACKS"),
    "back": OLD_GREETING + STRUCTURE + BACK,
    "molecule": GREETING + ATOMS + command(">COORDS") + doubles(6) + command("<STRESS"),
    "long-command": GREETING + command("EXIT", 256),
    "unknown": GREETING + command("<DIPOLE"),
    "wrong-count": GREETING + ATOMS + command(">COORDS") + doubles(5),
    "too-early": GREETING + command("<ENERGY"),
}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
