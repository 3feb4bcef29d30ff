"""LAMMPS with the pair style irrep: a step on one and two ranks, beside the library alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from libirrep import Model
from sides import ROOT, NotAvailable, Ours, PeerProcess, model_files
from systems import silicon

SIDES = (4, 8)  # silicon cells along each axis: 512 and 4,096 atoms
STEPS = 10
BIN = Path(sys.executable).parent


def run(model: Path, side: int, ranks: int) -> tuple[float, float, float]:
    """Seconds of a step, kB of memory an atom, and kB sent an atom and step."""
    done = subprocess.run(
        [
            *(BIN / "mpirun", "-np", str(ranks), BIN / "lmp", "-log", "none"),
            *("-in", "clients/lammps/in.pair-nve", "-var", "n", str(side)),
            *("-var", "steps", str(STEPS), "-var", "model", model),
        ],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = re.search(r"Loop time of (\S+) on", done.stdout)
    memory = re.search(r"irrep: (\S+) kB of memory an atom, (\S+) kB an atom", done.stdout)
    if not seconds or not memory:
        raise NotAvailable(done.stdout[-300:])
    return float(seconds[1]) / STEPS, float(memory[1]), float(memory[2])


def measure() -> list[dict[str, Any]]:
    """MACE-MP-0 small, float32; one rank and two, and the library alone, one after the other."""
    peer = PeerProcess("mace")
    try:
        model = model_files("mace-small", peer)[1]
    finally:
        peer.close()
    rows = []
    for side in SIDES:
        ours = Ours(Model(model), silicon(side, side, side), "float32")
        alone, one = [], []
        for _ in range(3):
            alone.append(ours.run().seconds)
            one.append(run(model, side, 1))
        two = min(run(model, side, 2) for _ in range(3))
        best = min(one)
        rows.append(
            {
                "atoms": 8 * side**3,
                "alone_ms": 1e3 * min(alone),
                "one_ms": 1e3 * best[0],
                "two_ms": 1e3 * two[0],
                "memory_kb": best[1],
                "sent_kb": two[2],
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "MACE-MP-0 small in LAMMPS, Si, float32: a step of dynamics\n",
        "| atoms | library alone, ms | 1 rank, ms | more | 2 ranks, ms | share of twice 1 rank "
        "| kB an atom | kB sent an atom and step, 2 ranks |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        more = row["one_ms"] / row["alone_ms"] - 1
        share = row["one_ms"] / (2 * row["two_ms"])
        lines.append(
            f"| {row['atoms']} | {row['alone_ms']:.1f} | {row['one_ms']:.1f} | {100 * more:+.1f} % "
            f"| {row['two_ms']:.1f} | {100 * share:.0f} % | {row['memory_kb']:.1f} "
            f"| {row['sent_kb']:.2f} |"
        )
    return "\n".join(lines)
