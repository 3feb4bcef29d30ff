"""Time of energy, forces and stress, neighbour list included: libirrep against sevenn, one thread.

    make bench            both in turns in one process, a table of ratios
    make bench QUICK=1    ours alone, no ratios

Each round times both sides one after the other, so that both see the same machine; the ratio of a
round is sevenn's time over ours. Before that the two must agree on the energy.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from libirrep import Batch, Model
from models import model_path

QUICK = os.environ.get("QUICK", "") not in ("", "0")
AGREEMENT = {"float32": 1e-5, "float64": 1e-9}  # eV/atom


def systems() -> dict[str, object]:
    """Rattled crystals as ASE's Atoms."""
    from ase import Atoms
    from ase.build import bulk, molecule

    layers = ["Te", "Ge", "Te", "Sb", "Te", "Te", "Sb", "Te", "Ge"]
    a, c = 4.22, 17.2
    sites = [[(i % 3) / 3, (2 * i % 3) / 3, (i + 0.5) / 9] for i in range(9)]
    cell = [[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]]
    telluride = Atoms(layers, scaled_positions=sites, cell=cell, pbc=True) * (3, 3, 1)
    benzene = molecule("C6H6")
    benzene.set_cell([6.8, 7.0, 4.6])
    benzene.pbc = True
    found = {
        "Si": bulk("Si", cubic=True) * (2, 2, 2),
        "Cu": bulk("Cu", cubic=True) * (2, 2, 2),
        "C6H6 crystal": benzene * (2, 1, 2),
        "Ge2Sb2Te5": telluride,
    }
    for seed, atoms in enumerate(found.values()):
        atoms.positions += np.random.default_rng(seed).uniform(-0.05, 0.05, atoms.positions.shape)
    return found


def ours(model: Model, atoms, precision: str) -> Callable[[], float]:
    """Plan and evaluate, in the arena of an earlier plan, as the daemon's workers do."""
    batch = Batch(model, [atoms], precision)

    def call() -> float:
        model.plan(atoms)
        batch.run()
        return batch.results()[0].energy

    return call


def upstream(precision: str) -> Callable[[object], Callable[[], float]]:
    """What sevenn's ASE calculator does between atoms and numbers, in the given precision."""
    import sevenn._keys as KEY
    import torch
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.train.dataload import unlabeled_atoms_to_graph
    from sevenn.util import dtype_correct
    from sevennet_fixtures import CHECKPOINTS, Reference

    torch.set_num_threads(1)
    dtype = getattr(torch, precision)
    reference = Reference(CHECKPOINTS["sevennet-0"], dtype)

    def bind(atoms) -> Callable[[], float]:
        def call() -> float:
            graph = unlabeled_atoms_to_graph(atoms, reference.r_max)
            info = graph.pop(KEY.INFO)
            data = {key: dtype_correct(value, float_dtype=dtype) for key, value in graph.items()}
            output = reference.model(AtomGraphData(**data, **{KEY.INFO: info}))
            output[KEY.PRED_FORCE].numpy()
            output[KEY.PRED_STRESS].detach().numpy()
            return output[KEY.PRED_TOTAL_ENERGY].item()

        return call

    return bind


def timed(call: Callable[[], float]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def processor() -> str:
    """The name that the kernel gives the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} logical processors"


def versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{p} {importlib.metadata.version(p)}" for p in packages)


def compare(name: str, atoms, precision: str, mine, theirs, rounds: int) -> str:
    """One row of the table with ratios."""
    energies = mine(), theirs()
    off = abs(energies[0] - energies[1]) / len(atoms)
    if not off < AGREEMENT[precision]:
        raise SystemExit(f"bench: {name} {precision}: energies differ by {off:.1e} eV/atom")
    for _ in range(3):
        theirs()  # torch optimises its graphs in the first calls
    times = [(timed(mine), timed(theirs)) for _ in range(rounds)]
    ratios = sorted(b / a for a, b in times)
    cells = [statistics.median(side) * 1e3 / len(atoms) for side in zip(*times)]
    return (
        f"| {name} | {len(atoms)} | {precision} | {cells[0]:.3f} | {cells[1]:.3f} | "
        f"{ratios[0]:.2f} | {statistics.median(ratios):.2f} | {ratios[-1]:.2f} |"
    )


def alone(name: str, atoms, precision: str, mine, rounds: int) -> str:
    """One row of the table without ratios."""
    mine()
    times = sorted(timed(mine) * 1e3 / len(atoms) for _ in range(rounds))
    middle = statistics.median(times)
    return (
        f"| {name} | {len(atoms)} | {precision} | {times[0]:.3f} | {middle:.3f} | {times[-1]:.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5 if QUICK else 9)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")
    model = Model(model_path("sevennet-0"))
    if not QUICK:
        try:
            import sevenn  # noqa: F401
        except ImportError as error:
            raise SystemExit(f"bench: no ratios without the peer: {error}") from None
    packages = () if QUICK else ("torch", "sevenn", "e3nn", "matscipy")
    packages = versions((*packages, "numpy", "ase"))
    print(f"{processor()}; Python {platform.python_version()}, {packages}")
    print("SevenNet-0 (11Jul2024): energy, forces and stress with neighbour list, one thread\n")
    if QUICK:
        columns = ("irrepd ms/atom min", "median", "max")
    else:
        columns = ("irrepd ms/atom", "sevenn ms/atom", "sevenn/irrepd min", "median", "max")
    print(f"| system | atoms | precision | {' | '.join(columns)} |")
    print("|---" * (3 + len(columns)) + "|")
    for precision in ("float32", "float64"):
        peer = None if QUICK else upstream(precision)
        for name, atoms in systems().items():
            mine = ours(model, atoms, precision)
            if peer is None:
                print(alone(name, atoms, precision, mine, rounds), flush=True)
            else:
                print(compare(name, atoms, precision, mine, peer(atoms), rounds), flush=True)


if __name__ == "__main__":
    main()
