"""Writes fixtures/releases/ of the installed sevenn (release_fixtures.py).

The models are trained for two epochs by sevenn itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import sevenn._keys as KEY
import torch
from e3nn import o3
from release_answers import R_MAX, Evaluate, Structure, save, training_data
from sevenn.model_build import build_E3_equivariant_model
from sevenn.nn.node_embedding import OnehotEmbedding

SEVENN = version("sevenn")
MODEL: dict[str, Any] = {
    "chemical_species": "auto",
    "cutoff": R_MAX,
    "channel": 4,
    "lmax": 2,
    "num_convolution_layer": 3,
    "weight_nn_hidden_neurons": [4],
    "radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": 3},
    "act_radial": "silu",
    "act_scalar": {"e": "silu", "o": "tanh"},
    "act_gate": {"e": "silu", "o": "tanh"},
    "train_denominator": True,
    "train_shift_scale": True,
}
MODELS: dict[str, dict[str, Any]] = {
    "parity": {
        "is_parity": True,
        "self_connection_type": "nequip",
        "cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 5},
    },
    "even": {
        "is_parity": False,
        "self_connection_type": "linear",
        "cutoff_function": {"cutoff_function_name": "XPLOR", "cutoff_on": 2.5},
    },
}
TRAIN = {
    "random_seed": 1,
    "is_train_stress": False,
    "epoch": 2,
    "loss": "mse",
    "loss_param": {},
    "optimizer": "adam",
    "optim_param": {"lr": 0.01},
    "scheduler": "exponentiallr",
    "scheduler_param": {"gamma": 0.9},
    "force_loss_weight": 1.0,
    "error_record": [["Energy", "RMSE"], ["TotalLoss", "None"]],
    "per_epoch": 1,
}
DATA = {
    "batch_size": 2,
    "shift": "per_atom_energy_mean",
    "scale": "force_rms",
    "data_format": "ase",
    "data_format_args": {"index": ":"},
    "load_dataset_path": ["data.xyz"],
    "data_divide_ratio": 0.3,
}


def double(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """The model with the weights of a checkpoint, and couplings that are not rounded."""
    exact = {}
    for key, value in state.items():
        if "_w3j_" in key:
            degrees = [int(part) for part in key.rsplit("_", 3)[1:]]
            symbol = o3.wigner_3j(*degrees, dtype=torch.float64)
            assert (symbol - value).abs().max() < 1e-6
            value = symbol
        exact[key] = value
    model.double().load_state_dict(exact)
    return model


def evaluator(model: torch.nn.Module, type_map: dict[int, int]) -> Evaluate:
    def evaluate(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
        edges, _ = structure.edges()
        vectors = torch.tensor(edges.vectors, requires_grad=True)
        data = {
            KEY.NODE_FEATURE: torch.tensor([type_map[z] for z in structure.numbers]),
            KEY.EDGE_IDX: torch.as_tensor(np.array([edges.receivers, edges.senders])),
            KEY.EDGE_VEC: vectors,
            KEY.EDGE_LENGTH: torch.linalg.norm(vectors, dim=-1),
            KEY.BATCH: torch.zeros(len(structure.numbers), dtype=torch.long),
        }
        for name, module in model._modules.items():
            if name == "reduce_total_enegy":
                break
            if name == "edge_preprocess":
                continue
            data = module(data)
            if isinstance(module, OnehotEmbedding):  # makes float32
                floats = {k: v.double() for k, v in data.items() if v.dtype == torch.float32}
                data.update(floats)
        energies = data[KEY.ATOMIC_ENERGY][:, 0]
        (gradient,) = torch.autograd.grad(energies.sum(), vectors)
        forces = np.zeros(structure.positions.shape)
        np.add.at(forces, edges.receivers, gradient.numpy())
        np.add.at(forces, edges.senders, -gradient.numpy())
        return energies.detach().numpy(), forces

    return evaluate


def trained(options: dict[str, Any], folder: Path) -> dict[str, Any]:
    ase.io.write(folder / "data.xyz", training_data(), format="extxyz")
    settings = {"model": {**MODEL, **options}, "train": TRAIN, "data": DATA}
    (folder / "input.yaml").write_text(json.dumps(settings))
    arguments = ["input.yaml", "-w", "work"]
    if tuple(map(int, SEVENN.split(".")[:2])) >= (0, 11):
        arguments = ["train", *arguments]
    run = "from sevenn.main.sevenn import main; main()"
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'sevenn'; {run}", *arguments]
    (folder / "work").mkdir()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return torch.load(folder / "work" / "checkpoint_best.pth", weights_only=False)


def make(name: str, options: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        checkpoint = trained(options, folder)
        torch.set_default_dtype(torch.float64)
        config = checkpoint["config"]
        model = double(build_E3_equivariant_model(dict(config)), checkpoint["model_state_dict"])
        torch.set_default_dtype(torch.float32)
        for key in ("optimizer_state_dict", "scheduler_state_dict"):
            checkpoint.pop(key, None)
        code = [f"sevenn {SEVENN}", f"e3nn {version('e3nn')}"]
        evaluate = evaluator(model, config[KEY.TYPE_MAP])
        torch.save(checkpoint, folder / "bare.pth")
        save(f"sevenn-{SEVENN}-{name}.pth", folder / "bare.pth", evaluate, made_with=code)
        if "_model_type" in config:
            del config["_model_type"]
            torch.save(checkpoint, folder / "bare.pth")
            about = {"made_with": code, "left_out": "_model_type"}
            save(f"sevenn-{SEVENN}-{name}-untyped.pth", folder / "bare.pth", evaluate, **about)


def main() -> None:
    for name, options in MODELS.items():
        make(name, options)


if __name__ == "__main__":
    main()
