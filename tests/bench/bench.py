"""Speed of irrepd, side by side with the codes that it is compared with.

    make bench                  everything, each peer in a virtual environment of its own
    make bench FAMILY=mace      one peer (sevenn, mace, nequip, schnetpack); other results are kept
    make bench QUICK=1          without peers: SevenNet-0 alone, the GEMM kernel, large systems

Results go to build/bench/results/ as JSON; the tables of all that is there are printed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import alone
import chart
import ratios
from sides import OUTPUT, processor

RESULTS = OUTPUT / "results"
FAMILIES = ("sevenn", "mace", "nequip", "schnetpack")


def save(name: str, rows: list[dict[str, Any]]) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    about = {
        "processor": processor(),
        "date": time.strftime("%Y-%m-%d"),
        "load_1min": os.getloadavg()[0],
        "python": platform.python_version(),
    }
    text = json.dumps({**about, "rows": rows}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")


def load(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"rows": []}


def family(name: str, threads: tuple[int, ...], rounds: int) -> None:
    """Measures one, and keeps what was measured when it is interrupted."""
    rows: list[dict[str, Any]] = []

    def note(row: dict[str, Any]) -> None:
        rows.append(row)
        save(name, rows)
        print(ratios.table([row]).splitlines()[-1], file=sys.stderr, flush=True)

    ratios.measure_family(name, threads, rounds, note)


def report() -> None:
    """Prints the tables of all results and draws the chart."""
    found = [row for name in FAMILIES for row in load(name)["rows"]]
    if not found:
        return
    abouts = [load(name) for name in FAMILIES if load(name)["rows"]]
    print("Energy, forces and stress with the neighbour list; ratio: the peer's time by ours.")
    for name, about in zip([n for n in FAMILIES if load(n)["rows"]], abouts):
        versions = {row.get("versions", "not available") for row in about["rows"]}
        print(
            f"- {name}: {about['processor']}, {about['date']}, load {about['load_1min']:.1f}; "
            f"{'; '.join(sorted(versions))}"
        )
    print(f"\n{ratios.table(found)}\n")
    caption = f"{abouts[0]['processor']}, {abouts[0]['date']}, one thread"
    one = [row for row in found if row["threads"] == 1 and "ratio" in row]
    (OUTPUT / "bench.svg").write_text(chart.draw(one, caption))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="without peers")
    parser.add_argument("--family", choices=FAMILIES, help="one peer alone")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--report", action="store_true", help="print what was measured before")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.quick:
        alone.quick()
        return
    if not given.report:
        for name in [given.family] if given.family else FAMILIES:
            family(name, tuple(given.threads), given.rounds)
    report()


if __name__ == "__main__":
    main()
