"""Instructions of each kernel and of whole models, counted by callgrind, or step by step with
AVX-512 (v4), which valgrind does not know, against budgets.json.

    python tests/bench/budget.py [--write]

prints counts, budgets and their ratios, or writes the counts as the new budgets. Noise does not
move counts, other compilers do: budgets hold for the compiler that they name.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("IRREPD_BUDGET_PROGRAM", ROOT / "build" / "bench" / "budget"))
BUDGETS = Path(__file__).resolve().parent / "budgets.json"
SETS = ("float32 v3", "float64 v3", "float32 v4", "float64 v4")
SLACK = 1.05

Counts = dict[str, int]


class CannotCount(Exception):
    """No callgrind here, or no such instruction set: why."""


def compiler() -> str:
    """Of the program, and so of the kernels."""
    if not PROGRAM.exists():
        raise CannotCount(f"no {PROGRAM}")
    return subprocess.run([PROGRAM], capture_output=True, text=True).stdout.strip()


def count(which: str) -> Counts:
    """Instructions of each kernel, for a precision and instruction set."""
    if which.endswith("v4"):
        return count_steps(which)
    if not shutil.which("valgrind"):
        raise CannotCount("no valgrind")
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        done = subprocess.run(
            [*command, str(PROGRAM), *which.split()], capture_output=True, text=True, cwd=ROOT
        )
        if done.returncode == 3:
            raise CannotCount(done.stderr.strip())
        if done.returncode:
            raise RuntimeError(done.stderr)
        counts = {}
        for part in Path(folder).glob("out.*"):
            text = part.read_text()
            name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.M)
            total = re.search(r"^totals: (\d+)$", text, re.M)
            if name and total:
                counts[name[1]] = int(total[1])
    return counts


def count_steps(which: str) -> Counts:
    """The same of shapes that are a quarter as long, by the processor's trap flag."""
    command = [str(PROGRAM), *which.split(), "steps"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode == 3:
        raise CannotCount(done.stderr.strip())
    if done.returncode:
        raise RuntimeError(done.stderr)
    lines = (line.split(" ", 1) for line in done.stdout.splitlines())
    return {name: int(count) for count, name in lines}


def over_budget(counts: Counts, budget: Counts) -> dict[str, str]:
    """What is beyond its budget, or has none, or was not counted."""
    found = {name: "no budget" for name in counts.keys() - budget.keys()}
    found |= {name: "not counted" for name in budget.keys() - counts.keys()}
    for name in counts.keys() & budget.keys():
        if counts[name] > SLACK * budget[name]:
            found[name] = f"{counts[name]} instructions, budget {budget[name]}"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="make the counts the budgets")
    write = parser.parse_args().write
    counts = {which: count(which) for which in SETS}
    if write:
        text = json.dumps({"compiler": compiler(), **counts}, indent=1, sort_keys=True)
        BUDGETS.write_text(text + "\n")
        return
    budgets = json.loads(BUDGETS.read_text())
    for which, found in counts.items():
        for name, n in sorted(found.items()):
            budget = budgets[which].get(name, 0)
            ratio = f"{n / budget:.3f}" if budget else "none"
            print(f"{which:11} {name:24} {n:9} {budget:9} {ratio}")


if __name__ == "__main__":
    main()
