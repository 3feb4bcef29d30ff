"""All directed edges within a cutoff, by brute force over periodic images."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np


class Edges(NamedTuple):
    receivers: np.ndarray  # int64 [n_edges]
    senders: np.ndarray  # int64 [n_edges]
    vectors: np.ndarray  # float64 [n_edges, 3] Angstrom, from receiver to sender


def find_edges(positions: np.ndarray, cell: np.ndarray, pbc: np.ndarray, r_max: float) -> Edges:
    """Pairs with distance < r_max, self images included; rows of other axes are ignored."""
    positions = np.asarray(positions, dtype=float)
    axes = np.flatnonzero(pbc)
    rows = np.asarray(cell, dtype=float)[axes]
    if len(axes):
        inverse = np.linalg.pinv(rows)
        positions = positions - np.floor(positions @ inverse) @ rows
        reach = np.ceil(r_max * np.linalg.norm(inverse, axis=0)).astype(int) + 1
    else:
        reach = np.zeros(0, dtype=int)
    between = positions[None, :, :] - positions[:, None, :]
    found = []
    for shift in itertools.product(*(range(-n, n + 1) for n in reach)):
        vectors = between + np.asarray(shift, dtype=float) @ rows
        distances = np.linalg.norm(vectors, axis=-1)
        near = distances < r_max
        if not any(shift):
            np.fill_diagonal(near, False)
        receivers, senders = np.nonzero(near)
        found.append((receivers, senders, vectors[receivers, senders]))
    receivers, senders, vectors = (np.concatenate(part) for part in zip(*found))
    order = np.argsort(receivers, kind="stable")
    return Edges(receivers[order], senders[order], vectors[order])
