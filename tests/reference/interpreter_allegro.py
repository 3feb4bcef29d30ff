"""Architecture allegro of the executable specification; see interpreter.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from interpreter import ACTIVATIONS, Features, Interpreter, harmonics, neighbours, parse

from irrepd.convert.wigner import wigner_3j


class AllegroInterpreter(Interpreter):
    """Features live on edges: [n_edges][..]."""

    architecture = "allegro"

    def energies(
        self,
        numbers: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray | None,
        pbc: np.ndarray,
    ) -> np.ndarray:
        table, model = self.card["atomic_numbers"], self.model
        species = np.array([table.index(number) for number in numbers])
        edges = neighbours(np.asarray(positions, dtype=float), cell, pbc, self.card["r_max"])
        r = np.linalg.norm(edges.vectors, axis=1)
        y = harmonics(model["l_max"], edges.vectors / r[:, None])
        pairs = species[edges.receivers], species[edges.senders]
        scalars, first, weights = self.two_body(r, pairs)
        tensors: Features = {
            (degree, (-1) ** degree): first[:, degree, None, :] * values[:, :, None]
            for degree, values in enumerate(y)
        }
        for t, layer in enumerate(model["layers"]):
            environment = self.environment(species, edges.receivers, weights, y)
            tensors = self.product(f"layers.{t}", layer["irreps_out"], tensors, environment)
            latent = np.concatenate([scalars, tensors[(0, 1)][:, 0, :]], axis=1)
            found = self.mlp(f"layers.{t}.latent", layer["latent"], latent)
            scalars = np.concatenate([scalars, found[:, : model["num_scalars"]]], axis=1)
            if t + 1 < len(model["layers"]):
                weights = self.by_degree(found[:, model["num_scalars"] :])
        energy = np.zeros(len(species))
        np.add.at(energy, edges.receivers, self.mlp("readout", model["readout"], scalars)[:, 0])
        energy = self.tensors["scale"][species] * energy + self.tensors["shift"][species]
        if "pair_repulsion" in model:
            np.add.at(energy, edges.receivers, self.pair_repulsion(r, pairs))
        return energy

    def by_degree(self, weights: np.ndarray) -> np.ndarray:
        """Weights of harmonics, [n_edges][degree][channel]."""
        return weights.reshape(-1, self.model["l_max"] + 1, self.model["num_tensors"])

    def two_body(
        self, r: np.ndarray, pairs: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scalars, weights of the first tensor features, weights of the first environment."""
        card: dict[str, Any] = self.model["two_body"]
        within, embedding = self.embedding(r, pairs)
        x = np.einsum("ek,eko->eo", embedding, self.tensors["two_body.0.weight"][pairs])
        for i in range(1, len(card["hidden"]) + 1):
            x = ACTIVATIONS[card["activation"]](x) @ self.tensors[f"two_body.{i}.weight"]
        x = x * within[:, None]
        n, size = self.model["num_scalars"], (self.model["l_max"] + 1) * self.model["num_tensors"]
        return x[:, :n], self.by_degree(x[:, n : n + size]), self.by_degree(x[:, n + size :])

    def environment(
        self, species: np.ndarray, receivers: np.ndarray, weights: np.ndarray, y: list[np.ndarray]
    ) -> list[np.ndarray]:
        """Of each edge's receiver, [degree] -> [n_edges][2l+1][channel]."""
        result = []
        for degree, values in enumerate(y):
            total = np.zeros((len(species), 2 * degree + 1, weights.shape[2]))
            np.add.at(total, receivers, weights[:, degree, None, :] * values[:, :, None])
            scale = self.tensors["environment_scale"][species]
            result.append((total * scale[:, None, None])[receivers])
        return result

    def product(
        self, name: str, irreps_out: str, x: Features, environment: list[np.ndarray]
    ) -> Features:
        weights, path, result = self.tensors[f"{name}.product.weight"], 0, {}
        for _, (l3, p3) in parse(irreps_out):
            total = 0.0
            for (l1, p1), values in x.items():
                for l2, sums in enumerate(environment):
                    if abs(l1 - l2) <= l3 <= l1 + l2 and p1 * (-1) ** l2 == p3:
                        couple = np.sqrt(2 * l3 + 1) * wigner_3j(l1, l2, l3)
                        term = np.einsum("ijk,eiu,eju->eku", couple, values, sums)
                        total = total + weights[path] * term
                        path += 1
            result[(l3, p3)] = total
        assert path == len(weights)
        return result
