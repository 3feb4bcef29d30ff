"""What one would write first: FastAPI around mace-torch, a structure a request.

    BENCH_CHECKPOINT=FILE python -m uvicorn fastapi_mace:app --port PORT --workers 2

Each worker is a process with one thread of torch.
"""

from __future__ import annotations

import os
import warnings
from typing import Any

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.simplefilter("ignore")

import torch  # noqa: E402
from ase import Atoms  # noqa: E402
from fastapi import FastAPI, Request  # noqa: E402
from mace.calculators import MACECalculator  # noqa: E402

torch.set_num_threads(1)
calculator = MACECalculator(
    model_paths=os.environ["BENCH_CHECKPOINT"], device="cpu", default_dtype="float32"
)
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict[str, Any]:
    structure = (await request.json())["structures"][0]
    calculator.calculate(Atoms(structure["numbers"], structure["positions"]))
    found = calculator.results
    return {"energy": float(found["energy"]), "forces": found["forces"].tolist()}
