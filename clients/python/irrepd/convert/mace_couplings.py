"""The generalised Clebsch-Gordan coefficients of MACE (U matrices), exact.

A model that was made in float32 carries them rounded, which breaks its symmetry from the eighth
digit on. Follows mace.tools.cg: Wigner 3j symbols one after the other.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np

from irrepd.convert.e3nn import Irrep
from irrepd.convert.e3nn_modules import sign_of_coupling
from irrepd.convert.wigner import wigner_3j

ELEMENTS_MAX = 1 << 16  # of one path: (components)^order * (2l+1)

Coupled = tuple[Irrep, np.ndarray]  # [2l+1][components]..[components]


def exact(table: np.ndarray, irreps: tuple[Irrep, ...], out: Irrep, order: int) -> np.ndarray:
    """The table [2l+1][components]..[n_paths] without rounding; as it is if it is another."""
    size = sum(2 * ir.l + 1 for ir in irreps)
    if table.dtype == np.float64 or (2 * out.l + 1) * size**order > ELEMENTS_MAX:
        return table
    for natural in (False, True):  # mace drops other parities at order 4 on some terms
        paths = [found for ir, found in _coupled(irreps, order, natural, out) if ir == out]
        if len(paths) == table.shape[-1]:
            found = np.stack(paths, axis=-1)
            if np.allclose(found, table, rtol=0, atol=1e-5):
                return found
    return table


@cache
def _coupled(
    irreps: tuple[Irrep, ...], order: int, natural: bool, wanted: Irrep | None
) -> tuple[Coupled, ...]:
    """All products of `order` factors, sorted by irrep; only those of `wanted` if one is given."""
    size = sum(2 * ir.l + 1 for ir in irreps)
    found: list[Coupled] = []
    if order == 1:
        rows, start = np.eye(size), 0
        for ir in irreps:
            found.append((ir, rows[start : start + 2 * ir.l + 1]))
            start += 2 * ir.l + 1
        return tuple(found)
    for left, coefficients in _coupled(irreps, order - 1, natural, None):
        start = 0
        for right in irreps:
            end = start + 2 * right.l + 1
            for ir in left.product(right):
                if (natural and ir.p != (-1) ** ir.l) or (wanted and ir != wanted):
                    continue
                found.append((ir, _coupling(ir, left, coefficients, right, start, size)))
            start = end
    return tuple(sorted(found, key=lambda item: item[0]))


def _coupling(
    ir: Irrep, left: Irrep, coefficients: np.ndarray, right: Irrep, start: int, size: int
) -> np.ndarray:
    symbol = wigner_3j(ir.l, left.l, right.l) * sqrt(2 * ir.l + 1)
    symbol = symbol * sign_of_coupling(ir.l, left.l, right.l)
    product = np.einsum("j...,ijl->i...l", coefficients, symbol)
    result = np.zeros((*product.shape[:-1], size))
    result[..., start : start + 2 * right.l + 1] = product
    return result
