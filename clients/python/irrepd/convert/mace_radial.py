"""The radial embedding and pair repulsion of MACE."""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert.modules import Module
from irrepd.convert.releases import MACE_WHOLE_POWER
from irrepd.errors import FormatError

BASIS_MAX = 512


def radial_of(
    module: Module, r_max: float, numbers: list[int]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """RadialEmbeddingBlock: tensors and the card's "radial"."""
    module.expect("RadialEmbeddingBlock")
    module.only({"bessel_fn", "cutoff_fn", "distance_transform", "out_dim", "apply_cutoff"})
    tensors, basis = _basis(module.child("bessel_fn"), r_max)
    cutoff = module.child("cutoff_fn")
    cutoff.expect("PolynomialCutoff")
    if cutoff.number("r_max") != r_max:
        raise FormatError("the cutoff function does not end at r_max")
    envelope = {"name": "polynomial", "p": _power(cutoff)}
    card: dict[str, Any] = {"basis": basis, "cutoff": envelope}
    if not module.flag("apply_cutoff", True):
        card["envelope"] = "filter"
    if "distance_transform" in module:
        transform, r0 = _transform(module.child("distance_transform"), numbers)
        card["transform"] = transform
        tensors["radial.r0"] = r0
    return tensors, card


def _power(module: Module) -> float:
    """Of a polynomial cutoff: releases.MACE_WHOLE_POWER."""
    power = module.number("p")
    if power != round(power):
        where, what = module.where("p"), MACE_WHOLE_POWER.what
        raise FormatError(f"'{where}' is {power}, of which releases make different cutoffs: {what}")
    return power


def covalent_radii(module: Module, numbers: list[int]) -> np.ndarray:
    """The radii of the model's elements, as the module keeps them."""
    radii = module.take("covalent_radii").astype(np.float64)
    if radii.ndim != 1 or radii.size <= max(numbers):
        raise FormatError(f"'{module.path}' has not the radii of all elements")
    return radii[numbers]


def _transform(module: Module, numbers: list[int]) -> tuple[dict[str, Any], np.ndarray]:
    kind = module.expect("AgnesiTransform", "SoftTransform")
    radii = covalent_radii(module, numbers)
    sums = radii[:, None] + radii[None, :]
    if kind == "SoftTransform":
        return {"name": "soft", "alpha": module.number("alpha")}, sums
    return {"name": "agnesi", **{key: module.number(key) for key in ("a", "q", "p")}}, 0.5 * sums


def _basis(module: Module, r_max: float) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    kind = module.expect("BesselBasis", "GaussianBasis", "ChebychevBasis")
    if kind == "ChebychevBasis":
        orders = module.take("n").ravel()
        if not 0 < orders.size <= BASIS_MAX or (orders != np.arange(1, orders.size + 1)).any():
            raise FormatError(f"'{module.path}' does not count from 1")
        return {}, {"name": "chebyshev", "num_basis": int(orders.size)}
    if kind == "GaussianBasis":
        centers = module.take("gaussian_weights").astype(np.float64)
        if centers.ndim != 1 or not 0 < centers.size <= BASIS_MAX:
            raise FormatError(f"a basis of shape {centers.shape}; up to {BASIS_MAX} functions")
        coefficients = np.full(centers.size, module.number("coeff"))
        tensors = {"radial.centers": centers, "radial.coefficients": coefficients}
        return tensors, {"name": "gaussian", "num_basis": int(centers.size)}
    frequencies = module.take("bessel_weights").astype(np.float64)
    if frequencies.ndim != 1 or not 0 < frequencies.size <= BASIS_MAX:
        raise FormatError(f"a basis of shape {frequencies.shape}; up to {BASIS_MAX} functions")
    module.get("r_max")
    card = {
        "name": "bessel",
        "num_basis": int(frequencies.size),
        "prefactor": module.number("prefactor"),
    }
    return {"radial.frequencies": frequencies}, card


def pair_of(
    module: Module, numbers: list[int], scale: np.ndarray
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """ZBLBasis: the card's "pair_repulsion" and its tensors.

    scale is that of the model's interaction energies, or those of its heads, which upstream applies
    to this one too.
    """
    module.expect("ZBLBasis")
    if "cutoff" in module:  # before 0.3.8: of the model's r_max, kept and not used
        cutoff = module.child("cutoff")
        for name in ("p", "r_max"):
            cutoff.get(name)
        module.get("r_max")
    charges = np.array(numbers, dtype=np.float64)
    powers = charges ** module.number("a_exp")
    length = module.number("a_prefactor") * 0.529 / (powers[:, None] + powers[None, :])
    radii = covalent_radii(module, numbers)
    tensors = {
        "pair_repulsion.coefficients": module.take("c", (4,)).astype(np.float64),
        "pair_repulsion.exponents": np.array([3.2, 0.9423, 0.4028, 0.2016]),
        "pair_repulsion.factor": scale[..., None, None]
        * 0.5
        * 14.3996
        * charges[:, None]
        * charges[None, :],
        "pair_repulsion.length": length,
        "pair_repulsion.r_max": radii[:, None] + radii[None, :],
    }
    return {"num_terms": 4, "p": _power(module)}, tensors
