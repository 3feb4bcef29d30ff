"""Lightning checkpoints of nequip-train: a configuration and a training module's state dict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np

from irrepd.convert.releases import NEQUIP_ZBL_CUTOFF, releases_of
from irrepd.convert.state import Config, described
from irrepd.errors import FormatError
from irrepd.records import Tensor

_TRAINING_MODULES = {
    "NequIPLightningModule", "EMALightningModule", "ConFIGLightningModule",
    "EMAConFIGLightningModule",
}  # fmt: skip
_ROOT = "model.sole_model.model."
PACKAGE_ADVICE = "nequip-package makes a file of it that says of itself what it is"
_OTHERS = r"run_stage|(loss|(train|val|test)_metrics)\..*|ema\._extra_state"


def builder_of(checkpoint: Any) -> str:
    """The dotted name of the model's builder, below modifiers; "" for any other file."""
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        return ""
    parameters = checkpoint.get("hyper_parameters")
    model: Any = parameters.get("model") if isinstance(parameters, dict) else None
    for _ in range(8):
        target = model.get("_target_") if isinstance(model, dict) else None
        if not isinstance(target, str):
            return ""
        if target != "nequip.model.modify" or not isinstance(model.get("model"), dict):
            return target
        model = model["model"]
    return ""


class Checkpoint:
    """builders: the options of each; modifiers: those that leave the numbers and their names as
    they are, or are seen in the state."""

    def __init__(
        self, checkpoint: dict[str, Any], builders: Mapping[str, set[str]], modifiers: set[str]
    ):
        parameters = Config(checkpoint["hyper_parameters"])
        self._checkpoint = checkpoint
        self._info = parameters.section("info_dict", {})
        training = self._info.section("training_module", {})
        module = str(training.get("_target_", "NequIPLightningModule")).rpartition(".")[2]
        if module not in _TRAINING_MODULES:
            known = ", ".join(sorted(_TRAINING_MODULES))
            raise FormatError(
                f"a checkpoint of '{module:.60}'; supported: {known}; others by nequip-package"
            )
        self._has_average = module.startswith("EMA")
        self.releases = releases_of(self._info.get("versions"))
        self.release = self.releases["nequip"]
        self.release.refuse_newer(PACKAGE_ADVICE)
        self.builder, self.options = _options(parameters.section("model"), builders, modifiers)

    def type_names(self) -> list[str]:
        names = self.options.get("type_names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise FormatError("option 'type_names' is no list of names")
        return names

    def norm(self) -> np.ndarray:
        """1 / sqrt of the average number of neighbours; 1 without one."""
        average, types = self.options.get("avg_num_neighbors"), self.type_names()
        if average is None:
            return np.ones(1)
        if isinstance(average, Mapping):
            if set(average) != set(types):
                raise FormatError("option 'avg_num_neighbors' is not one number for each type")
            values = [Config(average).number(name) for name in types]
        else:
            values = [self.options.number("avg_num_neighbors")]
        if not all(value > 0 for value in values):
            raise FormatError("option 'avg_num_neighbors' is not positive")
        return np.array([1 / sqrt(value) for value in values])

    def repulsion_p(self, network_p: float) -> float | None:
        """The polynomial of ZBL's cutoff; network_p is that of the network's."""
        if self.options.get("pair_potential") is None:
            return None
        section = self.options.section("pair_potential")
        target = section.text("_target_")
        if target.rpartition(".")[2] != "ZBL":
            raise FormatError(f"pair potential '{target:.80}'; supported: ZBL")
        section.only(
            "pair_potential", {"_target_", "chemical_species", "units", "polynomial_cutoff_p"}
        )
        if "polynomial_cutoff_p" in section.names():
            return section.number("polynomial_cutoff_p")
        default = 6.0
        if network_p == default or self.release.has(NEQUIP_ZBL_CUTOFF):
            return default
        return network_p

    def training(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.release.version is not None:
            result["code"] = str(self.release)
        epoch = self._checkpoint.get("epoch")
        if isinstance(epoch, int) and 0 <= epoch < 1 << 31:
            result["epoch"] = epoch
        return result

    def tensors(self, bessel_trainable: bool) -> dict[str, Tensor]:
        """By their names below the layers' module; averaged weights where kept."""
        state = self._checkpoint["state_dict"]
        if not isinstance(state, Mapping):
            raise FormatError("the checkpoint has no state dict")
        model: dict[str, Tensor] = {}
        average: dict[int, Tensor] = {}
        for name, value in state.items():
            text = name if isinstance(name, str) else ""
            found = re.fullmatch(r"ema\.ema_weight_(\d{1,6})", text)
            if found and isinstance(value, Tensor):
                average[int(found[1])] = value
            elif text.startswith(_ROOT) and isinstance(value, Tensor):
                model[text[len(_ROOT) :].removeprefix("func.")] = value
            elif not re.fullmatch(_OTHERS, text):
                raise FormatError(
                    f"the state dict holds {described(name)}: several models, or no model"
                )
        if self._has_average:
            names = self._parameters(model, bessel_trainable)
            _put_average(model, average, state.get("ema._extra_state"), names)
        elif average:
            raise FormatError("averaged weights in a checkpoint that should have none")
        return model

    def _parameters(self, model: dict[str, Tensor], bessel_trainable: bool) -> list[str]:
        """Parameters among the tensors, in their order: the others are buffers."""

        def is_parameter(name: str) -> bool:
            last = name.rpartition(".")[2]
            if last in ("scales", "shifts"):
                return self.options.flag(f"per_type_energy_{last}_trainable", False)
            if last == "bessel_weights":
                return bessel_trainable
            weight = last in ("weight", "weights") or re.search(r"\.mlp\.weights\.\d+$", name)
            return bool(weight)

        return [name for name in model if is_parameter(name) and 0 not in model[name].shape]


def nonlinearity_of(options: Config, option: str) -> str | None:
    """Of an MLP; None: there is none."""
    name = options.get(option, "silu")
    if name is not None and not isinstance(name, str):
        raise FormatError(f"option '{option}' is {described(name)}")
    return name


def _options(
    config: Config, builders: Mapping[str, set[str]], known: set[str]
) -> tuple[str, Config]:
    """The builder's name and options, modifiers taken off."""
    while config.text("_target_").rpartition(".")[2] == "modify":
        modifiers = config.get("modifiers")
        if not isinstance(modifiers, list) or len(modifiers) > 64:
            raise FormatError("the model's modifiers are no list")
        for modifier in modifiers:
            name = modifier.get("modifier") if isinstance(modifier, dict) else None
            if name not in known:
                raise FormatError(
                    f"model modifier {described(name)}; supported: {', '.join(sorted(known))}"
                )
        config = config.section("model")
    name = config.text("_target_").rpartition(".")[2]
    if name not in builders:
        raise FormatError(
            f"a model of '{name:.60}'; supported: {', '.join(builders)}. One that was made from "
            "another file can be converted from its package (nequip-package)"
        )
    options = Config({key: config.get(key) for key in config.names() if key != "_target_"})
    options.only(name, builders[name])
    return name, options


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
