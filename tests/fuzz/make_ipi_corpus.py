#!/usr/bin/env python3
"""Writes seeds for fuzz_ipi: sessions of i-PI servers.

tests/fuzz/make_ipi_corpus.py FOLDER
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path


def header(name: str) -> bytes:
    return name.encode().ljust(12)


def init(text: bytes) -> bytes:
    return header("INIT") + struct.pack("ii", 0, len(text)) + text


def numbers(n: int) -> bytes:
    return struct.pack(f"{n}d", *(0.5 * i for i in range(n)))


def posdata(n_atoms: int) -> bytes:
    return header("POSDATA") + numbers(18) + struct.pack("i", n_atoms) + numbers(3 * n_atoms)


def batch(n: int, n_atoms: int) -> bytes:
    return header("POSDATA") + struct.pack("i", n_atoms) + numbers(18 * n + 3 * n * n_atoms)


STATUS, GETFORCE, EXIT = header("STATUS"), header("GETFORCE"), header("EXIT")
STEP = STATUS + posdata(2) + STATUS + GETFORCE
SEEDS = {
    "ase": b"\0" + STATUS + init(b"\0") + STEP + STEP,
    "ipi": b"\1" + init(b" model : m , species : SiO , pbc : TTF ") + posdata(2) + GETFORCE + EXIT,
    "batch": b"\1" + init(b" species : (OH2)2Si , , batch_size:3") + batch(3, 7) + GETFORCE + EXIT,
    "precision": b"\0" + init(b"precision : float64,weather:fine") + posdata(2) + GETFORCE,
    "again": b"\0" + posdata(2) + GETFORCE + init(b"batch_size:2") + batch(2, 2) + GETFORCE,
    "wrong-count": b"\0" + init(b" ") + posdata(3),
    "wrong-order": b"\0" + posdata(2) + posdata(2),
    "no-species": b"\1" + init(b" ") + posdata(2),
    "unknown": b"\0" + header("HELLO"),
}


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
