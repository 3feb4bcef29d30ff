"""The executable specification of the model file (include/irrep/model_format.h), in numpy, float64.

Energies only, by the plain formulas and without regard to speed. Needs the package irrepd (clients/
python) on the path.
"""

from __future__ import annotations

import json
import re
from math import erf
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

from irrepd import safetensors
from irrepd.convert.wigner import wigner_3j

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "silu": lambda x: x / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "ssp": lambda x: np.logaddexp(0, x) - np.log(2),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "identity": lambda x: x,
    "abs": np.abs,
    "gelu": lambda x: x * (1 + np.vectorize(erf, otypes=[float])(x / np.sqrt(2))) / 2,
    "mish": lambda x: x * np.tanh(np.logaddexp(0, x)),
    "softplus": lambda x: np.logaddexp(0, x),
}

# Features of atoms by irrep, (l, parity) -> [n_atoms][2l+1][mul], in the order of the irreps.
Features = dict[tuple[int, int], np.ndarray]


Pairs = tuple[np.ndarray, np.ndarray]  # species of receivers and senders, [n_edges] each


class Edges(NamedTuple):
    receivers: np.ndarray  # [n_edges]
    senders: np.ndarray  # [n_edges]
    vectors: np.ndarray  # [n_edges][3], from the receiver to the sender


def neighbours(
    positions: np.ndarray, cell: np.ndarray | None, pbc: np.ndarray, r_max: float
) -> Edges:
    """All ordered pairs closer than r_max, by trying every image that could matter."""
    reach = np.zeros(3, dtype=int)
    rows = np.zeros((3, 3))
    if np.any(pbc):
        rows = completed(np.asarray(cell, dtype=float), pbc)
        heights = 1 / np.linalg.norm(np.linalg.inv(rows), axis=0)
        spread = np.ptp(positions @ np.linalg.inv(rows), axis=0)
        reach = np.where(pbc, np.ceil(r_max / heights + spread).astype(int), 0)
    receivers, senders, vectors = [], [], []
    for shift in np.ndindex(*(2 * reach + 1)):
        offset = (np.array(shift) - reach) @ rows
        difference = positions[None, :, :] + offset - positions[:, None, :]
        distance = np.linalg.norm(difference, axis=2)
        near = distance < r_max
        if not np.any(np.array(shift) - reach):
            np.fill_diagonal(near, False)
        i, j = np.nonzero(near)
        receivers.append(i)
        senders.append(j)
        vectors.append(difference[i, j])
    return Edges(np.concatenate(receivers), np.concatenate(senders), np.concatenate(vectors))


def completed(cell: np.ndarray, pbc: np.ndarray) -> np.ndarray:
    """The cell with rows of non-periodic axes replaced by unit vectors across the periodic ones."""
    rows = np.where(np.asarray(pbc)[:, None], cell, 0.0)
    _, _, basis = np.linalg.svd(rows)
    free = iter(basis[np.count_nonzero(pbc) :])
    return np.array([row if periodic else next(free) for row, periodic in zip(rows, pbc)])


def harmonics(l_max: int, directions: np.ndarray) -> list[np.ndarray]:
    """Y [l] -> [n][2l+1], 'component' normalised: Y_l+1 couples Y_l to Y_1, positive along y."""
    result = [np.ones((len(directions), 1)), np.sqrt(3) * directions]
    pole = [np.ones(1), np.sqrt(3) * np.array([0.0, 1.0, 0.0])]
    for degree in range(1, l_max):
        couple = wigner_3j(degree, 1, degree + 1)
        top = np.einsum("ijk,i,j->k", couple, pole[-1], pole[1])
        factor = np.sqrt(2 * degree + 3) / top[degree + 1]
        pole.append(factor * top)
        result.append(factor * np.einsum("ijk,ni,nj->nk", couple, result[-1], result[1]))
    return result[: l_max + 1]


def bessel(card: dict[str, Any], frequencies: np.ndarray, r: np.ndarray) -> np.ndarray:
    return card["prefactor"] * np.sin(frequencies * r[:, None]) / r[:, None]


def spline(card: dict[str, Any], u: np.ndarray) -> np.ndarray:
    n, span = card["num_basis"], card["span"]
    t = np.clip((n * u[:, None] - np.arange(n) + span) / (span + 1), 0, 1)
    return (1 - np.cos(2 * np.pi * t)) ** 2 / 4


def cutoff(card: dict[str, Any], r: np.ndarray, r_max: float | np.ndarray) -> np.ndarray:
    u = r / r_max
    if card["name"] == "none":
        return np.ones(len(r))
    if card["name"] == "polynomial":
        p = card["p"]
        terms = (p + 1) * (p + 2) / 2, p * (p + 2), p * (p + 1) / 2
        return 1 - terms[0] * u**p + terms[1] * u ** (p + 1) - terms[2] * u ** (p + 2)
    if card["name"] == "cosine":
        return (1 + np.cos(np.pi * u)) / 2
    on, off, square = card["r_on"] ** 2, r_max**2, r**2
    switch = (off - square) ** 2 * (off + 2 * square - 3 * on) / (off - on) ** 3
    return np.where(r < card["r_on"], 1.0, switch)


