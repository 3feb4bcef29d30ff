"""Speed of irrepd, side by side with the codes that it is compared with.

    make bench                  everything, each peer in a virtual environment of its own
    make bench FAMILY=mace      one part (sevenn, mace, symmetrix, nequip, schnetpack, matgl,
                                operations, neighbours, dispersion, committees, derivatives,
                                drivers, lammps, trajectories)
    make bench ISA=v3           the same with AVX2, where the processor has more
    make bench QUICK=1          without peers: SevenNet-0 alone, the GEMM kernel, large systems
    make bench AGAINST=../other this tree's core and another checkout's, in turns

Results go to build/bench/results/ as JSON; the tables of all that is there are printed at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "support"))
import against
import alone
import chart
import compiling
import drivers
import in_lammps
import moving
import of_committees
import of_derivatives
import of_dispersion
import of_operations
import ratios
import serving
from sides import ISA, MODELS, OUTPUT, NotAvailable, processor
from systems import LARGE, SYSTEMS, ethanol

RESULTS = OUTPUT / "results"
HELD = f"-{ISA}" if ISA else ""  # of the names of results
FAMILIES = ("sevenn", "mace", "symmetrix", "nequip", "schnetpack", "matgl")
# Each is measured by itself with FAMILY=.
PARTS = (
    *FAMILIES,
    *("operations", "neighbours", "dispersion", "committees", "derivatives", "drivers", "lammps"),
    "trajectories",
)


def save(name: str, rows: Any) -> None:
    RESULTS.mkdir(parents=True, exist_ok=True)
    about = {
        "processor": processor(),
        "date": time.strftime("%Y-%m-%d"),
        "load_1min": os.getloadavg()[0],
        "python": platform.python_version(),
    }
    text = json.dumps({**about, "rows": rows}, indent=1)
    (RESULTS / f"{name}{HELD}.json").write_text(text + "\n")


def load(name: str, held: str = HELD) -> dict[str, Any]:
    path = RESULTS / f"{name}{held}.json"
    return json.loads(path.read_text()) if path.exists() else {"rows": []}


def family(name: str, threads: tuple[int, ...], rounds: int) -> None:
    """Measures the ratios of a part; keeps what was measured when it is interrupted."""
    if name not in FAMILIES:
        return
    rows: list[dict[str, Any]] = []

    def note(row: dict[str, Any]) -> None:
        rows.append(row)
        save(name, rows)
        print(ratios.table([row]).splitlines()[-1], file=sys.stderr, flush=True)

    ratios.measure_family(name, threads, rounds, note)


def extras(name: str) -> None:
    """What besides ratios belongs to a part."""
    if name == "mace":
        model = MODELS / "mace-small.safetensors"
        for what, measure in (
            ("gemm", alone.gemm_rates),
            ("scaling", lambda: alone.scaling(model)),
            ("served", serving.measure),
        ):
            try:
                save(what, measure())
            except (NotAvailable, OSError, subprocess.CalledProcessError) as error:
                print(f"bench: {what}: {error}", file=sys.stderr)
    elif name == "symmetrix":
        save("compiling", compiling.measure())
    elif name == "operations":
        save(name, of_operations.measure())
    elif name == "neighbours":
        save(name, alone.neighbours())
    elif name == "dispersion":
        save(name, of_dispersion.measure())
    elif name == "committees":
        save(name, of_committees.measure())
    elif name == "derivatives":
        save(name, of_derivatives.measure())
    elif name == "drivers":
        save(name, drivers.measure())
    elif name == "lammps":
        save(name, in_lammps.measure())
    elif name == "trajectories":
        save(name, moving.measure())


def report() -> None:
    """Prints the tables of all results and draws the chart."""
    found = {name: load(name) for name in FAMILIES}
    rows = [row for about in found.values() for row in about["rows"]]
    if rows:
        print("Energy, forces and stress with the neighbour list; ratio: the peer's time by ours.")
        print("Peers run eager but where it says compiled.")
        for name, about in found.items():
            versions = {row.get("versions", "not available") for row in about["rows"]}
            if about["rows"]:
                print(f"- {name}: {described(about)}; {'; '.join(sorted(versions))}")
        print(f"\n{ratios.table(rows)}\n")
        (OUTPUT / "bench.svg").write_text(chart.draw(panels()))
    rates = load("gemm")["rows"]
    if rates:
        print(alone.gemm(rates))
        for row in rows:
            if row["model"].startswith("mace-medium") and row["threads"] == 1 and "ratio" in row:
                print(alone.share_of_peak(row, rates))
    if load("scaling")["rows"]:
        print(f"\n{alone.scaling_table('MACE-MP-0 small', load('scaling')['rows'])}")
    if load("served")["rows"]:
        print(f"\n{serving.table(load('served')['rows'])}")
    if load("compiling")["rows"]:
        print(f"\n{compiling.table(load('compiling')['rows'])}")
    if load("operations")["rows"]:
        print(f"\n{load('operations')['rows']}")
    if load("neighbours")["rows"]:
        print(f"\n{load('neighbours')['rows']}")
    if load("dispersion")["rows"]:
        print(f"\n{of_dispersion.table(load('dispersion')['rows'])}")
    if load("committees")["rows"]:
        print(f"\n{of_committees.table(load('committees')['rows'])}")
    if load("derivatives")["rows"]:
        print(f"\n{of_derivatives.table(load('derivatives')['rows'])}")
    if load("drivers")["rows"]:
        print(f"\n{drivers.table(load('drivers')['rows'])}")
    if load("lammps")["rows"]:
        print(f"\n{in_lammps.table(load('lammps')['rows'])}")
    if load("trajectories")["rows"]:
        print(f"\n{moving.table(load('trajectories')['rows'])}")


def panels() -> list[tuple[str, list[dict[str, Any]]]]:
    """What was measured with the best instructions that there are, and held to AVX2."""
    found = []
    for held in ("", "-v3"):
        about = [load(name, held) for name in FAMILIES]
        newest = max(about, key=lambda one: one.get("date", ""))
        if rows := [row for one in about for row in one["rows"]]:
            found.append((f"{newest['processor']}, {newest['date']}", rows))
    return found


def described(about: dict[str, Any]) -> str:
    return f"{about['processor']}, {about['date']}, load {about['load_1min']:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="without peers")
    parser.add_argument("--family", choices=PARTS, help="one part alone")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--report", action="store_true", help="print what was measured before")
    parser.add_argument("--extras", action="store_true", help="without the ratios")
    parser.add_argument("--against", type=Path, help="another checkout that is built")
    parser.add_argument("--scaling", nargs=4, metavar=("MODEL", "A", "B", "C"))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    if given.scaling:
        alone.scaling_child(Path(given.scaling[0]), "float32", list(map(int, given.scaling[1:])))
        return
    if given.against:
        systems = {**SYSTEMS, "512 Si": LARGE["512 Si"], "ethanol": ethanol}
        compared, left_out = against.measure(given.against, systems)
        print(f"{processor()}, load {os.getloadavg()[0]:.1f}\n\n{against.table(compared)}")
        for line in left_out:
            print(f"bench: {line}", file=sys.stderr)
        return
    if given.quick:
        alone.quick()
        print(f"\n{drivers.table(drivers.measure())}")
        print(f"\n{moving.table(moving.measure(with_peers=False))}")
        return
    if not given.report:
        for name in [given.family] if given.family else PARTS:
            if not given.extras:
                family(name, tuple(given.threads), given.rounds)
            extras(name)
    report()


if __name__ == "__main__":
    main()
