"""The product basis of MACE: its coupling tables (U matrices) as sparse polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from irrepd.convert.e3nn import Irreps
from irrepd.convert.e3nn_modules import irreps_of
from irrepd.convert.mace_couplings import exact
from irrepd.convert.modules import Module
from irrepd.errors import FormatError

CORRELATION_MAX = 4


def product_of(
    module: Module, n_weights: int, message: Irreps, name: str
) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """SymmetricContraction: tensors, and what the card says of each irrep of its output.

    n_weights is the number of species, or 1 where the weights are the same for all.
    """
    module.expect("SymmetricContraction")
    if irreps_of(module.get("irreps_in")) != message:
        raise FormatError(f"'{module.path}' does not take the irreps of the messages")
    out = irreps_of(module.get("irreps_out"))
    contractions = list(module.child("contractions").children())
    if len(contractions) != len(out) or len({entry.ir for entry in out}) != len(out):
        raise FormatError(f"'{module.path}' has not one contraction for each irrep")
    tensors: dict[str, np.ndarray] = {}
    cards = []
    n_components = sum(2 * entry.ir.l + 1 for entry in message)
    for entry, contraction in zip(out, contractions):
        contraction.expect("Contraction")
        if len({m.mul for m in message} | {entry.mul}) != 1:
            raise FormatError(f"'{module.path}' has irreps of unequal channels")
        n_orders = contraction.get("correlation")
        if not isinstance(n_orders, int) or not 1 <= n_orders <= CORRELATION_MAX:
            raise FormatError(f"correlation {n_orders!r:.20}; supported: 1 to {CORRELATION_MAX}")
        card: dict[str, list[int]] = {"n_paths": [], "n_terms": []}
        for order in range(1, n_orders + 1):
            table, weight = _order(contraction, order, n_orders)
            shape = (2 * entry.ir.l + 1,) + (n_components,) * order
            table = table.reshape(shape + table.shape[-1:])
            terms = _terms(exact(table, tuple(m.ir for m in message), entry.ir, order))
            if weight.shape != (n_weights, table.shape[-1], entry.mul):
                raise FormatError(f"'{contraction.path}' has weights of shape {weight.shape}")
            card["n_paths"].append(table.shape[-1])
            card["n_terms"].append(len(terms))
            if len(terms):
                tensors[f"{name}.{entry.ir}.{order}.coupling"] = terms
                tensors[f"{name}.{entry.ir}.{order}.weight"] = weight.astype(np.float64)
        cards.append(card)
    return tensors, cards


def _order(contraction: Module, order: int, n_orders: int) -> tuple[np.ndarray, np.ndarray]:
    """The table and the weights of one order; the flags for empty ones say nothing new."""
    table = contraction.take(f"U_matrix_{order}")
    if order == n_orders:
        weight = contraction.take("weights_max")
        flag = "weights_max_zeroed"
    else:
        weight = contraction.child("weights").take(str(n_orders - 1 - order))
        flag = f"weights_{n_orders - 1 - order}_zeroed"
    if flag in contraction:
        contraction.get(flag)
    return table, weight


def _terms(table: np.ndarray) -> np.ndarray:
    """[component, m][i_1]..[i_order][path] as rows: m, ascending i, path, value.

    All orders of the same variables multiply the same monomial, so their values add up. Sums that
    cancel leave rounding errors of the table's own dtype; these are no terms.
    """
    size = np.abs(table).max(initial=0.0)
    rounding = 1e-12 if table.dtype == np.float64 else 1e-6
    found = np.argwhere(table)
    if not len(found):
        return np.zeros((0, table.ndim + 1))
    values = table[tuple(found.T)].astype(np.float64)
    found[:, 1:-1].sort(axis=1)
    rows, inverse = np.unique(found, axis=0, return_inverse=True)
    sums = np.bincount(inverse.ravel(), weights=values)
    kept = np.abs(sums) > rounding * size
    return np.column_stack([rows[kept].astype(np.float64), sums[kept]])
