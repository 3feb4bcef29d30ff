"""DFT-D3: the core's time an atom, and simple-dftd3's and torch-dftd's where they are installed."""

from __future__ import annotations

import subprocess
import time
from typing import Any, NamedTuple

from dispersion import DATA, Dispersion, Problem
from sides import HERE, ROOT, NotAvailable
from systems import silicon

SIDES = (2, 4)  # cells of 8 atoms
REPEATS, PEER_REPEATS = 30, 3


class Row(NamedTuple):
    name: str
    n_atoms: int
    milliseconds: float  # an atom, CPU
    energy: float  # eV


def ours(side: int) -> Row:
    atoms = silicon(side, side, side)
    problem = Problem(Dispersion(), atoms)
    energy, seconds = problem.evaluate().energy, float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        problem.evaluate()
        seconds = min(seconds, time.process_time() - start)
    return Row("irrepd", len(atoms), 1e3 * seconds / len(atoms), energy)


def measure() -> list[Row]:
    if not DATA.exists():
        raise NotAvailable(f"no {DATA.name}: make models")
    rows = [ours(side) for side in SIDES]
    python = ROOT / "build" / "venv-peer-dispersion" / "bin" / "python"
    if python.exists():
        sides = map(str, SIDES)
        command = [str(python), str(HERE / "peer_dispersion.py"), str(PEER_REPEATS), *sides]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows += [
            Row(n, int(a), float(t), float(e)) for n, a, t, e in map(str.split, out.splitlines())
        ]
    return rows


def table(rows: list[Any]) -> str:
    found = [Row(*row) for row in rows]
    own = {row.n_atoms: row.milliseconds for row in found if row.name == "irrepd"}
    lines = [
        "DFT-D3(BJ), PBE, 40 bohr: energy, forces and virial in float64, one thread\n",
        "| code | atoms of Si | ms/atom, CPU | ratio | energy, eV |",
        "|---" * 5 + "|",
    ]
    lines += [
        f"| {row.name} | {row.n_atoms} | {row.milliseconds:.4f} | "
        f"{row.milliseconds / own[row.n_atoms]:.1f} | {row.energy:.6f} |"
        for row in found
    ]
    return "\n".join(lines)
