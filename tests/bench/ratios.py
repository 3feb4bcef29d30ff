"""Ratios of times against the peers: each round times both sides in turn, a ratio for each."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

from libirrep import Model
from sides import NotAvailable, Ours, PeerProcess, model_files
from systems import LARGE, SYSTEMS

AGREEMENT = {"float32": 1e-5, "float64": 1e-9}  # eV/atom; checkpoints are in the same precision
MANY_ATOMS = 1000  # of which fewer rounds do
SPLINES = 1e-5  # likewise of peers that read radial functions from splines of their own


class Row(NamedTuple):
    family: str
    title: str
    model: str
    system: str
    target: float | None  # none: for information
    precision: str = "float32"
    compiled: bool = False  # the peer is; on one thread


ROWS = (
    Row("mace", "MACE-MP-0 medium", "mace-medium", "64 Si", 40),
    Row("mace", "MACE-MP-0 medium", "mace-medium", "32 Cu", 40),
    Row("mace", "MACE-MP-0 medium", "mace-medium-float64", "64 Si", 40, "float64"),
    Row("mace", "MACE-MP-0 small", "mace-small", "64 Si", 30),
    *(
        Row("symmetrix", f"MACE-MP-0 {size} by Symmetrix-XL", f"mace-{size}", system, 3, precision)
        for precision in ("float32", "float64")
        for size in ("medium", "small")
        for system in ("64 Si", "512 Si", "4,096 Si")
    ),
    Row("sevenn", "SevenNet-0", "sevennet-0", "64 Si", 25),
    Row("sevenn", "SevenNet-0", "sevennet-0", "benzene crystal", 25),
    Row("nequip", "NequIP preset M", "nequip-m", "64 Si", 20),
    Row("nequip", "Allegro l_max 2", "allegro-l2", "64 Si", 20),
    Row("nequip", "NequIP preset M, compiled", "nequip-m", "64 Si", None, compiled=True),
    Row("nequip", "Allegro l_max 2, compiled", "allegro-l2", "64 Si", None, compiled=True),
    Row("schnetpack", "SO3net 64, l_max 2", "so3net-64", "64 Si", 100),
    Row("schnetpack", "SchNet 128", "schnet-128", "64 Si", 15),
    Row("matgl", "TensorNet 128", "tensornet-128", "64 Si", 20),
    Row("schnetpack", "PaiNN 128", "painn-128", "64 Si", None),
)


def spread(ratios: list[float]) -> list[float]:
    """The least, the median and the largest."""
    return [min(ratios), statistics.median(ratios), max(ratios)]


def measure(row: Row, peer: PeerProcess, threads: int, rounds: int) -> dict[str, Any]:
    """One row, or why there is none."""
    checkpoint, file = model_files(row.model, peer)
    atoms = (SYSTEMS | LARGE)[row.system]()
    ours = Ours(Model(file), atoms, row.precision, threads)
    options = {"compiled": True} if row.compiled else {}
    peer.call(
        "load",
        model=row.model,
        path=str(checkpoint),
        precision=row.precision,
        threads=threads,
        **options,
    )
    peer.take(atoms)
    off = abs(ours.run().energy - peer.run().energy) / len(atoms)
    if not off < (SPLINES if row.family == "symmetrix" else AGREEMENT[row.precision]):
        raise NotAvailable(f"energies differ by {off:.1e} eV/atom")
    for _ in range(3):
        peer.run()  # torch optimises its graphs in the first calls
    if len(atoms) > MANY_ATOMS:
        rounds = min(rounds, 3)
    pairs = [(ours.run(), peer.run()) for _ in range(rounds)]
    ratios = spread([theirs.seconds / mine.seconds for mine, theirs in pairs])
    cpu = spread([theirs.cpu / mine.cpu for mine, theirs in pairs])
    scale = 1e3 / len(atoms)
    return {
        "ours_ms": scale * statistics.median(a.seconds for a, _ in pairs),
        "peer_ms": scale * statistics.median(b.seconds for _, b in pairs),
        "peer_list_ms": scale * statistics.median(b.list_seconds for _, b in pairs),
        "ratio": ratios,
        "cpu_ratio": cpu[1],
        "cpu_ratios": cpu,
        "ours_cpu_ms": scale * statistics.median(a.cpu for a, _ in pairs),
        "peer_cpu_ms": scale * statistics.median(b.cpu for _, b in pairs),
        "energy_difference": off,
        "arena_mb": ours.batch.arena_bytes / 1e6 / len(atoms),
    }


def measure_family(
    family: str, threads: tuple[int, ...], rounds: int, note: Callable[[dict[str, Any]], None]
) -> None:
    """Gives every row of a family to `note`."""
    for n in threads:
        peer, why = None, ""
        try:
            peer = PeerProcess(family, n)
        except NotAvailable as error:
            why = str(error)
        for row in ROWS:
            if row.family != family or (row.compiled and n > 1):
                continue
            found = {**row._asdict(), "threads": n}
            try:
                if peer is None:
                    raise NotAvailable(why)
                found |= {"versions": peer.versions, **measure(row, peer, n, rounds)}
            except NotAvailable as error:
                found["not_available"] = str(error)
            note(found)
        if peer:
            peer.close()


def table(found: list[dict[str, Any]]) -> str:
    """Markdown. On one thread ratios are those of CPU times, which others' load moves least."""
    columns = (
        "work", "structure", "precision", "threads", "irrepd ms/atom", "peer ms/atom",
        "of which list", "ratio min", "median", "max", "irrepd CPU ms/atom", "peer CPU ms/atom",
        "CPU ratio", "target", "met",
    )  # fmt: skip
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in found:
        target = row["target"]
        head = f"| {row['title']} | {row['system']} | {row['precision']} | {row['threads']} | "
        if "not_available" in row:
            cells = ["not available: " + row["not_available"], *[""] * 8, "", ""]
        else:
            low, middle, high = row["ratio" if row["threads"] > 1 else "cpu_ratios"]
            cells = [
                *(f"{row[key]:.4f}" for key in ("ours_ms", "peer_ms", "peer_list_ms")),
                *(f"{ratio:.1f}" for ratio in (low, middle, high)),
                *(f"{row[key]:.4f}" for key in ("ours_cpu_ms", "peer_cpu_ms")),
                f"{row['cpu_ratio']:.1f}",
                f"{target:g}" if target else "",
                ("yes" if middle >= target else "no") if target else "",
            ]
        lines.append(head + " | ".join(cells) + " |")
    return "\n".join(lines)
