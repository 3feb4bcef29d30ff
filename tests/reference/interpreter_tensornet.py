"""The executable specification of "tensornet" (include/irrep/model_format.h), in numpy, float64.

By 3x3 matrices, where the core goes by their components.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from interpreter import ACTIVATIONS, Edges, Interpreter, bessel, cutoff, harmonics, neighbours

IRREPS = ("0e", "1o", "2e")


def basis() -> np.ndarray:
    """The matrices B_k, [9][3][3]: of 2e, Q with v Q v = sqrt(2/15) Y_2(v), by six vectors v."""
    cross = np.zeros((3, 3, 3))
    for m, unit in enumerate(np.eye(3)):
        cross[m] = np.cross(unit, np.eye(3)).T / np.sqrt(2)  # columns: unit x e_j
    i, j = np.triu_indices(3)
    probes = np.random.default_rng(0).normal(size=(6, 3))
    products = probes[:, i] * probes[:, j] * np.where(i == j, 1, 2)
    lengths = np.linalg.norm(probes, axis=1, keepdims=True)
    told = np.sqrt(2 / 15) * lengths**2 * harmonics(2, probes / lengths)[2]
    entries = np.linalg.solve(products, told)
    square = np.zeros((5, 3, 3))
    square[:, i, j] = square[:, j, i] = entries.T
    return np.concatenate([np.eye(3)[None] / np.sqrt(3), cross, square])


def parts(x: np.ndarray) -> list[np.ndarray]:
    """Matrices [..][3][3]: multiples of the identity, antisymmetric, symmetric and traceless."""
    identity = np.trace(x, axis1=-2, axis2=-1)[..., None, None] / 3 * np.eye(3)
    turned = np.swapaxes(x, -1, -2)
    return [identity, (x - turned) / 2, (x + turned) / 2 - identity]


def squares(x: np.ndarray) -> np.ndarray:
    return (x**2).sum(axis=(-2, -1))


class TensorNetInterpreter(Interpreter):
    architecture = "tensornet"

    def energies(
        self, numbers: np.ndarray, positions: np.ndarray, cell: np.ndarray | None, pbc: np.ndarray
    ) -> np.ndarray:
        """E_a in eV, [n_atoms]."""
        species = np.array([self.card["atomic_numbers"].index(z) for z in numbers])
        edges = neighbours(positions, cell, pbc, self.card["r_max"])
        pairs = species[edges.receivers], species[edges.senders]
        r = np.linalg.norm(edges.vectors, axis=1)
        radial = self.radial(r)
        envelope = cutoff(self.card["radial"]["cutoff"], r, self.card["r_max"])[:, None]
        x = self.first(edges, r, radial, envelope, pairs, len(species))
        for t, card in enumerate(self.model["layers"]):
            filters = self.filters(f"layers.{t}.filter", card["filter"], radial) * envelope
            x = self.tensor_layer(f"layers.{t}", x, filters, edges)
        h = self.dense("linear", self.layer_norm("norm", np.hstack([*map(squares, parts(x))])))
        value, gate = (
            self.dense_mlp(f"readout.{part}", self.model["readout"], h)
            for part in ("value", "gate")
        )
        energy = (value * ACTIVATIONS["sigmoid"](gate))[:, 0]
        return self.tensors["scale"][species] * energy + self.tensors["shift"][species]

    def radial(self, r: np.ndarray) -> np.ndarray:
        basis = self.card["radial"]["basis"]
        if basis["name"] == "bessel":
            return bessel(basis, self.tensors["radial.frequencies"], r)
        gap = r[:, None] - self.tensors["radial.centers"]
        return np.exp(self.tensors["radial.coefficients"] * gap**2)

    def first(
        self,
        edges: Edges,
        r: np.ndarray,
        radial: np.ndarray,
        envelope: np.ndarray,
        pairs: tuple[np.ndarray, np.ndarray],
        n_atoms: int,
    ) -> np.ndarray:
        """[n_atoms][C][3][3]"""
        card = self.model["embedding"]
        weights = self.tensors["embedding.filter.0.weight"]
        filters = (radial @ weights + self.tensors.get("embedding.filter.0.bias", 0)) * envelope
        pair = self.tensors["embedding.receiver"][pairs[0]]
        pair = pair + self.tensors["embedding.sender"][pairs[1]]
        matrices, sums, begin = basis(), np.zeros((n_atoms, self.model["channels"], 3, 3)), 0
        for degree, y in enumerate(harmonics(2, edges.vectors / r[:, None])):
            own = matrices[begin : begin + 2 * degree + 1]
            begin += 2 * degree + 1
            columns = self.of_degree(filters, degree) * pair
            np.add.at(sums, edges.receivers, np.einsum("ec,em,mij->ecij", columns, y, own))
        scalars = self.layer_norm("embedding.norm", squares(sums))
        gates = self.dense_mlp("embedding.scalars", card["scalars"], scalars)
        gates = ACTIVATIONS[card["scalars"]["activation"]](gates)
        mapped = parts(self.map("embedding.linear", sums))
        return sum(self.of_degree(gates, i)[..., None, None] * x for i, x in enumerate(mapped))

    def tensor_layer(
        self, name: str, x: np.ndarray, filters: np.ndarray, edges: Edges
    ) -> np.ndarray:
        x = x / (1 + squares(x))[..., None, None]
        y = self.map(f"{name}.linear_in", x)
        message = np.zeros_like(y)
        for i, part in enumerate(parts(y)):
            weighted = self.of_degree(filters, i)[..., None, None] * part[edges.senders]
            np.add.at(message, edges.receivers, weighted)
        product = message @ y + y @ message
        change = self.map(f"{name}.linear_out", product / (1 + squares(product))[..., None, None])
        return x + change + change @ change

    def filters(self, name: str, card: dict[str, Any], radial: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[card["activation"]](self.mlp(name, card, radial))

    def of_degree(self, columns: np.ndarray, degree: int) -> np.ndarray:
        channels = self.model["channels"]
        return columns[:, degree * channels : (degree + 1) * channels]

    def map(self, name: str, x: np.ndarray) -> np.ndarray:
        return sum(
            np.einsum("ncij,cd->ndij", part, self.tensors[f"{name}.{ir}.weight"])
            for ir, part in zip(IRREPS, parts(x))
        )

    def layer_norm(self, name: str, x: np.ndarray) -> np.ndarray:
        gains, offsets = self.tensors[name]
        gap = x - x.mean(axis=1, keepdims=True)
        return gap / np.sqrt((gap**2).mean(axis=1, keepdims=True) + 1e-5) * gains + offsets

    def dense(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.tensors[f"{name}.0e.weight"] + self.tensors.get(f"{name}.bias", 0)

    def dense_mlp(self, name: str, card: dict[str, Any], x: np.ndarray) -> np.ndarray:
        for i in range(len(card["hidden"])):
            x = ACTIVATIONS[card["activation"]](self.dense(f"{name}.{i}", x))
        return self.dense(f"{name}.{len(card['hidden'])}", x)
