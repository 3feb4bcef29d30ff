"""This tree's core against another checkout's: the same models and structures, in turns.

    make bench AGAINST=../other    where ../other is a checkout in which `make all models` has run

On a machine that others use too, times differ by tens of percent from minute to minute. So both
run in turns of some hundredths of a second, each round gives a ratio of CPU times, and what is told
is their median with its quartiles.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from ratios import AGREEMENT
from sides import MODELS, ROOT, NotAvailable

ROUNDS = 21
# Runs in the other's own modules, whose calls fit its library.
CHILD = """
import json, sys
for folder in ("tests/support", "clients/python", "tests/bench"):
    sys.path.insert(0, sys.argv[1] + "/" + folder)
from ase import Atoms
from libirrep import Model
from sides import Ours
ours = None
for line in sys.stdin:
    asked = json.loads(line)
    try:
        if "model" in asked:
            atoms = Atoms(**{key: asked[key] for key in ("numbers", "positions", "cell", "pbc")})
            ours = Ours(Model(asked["model"]), atoms, asked["precision"])
        timing = ours.run()
        answer = {"cpu": timing.cpu, "energy": float(timing.energy)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
"""


class Row(NamedTuple):
    model: str
    system: str
    precision: str
    other_ms: float  # CPU time of an atom, the least
    ours_ms: float
    ratios: list[float]  # the other's CPU time by ours, a round each


class Side:
    """The core of a tree, in a process of its own, which sleeps between runs."""

    def __init__(self, tree: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tree)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise NotAvailable(answer["error"])
        return answer

    def take(self, model: Path, atoms: Any, precision: str) -> float:
        """The energy, eV."""
        arrays = {k: getattr(atoms, k).tolist() for k in ("numbers", "positions", "pbc")}
        cell = atoms.cell.array.tolist()
        asked = {"model": str(model.resolve()), "precision": precision, "cell": cell, **arrays}
        return self._ask(asked)["energy"]

    def cpu(self) -> float:
        return self._ask({})["cpu"]

    def close(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def measure(
    other: Path, systems: dict[str, Any], rounds: int = ROUNDS
) -> tuple[list[Row], list[str]]:
    """Every model of this tree on each structure that it takes, and why some are left out."""
    rows, left_out = [], []
    sides = Side(other), Side(ROOT)
    folders = ROOT / "build" / "models", MODELS
    for model in [path for folder in folders for path in sorted(folder.glob("*.safetensors"))]:
        for system, make in systems.items():
            atoms = make()
            for precision in AGREEMENT:
                try:
                    energies = [side.take(model, atoms, precision) for side in sides]
                    pairs = [tuple(side.cpu() for side in sides) for _ in range(rounds)]
                except NotAvailable as error:
                    left_out.append(f"{model.stem}, {system}: {error}")
                    break
                if not abs(energies[0] - energies[1]) < AGREEMENT[precision] * len(atoms):
                    left_out.append(f"{model.stem}, {system}, {precision}: energies {energies}")
                    continue
                scale = 1e3 / len(atoms)
                least = [scale * min(side) for side in zip(*pairs)]
                ratios = sorted(a / b for a, b in pairs)
                rows.append(Row(model.stem, system, precision, *least, ratios))
    for side in sides:
        side.close()
    return rows, left_out


def table(rows: list[Row]) -> str:
    lines = [
        "CPU time of an atom: energy, forces, stress and neighbour list, one thread, in turns\n",
        "| model | system | precision | other ms | this ms | other / this | quartiles |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        low, middle, high = statistics.quantiles(row.ratios, n=4)
        lines.append(
            f"| {row.model} | {row.system} | {row.precision} | {row.other_ms:.4f} | "
            f"{row.ours_ms:.4f} | {middle:.3f} | {low:.3f} to {high:.3f} |"
        )
    return "\n".join(lines)
