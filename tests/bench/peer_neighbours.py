"""Microseconds an atom of matscipy's and vesin's neighbour lists, by CPU time.

peer_neighbours.py REPEATS SIDE...    prints "NAME ATOMS EDGES US_PER_ATOM" for SIDE^3 cells of Si
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

from systems import silicon

R_MAX = 6.0


def matscipy(atoms) -> int:
    from matscipy.neighbours import neighbour_list

    return len(neighbour_list("ijD", atoms, R_MAX)[0])


def vesin(atoms) -> int:
    from vesin import NeighborList

    found = NeighborList(cutoff=R_MAX, full_list=True).compute(
        points=atoms.positions, box=atoms.cell.array, periodic=True, quantities="ijD"
    )
    return len(found[0])


def best(call: Callable[[], int], repeats: int) -> tuple[float, int]:
    edges, seconds = call(), float("inf")
    for _ in range(repeats):
        start = time.process_time()
        edges = call()
        seconds = min(seconds, time.process_time() - start)
    return seconds, edges


def main() -> None:
    repeats, *sides = map(int, sys.argv[1:])
    for side in sides:
        atoms = silicon(side, side, side)
        for name, function in (("matscipy", matscipy), ("vesin", vesin)):
            seconds, edges = best(partial(function, atoms), repeats)
            print(name, len(atoms), edges, f"{1e6 * seconds / len(atoms):.3f}", flush=True)


if __name__ == "__main__":
    main()
