"""Modules that NequIP and Allegro networks of the nequip package share, as effective weights."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from irrepd.convert.e3nn import CHANNELS_MAX
from irrepd.convert.nequip_model import MLP_ACTIVATIONS
from irrepd.convert.state import StateDict
from irrepd.errors import FormatError

LAYERS_MAX = 16

# Ziegler, Biersack and Littmark's universal screening, with the digits of LAMMPS' pair_zbl_const.h.
_ZBL_EXPONENT, _ZBL_LENGTH = 0.23, 0.46850
_ZBL_COEFFICIENTS = (0.02817, 0.28022, 0.50986, 0.18175)
_ZBL_EXPONENTS = (0.20162, 0.40290, 0.94229, 3.19980)
_COULOMB = 14.399645  # eV Angstrom


def network_of(
    state: StateDict,
    module: str,
    n_in: int,
    n_out: int,
    nonlinearity: str | None,
    forward: bool = True,
) -> tuple[list[np.ndarray], str]:
    """ScalarMLPFunction: effective weights and the activation in between.

    forward: weights are normalised by their inputs, not their outputs.
    """
    pattern = rf"{module}\.mlp\.(?:weights\.)?(\d+)(?:\.weight)?"
    matches = state.matching(pattern)
    names = sorted(matches, key=lambda name: int(matches[name][1]))
    if any(".weights." in name for name in names) != (nonlinearity is None and len(names) > 1):
        raise FormatError(f"'{module}' is not the network that its nonlinearity makes")
    weights, rows = [], n_in
    for i, name in enumerate(names):
        weight = state.take(name).astype(np.float64)
        if weight.ndim != 2 or weight.shape[0] != rows or not 0 < weight.shape[1] <= CHANNELS_MAX:
            raise FormatError(f"'{name}' has shape {weight.shape}, not {rows} rows")
        without = nonlinearity is None or i == (0 if forward else len(names) - 1)
        weights.append(weight * weight_gain(weight.shape, without, forward))
        rows = weight.shape[1]
    if not weights or rows != n_out:
        raise FormatError(f"'{module}' has {rows} outputs, not {n_out}")
    if nonlinearity is None:
        while len(weights) > 1:
            weights[-2:] = [weights[-2] @ weights[-1]]
    if len(weights) == 1:
        return weights, "identity"
    if nonlinearity not in MLP_ACTIVATIONS:
        known = ", ".join(MLP_ACTIVATIONS)
        raise FormatError(f"nonlinearity '{nonlinearity:.40}' of '{module}'; supported: {known}")
    return weights, MLP_ACTIVATIONS[nonlinearity]


def weight_gain(shape: tuple[int, ...], without_nonlinearity: bool, forward: bool) -> float:
    """What a layer of a ScalarMLPFunction multiplies its weight by."""
    gain = 1.0 if without_nonlinearity else sqrt(2)
    return gain / sqrt(shape[0] if forward else shape[1])


def pair_cutoffs(state: StateDict, r_max: float, n_types: int) -> np.ndarray | None:
    """EdgeLengthNormalizer: the cutoffs of pairs of types, if they have their own."""
    inverse = state.take("edge_norm._rmax_recip").astype(np.float64).ravel()
    if inverse.size not in (1, n_types**2) or not (inverse > 0).all():
        raise FormatError("'_rmax_recip' is neither one number nor one for each pair of types")
    if inverse.size > 1 or n_types == 1:
        cutoffs = np.minimum(1 / inverse.reshape(n_types, n_types), r_max)
        if inverse.size > 1 or abs(cutoffs[0, 0] - r_max) > 1e-6:
            return cutoffs
    elif abs(inverse[0] * r_max - 1) > 1e-6:
        raise FormatError("'_rmax_recip' is not that of r_max")
    return None


def scale_and_shift_of(state: StateDict, n_types: int) -> tuple[np.ndarray, np.ndarray]:
    """PerTypeScaleShift: one of each for each type."""
    found = []
    for kind, default in (("scale", 1.0), ("shift", 0.0)):
        values = state.take(f"per_type_energy_scale_shift.{kind}s").astype(np.float64).ravel()
        if values.size == 0:
            values = np.array([default])
        if values.size not in (1, n_types):
            raise FormatError(f"the {kind} has {values.size} values, not one for each type")
        found.append(np.broadcast_to(values, n_types).copy())
    return found[0], found[1]


def repulsion_of(
    state: StateDict, p: float, numbers: list[int], cutoffs: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """ZBL: tensors and card. Half of each pair's energy goes to either atom."""
    charges = state.take("pair_potential.atomic_numbers", (len(numbers),)).astype(np.float64)
    coulomb = float(state.take("pair_potential._qqr2exesquare", ()))
    if charges.tolist() != numbers:
        raise FormatError("the elements of 'pair_potential' are not those of the atom types")
    if abs(coulomb - _COULOMB / 2) > 1e-5:
        raise FormatError("'pair_potential' is not in units of eV ('metal')")
    powers = charges**_ZBL_EXPONENT
    tensors = {
        "coefficients": np.array(_ZBL_COEFFICIENTS),
        "exponents": np.array(_ZBL_EXPONENTS),
        "factor": coulomb * charges[:, None] * charges[None, :],
        "length": _ZBL_LENGTH / (powers[:, None] + powers[None, :]),
        "r_max": cutoffs,
    }
    card = {"num_terms": len(_ZBL_COEFFICIENTS), "p": p}
    return {f"pair_repulsion.{name}": values for name, values in tensors.items()}, card
