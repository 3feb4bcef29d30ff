"""The SO3net representation of SchNetPack (Schuett et al. 2023, 10.1063/5.0138367).

Its harmonics turn about the z axis and are normalised to 1 over the sphere; couplings are those of
Condon and Shortley. As features enter and leave as scalars, another axis makes no difference, and
the norm goes into the filters. What is left, a sign for each coupling, is part of the format.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from irrepd.convert.modules import Module
from irrepd.convert.schnetpack_modules import Layer, plain_of
from irrepd.convert.state import described
from irrepd.convert.wigner import wigner_3j
from irrepd.errors import FormatError

L_MAX = 6
LAYERS_MAX = 16
HARMONIC_NORM = 1 / sqrt(4 * pi)
_PARTS = {"n_atom_basis", "n_interactions", "lmax", "cutoff", "return_vector_representation"}
_PARTS |= {"electronic_embeddings", "activation"}  # since 2.1; the activation is not used
_PARTS |= {"cutoff_fn", "radial_basis", "embedding", "sphharm", "so3convs", "gatings"}
_PARTS |= {"mixings1", "mixings2", "mixings3", "so3product"}
_TABLES = ("idx_in_1", "idx_in_2", "idx_out", "clebsch_gordan")
_HARMONICS = ("powers", "zpow", "cAm", "cBm", "cPi", "flidx")


def convert(
    module: Module, n_basis: int, channels: int
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and hyperparameters of the layers; shared ones are written once for each."""
    module.only(_PARTS)
    l_max = module.get("lmax")
    if isinstance(l_max, bool) or not isinstance(l_max, int) or not 0 <= l_max <= L_MAX:
        raise FormatError(f"'{module.where('lmax')}' is {described(l_max)}; 0..{L_MAX} can be")
    harmonics = module.child("sphharm")
    harmonics.expect("RealSphericalHarmonics")
    harmonics.only({"lmax", "lidx", "midx"})
    for name in _HARMONICS:
        harmonics.get(name)
    product = module.child("so3product")
    product.expect("SO3TensorProduct")
    product.only({"lmax"})
    _check_couplings(product, l_max)
    names = ("so3convs", "mixings1", "mixings2", "gatings", "mixings3")
    lists = [list(module.child(name).children()) for name in names]
    if not 0 < len(lists[0]) <= LAYERS_MAX or len({len(parts) for parts in lists}) != 1:
        raise FormatError(f"{len(lists[0])} interactions; 1 to {LAYERS_MAX} are supported")
    tensors: dict[str, np.ndarray] = {}
    for t, parts in enumerate(zip(*lists)):
        last = t == len(lists[0]) - 1
        _layer(f"layers.{t}", parts, n_basis, channels, l_max, 0 if last else l_max, tensors)
    cards = [{"filter": {"hidden": [], "activation": "identity"}} for _ in lists[0]]
    return tensors, {"l_max": l_max, "layers": cards}


def _layer(
    name: str,
    parts: tuple[Module, ...],
    n_basis: int,
    channels: int,
    l_max: int,
    l_out: int,
    tensors: dict[str, np.ndarray],
) -> None:
    """One layer; of the last, only what reaches the scalars (l_out = 0)."""
    convolution, mixing1, mixing2, gating, mixing3 = parts
    columns = channels * (l_max + 1)
    convolution.expect("SO3Convolution")
    convolution.only({"lmax", "n_atom_basis", "n_radial", "filternet"})
    _check_couplings(convolution, l_max)
    convolution.get("Widx")
    filters = plain_of(convolution.child("filternet"), n_basis, columns, bias=True)
    mixings = [plain_of(mixing, channels, channels)[0] for mixing in (mixing1, mixing2, mixing3)]
    gating.expect("SO3ParametricGatedNonlinearity")
    gating.only({"lmax", "n_in", "lidx", "scaling"})
    gates = plain_of(gating.child("scaling"), channels, columns, bias=True)
    put_layer(name, filters, mixings, gates, (l_max, l_out), tensors)


def put_layer(
    name: str,
    filters: Layer,
    mixings: list[np.ndarray],
    gates: Layer,
    degrees: tuple[int, int],
    tensors: dict[str, np.ndarray],
) -> None:
    """The tensors of a layer.

    filters: weights [num_basis][columns] and biases; mixings: three [channels][channels]; gates:
    weights [channels][columns] and biases of the parametric gate; degrees: l_max, and that of what
    leaves the layer.
    """
    (weight, bias), (scaling, offset), (l_max, l_out) = filters, gates, degrees
    assert bias is not None and offset is not None
    first, second, third = mixings
    channels = len(first)
    tensors[f"{name}.filter.0.weight"] = weight * HARMONIC_NORM
    tensors[f"{name}.filter.0.bias"] = bias * HARMONIC_NORM
    gated = slice(0, channels * (l_out + 1))
    for degree in range(l_max + 1):
        tensors[f"{name}.linear_product.{_irrep(degree)}.weight"] = first
    for degree in range(l_out + 1):
        mixed = second if degree else np.hstack([second, second @ scaling[:, gated]])
        tensors[f"{name}.linear_gate.{_irrep(degree)}.weight"] = mixed
        tensors[f"{name}.linear_out.{_irrep(degree)}.weight"] = third
    tensors[f"{name}.linear_gate.bias"] = np.concatenate([np.zeros(channels), offset[gated]])


def _irrep(degree: int) -> str:
    return f"{degree}{'o' if degree % 2 else 'e'}"


def _check_couplings(module: Module, l_max: int) -> None:
    """The module's own table of coupling coefficients is the one of the format, to float32."""
    size = (l_max + 1) ** 2
    *indices, values = (np.asarray(module.get(name)) for name in _TABLES)
    if any(i.dtype.kind != "i" or i.shape != values.shape or i.ndim != 1 for i in indices):
        raise FormatError(f"'{module.path}' has coupling tables of unknown shapes")
    if any(i.size and not 0 <= i.min() <= i.max() < size for i in indices):
        raise FormatError(f"'{module.path}' has coupling tables beyond its degrees")
    table = np.zeros((size, size, size))
    table[tuple(indices)] = values
    if not np.allclose(table, couplings(l_max), rtol=0, atol=1e-5):
        raise FormatError(f"'{module.path}' couples degrees in a way that is not supported")


def couplings(l_max: int) -> np.ndarray:
    """[s1][s2][s3] with s = l*l + l + m, for l1 + l2 + l3 even (model_format.h)."""
    size = (l_max + 1) ** 2
    table = np.zeros((size, size, size))
    degrees = range(l_max + 1)
    for l1, l2, l3 in ((a, b, c) for a in degrees for b in degrees for c in degrees):
        if abs(l1 - l2) <= l3 <= l1 + l2 and (l1 + l2 + l3) % 2 == 0:
            sign = (-1) ** ((l1 + l2 - l3) // 2)
            block = tuple(slice(x * x, (x + 1) ** 2) for x in (l1, l2, l3))
            table[block] = sign * sqrt(2 * l3 + 1) * wigner_3j(l1, l2, l3)
    return table


def filter_degrees(l_max: int) -> np.ndarray:
    """The degree of the harmonic in each coupling that is not zero, in upstream's order."""
    first, _, _ = np.nonzero(np.abs(couplings(l_max)) > 1e-6)
    return np.floor(np.sqrt(first)).astype(np.int64)
