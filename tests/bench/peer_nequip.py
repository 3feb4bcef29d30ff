"""nequip and nequip-allegro: NequIP's preset M and an Allegro model, with random weights.

They run as ASE's users have them: eager, or compiled by AOTInductor as nequip-compile does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from peer import SEED, serve

TYPE_NAMES = ["Si"]
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "nequip-m": {
        "_target_": "nequip.model.PresetNequIPGNNModel",
        "preset": "M",
        "r_max": 6.0,
        "type_names": TYPE_NAMES,
        "avg_num_neighbors": 46.0,
    },
    "allegro-l2": {
        "_target_": "allegro.model.AllegroModel",
        "r_max": 6.0,
        "type_names": TYPE_NAMES,
        "l_max": 2,
        "parity": True,
        "num_layers": 2,
        "num_scalar_features": 64,
        "num_tensor_features": 32,
        "avg_num_neighbors": 46.0,
        "radial_chemical_embed": {
            "_target_": "allegro.nn.TwoBodyBesselScalarEmbed",
            "num_bessels": 8,
        },
    },
}


def build(options: dict[str, Any], precision: str) -> Any:
    """The model in eager mode."""
    from nequip.utils.global_state import set_global_state

    set_global_state()
    options = {"seed": SEED, **options, "model_dtype": precision}
    target = options.pop("_target_").rpartition(".")[2]
    if target == "AllegroModel":
        from allegro.model import AllegroModel as builder
    else:
        import nequip.model.nequip_models as models

        builder = getattr(models, target)
    return builder(**options).eval()


def compile_network(network: Any, data: Any, path: Path) -> Any:
    """nequip-compile --mode aotinductor --target ase; the compiled file is kept."""
    from nequip.model.inference_models.aotinductor import DictInputOutputWrapper
    from nequip.scripts._compile_utils import COMPILE_TARGET_DICT
    from nequip.utils.aot import aot_export_model
    from torch import _inductor, export

    target = COMPILE_TARGET_DICT["ase"]
    fields = {"input_fields": target["input"], "output_fields": target["output"]}
    if not path.exists():
        names = {"graph": "num_frames", "node": "num_nodes", "edge": "num_edges"}
        dimensions = {key: export.Dim(name, min=2) for key, name in names.items()}
        aot_export_model(
            model=network,
            device="cpu",
            data=target["data_settings"](data.copy()),
            batch_map=target["batch_map_settings"](dimensions),
            output_path=str(path),
            **fields,
        )
    return DictInputOutputWrapper(_inductor.aoti_load_package(str(path)), *fields.values())


class Nequip:
    packages = ("torch", "nequip", "nequip-allegro", "e3nn", "matscipy")

    def make(self, model: str, path: str) -> None:
        """What nequip-train's checkpoint holds of a model."""
        import torch

        options = {"seed": SEED, "model_dtype": "float32", **CONFIGURATIONS[model]}
        network = build(CONFIGURATIONS[model], "float32")
        state = {f"model.sole_model.{key}": value for key, value in network.state_dict().items()}
        info = {
            "versions": {"nequip": "0.19.1"},
            "training_module": {
                "_target_": "nequip.train.NequIPLightningModule",
                "model": options,
            },
        }
        checkpoint = {
            "epoch": 0,
            "state_dict": {"run_stage": torch.zeros(1, dtype=torch.long), **state},
            "hyper_parameters": {"model": options, "info_dict": info},
        }
        torch.save(checkpoint, path)

    def load(self, model: str, path: str, precision: str, compiled: bool = False) -> None:
        import torch
        from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform

        options = CONFIGURATIONS[model]
        checkpoint = torch.load(path, weights_only=False)
        prefix = "model.sole_model."
        weights = {
            key[len(prefix) :]: value
            for key, value in checkpoint["state_dict"].items()
            if key.startswith(prefix) and "w3j" not in key
        }
        self.network = build(options, precision)
        self.network.load_state_dict(weights, strict=False)
        self.compiled = Path(path).with_suffix(f".{precision}.nequip.pt2") if compiled else None
        self.transforms = [
            ChemicalSpeciesToAtomTypeMapper(model_type_names=options["type_names"]),
            NeighborListTransform(r_max=options["r_max"], type_names=options["type_names"]),
        ]

    def prepare(self, atoms: Any) -> Any:
        from nequip.data import from_dict
        from nequip.data.ase import from_ase

        data = from_ase(atoms)
        for transform in self.transforms:
            data = transform(data)
        return from_dict(data)

    def evaluate(self, data: Any) -> float:
        if self.compiled:
            self.network, self.compiled = compile_network(self.network, data, self.compiled), None
        out = self.network(data)
        out["forces"].detach().numpy()
        out["stress"].detach().numpy()
        return out["total_energy"].item()


if __name__ == "__main__":
    serve(Nequip())
