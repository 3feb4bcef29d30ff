"""What one would write first: FastAPI around mace-torch, a structure a request.

fastapi_mace.py CHECKPOINT PORT THREADS
"""

from __future__ import annotations

import os
import sys
import warnings

os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
warnings.simplefilter("ignore")

import torch  # noqa: E402
import uvicorn  # noqa: E402
from ase import Atoms  # noqa: E402
from fastapi import FastAPI, Request  # noqa: E402
from mace.calculators import MACECalculator  # noqa: E402

checkpoint, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
calculator = MACECalculator(model_paths=checkpoint, device="cpu", default_dtype="float32")
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> dict:
    structure = (await request.json())["structures"][0]
    atoms = Atoms(structure["numbers"], structure["positions"])
    calculator.calculate(atoms)
    found = calculator.results
    return {"energy": float(found["energy"]), "forces": found["forces"].tolist()}


uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
