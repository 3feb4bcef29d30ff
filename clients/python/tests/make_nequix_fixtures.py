"""Writes fixtures/nequix*.nqx, nequix.pt and nequix.json: tiny Nequix models, one by both backends.

Needs the packages of tests/reference/requirements-nequix.txt; the tests need none of them. Run from
anywhere: python make_nequix_fixtures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from nequix.model import Nequix
from nequix.model import save_model as save_nqx
from nequix.torch_impl.model import save_model as save_torch
from nequix.torch_impl.utils import convert_model_jax_to_torch

HERE = Path(__file__).resolve().parent / "fixtures"
NUMBERS = [1, 6, 8, 1]
POSITIONS = [[0.0, 0.1, 0.0], [1.1, 0.3, -0.2], [1.6, 1.4, 0.3], [1.5, -0.6, 0.7]]
CONFIG: dict[str, Any] = {
    "atomic_numbers": [1, 6, 8],
    "atom_energies": {"1": -1.5, "6": 0.5, "8": 2.0},
    "cutoff": 3.5,
    "hidden_irreps": "3x0e+2x1o",
    "lmax": 1,
    "n_layers": 2,
    "radial_basis_size": 3,
    "radial_mlp_size": 4,
    "radial_mlp_layers": 1,
    "radial_polynomial_p": 6.0,
    "mlp_init_scale": 4.0,
    "index_weights": False,
    "layer_norm": True,
    "shift": -0.5,
    "scale": 1.25,
    "avg_n_neighbors": 3.0,
    "optimizer": "adam",
    "train_path": "/data/mptrj",
    "n_epochs": 2,
}


# What the torch backend lacks: weights by species, and layers without norms.
VARIANTS = {
    "nequix-species": {
        **CONFIG,
        "index_weights": True,
        "lmax": 2,
        "hidden_irreps": "3x0e+2x1o+1x2e",
    },
    "nequix-plain": {**CONFIG, "layer_norm": False, "radial_mlp_layers": 2},
}


def built(config: dict[str, Any]) -> Nequix:
    trained = ("atomic_numbers", "atom_energies", "optimizer", "train_path", "n_epochs")
    given = {key: value for key, value in config.items() if key not in trained}
    energies = list(config["atom_energies"].values())
    return Nequix(jax.random.key(3), n_species=3, atom_energies=energies, **given)


def main() -> None:
    model = built(CONFIG)
    save_nqx(HERE / "nequix.nqx", model, CONFIG)
    twin, _ = convert_model_jax_to_torch(model, CONFIG, False)
    save_torch(HERE / "nequix.pt", twin, CONFIG)
    torch.set_default_dtype(torch.float64)
    exact, _ = convert_model_jax_to_torch(model, CONFIG, False)
    exact = exact.double().eval()
    receivers, senders = np.nonzero(~np.eye(4, dtype=bool))
    positions = np.array(POSITIONS)
    vectors = positions[senders] - positions[receivers]
    species = np.array([CONFIG["atomic_numbers"].index(number) for number in NUMBERS])
    given = [torch.tensor(x) for x in (vectors, species, senders, receivers)]
    energies = {"nequix": exact.node_energies(*given).ravel().tolist()}
    for name, config in VARIANTS.items():
        model = built(config)
        save_nqx(HERE / f"{name}.nqx", model, config)
        with jax.enable_x64(True):
            double = jax.tree.map(lambda leaf: jnp.asarray(leaf, np.float64), model)
            graph = [jnp.asarray(x) for x in (vectors, species, senders, receivers)]
            energies[name] = np.asarray(double.node_energies(*graph)).ravel().tolist()
    answers = {"numbers": NUMBERS, "positions": POSITIONS, "energies": energies}
    (HERE / "nequix.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main()
