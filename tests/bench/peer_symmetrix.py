"""Symmetrix-XL: MACE as C++ that it generates for a model and compiles here, on the CPU.

What it has compiled is kept in build/bench/symmetrix-jit/, so that timings begin without.

    python peer_symmetrix.py CHECKPOINT     evaluates ethanol once, compiling what is not there
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from peer import serve

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "bench" / "symmetrix-jit"


class Symmetrix:
    packages = ("symmetrix-xl", "matscipy")

    def make(self, model: str, path: str) -> None:
        """mace-torch's checkpoint, as peer_mace.py makes it."""
        from peer_mace import Mace

        Mace().make(model, path)

    def load(self, model: str, path: str, precision: str) -> None:
        from symmetrix import Symmetrix as Calculator

        # An exact list in each call, as the other sides have it, not one with a skin to be reused.
        self.calculator = Calculator(
            compact(Path(path)), dtype=precision, execution_profile="speed", neighbor_skin=0.0
        )

    def prepare(self, atoms: Any) -> Any:
        atoms = atoms.copy()
        atoms.calc = self.calculator
        self.calculator.reset()
        return atoms

    def evaluate(self, data: Any) -> float:
        data.get_forces()
        data.get_stress()
        return data.get_potential_energy()


def compact(checkpoint: Path) -> Path:
    """The checkpoint in Symmetrix's own format, converted once."""
    path = checkpoint.with_suffix(".symmetrix.json")
    if not path.exists():
        program = Path(sys.executable).with_name("symmetrix_extract_mace")
        command = [program, "--model", checkpoint, "--output", path]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return path


def first_answer(checkpoint: str) -> None:
    from ase.build import molecule

    peer = Symmetrix()
    peer.load("", checkpoint, "float32")
    atoms = molecule("CH3CH2OH")
    atoms.calc = peer.calculator
    print(atoms.get_potential_energy(), len(atoms.get_forces()))


if __name__ == "__main__":
    CACHE.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("SYMMETRIX_JIT_CACHE", str(CACHE))
    if len(sys.argv) > 1:
        first_answer(sys.argv[1])
    else:
        serve(Symmetrix())
