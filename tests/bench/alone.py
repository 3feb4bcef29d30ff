"""What is measured without peers, by CPU time where one thread does the work."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from libirrep import Model, Plan
from sides import OUTPUT, ROOT, Ours, processor
from systems import SYSTEMS, silicon

ROUNDS = 5
SIDES = ((1, 1, 1), (2, 2, 2), (4, 4, 4), (5, 5, 5), (10, 10, 10), (20, 25, 25))
# Operations an atom of MACE-MP-0 medium at 45 neighbours, forward and backward, counted by hand: 5
# million in the convolutions, 4 in linear maps, 3 in the product basis.
MEDIUM_OPERATIONS = 12e6
GEMM = """
import numpy, time
for name in ("float32", "float64"):
    a = numpy.ones((1024, 1024), name)
    best = 1e300
    for _ in range(6):
        start = time.process_time(); a @ a; best = min(best, time.process_time() - start)
    print(name, 2e-9 * 1024**3 / best)
"""


def sevennet() -> str:
    """SevenNet-0 on every structure, in both precisions."""
    lines = [
        "SevenNet-0: energy, forces and stress with neighbour list, one thread\n",
        "| system | atoms | precision | ms/atom min | median | max | CPU median |",
        "|---" * 7 + "|",
    ]
    model = Model(ROOT / "build" / "models" / "sevennet-0.safetensors")
    for precision in ("float32", "float64"):
        for name, make in SYSTEMS.items():
            atoms = make()
            ours = Ours(model, atoms, precision)
            times = [ours.run() for _ in range(ROUNDS)]
            scale = 1e3 / len(atoms)
            wall = sorted(scale * t.seconds for t in times)
            cells = (wall[0], statistics.median(wall), wall[-1], scale * middle_cpu(times))
            numbers = " | ".join(f"{cell:.4f}" for cell in cells)
            lines.append(f"| {name} | {len(atoms)} | {precision} | {numbers} |")
    return "\n".join(lines)


def middle_cpu(times: list[Any]) -> float:
    return statistics.median(t.cpu for t in times)


def gemm_shapes() -> list[list[str]]:
    """What tests/bench/bench_gemm.c prints, by words: the library, then a line for each shape."""
    printed = subprocess.run(
        [str(OUTPUT / "bench_gemm")], check=True, capture_output=True, text=True
    ).stdout
    return [line.split() for line in printed.splitlines()]


def gemm_table() -> str:
    """The core's kernel beside the OpenBLAS that it is linked with, on the shapes of models."""
    name, *rows = gemm_shapes()
    lines = [
        f"one thread; {' '.join(name)} (the last word: the processor it takes this one for)\n",
        "| rows x k x columns | precision | irrepd GFLOP/s | OpenBLAS GFLOP/s |",
        "|---" * 4 + "|",
    ]
    for precision, _isa, *shape, own, openblas in rows:
        lines.append(f"| {' x '.join(shape)} | {precision} | {own} | {openblas} |")
    return "\n".join(lines)


