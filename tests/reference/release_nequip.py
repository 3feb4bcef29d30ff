"""Writes fixtures/releases/ of the installed nequip and nequip-allegro (release_fixtures.py).

The models are trained for two epochs by nequip-train and packaged by nequip-package themselves.
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
import torch
from nequip.utils.global_state import set_global_state
from release_answers import R_MAX, SYMBOLS, Evaluate, Structure, save, training_data

try:
    from nequip.model.saved_models import ModelFromCheckpoint
except ImportError:  # before 0.10
    from nequip.model import ModelFromCheckpoint

NEQUIP, ALLEGRO = version("nequip"), version("nequip-allegro")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")[:2]))


SINCE_0_8 = _numbers(NEQUIP) >= (0, 8)
SINCE_0_16 = _numbers(NEQUIP) >= (0, 16)
SINCE_ALLEGRO_0_5 = _numbers(ALLEGRO) >= (0, 5)

SHIFTS = [-1.0, -2.0, -3.0]
COMMON: dict[str, Any] = {
    "seed": 5,
    "model_dtype": "float64",
    "type_names": list(SYMBOLS),
    "r_max": R_MAX,
    "avg_num_neighbors": 2.7,
    "per_type_energy_scales": 1.5,
    "per_type_energy_shifts": dict(zip(SYMBOLS, SHIFTS)) if SINCE_0_8 else SHIFTS,
    "pair_potential": {
        "_target_": "nequip.nn.pair_potential.ZBL",
        "chemical_species": list(SYMBOLS),
        "units": "metal",
    },
}
NEQUIP_MODEL: dict[str, Any] = {
    **COMMON,
    "_target_": "nequip.model.NequIPGNNModel",
    "num_layers": 3,
    "l_max": 2,
    "num_features": 2,
    "num_bessels": 3,
    "polynomial_cutoff_p": 5,
    "radial_mlp_depth": 1,
    "radial_mlp_width": 4,
}
BESSEL = {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 3}
BESSEL["polynomial_cutoff_p"] = 5
ALLEGRO_MODEL: dict[str, Any] = {
    **COMMON,
    "_target_": "allegro.model.AllegroModel",
    "l_max": 2,
    "num_layers": 2,
    "num_scalar_features": 4,
    "num_tensor_features": 2,
    "allegro_mlp_hidden_layers_width": 4,
    "readout_mlp_hidden_layers_width": 4,
}
if SINCE_ALLEGRO_0_5:
    ALLEGRO_MODEL |= {
        "radial_chemical_embed": BESSEL,
        "radial_chemical_embed_dim": 4,
        "scalar_embed_mlp_hidden_layers_width": 4,
        "parity": True,
    }
else:
    ALLEGRO_MODEL |= {
        "scalar_embed": {
            **BESSEL, "two_body_embedding_dim": 4, "two_body_mlp_hidden_layers_width": 4,
        },
        "parity_setting": "o3_full",
        "tp_path_channel_coupling": True,
    }  # fmt: skip
SPLINE = {"_target_": "allegro.nn.TwoBodySplineScalarEmbed", "num_splines": 6, "spline_span": 3}
ALLEGRO_SPLINE = {
    **{key: value for key, value in ALLEGRO_MODEL.items() if "embed" not in key},
    "num_layers": 1,
}
if SINCE_ALLEGRO_0_5:
    ALLEGRO_SPLINE |= {"radial_chemical_embed": SPLINE, "parity": False}
    ALLEGRO_SPLINE["scalar_embed_mlp_hidden_layers_width"] = 4
else:
    ALLEGRO_SPLINE |= {"scalar_embed": SPLINE, "parity_setting": "o3_restricted"}
MODELS = {
    f"nequip-{NEQUIP}-parity": {**NEQUIP_MODEL, "parity": True},
    f"nequip-{NEQUIP}-even": {**NEQUIP_MODEL, "parity": False},
    f"allegro-{ALLEGRO}-bessel": ALLEGRO_MODEL,
    f"allegro-{ALLEGRO}-spline": ALLEGRO_SPLINE,
}
SINGLE = f"nequip-{NEQUIP}-single"
if SINCE_0_16:
    MODELS[SINGLE] = {**NEQUIP_MODEL, "parity": False, "model_dtype": "float32"}
    MODELS[SINGLE]["avg_num_neighbors"] = {"H": 2.3, "C": 2.9, "O": 3.1}
    MODELS[f"allegro-{ALLEGRO}-single"] = {**ALLEGRO_MODEL, "model_dtype": "float32"}


def configuration(model: dict[str, Any]) -> dict[str, Any]:
    loader = {"_target_": "torch.utils.data.DataLoader", "batch_size": 2}
    transforms = "nequip.data.transforms."
    return {
        "run": ["train"],
        **({} if SINCE_0_16 else {"global_options": {"allow_tf32": False}}),
        "data": {
            "_target_": "nequip.data.datamodule.ASEDataModule",
            "seed": 1,
            "split_dataset": {"file_path": "data.xyz", "train": 4, "val": 2},
            "transforms": [
                {
                    "_target_": f"{transforms}ChemicalSpeciesToAtomTypeMapper",
                    "model_type_names" if SINCE_0_16 else "chemical_symbols": list(SYMBOLS),
                },
                {"_target_": f"{transforms}NeighborListTransform", "r_max": R_MAX},
            ],
            "train_dataloader": loader,
            "val_dataloader": loader,
        },
        "trainer": {
            "_target_": "lightning.Trainer",
            "accelerator": "cpu",
            "max_epochs": 2,
            "logger": False,
            "enable_progress_bar": False,
            "callbacks": [
                {
                    "_target_": "lightning.pytorch.callbacks.ModelCheckpoint",
                    "dirpath": ".",
                    "filename": "best",
                    "save_last": True,
                }
            ],
        },
        "training_module": {
            "_target_": "nequip.train.EMALightningModule",
            "ema_decay": 0.5,
            "loss": {
                "_target_": "nequip.train.EnergyForceLoss",
                "coeffs": {"total_energy": 1.0, "forces": 1.0},
            },
            "val_metrics": {
                "_target_": "nequip.train.EnergyForceMetrics",
                "coeffs": {"total_energy_rmse": 1.0, "forces_rmse": 1.0},
            },
            "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.01},
            "model": model,
        },
    }


def evaluator(model: torch.nn.Module) -> Evaluate:
    model.eval()

    def evaluate(structure: Structure) -> tuple[np.ndarray, np.ndarray]:
        edges, shifts = structure.edges()
        types = [SYMBOLS.index({1: "H", 6: "C", 8: "O"}[z]) for z in structure.numbers]
        data = {
            "pos": torch.tensor(structure.positions),
            "edge_index": torch.as_tensor(np.array([edges.receivers, edges.senders])),
            "atom_types": torch.tensor(types),
        }
        if structure.pbc.any():
            data["cell"] = torch.tensor(structure.cell).view(1, 3, 3)
            data["edge_cell_shift"] = torch.tensor(shifts)
        out = model(data)
        energies, forces = out["atomic_energy"].detach(), out["forces"].detach()
        return energies.double().numpy().ravel(), forces.double().numpy()

    return evaluate


def loaded(checkpoint: Path, options: dict[str, Any]) -> torch.nn.Module:
    """The checkpoint's model; of one in float32, its weights in a model made in float64."""
    model = ModelFromCheckpoint(str(checkpoint))
    model = model["sole_model"] if isinstance(model, torch.nn.ModuleDict) else model
    if options["model_dtype"] == "float64":
        return model
    from allegro.model import AllegroModel
    from nequip.model import NequIPGNNModel

    options = {**options, "model_dtype": "float64"}
    build = {"AllegroModel": AllegroModel, "NequIPGNNModel": NequIPGNNModel}
    double = build[options.pop("_target_").rpartition(".")[2]](**options)
    double = double["sole_model"] if isinstance(double, torch.nn.ModuleDict) else double
    couplings = ("._w3j_", ".w3j")  # its own are exact
    weights = {k: v for k, v in model.state_dict().items() if not any(c in k for c in couplings)}
    result = double.load_state_dict(weights, strict=False)
    assert all(any(c in key for c in couplings) for key in result.missing_keys)
    assert not result.unexpected_keys
    return double


