"""Pickled modules of e3nn 0.4 as effective weights: what they say of themselves is what counts."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from irrepd.convert.e3nn import (
    CHANNELS_MAX,
    EVEN_SCALAR,
    L_MAX,
    Entry,
    Irrep,
    Irreps,
    Linear,
    Path,
    merged,
    multiplicity,
)
from irrepd.convert.modules import Module
from irrepd.convert.state import described
from irrepd.errors import FormatError
from irrepd.records import Global, Record

ACTIVATIONS = {
    "silu": "silu",
    "tanh": "tanh",
    "abs": "abs",
    "sigmoid": "sigmoid",
    "ShiftedSoftPlus": "ssp",
    "shifted_softplus": "ssp",
}

# Degrees, up to L_MAX and sorted, of the 3j symbols that changed sign between e3nn 0.4 and 0.6.
_OTHER_SIGN = {
    *((1, degree, degree) for degree in range(2, L_MAX + 1)),
    *((3, 4, 6), (4, 4, 5), (4, 5, 6), (5, 5, 5), (5, 6, 6)),
}


def sign_of_coupling(l1: int, l2: int, l3: int) -> float:
    """Of e3nn 0.4's 3j symbol against today's."""
    return -1.0 if tuple(sorted((l1, l2, l3))) in _OTHER_SIGN else 1.0


def irreps_of(value: Any) -> Irreps:
    """An e3nn.o3.Irreps record."""
    entries = []
    for item in _tuple_of(value, "Irreps"):
        parts = _tuple_of(item, "_MulIr")
        numbers = _tuple_of(parts[1], "Irrep") if len(parts) == 2 else ()
        if len(numbers) != 2 or numbers[1] not in (-1, 1):
            raise FormatError("irreps that are not understood")
        mul, degree = parts[0], numbers[0]
        if not _is_int(mul, CHANNELS_MAX) or not _is_int(degree, L_MAX):
            raise FormatError(f"irreps beyond degree {L_MAX} or {CHANNELS_MAX} channels")
        entries.append(Entry(mul, Irrep(degree, numbers[1])))
    return entries


def _tuple_of(value: Any, name: str) -> tuple[Any, ...]:
    if isinstance(value, Record) and value.function.name == name and len(value.args) == 1:
        if isinstance(value.args[0], tuple):
            return value.args[0]
    raise FormatError(f"{described(value)} where {name} of e3nn was expected")


def _is_int(value: Any, end: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= end


def instructions_of(module: Module, fields: int) -> list[tuple[Any, ...]]:
    """The paths of a linear map or tensor product."""
    instructions = module.get("instructions")
    if not isinstance(instructions, list) or len(instructions) > 4096:
        raise FormatError(f"'{module.path}' has no instructions")
    found = [item.args if isinstance(item, Record) else item for item in instructions]
    if not all(isinstance(item, tuple) and len(item) == fields for item in found):
        raise FormatError(f"'{module.path}' has instructions that are not understood")
    return found


class _Flat:
    """Hands out the pieces of a flat weight; all must be taken."""

    def __init__(self, module: Module):
        self.name = module.where("weight")
        self.values = module.take("weight").astype(np.float64)
        self.position = 0

    def next(self, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape))
        piece = self.values[self.position : self.position + size]
        if self.values.ndim != 1 or piece.size != size:
            raise FormatError(f"'{self.name}' is shorter than its instructions")
        self.position += size
        return piece.reshape(shape)

    def finish(self) -> None:
        if self.position != self.values.size:
            raise FormatError(f"'{self.name}' is longer than its instructions")


def _index(irreps: Irreps, i: Any) -> Entry:
    if not _is_int(i, len(irreps) - 1):
        raise FormatError("an instruction points to an irrep that does not exist")
    return irreps[i]


def _starts(irreps: Irreps) -> list[int]:
    """Where each entry's channels begin among those of its irrep."""
    return [multiplicity(irreps[:i], entry.ir) for i, entry in enumerate(irreps)]


def linear_of(module: Module) -> Linear:
    """e3nn.o3.Linear; entries of the same irrep are put together in their order."""
    module.expect("Linear")
    source, target = irreps_of(module.get("irreps_in")), irreps_of(module.get("irreps_out"))
    flat = _Flat(module)
    result = Linear({})
    biases = np.zeros(multiplicity(target, EVEN_SCALAR))
    bias = module.take("bias").astype(np.float64) if "bias" in module else np.zeros(0)
    position = 0
    from_, to = _starts(source), _starts(target)
    for i, o, _, weight in instructions_of(module, 4):
        out = _index(target, o)
        if i == -1:
            if out.ir != EVEN_SCALAR or position + out.mul > bias.size:
                raise FormatError(f"'{module.path}' has a bias that is not understood")
            piece = bias[position : position + out.mul] * weight
            biases[to[o] : to[o] + out.mul] += piece
            position += out.mul
            continue
        entry = _index(source, i)
        if entry.ir != out.ir:
            raise FormatError(f"'{module.path}' maps {entry.ir} to {out.ir}")
        shape = multiplicity(source, out.ir), multiplicity(target, out.ir)
        block = result.weights.setdefault(out.ir, np.zeros(shape))
        block[from_[i] : from_[i] + entry.mul, to[o] : to[o] + out.mul] += (
            flat.next((entry.mul, out.mul)) * weight
        )
    flat.finish()
    if position != bias.size:
        raise FormatError(f"'{module.path}' has a bias that is not understood")
    if position:
        result.bias = biases
    module.tensors.take_mask(module.where("output_mask"))
    return result