def gemm_rates() -> dict[str, float]:
    """GFLOP/s of the core's kernel on 32 rows of 128, and OpenBLAS's from numpy on 1024."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    blas = subprocess.run(
        [sys.executable, "-c", GEMM], check=True, capture_output=True, text=True, env=environment
    )
    peak = {name: float(rate) for name, rate in (s.split() for s in blas.stdout.splitlines())}
    rows = gemm_shapes()[1:]
    found = {f"irrepd {p}": float(own) for p, _, *s, own, _ in rows if s == ["32", "128", "128"]}
    return {**found, **{f"OpenBLAS {name}": rate for name, rate in peak.items()}}


def gemm(rates: dict[str, float]) -> str:
    lines = ["| GEMM, one thread | irrepd GFLOP/s | OpenBLAS GFLOP/s | share |", "|---" * 4 + "|"]
    for name in ("float32", "float64"):
        own, peak = rates[f"irrepd {name}"], rates[f"OpenBLAS {name}"]
        lines.append(f"| {name} | {own:.0f} | {peak:.0f} | {own / peak:.2f} |")
    return "\n".join(lines)


def share_of_peak(row: dict[str, Any], rates: dict[str, float]) -> str:
    """What MACE-MP-0 medium makes of the GEMM peak."""
    rate = 1e-9 * MEDIUM_OPERATIONS / (1e-3 * row["ours_cpu_ms"])
    peak = max(rates[f"{whose} {row['precision']}"] for whose in ("irrepd", "OpenBLAS"))
    return (
        f"{row['title']}, {row['system']}, {row['precision']}: about {rate:.0f} GFLOP/s of "
        f"arithmetic that is needed, {rate / peak:.2f} of the faster GEMM"
    )


def scaling_child(model: Path, precision: str, side: list[int]) -> None:
    """One size, in a process of its own for the peak of its memory."""
    atoms = silicon(*side)
    ours = Ours(Model(model), atoms, precision, warm=len(atoms) < 10_000)
    times = [ours.run() for _ in range(3 if len(atoms) < 10_000 else 1)]
    plan: Plan = ours.batch.plan
    found = {
        "atoms": len(atoms),
        "edges": plan.n_edges,
        "ms": 1e3 * min(t.seconds for t in times) / len(atoms),
        "cpu_ms": 1e3 * min(t.cpu for t in times) / len(atoms),
        "arena_kb": ours.batch.arena_bytes / 1e3 / len(atoms),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }
    print(json.dumps(found))


def scaling(model: Path, sides: tuple[tuple[int, ...], ...] = SIDES) -> list[dict[str, float]]:
    """Time and memory an atom by the number of atoms."""
    found = []
    for side in sides:
        command = [sys.executable, str(ROOT / "tests/bench/bench.py"), "--scaling", str(model)]
        done = subprocess.run(
            [*command, *map(str, side)], check=True, stdout=subprocess.PIPE, text=True
        )
        found.append(json.loads(done.stdout))
    return found


def scaling_table(title: str, rows: list[dict[str, float]]) -> str:
    lines = [
        f"{title}, Si, float32, one thread\n",
        "| atoms | edges | ms/atom | CPU ms/atom | arena kB/atom | peak of the process, GB |",
        "|---" * 6 + "|",
    ]
    for row in rows:
        lines.append(
            f"| {row['atoms']} | {row['edges']} | {row['ms']:.4f} | {row['cpu_ms']:.4f} | "
            f"{row['arena_kb']:.1f} | {row['peak_gb']:.2f} |"
        )
    return "\n".join(lines)


def neighbours() -> str:
    """The core's neighbour lists, and matscipy's and vesin's where they are installed."""
    own = subprocess.run(
        [str(OUTPUT / "bench_neighbours")], check=True, capture_output=True, text=True
    ).stdout
    rows = []
    for line in own.splitlines():
        words = line.split()
        rows.append(("irrepd", words[0], words[2], float(words[5]) + float(words[7])))
    python = ROOT / "build" / "venv-peer-neighbours" / "bin" / "python"
    if python.exists():
        command = [str(python), str(ROOT / "tests/bench/peer_neighbours.py"), "3", "5", "23"]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows += [(n, a, e, float(t)) for n, a, e, t in map(str.split, out.splitlines())]
    lines = ["| neighbour list | atoms of Si | edges at 6 A | us/atom, CPU |", "|---" * 4 + "|"]
    lines += [f"| {n} | {a} | {e} | {t:.2f} |" for n, a, e, t in rows]
    return "\n".join(lines)


def quick() -> None:
    print(f"{processor()}, load {os.getloadavg()[0]:.1f}\n")
    print(sevennet(), "\n")
    print(gemm(gemm_rates()), "\n")
    print(gemm_table(), "\n")
    model = ROOT / "build" / "models" / "sevennet-0.safetensors"
    print(scaling_table("SevenNet-0", scaling(model, SIDES[:-2])), "\n")
    print(neighbours())
