"""The building blocks of SchNetPack's representations: dense layers, bases, cutoffs."""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert.modules import Module
from irrepd.errors import FormatError
from irrepd.records import Global

BASIS_MAX = 512
LAYERS_MAX = 16
BASES = ("GaussianRBF", "GaussianRBFCentered", "BesselRBF")
CUTOFFS = ("CosineCutoff", "MollifierCutoff")

_ACTIVATIONS = {
    "shifted_softplus": "ssp",
    "silu": "silu",
    "SiLU": "silu",
    "tanh": "tanh",
    "Tanh": "tanh",
    "sigmoid": "sigmoid",
    "Sigmoid": "sigmoid",
    "Identity": "identity",
}
_DENSE_PARTS = {"weight_init", "bias_init", "in_features", "out_features", "activation"}

Layer = tuple[np.ndarray, "np.ndarray | None"]  # weight [in][out], bias [out]


def linear_of(module: Module) -> Layer:
    """A Linear or Dense module without its activation."""
    module.expect("Linear", "Dense")
    module.only(_DENSE_PARTS)
    weight = module.take("weight").astype(np.float64)
    if weight.ndim != 2:
        raise FormatError(f"'{module.where('weight')}' is no matrix")
    if module.where("bias") not in module.tensors:
        return weight.T, None
    return weight.T, module.take("bias", weight.shape[:1]).astype(np.float64)


def plain_of(module: Module, rows: int, columns: int, *, bias: bool = False) -> Layer:
    """A layer of a known shape that no activation follows."""
    weight, offset = linear_of(module)
    if weight.shape != (rows, columns) or (offset is not None) != bias:
        raise FormatError(f"'{module.path}' has not the shape or bias of its place")
    if module.kind == "Dense" and activation_of(module) != "identity":
        raise FormatError(f"'{module.path}' has an activation where none is known")
    return weight, offset


def activation_of(module: Module) -> str:
    """The name of a Dense layer's activation."""
    value = module.get("activation")
    name = value.name if isinstance(value, Global) else ""
    if not name and not module.is_none("activation"):
        name = module.child("activation").kind
    if name not in _ACTIVATIONS:
        known = ", ".join(sorted(_ACTIVATIONS))
        raise FormatError(f"'{module.path}' has activation '{name}'; supported: {known}")
    return _ACTIVATIONS[name]


def network_of(module: Module, default: str) -> tuple[list[Layer], str]:
    """A Sequential of Dense layers, the last without activation; the others' is one."""
    module.expect("Sequential")
    modules = list(module.children())
    if not 0 < len(modules) <= LAYERS_MAX:
        raise FormatError(f"'{module.path}' has {len(modules)} layers; up to {LAYERS_MAX} can be")
    for layer in modules:
        layer.expect("Dense")
    layers = [linear_of(layer) for layer in modules]
    activations = {activation_of(layer) for layer in modules[:-1]} or {default}
    if len(activations) != 1 or activation_of(modules[-1]) != "identity":
        raise FormatError(f"'{module.path}' is no MLP with one activation between its layers")
    for (before, _), (after, _) in zip(layers, layers[1:]):
        if before.shape[1] != after.shape[0]:
            raise FormatError(f"'{module.path}' has layers that do not fit each other")
    return layers, activations.pop()


def radial_of(module: Module) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors of a basis and its entry of the card."""
    module.expect(*BASES)
    module.only({"n_rbf"})
    names = ["freqs"] if module.kind == "BesselRBF" else ["widths", "offsets"]
    first, *rest = (module.take(name).astype(np.float64) for name in names)
    shapes = {first.shape, *(tensor.shape for tensor in rest)}
    if first.ndim != 1 or not 0 < first.size <= BASIS_MAX or len(shapes) != 1:
        raise FormatError(f"a basis of shape {first.shape}; up to {BASIS_MAX} functions can be")
    if not rest:
        card = {"name": "bessel", "num_basis": int(first.size), "prefactor": 1.0}
        return {"radial.frequencies": first}, card
    if not first.all():
        raise FormatError(f"'{module.path}' has a width of zero")
    tensors = {"radial.centers": rest[0], "radial.coefficients": -0.5 / first**2}
    return tensors, {"name": "gaussian", "num_basis": int(first.size)}


def cutoff_of(module: Module) -> tuple[float, dict[str, Any]]:
    """r_max and the cutoff's entry of the card."""
    module.expect(*CUTOFFS)
    module.only(set())
    r_max = float(module.take("cutoff", (1,))[0])
    if not 1e-3 <= r_max <= 100:
        raise FormatError(f"a cutoff of {r_max}, not within 0.001..100 Angstrom")
    if module.kind == "CosineCutoff":
        return r_max, {"name": "cosine"}
    if not 0 <= float(module.take("eps", (1,))[0]) <= 1e-4:
        raise FormatError(f"'{module.path}' ends early: eps is above 1e-4")
    return r_max, {"name": "mollifier"}
