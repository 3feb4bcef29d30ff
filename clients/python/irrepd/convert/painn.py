"""The PaiNN representation of SchNetPack (Schuett, Unke and Gastegger 2021, arXiv:2102.03150)."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from irrepd.convert.modules import Module
from irrepd.convert.schnetpack_modules import network_of, plain_of
from irrepd.errors import FormatError

LAYERS_MAX = 16
EPSILON_MIN, EPSILON_MAX = 1e-30, 1.0
HARMONIC_NORM = 1 / sqrt(3)  # upstream multiplies by directions, the format by harmonics
_PARTS = {"n_atom_basis", "n_interactions", "cutoff", "share_filters"}
_PARTS |= {"radial_basis", "cutoff_fn", "embedding", "interactions", "mixing", "filter_net"}
_PARTS |= {"electronic_embeddings"}  # since 2.1


def convert(
    module: Module, n_basis: int, channels: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and hyperparameters of the layers; shared ones are written once for each."""
    module.only(_PARTS)
    interactions = list(module.child("interactions").children())
    mixings = list(module.child("mixing").children())
    n_layers = len(interactions)
    if not 0 < n_layers <= LAYERS_MAX or len(mixings) != n_layers:
        raise FormatError(
            f"{n_layers} interactions and {len(mixings)} mixings; 1 to {LAYERS_MAX}, "
            "as many of either, are supported"
        )
    n_filters = 1 if module.flag("share_filters", False) else n_layers
    columns = 3 * channels
    weights, biases = plain_of(module.child("filter_net"), n_basis, n_filters * columns, bias=True)
    assert biases is not None
    tensors: dict[str, np.ndarray] = {}
    cards = []
    for t, (interaction, mixing) in enumerate(zip(interactions, mixings)):
        name, first, last = f"layers.{t}", t == 0, t == n_layers - 1
        own = slice(t % n_filters * columns, (t % n_filters + 1) * columns)
        _filter(f"{name}.filter.0", weights[:, own], biases[own], channels, first, tensors)
        activation = _interaction(name, interaction, channels, first, tensors)
        cards.append(_mixing(name, mixing, channels, last, tensors, activation))
    return tensors, {"layers": cards}


def _filter(
    name: str,
    weight: np.ndarray,
    bias: np.ndarray,
    channels: int,
    first: bool,
    tensors: dict[str, np.ndarray],
) -> None:
    """The columns of what is sent; at first there are no vectors, which the last ones multiply."""
    factor = np.repeat([1.0, HARMONIC_NORM, 1.0], channels)
    sent = slice(0, 2 * channels if first else 3 * channels)
    tensors[f"{name}.weight"] = (weight * factor)[:, sent]
    tensors[f"{name}.bias"] = (bias * factor)[sent]


def _interaction(
    name: str, module: Module, channels: int, first: bool, tensors: dict[str, np.ndarray]
) -> str:
    """The scalars that are sent; returns the activation."""
    module.expect("PaiNNInteraction")
    module.only({"n_atom_basis", "interatomic_context_net"})
    activation = _context(
        module.child("interatomic_context_net"),
        [(f"{name}.linear_context", slice(0, channels))],
        f"{name}.linear_send",
        channels,
        slice(0, 2 * channels if first else 3 * channels),
        tensors,
    )
    return activation


def _mixing(
    name: str,
    module: Module,
    channels: int,
    last: bool,
    tensors: dict[str, np.ndarray],
    activation: str,
) -> dict[str, Any]:
    """What changes an atom by itself; returns the layer's card."""
    module.expect("PaiNNMixing")
    module.only({"n_atom_basis", "intraatomic_context_net", "mu_channel_mix", "epsilon"})
    epsilon = module.number("epsilon")
    if not EPSILON_MIN <= epsilon <= EPSILON_MAX:
        raise FormatError(
            f"'{module.where('epsilon')}' is {epsilon}, not within {EPSILON_MIN}..{EPSILON_MAX}"
        )
    mix, _ = plain_of(module.child("mu_channel_mix"), channels, 2 * channels)
    tensors[f"{name}.linear_mix.1o.weight"] = mix
    # Upstream's columns: of the scalars, the vectors, the scalar products. The last layer's
    # vectors are of no use to an energy.
    order = np.arange(3 * channels).reshape(3, channels)[[0, 2] if last else [0, 2, 1]].ravel()
    own = _context(
        module.child("intraatomic_context_net"),
        [
            (f"{name}.linear_scalars", slice(0, channels)),
            (f"{name}.linear_norms", slice(channels, 2 * channels)),
        ],
        f"{name}.linear_update",
        channels,
        order,
        tensors,
    )
    if own != activation:
        raise FormatError(
            f"'{module.path}' has the activation '{own}', and the interaction before it "
            f"'{activation}'; one for both is supported"
        )
    return {
        "filter": {"hidden": [], "activation": "identity"},
        "activation": activation,
        "epsilon": epsilon,
    }


def _context(
    module: Module,
    inputs: list[tuple[str, slice]],
    output: str,
    channels: int,
    columns: slice | np.ndarray,
    tensors: dict[str, np.ndarray],
) -> str:
    """A network of two layers, whose input comes in parts; only some columns of it are kept."""
    layers, activation = network_of(module, "silu")
    shapes = [(len(inputs) * channels, channels), (channels, 3 * channels)]
    biases = [bias for _, bias in layers if bias is not None]
    if [weight.shape for weight, _ in layers] != shapes or len(biases) != 2:
        raise FormatError(
            f"'{module.path}' is not of two layers, with biases, of {channels} channels"
        )
    for name, rows in inputs:
        tensors[f"{name}.0e.weight"] = layers[0][0][rows]
    tensors[f"{inputs[0][0]}.bias"] = biases[0]
    tensors[f"{output}.0e.weight"] = layers[1][0][:, columns]
    tensors[f"{output}.bias"] = biases[1][columns]
    return activation
