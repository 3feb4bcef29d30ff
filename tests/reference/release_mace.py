"""Writes fixtures/releases/ of the installed mace-torch (release_fixtures.py): random weights."""

from __future__ import annotations

import os

# e3nn 0.4 loads its constants by pickle when it is imported.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import inspect
import tempfile
import unittest.mock
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from e3nn import o3
from e3nn.util.codegen import CodeGenMixin
from mace import modules
from release_answers import ELEMENTS, R_MAX, Evaluate, Structure, save

MACE = version("mace-torch")
COMMON: dict[str, Any] = {
    "r_max": R_MAX,
    "num_bessel": 3,
    "num_polynomial_cutoff": 5,
    "max_ell": 1,
    "num_interactions": 2,
    "num_elements": len(ELEMENTS),
    "hidden_irreps": o3.Irreps("2x0e+2x1o"),
    "MLP_irreps": o3.Irreps("3x0e"),
    "atomic_energies": np.array([-3.0, -1.0, 2.0]),
    "avg_num_neighbors": 2.7,
    "atomic_numbers": list(ELEMENTS),
    "correlation": 2,
    "gate": torch.nn.functional.silu,
    "radial_MLP": [4],
    "interaction_cls": modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
    "interaction_cls_first": modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
}
SCALE = {"atomic_inter_scale": 3.0, "atomic_inter_shift": 0.1}
MODELS: dict[str, dict[str, Any]] = {"scaleshift": SCALE}
if "pair_repulsion" in inspect.signature(modules.MACE).parameters:  # since 0.3.5
    MODELS = {"repulsion": {**SCALE, "pair_repulsion": True, "distance_transform": "Agnesi"}}


def evaluator(model: torch.nn.Module) -> Evaluate:
    def evaluate(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
        edges, shifts = structure.edges()
        species = torch.tensor([ELEMENTS.index(z) for z in structure.numbers])
        data = {
            "positions": torch.tensor(structure.positions),
            "shifts": torch.tensor(-shifts @ structure.cell),
            "unit_shifts": torch.tensor(-shifts),
            "cell": torch.tensor(structure.cell),
            "edge_index": torch.tensor(np.array([edges.senders, edges.receivers])),
            "node_attrs": torch.nn.functional.one_hot(species, len(ELEMENTS)).double(),
            "batch": torch.zeros(len(species), dtype=torch.int64),
            "ptr": torch.tensor([0, len(species)]),
            "head": torch.tensor([0]),
        }
        out = model(data)
        return out["node_energy"].detach().numpy(), out["forces"].detach().numpy()

    return evaluate


def without_code(self: CodeGenMixin) -> dict[str, Any]:
    """Without the code that e3nn generated, which makes up most of a small file."""
    state = dict(self.__dict__)
    names = state.pop("__codegen__", ())
    state["_modules"] = {k: v for k, v in state["_modules"].items() if k not in names}
    return state


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        for seed, (name, options) in enumerate(MODELS.items()):
            torch.manual_seed(seed)
            model = modules.ScaleShiftMACE(**COMMON, **options)
            path = Path(scratch) / f"{name}.model"
            with unittest.mock.patch.object(CodeGenMixin, "__getstate__", without_code):
                torch.save(model, path)
            code = [f"mace-torch {MACE}", f"e3nn {version('e3nn')}"]
            save(f"mace-{MACE}-{name}.model", path, evaluator(model), made_with=code)


if __name__ == "__main__":
    main()
