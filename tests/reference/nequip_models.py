"""Small random NequIP models for the fixtures: every option that the converter understands."""

from __future__ import annotations

from typing import Any

ZBL = "nequip.nn.pair_potential.ZBL"
SMALL = {"radial_mlp_width": 8, "type_embed_num_features": 4}


def _by_type(names: list[str], values: list[float]) -> dict[str, float]:
    return dict(zip(names, values))


def _zbl(names: list[str], p: int = 6) -> dict[str, Any]:
    return {"_target_": ZBL, "chemical_species": names, "units": "metal", "polynomial_cutoff_p": p}


# Name: options of a builder of nequip.model.nequip_models, in which "model_dtype" is float32 unless
# given. The presets have their published shapes, but narrower.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "nequip-s": {
        "_target_": "nequip.model.PresetNequIPGNNModel",
        "preset": "S",
        **SMALL,
        "num_features": [8, 4],
        "r_max": 4.4,
        "type_names": ["H", "C", "O"],
        "avg_num_neighbors": _by_type(["H", "C", "O"], [11.5, 14.0, 12.25]),
        "per_type_energy_scales": 1.7,
        "per_type_energy_shifts": _by_type(["H", "C", "O"], [-3.25, 1.5, 2.0]),
    },
    "nequip-m": {
        "_target_": "nequip.model.PresetNequIPGNNModel",
        "preset": "M",
        **SMALL,
        "num_features": [6, 4, 3],
        "r_max": 3.9,
        "type_names": ["Si", "O"],
        "avg_num_neighbors": 14.5,
        "per_type_energy_scales": _by_type(["Si", "O"], [1.25, 0.75]),
        "per_type_energy_shifts": _by_type(["Si", "O"], [-5.5, -2.5]),
        "pair_potential": _zbl(["Si", "O"]),
    },
    "nequip-l": {
        "_target_": "nequip.model.PresetNequIPGNNModel",
        "preset": "L",
        **SMALL,
        "num_features": [4, 3, 2, 2],
        "r_max": 3.6,
        "type_names": ["C"],
        "pair_potential": _zbl(["C"]),
        "avg_num_neighbors": 10.0,
        "per_type_energy_scales": 2.0,
        "per_type_energy_shifts": -1.0,
    },
    "nequip-parity": {
        "_target_": "nequip.model.NequIPGNNModel",
        **SMALL,
        "num_layers": 3,
        "l_max": 2,
        "parity": True,
        "num_features": [5, 3, 2],
        "r_max": 4.0,
        "type_names": ["N", "H"],
        "avg_num_neighbors": 9.0,
        "num_bessels": 5,
        "polynomial_cutoff_p": 4,
        "per_type_energy_shifts": _by_type(["N", "H"], [-8.0, -1.0]),
    },
    "nequip-l4": {
        "_target_": "nequip.model.NequIPGNNModel",
        **SMALL,
        "model_dtype": "float64",
        "num_layers": 2,
        "l_max": 4,
        "parity": False,
        "num_features": [4, 3, 2, 2, 1],
        "radial_mlp_depth": 2,
        "r_max": 4.2,
        "type_names": ["Cu", "Zn"],
        "avg_num_neighbors": 20.0,
        "per_type_energy_scales": 0.5,
    },
    "nequip-edges": {
        "_target_": "nequip.model.NequIPGNNModel",
        **SMALL,
        "num_layers": 3,
        "l_max": 1,
        "parity": True,
        "num_features": 4,
        "r_max": 4.5,
        "type_names": ["O", "H", "C"],
        "per_edge_type_cutoff": {"H": 3.1, "C": {"H": 3.8, "O": 4.1}},
        "avg_num_neighbors": _by_type(["O", "H", "C"], [10.0, 5.5, 9.0]),
        "readout_mlp_hidden_layers_depth": 2,
        "readout_mlp_hidden_layers_width": 6,
        "readout_mlp_nonlinearity": "mish",
        "pair_potential": _zbl(["O", "H", "C"], 5),
        "per_type_energy_scales": 1.5,
    },
    "nequip-pairs": {
        "_target_": "nequip.model.NequIPGNNModel",
        **SMALL,
        "num_layers": 2,
        "l_max": 2,
        "parity": False,
        "num_features": 4,
        "r_max": 4.3,
        "type_names": ["Ti", "O"],
        "per_edge_type_cutoff": {"Ti": {"Ti": 4.3, "O": 3.7}, "O": {"Ti": 3.7, "O": 4.0}},
        "avg_num_neighbors": 12.0,
        "bessel_trainable": True,
        "readout_mlp_hidden_layers_depth": 1,
        "readout_mlp_nonlinearity": "gelu",
        "per_type_energy_scales_trainable": True,
        "per_type_energy_scales": 1.5,
    },
    "nequip-scalars": {
        "_target_": "nequip.model.NequIPGNNModel",
        **SMALL,
        "num_layers": 2,
        "l_max": 0,
        "num_features": 8,
        "r_max": 5.0,
        "type_names": ["H", "O"],
        "avg_num_neighbors": 15.0,
        "readout_mlp_hidden_layers_depth": 1,
        "readout_mlp_nonlinearity": None,
        "per_type_energy_scales": 1.5,
    },
    "nequip-full": {
        "_target_": "nequip.model.FullNequIPGNNModel",
        "radial_mlp_depth": [1, 2, 1],
        "radial_mlp_width": [6, 8, 4],
        "feature_irreps_hidden": ["6x0e+4x0o+3x1o+2x1e", "4x0e+2x2e+3x1e+2x0o+2x1o", "5x0e"],
        "irreps_edge_sh": "0e+1o+2e",
        "type_embed_num_features": 3,
        "categorical_graph_field_embed": [
            {"field": "charge", "num_features": 2, "min": -1, "max": 1}
        ],
        "r_max": 4.0,
        "type_names": ["Al", "Cl"],
        "avg_num_neighbors": 8.0,
        "learnable_shift": True,
        "convnet_nonlinearity_scalars": {"e": "ssp", "o": "tanh"},
        "convnet_nonlinearity_gates": {"e": "tanh", "o": "tanh"},
        "readout_mlp_hidden_layers_depth": 1,
        "readout_mlp_nonlinearity": "softplus",
        "per_type_energy_shifts": 1.5,
    },
}
CHARGE = {"nequip-full": 1}  # the value of the embedded graph field
