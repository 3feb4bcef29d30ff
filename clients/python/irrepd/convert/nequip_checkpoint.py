"""Lightning checkpoints of nequip-train: a configuration and a training module's state dict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np

from irrepd.convert.e3nn import (
    CHANNELS_MAX,
    L_MAX,
    Entry,
    Irrep,
    Irreps,
    format_irreps,
    parse_irreps,
)
from irrepd.convert.nequip_model import GATE_ACTIVATIONS, Layer, NequipModel
from irrepd.convert.state import Config, StateDict, described
from irrepd.errors import FormatError
from irrepd.records import Tensor

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
_TRAINING_MODULES = {
    "NequIPLightningModule", "EMALightningModule", "ConFIGLightningModule",
    "EMAConFIGLightningModule",
}  # fmt: skip

# Modifiers that leave the model's numbers and their names as they are, or are seen in the state.
_MODIFIERS = {"enable_OpenEquivariance", "enable_CuEquivariance", "modify_PerTypeScaleShift"}

_ROOT = "model.sole_model.model."
_OTHERS = r"run_stage|(loss|(train|val|test)_metrics)\..*|ema\._extra_state"


def is_checkpoint(checkpoint: Any) -> bool:
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        return False
    parameters = checkpoint.get("hyper_parameters")
    if not isinstance(parameters, dict) or not isinstance(parameters.get("model"), dict):
        return False
    return bool(_builder(parameters["model"]))


def _builder(model: dict[str, Any]) -> str:
    """The model's builder, below modifiers; "" if it is none of nequip's."""
    for _ in range(8):
        target = model.get("_target_")
        if not isinstance(target, str) or not target.startswith("nequip.model."):
            return ""
        inner = model.get("model")
        if target.rpartition(".")[2] != "modify" or not isinstance(inner, dict):
            return target
        model = inner
    return ""


def model_of_checkpoint(checkpoint: dict[str, Any]) -> NequipModel:
    parameters = Config(checkpoint["hyper_parameters"])
    info = parameters.section("info_dict", {})
    training_module = info.section("training_module", {}).get("_target_", "NequIPLightningModule")
    module = str(training_module).rpartition(".")[2]
    if module not in _TRAINING_MODULES:
        known = ", ".join(sorted(_TRAINING_MODULES))
        raise FormatError(
            f"a checkpoint of '{module:.60}'; supported: {known}; others by nequip-package"
        )
    options = _options(parameters.section("model"))
    _check_modules(options)
    tensors = _tensors(checkpoint["state_dict"], options, module.startswith("EMA"))
    types = _type_names(options)
    l_max, hidden = _features(options)
    return NequipModel(
        state=StateDict(tensors),
        type_names=types,
        dtype=options.choice("model_dtype", {"float32", "float64"}),
        r_max=options.number("r_max"),
        l_max=l_max,
        p=options.number("polynomial_cutoff_p", 6),
        layers=[Layer(irreps, _norm(options, types)) for irreps in hidden],
        scalars=_activations(options, "convnet_nonlinearity_scalars"),
        gates=_activations(options, "convnet_nonlinearity_gates"),
        readout=_readout(options),
        repulsion_p=_repulsion(options),
        categories=_categories(options),
        training=_training(checkpoint, info),
    )


def _options(config: Config) -> Config:
    """Those of the builder, modifiers taken off and presets filled in."""
    while config.text("_target_").rpartition(".")[2] == "modify":
        modifiers = config.get("modifiers")
        if not isinstance(modifiers, list) or len(modifiers) > 64:
            raise FormatError("the model's modifiers are no list")
        for modifier in modifiers:
            name = modifier.get("modifier") if isinstance(modifier, dict) else None
            if name not in _MODIFIERS:
                known = ", ".join(sorted(_MODIFIERS))
                raise FormatError(f"model modifier {described(name)}; supported: {known}")
        config = config.section("model")
    name = config.text("_target_").rpartition(".")[2]
    if name not in _BUILDERS:
        raise FormatError(
            f"a model of '{name:.60}'; supported: {', '.join(_BUILDERS)}. One that was made from "
            "another file can be converted from its package (nequip-package)"
        )
    values = {key: config.get(key) for key in config.names() if key != "_target_"}
    Config(values).only(name, _BUILDERS[name])
    if name == "PresetNequIPGNNModel":
        preset = config.text("preset").upper()
        if preset not in _PRESETS:
            raise FormatError(f"preset '{preset:.20}'; supported: {', '.join(_PRESETS)}")
        del values["preset"]
        values = {**_PRESET_DEFAULTS, **_PRESETS[preset], **values}
    return Config(values)


def _check_modules(options: Config) -> None:
    options.choice("convnet_nonlinearity_type", {"gate"}, "gate")
    if options.flag("convnet_resnet", False):
        raise FormatError("option 'convnet_resnet' is not supported")


def _type_names(options: Config) -> list[str]:
    names = options.get("type_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise FormatError("option 'type_names' is no list of names")
    return names


def _features(options: Config) -> tuple[int, list[Irreps]]:
    """l_max of the harmonics, and feature_irreps_hidden of each layer."""
    if options.get("feature_irreps_hidden") is not None:
        hidden = options.get("feature_irreps_hidden")
        if not isinstance(hidden, list):
            raise FormatError("option 'feature_irreps_hidden' is no list of irreps")
        return _edge_degree(options.get("irreps_edge_sh")), [parse_irreps(text) for text in hidden]
    l_max = options.integer("l_max", 0, L_MAX, 1)
    n_layers = options.integer("num_layers", 1, 16, 4)
    channels = options.get("num_features", 32)
    if isinstance(channels, int):
        channels = [channels] * (l_max + 1)
    Config({"num_features": channels}).integers("num_features", 1, CHANNELS_MAX)
    if len(channels) != l_max + 1:
        raise FormatError("option 'num_features' has not one number for each degree")
    parity = options.flag("parity", True)
    hidden = [
        Entry(channels[degree], Irrep(degree, p))
        for degree in range(l_max + 1)
        for p in ((1, -1) if parity else ((-1) ** degree,))
    ]
    last = [Entry(channels[0], Irrep(0, 1))]
    return l_max, [hidden] * (n_layers - 1) + [last]


def _edge_degree(irreps: Any) -> int:
    if isinstance(irreps, int) and not isinstance(irreps, bool) and 0 <= irreps <= L_MAX:
        return irreps
    entries = parse_irreps(irreps)
    expected = [Entry(1, Irrep(n, (-1) ** n)) for n in range(len(entries))]
    if entries != expected:
        raise FormatError(f"harmonics '{format_irreps(entries)}' are not of all degrees, once each")
    return len(entries) - 1


def _norm(options: Config, types: list[str]) -> np.ndarray:
    """1 / sqrt of the average number of neighbours."""
    average = options.get("avg_num_neighbors")
    if isinstance(average, Mapping):
        if set(average) != set(types):
            raise FormatError("option 'avg_num_neighbors' is not one number for each type")
        values = [Config(average).number(name) for name in types]
    else:
        values = [options.number("avg_num_neighbors")]
    if not all(value > 0 for value in values):
        raise FormatError("option 'avg_num_neighbors' is not positive")
    return np.array([1 / sqrt(value) for value in values])


def _activations(options: Config, key: str) -> dict[str, str]:
    section = options.section(key, {"e": "silu", "o": "tanh"})
    return {parity: section.choice(parity, GATE_ACTIVATIONS[parity]) for parity in ("e", "o")}


def _readout(options: Config) -> str | None:
    name = options.get("readout_mlp_nonlinearity", "silu")
    if name is not None and not isinstance(name, str):
        raise FormatError(f"option 'readout_mlp_nonlinearity' is {described(name)}")
    return name


def _repulsion(options: Config) -> float | None:
    if options.get("pair_potential") is None:
        return None
    section = options.section("pair_potential")
    target = section.text("_target_")
    if target.rpartition(".")[2] != "ZBL":
        raise FormatError(f"pair potential '{target:.80}'; supported: ZBL")
    section.only("pair_potential", {"_target_", "chemical_species", "units", "polynomial_cutoff_p"})
    return section.number("polynomial_cutoff_p", 6)


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


def _training(checkpoint: dict[str, Any], info: Config) -> dict[str, Any]:
    result: dict[str, Any] = {}
    versions = info.get("versions", {})
    if isinstance(versions, Mapping) and isinstance(versions.get("nequip"), str):
        result["code"] = f"nequip {versions['nequip'][:40]}"
    epoch = checkpoint.get("epoch")
    if isinstance(epoch, int) and 0 <= epoch < 1 << 31:
        result["epoch"] = epoch
    return result


def _tensors(state: Any, options: Config, has_average: bool) -> dict[str, Tensor]:
    """The model's tensors by their names below the layers' module; averaged weights where kept."""
    if not isinstance(state, Mapping):
        raise FormatError("the checkpoint has no state dict")
    model: dict[str, Tensor] = {}
    average: dict[int, Tensor] = {}
    for name, value in state.items():
        found = re.fullmatch(r"ema\.ema_weight_(\d{1,6})", name) if isinstance(name, str) else None
        if found and isinstance(value, Tensor):
            average[int(found[1])] = value
        elif isinstance(name, str) and name.startswith(_ROOT) and isinstance(value, Tensor):
            model[name[len(_ROOT) :].removeprefix("func.")] = value
        elif not isinstance(name, str) or not re.fullmatch(_OTHERS, name):
            raise FormatError(
                f"the state dict holds {described(name)}: several models, or no model"
            )
    if has_average:
        _put_average(model, average, state.get("ema._extra_state"), _parameters(model, options))
    elif average:
        raise FormatError("averaged weights in a checkpoint that should have none")
    return model


def _put_average(
    model: dict[str, Tensor], average: dict[int, Tensor], extra: Any, names: list[str]
) -> None:
    """EMA weights are numbered in the order of the model's parameters."""
    if not isinstance(extra, Mapping) or extra.get("is_holding_ema_weights") is not True:
        raise FormatError("the averaged weights are not where they should be")
    if sorted(average) != list(range(len(names))):
        raise FormatError("there are not as many averaged weights as parameters")
    for i, name in enumerate(names):
        if average[i].shape != model[name].shape:
            raise FormatError(f"the averaged weight of '{name}' has another shape")
        model[name] = average[i]


def _parameters(model: dict[str, Tensor], options: Config) -> list[str]:
    """Parameters among the tensors, in their order: the others are buffers."""
    trainable = {
        "bessel_encode.bessel_weights": "bessel_trainable",
        "per_type_energy_scale_shift.scales": "per_type_energy_scales_trainable",
        "per_type_energy_scale_shift.shifts": "per_type_energy_shifts_trainable",
    }

    def is_parameter(name: str) -> bool:
        if name in trainable:
            return options.flag(trainable[name], False) and 0 not in model[name].shape
        is_weight = name.endswith(".weight") or re.search(r"\.mlp\.weights\.\d+$", name)
        return bool(is_weight) and 0 not in model[name].shape

    return [name for name in model if is_parameter(name)]
