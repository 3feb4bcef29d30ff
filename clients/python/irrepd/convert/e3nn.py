"""What e3nn applies around stored weights: irreps, normalisations and the order of flat arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np

from irrepd.errors import FormatError

L_MAX = 6
CHANNELS_MAX = 65536

# e3nn.math.normalize2mom: 1/sqrt(<f(z)^2>) of a million normal z drawn by torch's generator with
# seed 0, in float64 (torch 2.13.0, e3nn 0.6.0; the sample is the same in all releases). e3nn leaves
# out constants within 1e-4 of one; none of these is.
SECOND_MOMENT = {
    "silu": 1.6791767923989418,
    "tanh": 1.5937334472592695,
    "ssp": 1.8782046685415521,
    "sigmoid": 1.8467055342154763,
    "abs": 1.0011106008384669,
}


class Irrep(NamedTuple):
    """Ordered as e3nn orders: by l, odd before even."""

    l: int  # noqa: E741
    p: int  # +1 even, -1 odd

    def __str__(self) -> str:
        return f"{self.l}{'e' if self.p > 0 else 'o'}"

    def product(self, other: Irrep) -> list[Irrep]:
        degrees = range(abs(self.l - other.l), self.l + other.l + 1)
        return [Irrep(degree, self.p * other.p) for degree in degrees]


EVEN_SCALAR = Irrep(0, 1)
ODD_SCALAR = Irrep(0, -1)


class Entry(NamedTuple):
    mul: int
    ir: Irrep


Irreps = list[Entry]


def parse_irreps(text: object) -> Irreps:
    """ "128x0e+64x1o" to entries; FormatError on anything else."""
    if not isinstance(text, str) or len(text) > 1000:
        raise FormatError("irreps are given as text")
    entries = []
    for part in text.split("+"):
        match = re.fullmatch(r"\s*(?:(\d{1,6})\s*x\s*)?(\d{1,2})([eo])\s*", part)
        if match is None:
            raise FormatError(f"'{text}' are no irreps")
        mul, degree = int(match[1] or 1), int(match[2])
        if degree > L_MAX or mul > CHANNELS_MAX:
            raise FormatError(f"'{part}' is beyond degree {L_MAX} or {CHANNELS_MAX} channels")
        if mul:
            entries.append(Entry(mul, Irrep(degree, 1 if match[3] == "e" else -1)))
    return entries


def format_irreps(irreps: Irreps) -> str:
    return "+".join(f"{entry.mul}x{entry.ir}" for entry in irreps)


def merged(irreps: Irreps) -> Irreps:
    """Sorted, with entries of the same irrep put together (e3nn: sort, then simplify)."""
    sums: dict[Irrep, int] = {}
    for mul, ir in irreps:
        sums[ir] = sums.get(ir, 0) + mul
    return [Entry(sums[ir], ir) for ir in sorted(sums)]


def multiplicity(irreps: Irreps, ir: Irrep) -> int:
    return sum(entry.mul for entry in irreps if entry.ir == ir)


@dataclass
class Linear:
    """Effective weights of an irreps-wise linear map."""

    weights: dict[Irrep, np.ndarray]  # [mul_in][mul_out], or [species][mul_in][mul_out]
    bias: np.ndarray | None = None  # [mul of 0e], or [n_heads][mul of 0e]


def linear_weights(irreps_in: Irreps, irreps_out: Irreps, flat: np.ndarray) -> list[np.ndarray]:
    """Blocks [mul_in][mul_out] of an e3nn Linear, in the order of `linear_paths`, normalised.

    Path normalisation 'element': every block is divided by the root of the number of inputs of its
    output.
    """
    paths = linear_paths(irreps_in, irreps_out)
    size = sum(irreps_in[i].mul * irreps_out[o].mul for i, o in paths)
    if flat.shape != (size,):
        raise FormatError(
            f"a linear map {format_irreps(irreps_in)} to {format_irreps(irreps_out)} has {size} "
            f"weights, not {flat.size}"
        )
    blocks, position = [], 0
    for i, o in paths:
        fan_in = sum(irreps_in[source].mul for source, target in paths if target == o)
        shape = irreps_in[i].mul, irreps_out[o].mul
        block = flat[position : position + shape[0] * shape[1]].reshape(shape)
        blocks.append(block.astype(np.float64) / sqrt(fan_in))
        position += block.size
    return blocks


def linear_paths(irreps_in: Irreps, irreps_out: Irreps) -> list[tuple[int, int]]:
    return [
        (i, o)
        for i, source in enumerate(irreps_in)
        for o, target in enumerate(irreps_out)
        if source.ir == target.ir
    ]


def species_linear_weights(
    irreps_in: Irreps, n_species: int, irreps_out: Irreps, flat: np.ndarray
) -> dict[Irrep, np.ndarray]:
    """FullyConnectedTensorProduct with a one-hot of species: [species][mul_in][mul_out].

    sqrt(2l+1) of the 'component' normalisation and 1/sqrt(2l+1) of the 3j (l, 0, l) cancel; what is
    left is the root of the number of inputs, species times channels.
    """
    paths = linear_paths(irreps_in, irreps_out)
    size = sum(irreps_in[i].mul * irreps_out[o].mul for i, o in paths) * n_species
    if flat.shape != (size,):
        raise FormatError(f"a species-wise linear map has {size} weights, not {flat.size}")
    result: dict[Irrep, np.ndarray] = {}
    position = 0
    for i, o in paths:
        shape = irreps_in[i].mul, n_species, irreps_out[o].mul
        block = flat[position : position + shape[0] * shape[1] * shape[2]].reshape(shape)
        position += block.size
        fan_in = irreps_in[i].mul * n_species
        result[irreps_in[i].ir] = block.transpose(1, 0, 2).astype(np.float64) / sqrt(fan_in)
    return result


def network_weights(layers: list[np.ndarray], activation: str) -> list[np.ndarray]:
    """Effective weights of an e3nn FullyConnectedNet, for an unscaled activation in between."""
    result = []
    gain = 1.0
    for layer in layers:
        result.append(layer.astype(np.float64) * (gain / sqrt(layer.shape[0])))
        gain = SECOND_MOMENT[activation]
    return result


class Path(NamedTuple):
    """One path of a convolution; `column` is where its filter begins in nested order."""

    source: Entry
    edge: Irrep
    out: Irrep
    column: int


def convolution_paths(features: Irreps, edges: list[Irrep], kept: set[Irrep]) -> list[Path]:
    """Paths in nested order (model_format.h): input entry, harmonic, degree of the output."""
    paths, column = [], 0
    for source in features:
        for edge in edges:
            for out in source.ir.product(edge):
                if out in kept:
                    paths.append(Path(source, edge, out, column))
                    column += source.mul
    return paths
