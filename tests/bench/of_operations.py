"""Time by operation against what the processor can do, as operations.c counts it."""

from __future__ import annotations

import subprocess

from sides import ISA, MODELS, OUTPUT, ROOT

PROGRAM = OUTPUT / ISA / "operations"


def measure(side: int = 2, precision: str = "float32") -> str:
    """A table for SevenNet-0 and each model that other parts of the benchmark have made."""
    default = ROOT / "build" / "models" / "sevennet-0.safetensors"
    tables = []
    for model in (default, *sorted(MODELS.glob("*.safetensors"))):
        command = [str(PROGRAM), str(model), str(side), precision]
        done = subprocess.run(command, capture_output=True, text=True)
        told = done.stdout if done.returncode == 0 else f"not available: {done.stderr}"
        tables.append(f"{model.stem}: {told}")
    return "\n".join(tables)
