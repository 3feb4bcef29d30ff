"""What only the non-linear interaction block of MACE has: networks that see species, and a gate."""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert.e3nn import EVEN_SCALAR, Irreps
from irrepd.convert.e3nn_modules import ACTIVATIONS, activation_of, irreps_of, linear_of
from irrepd.convert.modules import Module
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Global

NORM_EPSILON = 1e-5


def species_embeddings(interaction: Module, n_species: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the source (sender) and target (receiver): [n_species][mul] each."""
    found = []
    for name in ("source_embedding", "target_embedding"):
        weights = linear_of(interaction.child(name)).weights
        if set(weights) != {EVEN_SCALAR} or weights[EVEN_SCALAR].shape[0] != n_species:
            raise FormatError(f"'{interaction.where(name)}' is not by species")
        found.append(weights[EVEN_SCALAR])
    return found[0], found[1]


def network_of(
    module: Module, n_basis: int, embeddings: tuple[np.ndarray, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[int]]:
    """RadialMLP: tensors by the ends of their names, and the hidden sizes."""
    module.expect("RadialMLP")
    steps = list(module.child("net").children())
    if len(steps) % 3 != 1:
        raise FormatError(f"'{module.path}' is no chain of Linear, LayerNorm, SiLU")
    source, target = embeddings
    sizes = [n_basis + source.shape[1] + target.shape[1]]
    tensors: dict[str, np.ndarray] = {}
    for i, step in enumerate(steps[::3]):
        step.expect("Linear")
        weight = step.take("weight").astype(np.float64).T
        bias = step.take("bias", weight.shape[1:]).astype(np.float64)
        if weight.shape[0] != sizes[-1]:
            raise FormatError(f"'{step.path}' does not have {sizes[-1]} inputs")
        sizes.append(weight.shape[1])
        tensors[f"{i}.weight"], tensors[f"{i}.bias"] = weight, bias
        if i < len(steps) // 3:
            tensors[f"{i}.norm"] = _norm_of(steps[3 * i + 1], weight.shape[1])
            steps[3 * i + 2].expect("SiLU")
    if len(steps) == 1:
        raise FormatError(f"'{module.path}' has no hidden layer")
    by_source = tensors["0.weight"][n_basis : n_basis + source.shape[1]]
    by_target = tensors["0.weight"][n_basis + source.shape[1] :]
    tensors["0.weight"] = tensors["0.weight"][:n_basis]
    bias = tensors.pop("0.bias")
    tensors["0.pair_bias"] = (target @ by_target)[:, None] + (source @ by_source)[None, :] + bias
    return tensors, sizes[1:-1]


def _norm_of(module: Module, size: int) -> np.ndarray:
    module.expect("LayerNorm")
    if module.get("normalized_shape") != (size,) or module.get("eps") != NORM_EPSILON:
        raise FormatError(f"'{module.path}' does not normalise {size} numbers with 1e-5")
    return np.stack([module.take("weight", (size,)), module.take("bias", (size,))]).astype(float)


def gate_of(module: Module, out: Irreps) -> dict[str, Any]:
    """GatedEquivariantBlock, or the Gate of e3nn in older files: the card's "gate"."""
    kind = module.expect("GatedEquivariantBlock", "Gate")
    scalars = irreps_of(module.get("irreps_scalars"))
    gated = irreps_of(module.get("irreps_gated"))
    if [*scalars, *gated] != out or [entry.ir for entry in scalars] != [EVEN_SCALAR]:
        raise FormatError(f"'{module.path}' has scalars that are not all even")
    if kind == "Gate":
        found = {
            key: _activation(module.child(name))
            for key, name in (("scalars", "act_scalars"), ("gates", "act_gates"))
        }
        product = module.child("mul")
        product.tensors.take_empty(product.where("weight"))
        product.tensors.take_mask(product.where("output_mask"))
    else:
        if module.get("_layout_is_ir_mul", False) is not False:
            raise FormatError(f"'{module.path}' has the layout ir_mul: convert the model to e3nn")
        found = {
            key: (_name_of(module, f"_act_{part}"), module.number(f"_{part}_cst"))
            for key, part in (("scalars", "scalar"), ("gates", "gate"))
        }
    if not gated:
        found.pop("gates")
    return {
        key: {str(EVEN_SCALAR): {"activation": name, "scale": scale}}
        for key, (name, scale) in found.items()
    }


def _activation(module: Module) -> tuple[str, float]:
    module.expect("Activation")
    found = {activation_of(act) for act in module.child("acts").children()}
    if len(found) > 1:
        raise FormatError(f"'{module.path}' has several activations")
    return found.pop() if found else ("identity", 1.0)


def _name_of(module: Module, attribute: str) -> str:
    function = module.get(attribute)
    name = function.name if isinstance(function, Global) else described(function)
    if name not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise FormatError(f"activation '{name:.60}' of '{module.path}'; supported: {known}")
    return ACTIVATIONS[name]
