"""What a file says of an Allegro network, whichever kind of file it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from irrepd.convert.e3nn import EVEN_SCALAR, Irrep


@dataclass
class Basis:
    """Bessel functions with a polynomial cutoff, or splines."""

    p: float = 0.0
    num_splines: int = 0  # 0: Bessel functions
    span: int = 0


@dataclass
class AllegroModel:
    """`state` names are those of the module that holds the layers."""

    state: Any  # StateDict
    type_names: list[str]
    dtype: str  # "float32" or "float64"
    r_max: float
    l_max: int
    basis: Basis
    irreps: list[list[Irrep]]  # of the tensor features, before the first layer and after each
    n_scalars: int
    n_tensors: int
    norm: np.ndarray  # of sums over edges: [1], or one for each type
    coupled: bool  # paths have weights for each channel
    by_degree: bool  # environments have weights for each degree of the harmonics
    two_body: str | None  # nonlinearities; None: there is none
    latent: str | None
    readout: str | None
    forward: bool  # weights are normalised by their inputs, not their outputs
    repulsion_p: float | None = None
    training: dict[str, Any] = field(default_factory=dict)


def harmonics(l_max: int) -> list[Irrep]:
    return [Irrep(degree, (-1) ** degree) for degree in range(l_max + 1)]


def tensor_irreps(l_max: int, allowed: list[Irrep], n_layers: int) -> list[list[Irrep]]:
    """Those that can be made from harmonics, and lead to scalars after the last layer."""
    edges = harmonics(l_max)
    made = [edges]
    for t in range(n_layers):
        kept = allowed if t < n_layers - 1 else [EVEN_SCALAR]
        reached = {out for ir in made[-1] for edge in edges for out in ir.product(edge)}
        made.append([ir for ir in kept if ir in reached])
    for t in range(n_layers - 1, -1, -1):
        wanted = set(made[t + 1])
        made[t] = [
            ir for ir in made[t] if any(wanted.intersection(ir.product(edge)) for edge in edges)
        ]
    return made
