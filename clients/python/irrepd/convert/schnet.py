"""The SchNet representation of SchNetPack (Schuett et al. 2018, 10.1063/1.5019779)."""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert.modules import Module
from irrepd.convert.schnetpack_modules import network_of, plain_of
from irrepd.errors import FormatError

LAYERS_MAX = 16
_PARTS = {"n_atom_basis", "size", "n_filters", "cutoff"}
_PARTS |= {"radial_basis", "cutoff_fn", "embedding", "interactions", "electronic_embeddings"}


def convert(
    module: Module, n_basis: int, channels: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and hyperparameters of the layers; shared ones are written once for each."""
    module.only(_PARTS)
    interactions = list(module.child("interactions").children())
    if not 0 < len(interactions) <= LAYERS_MAX:
        raise FormatError(f"{len(interactions)} interactions; 1 to {LAYERS_MAX} are supported")
    tensors: dict[str, np.ndarray] = {}
    cards = [
        _layer(f"layers.{t}", interaction, n_basis, channels, tensors)
        for t, interaction in enumerate(interactions)
    ]
    return tensors, {"layers": cards}


def _layer(
    name: str, module: Module, n_basis: int, channels: int, tensors: dict[str, np.ndarray]
) -> dict[str, Any]:
    module.expect("SchNetInteraction")
    module.only({"in2f", "f2out", "filter_network"})
    filters, filter_activation = network_of(module.child("filter_network"), "ssp")
    if filters[0][0].shape[0] != n_basis:
        raise FormatError(f"'{module.path}' has filters of another basis")
    n_filters = filters[-1][0].shape[1]
    for i, (weight, bias) in enumerate(filters):
        tensors[f"{name}.filter.{i}.weight"] = weight
        if bias is not None:
            tensors[f"{name}.filter.{i}.bias"] = bias
    up, _ = plain_of(module.child("in2f"), channels, n_filters)
    tensors[f"{name}.linear_up.0e.weight"] = up
    out, activation = network_of(module.child("f2out"), "ssp")
    if [weight.shape for weight, _ in out] != [(n_filters, channels), (channels, channels)]:
        raise FormatError(f"'{module.path}' is not of two layers of {channels} features")
    for part, (weight, bias) in zip(("linear_down", "linear_out"), out):
        tensors[f"{name}.{part}.0e.weight"] = weight
        if bias is not None:
            tensors[f"{name}.{part}.bias"] = bias
    hidden = [weight.shape[1] for weight, _ in filters[:-1]]
    return {
        "irreps_mid": f"{n_filters}x0e",
        "activation": activation,
        "filter": {"hidden": hidden, "activation": filter_activation},
    }
