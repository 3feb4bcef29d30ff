"""Writes fixtures/NAME.ckpt, NAME.nequip.zip and NAME.json: tiny models as trained, NAME being
nequip or allegro.

Made by nequip-train itself, with averaged weights, and by nequip-package; the package is left
without its source code, and compressed (tests store it anew). Needs the packages of
tests/reference/requirements-nequip.txt; the tests need none of them. Run from anywhere:
python make_nequip_fixtures.py [NAME ..]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import torch
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from nequip.model.saved_models import load_saved_model
from nequip.utils.global_state import set_global_state

HERE = Path(__file__).resolve().parent / "fixtures"
NUMBERS = [1, 6, 8, 1]
POSITIONS = [[0.0, 0.1, 0.0], [1.1, 0.3, -0.2], [1.6, 1.4, 0.3], [1.5, -0.6, 0.7]]
TYPES = ["H", "C", "O"]

R_MAX = 3.5
COMMON: dict[str, Any] = {
    "seed": 5,
    "model_dtype": "float64",
    "type_names": TYPES,
    "r_max": R_MAX,
    "num_layers": 2,
    "l_max": 1,
    "parity": True,
    "avg_num_neighbors": {"H": 3.0, "C": 2.5, "O": 2.0},
    "per_type_energy_scales": 1.5,
    "per_type_energy_scales_trainable": True,
    "per_type_energy_shifts": {"H": -1.0, "C": -2.0, "O": -3.0},
    "per_edge_type_cutoff": {"H": 3.0},
    "pair_potential": {
        "_target_": "nequip.nn.pair_potential.ZBL",
        "chemical_species": TYPES,
        "units": "metal",
    },
}
MODELS: dict[str, dict[str, Any]] = {
    "nequip": {
        "_target_": "nequip.model.NequIPGNNModel",
        **COMMON,
        "num_features": 2,
        "num_bessels": 3,
        "radial_mlp_width": 4,
    },
    "allegro": {
        "_target_": "allegro.model.AllegroModel",
        **COMMON,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": 3,
            "bessel_trainable": True,
        },
        "num_scalar_features": 4,
        "num_tensor_features": 2,
        "scalar_embed_mlp_hidden_layers_width": 4,
        "allegro_mlp_hidden_layers_width": 3,
        "readout_mlp_hidden_layers_width": 3,
    },
}


def configuration(data: str, model: dict[str, Any]) -> dict[str, Any]:
    loader = {"_target_": "torch.utils.data.DataLoader", "batch_size": 2}
    transforms = "nequip.data.transforms."
    return {
        "run": ["train"],
        "data": {
            "_target_": "nequip.data.datamodule.ASEDataModule",
            "seed": 1,
            "split_dataset": {"file_path": data, "train": 4, "val": 2},
            "transforms": [
                {
                    "_target_": f"{transforms}ChemicalSpeciesToAtomTypeMapper",
                    "model_type_names": TYPES,
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


def structures() -> list[Atoms]:
    rng = np.random.default_rng(0)
    result = []
    for _ in range(6):
        atoms = Atoms(NUMBERS, POSITIONS + rng.uniform(-0.1, 0.1, (4, 3)))
        forces = rng.normal(size=(4, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=forces)
        result.append(atoms)
    return result


def energies(checkpoint: Path) -> list[float]:
    """Of the atoms, by the averaged weights."""
    model = load_saved_model(str(checkpoint)).eval()
    pairs = torch.tensor([(i, j) for i in range(4) for j in range(4) if i != j]).T
    positions = torch.tensor(POSITIONS, dtype=torch.float64)
    vectors = positions[pairs[1]] - positions[pairs[0]]
    near = vectors.norm(dim=1) < R_MAX
    symbols = {6: "C", 8: "O", 1: "H"}
    data = {
        "pos": positions,
        "edge_index": pairs[:, near],
        "edge_vectors": vectors[near],
        "atom_types": torch.tensor([TYPES.index(symbols[z]) for z in NUMBERS]),
    }
    return model(data)["atomic_energy"].detach().ravel().tolist()


def strip(source: Path, target: Path) -> None:
    """The package without source code, compressed, and dated alike every time."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if not entry.filename.endswith((".py", "example_data.pkl", "compile_model.pkl")):
                info = zipfile.ZipInfo(entry.filename)
                new.writestr(info, old.read(entry), zipfile.ZIP_DEFLATED)


def make(name: str, model: dict[str, Any]) -> None:
    scripts = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ase.io.write(folder / "data.xyz", structures(), format="extxyz")
        (folder / "train.yaml").write_text(json.dumps(configuration("data.xyz", model)))
        train = [scripts / "nequip-train", "-cn", "train.yaml", "-cp", folder]
        subprocess.run(train, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        package = [scripts / "nequip-package", "build", "last.ckpt", "packaged.nequip.zip"]
        subprocess.run(package, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        answers = {"numbers": NUMBERS, "positions": POSITIONS}
        answers["energies"] = energies(folder / "last.ckpt")
        (HERE / f"{name}.json").write_text(json.dumps(answers) + "\n")
        checkpoint = torch.load(folder / "last.ckpt", weights_only=False)
        del checkpoint["callbacks"]  # where it was written
        torch.save(checkpoint, HERE / f"{name}.ckpt")
        strip(folder / "packaged.nequip.zip", HERE / f"{name}.nequip.zip")


def main() -> None:
    set_global_state()
    for name in sys.argv[1:] or MODELS:
        make(name, MODELS[name])


if __name__ == "__main__":
    main()
