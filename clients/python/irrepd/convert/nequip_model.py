"""What a NequIP model is made of, from whichever of its files: the numbers are in a state dict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from irrepd.convert.e3nn import L_MAX, Entry, Irrep, Irreps, format_irreps
from irrepd.errors import FormatError
from irrepd.records import Tensor

SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As "
    "Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd "
    "Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am "
    "Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og"
).split()

# Names of nonlinearities in an MLP (nequip.nn.mlp) and in a gate (nequip.nn.convnetlayer).
MLP_ACTIVATIONS = {
    "silu": "silu", "mish": "mish", "gelu": "gelu", "ssp": "ssp", "tanh": "tanh",
    "sigmoid": "sigmoid", "softplus": "softplus", "None": "identity", "null": "identity",
}  # fmt: skip
GATE_ACTIVATIONS = {"e": {"silu", "tanh", "ssp", "abs"}, "o": {"tanh"}}


@dataclass
class Layer:
    hidden: Irreps  # feature_irreps_hidden
    norm: np.ndarray  # of the features that are sent: [1], or one for each type


@dataclass
class NequipModel:
    """`state` names are those of the module that holds the layers."""

    state: Any  # StateDict
    type_names: list[str]
    dtype: str  # "float32" or "float64"
    r_max: float
    l_max: int
    edge_parity: str  # "natural" or "even"
    p: float  # of the polynomial cutoff
    layers: list[Layer]
    scalars: dict[str, str]  # activation by parity, "e" and "o"
    gates: dict[str, str]
    readout: str | None  # nonlinearity; None: there is none
    repulsion_p: float | None = None
    categories: dict[str, tuple[int, int]] = field(default_factory=dict)  # least and largest
    training: dict[str, Any] = field(default_factory=dict)


def edge_irreps(irreps: Irreps) -> tuple[int, str]:
    """l_max and parity of harmonics that are there in all degrees, once each.

    The parity is "natural", (-1)^l, or "even" (nequip before 0.16, without parity).
    """
    for parity, p in (("natural", -1), ("even", 1)):
        expected = [Entry(1, Irrep(n, p**n)) for n in range(len(irreps))]
        if irreps == expected and 0 < len(irreps) <= L_MAX + 1:
            return len(irreps) - 1, parity
    raise FormatError(f"harmonics '{format_irreps(irreps)}' are not of all degrees, once each")


def edge_degree(irreps: Irreps) -> int:
    """l_max of harmonics with their natural parity."""
    l_max, parity = edge_irreps(irreps)
    if parity != "natural":
        raise FormatError(f"harmonics '{format_irreps(irreps)}' are all even")
    return l_max


def with_scatter(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state under the names of today (releases.NEQUIP_SCATTER)."""
    return {name.replace(".conv.tp.", ".conv.tp_scatter.tp."): t for name, t in tensors.items()}


def atomic_numbers(names: list[str]) -> list[int]:
    """Of atom types that have the names of elements, as nequip's own calculators expect."""
    for name in names:
        if name not in SYMBOLS:
            raise FormatError(f"atom type '{name:.40}' has not the symbol of an element")
    numbers = [SYMBOLS.index(name) + 1 for name in names]
    if not numbers or len(set(numbers)) != len(numbers):
        raise FormatError("the atom types are no list of elements")
    return numbers


def chosen_categories(
    categories: dict[str, tuple[int, int]], text: str | None
) -> list[tuple[str, int]]:
    """The row of each embedded graph field, from "FIELD=VALUE,..."."""
    if not categories:
        if text is not None:
            raise FormatError("--modality is for models with several; this is none")
        return []
    given = dict(part.partition("=")[::2] for part in (text or "").split(","))
    known = ", ".join(f"{name}={low}..{high}" for name, (low, high) in categories.items())
    rows = []
    for name, (low, high) in categories.items():
        value = given.pop(name, "")
        number = int(value) if value.lstrip("-").isdecimal() and len(value) < 10 else None
        if number is None or not low <= number <= high:
            raise FormatError(f"give a value of each graph field with --modality ({known})")
        rows.append((name, number - low))
    if any(given):
        raise FormatError(f"--modality names a field that the model has not ({known})")
    return rows
