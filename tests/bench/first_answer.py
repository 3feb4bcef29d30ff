"""Imports mace-torch, loads a checkpoint, evaluates ethanol, prints its resident megabytes.

first_answer.py CHECKPOINT
"""

from __future__ import annotations

import os
import sys
import warnings

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.simplefilter("ignore")

from ase.build import molecule  # noqa: E402
from mace.calculators import MACECalculator  # noqa: E402

atoms = molecule("CH3CH2OH")
atoms.calc = MACECalculator(model_paths=sys.argv[1], device="cpu", default_dtype="float32")
energy, forces = atoms.get_potential_energy(), atoms.get_forces()
with open("/proc/self/status") as status:
    kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
print(kilobytes / 1024, energy, flush=True)