def species_linear_of(module: Module, n_species: int) -> dict[Irrep, np.ndarray]:
    """FullyConnectedTensorProduct with a one-hot of species: [species][mul_in][mul_out].

    The 3j symbol (l, 0, l) is 1/sqrt(2l+1) on the diagonal.
    """
    module.expect("FullyConnectedTensorProduct")
    source, target = irreps_of(module.get("irreps_in1")), irreps_of(module.get("irreps_out"))
    if irreps_of(module.get("irreps_in2")) != [Entry(n_species, EVEN_SCALAR)]:
        raise FormatError(f"'{module.path}' is not by species")
    flat = _Flat(module)
    result: dict[Irrep, np.ndarray] = {}
    from_, to = _starts(source), _starts(target)
    for i, j, o, mode, _, weight, _ in instructions_of(module, 7):
        entry, out = _index(source, i), _index(target, o)
        if j != 0 or mode != "uvw" or entry.ir != out.ir:
            raise FormatError(f"'{module.path}' has instructions that are not understood")
        shape = n_species, multiplicity(source, out.ir), multiplicity(target, out.ir)
        block = result.setdefault(out.ir, np.zeros(shape))
        piece = flat.next((entry.mul, n_species, out.mul)).transpose(1, 0, 2)
        block[:, from_[i] : from_[i] + entry.mul, to[o] : to[o] + out.mul] += (
            piece * weight / sqrt(2 * out.ir.l + 1)
        )
    flat.finish()
    module.tensors.take_mask(module.where("output_mask"))
    return result


def convolution_of(module: Module) -> tuple[Irreps, list[Path], np.ndarray]:
    """TensorProduct of features and harmonics, channel by channel, with a weight for each path.

    Returns the merged irreps of the output, the paths in nested order (`column` is where the path's
    weights begin in the file), and a factor for each of the file's columns.
    """
    module.expect("TensorProduct")
    source, edges = irreps_of(module.get("irreps_in1")), irreps_of(module.get("irreps_in2"))
    target = irreps_of(module.get("irreps_out"))
    paths, factors, column = {}, [], 0
    for i, j, o, mode, has_weight, weight, _ in instructions_of(module, 7):
        entry, edge, out = _index(source, i), _index(edges, j), _index(target, o)
        allowed = out.ir in entry.ir.product(edge.ir)
        if mode != "uvu" or has_weight is not True or edge.mul != 1 or not allowed:
            raise FormatError(f"'{module.path}' has instructions that are not understood")
        paths[i, j, out.ir.l] = o, Path(entry, edge.ir, out.ir, column)
        sign = sign_of_coupling(entry.ir.l, edge.ir.l, out.ir.l)
        factors.append(np.full(entry.mul, sign * weight / sqrt(2 * out.ir.l + 1)))
        column += entry.mul
    nested = [paths[key] for key in sorted(paths)]
    for ir in {path.out for _, path in nested}:
        order = [o for o, path in nested if path.out == ir]
        if order != sorted(set(order)):
            raise FormatError(f"'{module.path}' has its paths in another order")
    module.tensors.take_empty(module.where("weight"))
    module.tensors.take_mask(module.where("output_mask"))
    return merged(target), [path for _, path in nested], np.concatenate(factors)


def activation_of(module: Module) -> tuple[str, float]:
    """normalize2mom: the name of its function, and the constant that multiplies it."""
    function = module.get("f")
    name = function.name if isinstance(function, Global) else described(function)
    module.expect("normalize2mom")
    if name not in ACTIVATIONS:
        known = ", ".join(sorted(ACTIVATIONS))
        raise FormatError(f"activation '{name:.60}' of '{module.path}'; supported: {known}")
    return ACTIVATIONS[name], module.number("cst")


def network_of(module: Module, sizes_in: int) -> tuple[list[np.ndarray], str]:
    """FullyConnectedNet: effective weights for an unscaled activation, and its name."""
    module.expect("FullyConnectedNet")
    weights: list[np.ndarray] = []
    names: set[str] = set()
    gain, rows = 1.0, sizes_in
    layers = list(module.children())
    for layer in layers:
        layer.expect("_Layer")
        weight = layer.take("weight").astype(np.float64)
        if weight.ndim != 2 or weight.shape[0] != rows:
            raise FormatError(f"'{layer.path}' does not have {rows} inputs")
        if layer.number("var_in") != 1 or layer.number("var_out") != 1:
            raise FormatError(f"'{layer.path}' has variances other than 1")
        weights.append(weight * (gain / sqrt(rows)))
        rows = weight.shape[1]
        has_activation = "act" in layer and not layer.is_none("act")
        if has_activation != (layer.path != layers[-1].path):
            raise FormatError(f"'{layer.path}' has an activation where there should be none")
        if has_activation:
            name, gain = activation_of(layer.child("act"))
            names.add(name)
    if not weights or len(names) > 1:
        raise FormatError(f"'{module.path}' is no network with one activation")
    return weights, names.pop() if names else "silu"
