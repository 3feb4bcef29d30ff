"""Milliseconds an atom of simple-dftd3 and torch-dftd: energy, forces and virial at 40 bohr, by CPU
time on one thread.

peer_dispersion.py REPEATS SIDE...    prints "NAME ATOMS MS_PER_ATOM ENERGY" for SIDE^3 cells of Si
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before what reads it

from ase.units import Bohr, Hartree
from systems import silicon

CUTOFF = 40.0  # bohr


def simple(atoms: Any) -> Callable[[], float]:
    import dftd3.interface as d3

    parameters = d3.RationalDampingParam(method="pbe", atm=False)

    def run() -> float:
        cell = atoms.cell.array / Bohr
        model = d3.DispersionModel(atoms.numbers, atoms.positions / Bohr, cell, atoms.pbc)
        model.set_realspace_cutoff(CUTOFF, CUTOFF, CUTOFF)
        return float(model.get_dispersion(parameters, grad=True)["energy"]) * Hartree

    return run


def by_torch(atoms: Any) -> Callable[[], float]:
    import torch
    from torch_dftd.torch_dftd3_calculator import TorchDFTD3Calculator

    torch.set_num_threads(1)
    calculator = TorchDFTD3Calculator(damping="bj", cutoff=CUTOFF * Bohr, dtype=torch.float64)

    def run() -> float:
        calculator.calculate(atoms, ["energy", "forces", "stress"])
        return float(calculator.results["energy"])

    return run


def best(run: Callable[[], float], repeats: int) -> tuple[float, float]:
    energy, seconds = run(), float("inf")
    for _ in range(repeats):
        start = time.process_time()
        energy = run()
        seconds = min(seconds, time.process_time() - start)
    return seconds, energy


def main() -> None:
    repeats, *sides = map(int, sys.argv[1:])
    for side in sides:
        atoms = silicon(side, side, side)
        for name, make in (("simple-dftd3", simple), ("torch-dftd", by_torch)):
            seconds, energy = best(make(atoms), repeats)
            print(name, len(atoms), 1e3 * seconds / len(atoms), energy, flush=True)


if __name__ == "__main__":
    main()
