"""Small random Allegro models for the fixtures: every option that the converter understands."""

from __future__ import annotations

from typing import Any

BESSEL = "allegro.nn.TwoBodyBesselScalarEmbed"
SPLINE = "allegro.nn.TwoBodySplineScalarEmbed"
ZBL = "nequip.nn.pair_potential.ZBL"
SMALL = {
    "scalar_embed_mlp_hidden_layers_width": 8,
    "allegro_mlp_hidden_layers_width": 8,
    "readout_mlp_hidden_layers_width": 6,
    "num_scalar_features": 8,
    "num_tensor_features": 4,
}


def _bessels(**options: Any) -> dict[str, Any]:
    return {"_target_": BESSEL, **options}


def _zbl(names: list[str], p: int = 6) -> dict[str, Any]:
    return {"_target_": ZBL, "chemical_species": names, "units": "metal", "polynomial_cutoff_p": p}


# Name: options of a builder of allegro.model, in which "model_dtype" is float32 unless given.
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "allegro-l2": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 2,
        "parity": True,
        "num_layers": 2,
        "r_max": 4.4,
        "type_names": ["H", "C", "O"],
        "radial_chemical_embed": _bessels(),
        "avg_num_neighbors": {"H": 11.5, "C": 14.0, "O": 12.25},
        "per_type_energy_scales": 1.7,
        "per_type_energy_shifts": {"H": -3.25, "C": 1.5, "O": 2.0},
    },
    "allegro-l3": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 3,
        "parity": False,
        "num_layers": 3,
        "num_tensor_features": 3,
        "r_max": 3.9,
        "type_names": ["Si", "O"],
        "radial_chemical_embed": _bessels(num_bessels=6, polynomial_cutoff_p=4),
        "avg_num_neighbors": 14.5,
        "per_type_energy_scales": {"Si": 1.25, "O": 0.75},
        "per_type_energy_shifts": {"Si": -5.5, "O": -2.5},
        "pair_potential": _zbl(["Si", "O"]),
    },
    "allegro-parity": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 3,
        "parity": True,
        "num_layers": 3,
        "num_tensor_features": 2,
        "r_max": 4.0,
        "type_names": ["C"],
        "radial_chemical_embed": _bessels(),
        "avg_num_neighbors": 10.0,
        "per_type_energy_scales": 2.0,
        "per_type_energy_shifts": -1.0,
    },
    "allegro-spline": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 2,
        "parity": False,
        "num_layers": 1,
        "r_max": 4.2,
        "type_names": ["N", "H"],
        "radial_chemical_embed": {"_target_": SPLINE, "num_splines": 8, "spline_span": 5},
        "avg_num_neighbors": 9.0,
        "per_type_energy_shifts": {"N": -8.0, "H": -1.0},
        "pair_potential": _zbl(["N", "H"], 5),
    },
    "allegro-edges": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 1,
        "parity": True,
        "num_layers": 2,
        "r_max": 4.5,
        "type_names": ["O", "H", "C"],
        "per_edge_type_cutoff": {"H": 3.1, "C": {"H": 3.8, "O": 4.1}},
        "radial_chemical_embed": _bessels(num_bessels=5, bessel_trainable=True),
        "scalar_embed_mlp_nonlinearity": "mish",
        "allegro_mlp_hidden_layers_depth": 2,
        "readout_mlp_nonlinearity": "gelu",
        "tp_path_channel_coupling": False,
        "avg_num_neighbors": {"O": 10.0, "H": 5.5, "C": 9.0},
        "pair_potential": _zbl(["O", "H", "C"]),
        "per_type_energy_scales": 1.5,
        "per_type_energy_scales_trainable": True,
    },
    "allegro-float64": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "model_dtype": "float64",
        "l_max": 1,
        "parity": False,
        "num_layers": 2,
        "num_tensor_features": 5,
        "r_max": 4.2,
        "type_names": ["Cu", "Zn"],
        "radial_chemical_embed": {"_target_": SPLINE, "num_splines": 6, "spline_span": 6},
        "scalar_embed_mlp_hidden_layers_depth": 2,
        "readout_mlp_nonlinearity": "tanh",
        "avg_num_neighbors": 20.0,
        "per_type_energy_scales": 0.5,
    },
    "allegro-linear": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 2,
        "parity": True,
        "num_layers": 2,
        "r_max": 4.3,
        "type_names": ["Ti", "O"],
        "radial_chemical_embed": _bessels(),
        "scalar_embed_mlp_nonlinearity": None,
        "allegro_mlp_nonlinearity": None,
        "allegro_mlp_hidden_layers_depth": 2,
        "readout_mlp_nonlinearity": None,
        "readout_mlp_hidden_layers_depth": 0,
        "readout_mlp_hidden_layers_width": 1,
        "forward_normalize": False,
        "avg_num_neighbors": 12.0,
        "per_type_energy_scales": 1.5,
    },
    "allegro-full": {
        "_target_": "allegro.model.FullAllegroModel",
        **SMALL,
        "irreps_edge_sh": "0e+1o+2e",
        "tensor_track_allowed_irreps": "0e+2e+1o+2o",
        "weight_individual_irreps": False,
        "num_layers": 3,
        "r_max": 4.0,
        "type_names": ["Al", "Cl"],
        "radial_chemical_embed": _bessels(),
        "radial_chemical_embed_dim": 6,
        "scalar_embed_mlp_nonlinearity": "mish",
        "allegro_mlp_nonlinearity": "ssp",
        "forward_normalize": False,
        "avg_num_neighbors": 8.0,
        "per_type_energy_shifts": 1.5,
        "per_type_energy_shifts_trainable": True,
    },
    # Atoms with more edges than go together: libirrep takes them in parts.
    "allegro-far": {
        "_target_": "allegro.model.AllegroModel",
        **SMALL,
        "l_max": 1,
        "parity": True,
        "num_layers": 3,
        "r_max": 9.5,
        "type_names": ["K", "I"],
        "radial_chemical_embed": _bessels(),
        "avg_num_neighbors": 200.0,
    },
}
