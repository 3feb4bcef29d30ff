"""A request of a committee of four models of one size, over what one of them takes alone."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from sides import ROOT, NotAvailable
from systems import ethanol, silicon

sys.path.insert(0, str(ROOT / "tests" / "support"))
from daemon import Daemon

MEMBERS = 4
ROUNDS, REPEATS = 7, 3
MODELS = ("schnet-small", "mace-small", "sevennet-0")


class Row(NamedTuple):
    model: str
    structures: str
    alone: float  # milliseconds of CPU, of a request
    committee: float  # the same, of four members, by that


def seconds(daemon: Daemon) -> float:
    """CPU time of all threads."""
    tasks = Path(f"/proc/{daemon.process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) * 1e-9


def bodies(model: str) -> dict[str, list[dict[str, Any]]]:
    def entry(atoms: Any) -> dict[str, Any]:
        given = {"numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
        return {**given, "cell": atoms.cell.tolist()} if atoms.pbc.all() else given

    found = {"64 ethanol": [entry(ethanol())] * 64}
    if model == "sevennet-0":
        found["64 Si"] = [entry(silicon(2, 2, 2))]
    return found


def measure_one(daemon: Daemon, model: str, name: str, structures: list[dict[str, Any]]) -> Row:
    headers = {"Content-Type": "application/json"}
    names = [f"{model}-{i}" for i in range(MEMBERS)]

    def ask(at: str, **more: Any) -> None:
        body = json.dumps({"structures": structures, **more}).encode()
        answer = daemon.ask("POST", f"/v1/models/{at}/predict", body, headers)
        assert answer.status == 200, answer.body

    singles, ratios = [], []
    for _ in range(ROUNDS):
        begin = seconds(daemon)
        for _ in range(REPEATS):
            for at in names:
                ask(at)
        between = seconds(daemon)
        for _ in range(REPEATS):
            ask(names[0], committee=names[1:])
        single = (between - begin) / (REPEATS * MEMBERS)
        singles.append(single)
        ratios.append((seconds(daemon) - between) / REPEATS / single)
    return Row(model, name, 1e3 * statistics.median(singles), statistics.median(ratios))


def measure() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch) / "models"
        models.mkdir()
        found = {model: ROOT / "build" / "models" / f"{model}.safetensors" for model in MODELS}
        if not all(path.exists() for path in found.values()):
            raise NotAvailable("make models makes the members")
        for model, path in found.items():
            for i in range(MEMBERS):
                shutil.copyfile(path, models / f"{model}-{i}.safetensors")
        daemon = Daemon(Path(scratch), "--workers", "1", models=models)
        try:
            daemon.wait_ready()
            for model in found:
                for name, structures in bodies(model).items():
                    rows.append(measure_one(daemon, model, name, structures))
        finally:
            daemon.end()
    return rows


def table(rows: list[Any]) -> str:
    lines = [
        "A committee of four models of one size by one of them, CPU time, one worker\n",
        "| model | structures | alone, ms | committee of four by one |",
        "|---" * 4 + "|",
    ]
    lines += [
        f"| {row.model} | {row.structures} | {row.alone:.2f} | {row.committee:.2f} |"
        for row in (Row(*row) for row in rows)
    ]
    return "\n".join(lines)
