"""Lightning checkpoints of nequip-train with a NequIP network: its options and state dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from irrepd.convert.e3nn import (
    CHANNELS_MAX,
    L_MAX,
    Entry,
    Irrep,
    Irreps,
    parse_irreps,
)
from irrepd.convert.nequip_lightning import Checkpoint, builder_of, nonlinearity_of
from irrepd.convert.nequip_model import (
    GATE_ACTIVATIONS,
    Layer,
    NequipModel,
    edge_irreps,
    with_scatter,
)
from irrepd.convert.releases import (
    NEQUIP_HIDDEN_ORDER,
    NEQUIP_NATURAL_PARITY,
    Release,
)
from irrepd.convert.state import Config, StateDict
from irrepd.errors import FormatError

_PRESETS = {
    "S": {"num_layers": 2, "l_max": 1, "num_features": [128, 64]},
    "M": {"num_layers": 4, "l_max": 2, "num_features": [128, 64, 32]},
    "L": {"num_layers": 6, "l_max": 3, "num_features": [128, 64, 32, 32]},
    "XL": {"num_layers": 6, "l_max": 4, "num_features": [320, 96, 64, 32, 32]},
}
_PRESET_DEFAULTS = {
    "parity": False,
    "type_embed_num_features": 32,
    "radial_mlp_depth": 1,
    "radial_mlp_width": 128,
}
_FULL_OPTIONS = {
    "seed", "model_dtype", "compile_mode", "r_max", "type_names", "type_embed_num_features",
    "radial_mlp_depth", "radial_mlp_width", "categorical_graph_field_embed",
    "readout_mlp_hidden_layers_depth", "readout_mlp_hidden_layers_width",
    "readout_mlp_nonlinearity", "per_edge_type_cutoff", "num_bessels", "bessel_trainable",
    "polynomial_cutoff_p", "avg_num_neighbors", "per_type_energy_scales",
    "per_type_energy_shifts", "per_type_energy_scales_trainable",
    "per_type_energy_shifts_trainable", "pair_potential", "do_derivatives", "convnet_sc",
    "learnable_shift", "convnet_resnet", "convnet_nonlinearity_type",
    "convnet_nonlinearity_scalars", "convnet_nonlinearity_gates",
}  # fmt: skip
_BUILDERS = {
    "PresetNequIPGNNModel": _FULL_OPTIONS
    | {"num_layers", "l_max", "parity", "num_features", "preset"},
    "NequIPGNNModel": _FULL_OPTIONS | {"num_layers", "l_max", "parity", "num_features"},
    "FullNequIPGNNModel": _FULL_OPTIONS | {"feature_irreps_hidden", "irreps_edge_sh"},
}
_BUILDERS |= {  # of energies alone, before nequip 0.16
    "NequIPGNNEnergyModel": _BUILDERS["NequIPGNNModel"],
    "FullNequIPGNNEnergyModel": _BUILDERS["FullNequIPGNNModel"],
}
# Modifiers that leave the model's numbers and their names as they are, or are seen in the state.
_MODIFIERS = {"enable_OpenEquivariance", "enable_CuEquivariance", "modify_PerTypeScaleShift"}


def is_checkpoint(checkpoint: Any) -> bool:
    return builder_of(checkpoint).startswith("nequip.model.")


def model_of_checkpoint(checkpoint: dict[str, Any]) -> NequipModel:
    file = Checkpoint(checkpoint, _BUILDERS, _MODIFIERS)
    options = _with_preset(file.options) if "preset" in file.options.names() else file.options
    _check_modules(options)
    l_max, edge_parity, hidden = _features(options, file.release)
    p = options.number("polynomial_cutoff_p", 6)
    tensors = file.tensors(options.flag("bessel_trainable", False))
    return NequipModel(
        state=StateDict(with_scatter(tensors)),
        type_names=file.type_names(),
        dtype=options.choice("model_dtype", {"float32", "float64"}),
        r_max=options.number("r_max"),
        l_max=l_max,
        edge_parity=edge_parity,
        p=p,
        layers=[Layer(irreps, file.norm()) for irreps in hidden],
        scalars=_activations(options, "convnet_nonlinearity_scalars"),
        gates=_activations(options, "convnet_nonlinearity_gates"),
        readout=nonlinearity_of(options, "readout_mlp_nonlinearity"),
        repulsion_p=file.repulsion_p(p),
        categories=_categories(options),
        training=file.training(),
    )


def _with_preset(options: Config) -> Config:
    preset = options.text("preset").upper()
    if preset not in _PRESETS:
        raise FormatError(f"preset '{preset:.20}'; supported: {', '.join(_PRESETS)}")
    given = {key: options.get(key) for key in options.names() if key != "preset"}
    return Config({**_PRESET_DEFAULTS, **_PRESETS[preset], **given})


def _check_modules(options: Config) -> None:
    options.choice("convnet_nonlinearity_type", {"gate"}, "gate")
    if options.flag("convnet_resnet", False):
        raise FormatError("option 'convnet_resnet' is not supported")


def _features(options: Config, release: Release) -> tuple[int, str, list[Irreps]]:
    """l_max and parity of the harmonics, and feature_irreps_hidden of each layer."""
    if options.get("feature_irreps_hidden") is not None:
        hidden = options.get("feature_irreps_hidden")
        if not isinstance(hidden, list):
            raise FormatError("option 'feature_irreps_hidden' is no list of irreps")
        l_max, edge_parity = _edges(options.get("irreps_edge_sh"))
        return l_max, edge_parity, [parse_irreps(text) for text in hidden]
    l_max = options.integer("l_max", 0, L_MAX, 1)
    n_layers = options.integer("num_layers", 1, 16, 4)
    channels = options.get("num_features", 32)
    if isinstance(channels, int):
        channels = [channels] * (l_max + 1)
    Config({"num_features": channels}).integers("num_features", 1, CHANNELS_MAX)
    if len(channels) != l_max + 1:
        raise FormatError("option 'num_features' has not one number for each degree")
    parity = options.flag("parity", True)
    edge_parity, irreps = _hidden(l_max, parity, release)
    hidden = [Entry(channels[ir.l], ir) for ir in irreps]
    last = [Entry(channels[0], Irrep(0, 1))]
    return l_max, edge_parity, [hidden] * (n_layers - 1) + [last]


def _hidden(l_max: int, parity: bool, release: Release) -> tuple[str, list[Irrep]]:
    """The parity of the harmonics, and the irreps of the features in their order."""
    degrees = range(l_max + 1)
    if l_max == 0 and not parity:
        return "natural", [Irrep(0, 1)]
    if not parity:
        if release.has(NEQUIP_NATURAL_PARITY):
            return "natural", [Irrep(degree, (-1) ** degree) for degree in degrees]
        return "even", [Irrep(degree, 1) for degree in degrees]
    if l_max == 0 or release.has(NEQUIP_HIDDEN_ORDER):
        return "natural", [Irrep(degree, p) for degree in degrees for p in (1, -1)]
    return "natural", [Irrep(degree, p) for p in (1, -1) for degree in degrees]


def _edges(irreps: Any) -> tuple[int, str]:
    if isinstance(irreps, int) and not isinstance(irreps, bool) and 0 <= irreps <= L_MAX:
        return irreps, "natural"
    return edge_irreps(parse_irreps(irreps))


def _activations(options: Config, key: str) -> dict[str, str]:
    section = options.section(key, {"e": "silu", "o": "tanh"})
    return {parity: section.choice(parity, GATE_ACTIVATIONS[parity]) for parity in ("e", "o")}


def _categories(options: Config) -> dict[str, tuple[int, int]]:
    entries = options.get("categorical_graph_field_embed")
    if entries is None:
        return {}
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise FormatError("option 'categorical_graph_field_embed' is no list of fields")
    result = {}
    for entry in map(Config, entries):
        low = entry.integer("min", -(1 << 20), 1 << 20)
        result[entry.text("field")] = low, entry.integer("max", low, 1 << 20)
    return result