def package(folder: Path) -> Path:
    target = folder / "packaged.nequip.zip"
    command = [sys.executable, "-m", "nequip.scripts.package"]
    if _numbers(NEQUIP) >= (0, 9):
        command += ["build", "last.ckpt", target.name]
    else:
        command += ["build"] if SINCE_0_8 else []
        command += ["--ckpt-path", "last.ckpt", "--output-path", target.name]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return target


def make(name: str, options: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ase.io.write(folder / "data.xyz", training_data(), format="extxyz")
        (folder / "train.yaml").write_text(json.dumps(configuration(options)))
        train = [sys.executable, "-m", "nequip.scripts.train", "-cn", "train.yaml", "-cp", folder]
        subprocess.run(train, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        evaluate = evaluator(loaded(folder / "last.ckpt", options))
        code = [f"nequip {NEQUIP}", f"nequip-allegro {ALLEGRO}", f"e3nn {version('e3nn')}"]
        if not name.endswith("-spline"):
            save(f"{name}.nequip.zip", package(folder), evaluate, made_with=code)
        if options["model_dtype"] == "float64":
            checkpoint = torch.load(folder / "last.ckpt", weights_only=False)
            for key in ("callbacks", "loops", "optimizer_states"):
                del checkpoint[key]
            torch.save(checkpoint, folder / "bare.ckpt")
            save(f"{name}.ckpt", folder / "bare.ckpt", evaluate, made_with=code)


def main() -> None:
    set_global_state()
    for name, options in MODELS.items():
        make(name, options)


if __name__ == "__main__":
    main()