def parse(irreps: str) -> list[tuple[int, tuple[int, int]]]:
    """ "128x0e+64x1o" -> [(128, (0, 1)), (64, (1, -1))]"""
    found = re.findall(r"(\d+)x(\d+)([eo])", irreps)
    return [(int(mul), (int(degree), 1 if p == "e" else -1)) for mul, degree, p in found]


def name_of(ir: tuple[int, int]) -> str:
    return f"{ir[0]}{'e' if ir[1] > 0 else 'o'}"


class Interpreter:
    """A model file of architecture nequip; for others see interpreter_*.py."""

    architecture = "nequip"

    def __init__(self, path: str | Path, head: str | None = None):
        self.tensors, metadata = safetensors.read(path)
        self.card = json.loads(metadata["irrepd"])
        if head is not None:
            self.choose(self.card["heads"].index(head))
        self.model = self.card["model"]
        if (self.card["format"], self.card["architecture"]) != (1, self.architecture):
            raise ValueError(f"not a model file of format 1, {self.architecture}")

    def choose(self, head: int) -> None:
        """Puts a head's part in the place of what is by head."""
        for name, tensor in list(self.tensors.items()):
            if re.match(r"(scale|shift|pair_repulsion\.factor)$|(layers\.\d+\.)?readout\.", name):
                self.tensors[name] = tensor[head]
        for name in [name for name in self.tensors if name.endswith(".head_bias")]:
            bias = self.tensors.pop(name)[head]
            if name == "embedding.head_bias":
                self.tensors["embedding.weight"] = self.tensors["embedding.weight"] + bias
            else:
                self.tensors[name.replace(".head_bias", ".bias")] = bias

    def energies(
        self,
        numbers: np.ndarray,
        positions: np.ndarray,
        cell: np.ndarray | None,
        pbc: np.ndarray,
    ) -> np.ndarray:
        """Energies [n_atoms] in eV of a structure (Angstrom)."""
        table = self.card["atomic_numbers"]
        species = np.array([table.index(number) for number in numbers])
        edges = neighbours(np.asarray(positions, dtype=float), cell, pbc, self.card["r_max"])
        r = np.linalg.norm(edges.vectors, axis=1)
        y = harmonics(self.model["l_max"], edges.vectors / r[:, None])
        if self.model.get("edge_harmonics", "unit") == "solid":
            y = [r[:, None] ** degree * values for degree, values in enumerate(y)]
        pairs = species[edges.receivers], species[edges.senders]
        within, embedding = self.embedding(r, pairs)
        x: Features = {(0, 1): self.tensors["embedding.weight"][species][:, None, :]}
        for t, layer in enumerate(self.model["layers"]):
            x = self.layer(f"layers.{t}", layer, x, species, edges, y, embedding, within)
        readout = self.model["readout"]
        energy = self.mlp("readout", readout, x[(0, 1)][:, 0, :])[:, 0]
        energy = self.tensors["scale"][species] * energy + self.tensors["shift"][species]
        if "pair_repulsion" in self.model:
            np.add.at(energy, edges.receivers, self.pair_repulsion(r, pairs))
        return energy

    def embedding(self, r: np.ndarray, pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
        """Which edges are within the cutoff of their pair of species, and what filters see."""
        radial, r_max = self.card["radial"], self.card["r_max"]
        if "radial.r_max" in self.tensors:
            r = r * r_max / self.tensors["radial.r_max"][pairs]
        if radial["basis"]["name"] == "spline":
            values = spline(radial["basis"], r / r_max)
        else:
            values = bessel(radial["basis"], self.tensors["radial.frequencies"], r)
        return r < r_max, values * cutoff(radial["cutoff"], r, r_max)[:, None]

    def pair_repulsion(self, r: np.ndarray, pairs: Pairs) -> np.ndarray:
        """Energies [n_edges] in eV."""
        names = ("factor", "length", "r_max")
        factor, length, r_max = (self.tensors[f"pair_repulsion.{name}"][pairs] for name in names)
        card = {"name": "polynomial", "p": self.model["pair_repulsion"]["p"]}
        exponents = self.tensors["pair_repulsion.exponents"] * (r / length)[:, None]
        screening = np.exp(-exponents) @ self.tensors["pair_repulsion.coefficients"]
        return np.where(r < r_max, factor / r * screening * cutoff(card, r, r_max), 0.0)

    def layer(
        self,
        name: str,
        layer: dict[str, Any],
        x: Features,
        species: np.ndarray,
        edges: Edges,
        y: list[np.ndarray],
        embedding: np.ndarray,
        within: np.ndarray,
    ) -> Features:
        by_species = species if layer.get("linear_up") == "species" else None
        same = {ir: v.shape[2] for ir, v in x.items()}
        up = self.linear(f"{name}.linear_up", x, same, by_species)
        weights = self.mlp(f"{name}.filter", layer["filter"], embedding) * within[:, None]
        mid = self.convolution(layer["irreps_mid"], up, edges, y, weights)
        out = parse(layer["irreps_out"])
        gate = gate_input(out)
        z = self.linear(f"{name}.linear_down", mid, gate)
        if layer["self_connection"] != "none":
            by_species = species if layer["self_connection"] == "species" else None
            connection = self.linear(f"{name}.self_connection", x, gate, by_species)
            z = {ir: z[ir] + connection[ir] for ir in gate}
        if "norm" in layer:
            z = self.norm(f"{name}.norm", layer["norm"]["epsilon"], z)
        return self.gate(layer["gate"], out, z)

    def linear(
        self,
        name: str,
        x: Features,
        out: dict[tuple[int, int], int],
        species: np.ndarray | None = None,
    ) -> Features:
        n_atoms = len(next(iter(x.values())))
        result = {}
        for ir, mul in out.items():
            result[ir] = np.zeros((n_atoms, 2 * ir[0] + 1, mul))
            if ir in x:
                weight = self.tensors[f"{name}.{name_of(ir)}.weight"]
                if species is not None:
                    result[ir] = np.einsum("ami,aio->amo", x[ir], weight[species])
                else:
                    result[ir] = x[ir] @ weight
        if f"{name}.bias" in self.tensors:
            result[(0, 1)] = result[(0, 1)] + self.tensors[f"{name}.bias"]
        return result

    def mlp(self, name: str, card: dict[str, Any], x: np.ndarray) -> np.ndarray:
        last = len(card["hidden"])
        for i in range(last + 1):
            x = x @ self.tensors[f"{name}.{i}.weight"] + self.tensors.get(f"{name}.{i}.bias", 0.0)
            if i < last:
                x = ACTIVATIONS[card["activation"]](x)
        return x

    def convolution(
        self, irreps_mid: str, x: Features, edges: Edges, y: list[np.ndarray], weights: np.ndarray
    ) -> Features:
        mid = dict((ir, mul) for mul, ir in parse(irreps_mid))
        paths: dict[tuple[int, int], list[np.ndarray]] = {ir: [] for ir in mid}
        column = 0
        for (l1, p1), values in x.items():
            mul = values.shape[2]
            for l2 in range(self.model["l_max"] + 1):
                p2 = (-1) ** l2 if self.model["edge_parity"] == "natural" else 1
                for l3 in range(abs(l1 - l2), l1 + l2 + 1):
                    if (l3, p1 * p2) not in mid:
                        continue
                    filters = weights[:, column : column + mul]
                    column += mul
                    couple = np.sqrt(2 * l3 + 1) * wigner_3j(l1, l2, l3)
                    coupled = np.einsum("ijk,ej->eki", couple, y[l2])
                    message = coupled @ values[edges.senders] * filters[:, None, :]
                    total = np.zeros((len(values), 2 * l3 + 1, mul))
                    np.add.at(total, edges.receivers, message)
                    paths[(l3, p1 * p2)].append(total)
        assert column == weights.shape[1]
        result = {ir: np.concatenate(parts, axis=2) for ir, parts in paths.items()}
        assert {ir: value.shape[2] for ir, value in result.items()} == mid
        return result

    def norm(self, name: str, epsilon: float, z: Features) -> Features:
        sums = [np.sum(x**2, axis=(1, 2)) / x.shape[1] ** 2 for x in z.values()]
        squares = np.mean(sums, axis=0)
        inverse = 1 / np.sqrt(epsilon + squares)[:, None, None]
        gains = {ir: self.tensors[f"{name}.{name_of(ir)}.gain"] for ir in z}
        return {ir: gains[ir] * x * inverse for ir, x in z.items()}

    def gate(
        self, card: dict[str, Any], out: list[tuple[int, tuple[int, int]]], z: Features
    ) -> Features:
        gates_ir = gate_irrep(out)
        position = dict((ir, mul) for mul, ir in out).get(gates_ir, 0)
        result = {}
        for mul, ir in out:
            if ir[0] == 0:
                entry = card["scalars"][name_of(ir)]
                result[ir] = entry["scale"] * ACTIVATIONS[entry["activation"]](z[ir][:, :, :mul])
            else:
                entry = card["gates"][name_of(gates_ir)]
                gates = z[gates_ir][:, :, position : position + mul]
                result[ir] = z[ir] * entry["scale"] * ACTIVATIONS[entry["activation"]](gates)
                position += mul
        return result


def gate_irrep(out: list[tuple[int, tuple[int, int]]]) -> tuple[int, int]:
    return (0, 1) if any(ir == (0, 1) for _, ir in out) else (0, -1)


def gate_input(out: list[tuple[int, tuple[int, int]]]) -> dict[tuple[int, int], int]:
    """The entries of irreps_out, the gates' scalars extended by one gate for each l > 0 channel."""
    result = {ir: mul for mul, ir in out}
    gates = sum(mul for mul, ir in out if ir[0] > 0)
    if gates:
        result[gate_irrep(out)] = result.get(gate_irrep(out), 0) + gates
    return result
