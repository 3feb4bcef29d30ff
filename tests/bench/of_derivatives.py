"""Hessians and descriptors, in float64 on one thread, and mace-torch's of the same models."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms
from ase.build import molecule
from libirrep import Batch, Model
from sides import PeerProcess, model_files
from systems import ethanol, rattled, silicon

PRECISION = "float64"
ROUNDS = 5
AT_ONCE = 64  # displaced structures in a batch
TRIALS = 12  # evaluations by which a step is chosen


class Row(NamedTuple):
    what: str
    model: str
    structure: str
    n_atoms: int
    ours: float  # milliseconds
    theirs: float
    difference: float  # the largest, of all numbers


def structures(what: str, model: str) -> dict[str, Atoms]:
    if what == "descriptors":
        found = {"ethanol": ethanol(), "64 Si": silicon(2, 2, 2)}
    else:
        found = {"ethanol": ethanol(), "benzene": rattled(molecule("C6H6"), seed=5)}
        found["8 Si"] = silicon(1, 1, 1)
    return {name: atoms for name, atoms in found.items() if model != "mace-32" or "Si" not in name}


def analytic(model: Model, atoms: Atoms) -> np.ndarray:
    return model.tangents(atoms)


def differences(model: Model, atoms: Atoms) -> np.ndarray:
    """As many evaluations as the daemon makes, in batches, with filters of tables."""
    n = 3 * len(atoms)
    moved = []
    for k in range(n):
        for step in (-1e-3, 1e-3):
            places = atoms.positions.copy()
            places.flat[k] += step
            moved.append(places)
    moved += [atoms.positions] * TRIALS
    made = [
        SimpleNamespace(numbers=atoms.numbers, positions=x, cell=atoms.cell.array, pbc=atoms.pbc)
        for x in moved
    ]
    forces: list[np.ndarray] = []
    for first in range(0, len(made), AT_ONCE):
        batch = Batch(model, made[first : first + AT_ONCE], PRECISION, wanted=("forces",), fill=0)
        forces += [result.forces.ravel() for result in batch.evaluate()]
    sides = np.array(forces[: 2 * n]).reshape(n, 2, n)
    return (sides[:, 0] - sides[:, 1]) / 2e-3


def descriptors(model: Model, atoms: Atoms) -> np.ndarray:
    batch = Batch(model, [atoms], PRECISION, wanted=("descriptors",), fill=0)
    return batch.evaluate()[0].descriptors


def timed(call: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def compare(
    peer: PeerProcess, what: str, call: Callable[[], np.ndarray], rounds: int
) -> tuple[float, float, float]:
    """Milliseconds of ours and of theirs, in turns, and how far the numbers are apart."""
    call()
    peer.call(what)
    ours, theirs, answer = [], [], {}
    for _ in range(rounds):
        seconds, found = timed(call)
        answer = peer.call(what)
        ours.append(seconds)
        theirs.append(answer["seconds"])
    apart = np.abs(np.reshape(answer["values"], found.shape) - found).max()
    return 1e3 * statistics.median(ours), 1e3 * statistics.median(theirs), float(apart)


WAYS: dict[str, tuple[str, Callable[[Model, Atoms], np.ndarray]]] = {
    "Hessian, analytic": ("hessian", analytic),
    "Hessian, differences": ("hessian", differences),
    "descriptors": ("descriptors", descriptors),
}


def measure() -> list[Row]:
    rows = []
    peer = PeerProcess("mace")
    try:
        for name in ("mace-32", "mace-small"):
            checkpoint, path = model_files(f"{name}-float64", peer)
            peer.call("load", model=name, path=str(checkpoint), precision=PRECISION, threads=1)
            model = Model(path)
            for way, (what, call) in WAYS.items():
                for structure, atoms in structures(what, name).items():
                    peer.take(atoms)
                    rounds = ROUNDS if what == "descriptors" or len(atoms) < 10 else 3

                    def once(
                        call: Callable[[Model, Atoms], np.ndarray] = call,
                        model: Model = model,
                        atoms: Atoms = atoms,
                    ) -> np.ndarray:
                        return call(model, atoms)

                    times = compare(peer, what, once, rounds)
                    rows.append(Row(way, name, structure, len(atoms), *times))
    finally:
        peer.close()
    return rows


def table(rows: list[Any]) -> str:
    lines = [
        "Hessians and descriptors by mace-torch's get_hessian and get_descriptors, float64, one "
        "thread\n",
        "| what | model | structure | atoms | ms | mace-torch, ms | ratio | apart |",
        "|---" * 8 + "|",
    ]
    lines += [
        f"| {row.what} | {row.model} | {row.structure} | {row.n_atoms} | {row.ours:.2f} | "
        f"{row.theirs:.1f} | {row.theirs / row.ours:.1f} | {row.difference:.1e} |"
        for row in (Row(*row) for row in rows)
    ]
    return "\n".join(lines)
