"""The radial embedding and pair repulsion of MACE."""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert.modules import Module
from irrepd.errors import FormatError

BASIS_MAX = 64


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
    envelope = {"name": "polynomial", "p": cutoff.number("p")}
    card: dict[str, Any] = {"basis": basis, "cutoff": envelope}
    if "distance_transform" in module:
        raise FormatError("distance transforms are not supported yet")
    return tensors, card


def _basis(module: Module, r_max: float) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    module.expect("BesselBasis")
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
    module: Module, numbers: list[int], scale: float
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    raise FormatError("pair repulsion is not supported yet")
