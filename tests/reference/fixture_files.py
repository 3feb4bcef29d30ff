"""Writes the fixtures of one upstream model: its answers in float64, its model file, both small."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from edges import find_edges
from structures import COPIES, FIXTURES, Structure, displaced, load

from irrepd import safetensors

ROOT = Path(__file__).resolve().parents[2]
JOINED = ("energies", "forces", "numbers")  # of all structures, one after the other
MEASURED = "upstream_float32_errors"
HEAD_STRUCTURES = ("s22-water-dimer", "quartz", "crystal-water", "dimer-h2")  # of H, O and Si
NOT_COMPARED = (MEASURED, "sevenn_float32_errors", "made_with")  # by processor, by build of torch


class Evaluation(NamedTuple):
    energies: np.ndarray  # [n_atoms] eV
    forces: np.ndarray  # [n_atoms, 3] eV/Angstrom
    strain_derivative: np.ndarray  # [3, 3] eV, dE/dstrain


Evaluate = Callable[[Structure], Evaluation]


def decorated(structure: Structure, elements: Sequence[int]) -> Structure:
    """The structure with the elements of a model in place of its own, in ascending order."""
    own = np.unique(structure.numbers)
    numbers = [elements[np.searchsorted(own, z) % len(elements)] for z in structure.numbers]
    return structure._replace(numbers=np.array(numbers, dtype=np.int32))


def answers(
    exact: Evaluate,
    rough: Evaluate,
    r_max: float,
    chosen: Iterable[str] | Mapping[str, Structure],
    packages: Sequence[str],
) -> dict[str, np.ndarray]:
    """The arrays of a fixture (accuracy.py) from upstream in float64 and in float32.

    chosen: names of stored structures, or these with other elements.
    """
    stored = load()
    structures = chosen if isinstance(chosen, Mapping) else {name: stored[name] for name in chosen}
    rows: dict[str, list] = {"names": [], "energies": [], "forces": [], "virial": [], "stress": []}
    rows |= {"n_edges": [], MEASURED: []}
    if isinstance(chosen, Mapping):
        rows["numbers"] = [structure.numbers for structure in structures.values()]
    for name, structure in structures.items():
        here = exact(structure)
        volume = abs(np.linalg.det(structure.cell)) if structure.pbc.all() else np.nan
        edges = find_edges(structure.positions, structure.cell, structure.pbc, r_max)
        rows["names"].append(name)
        rows["energies"].append(here.energies)
        rows["forces"].append(here.forces)
        rows["virial"].append(-here.strain_derivative)
        rows["stress"].append(here.strain_derivative / volume)
        rows["n_edges"].append(len(edges.receivers))
        rows[MEASURED].append(_rough_errors(exact, rough, structure, volume))
    arrays = {
        key: np.concatenate(values) if key in JOINED else np.array(values)
        for key, values in rows.items()
    }
    arrays["made_with"] = np.array([f"{p} {importlib.metadata.version(p)}" for p in packages])
    return arrays


def _rough_errors(
    exact: Evaluate, rough: Evaluate, structure: Structure, volume: float
) -> np.ndarray:
    """How far float32 is off: the largest error over the structure and displaced copies.

    One alone is luck: where symmetry or round coordinates help, the error is far below what the
    next structure has.
    """
    errors = []
    for near in displaced(structure, COPIES):
        here, there = exact(near), rough(near)
        errors.append(
            (
                abs(there.energies.sum() - here.energies.sum()) / len(structure.numbers),
                np.abs(there.forces - here.forces).max(),
                np.abs((there.strain_derivative - here.strain_derivative) / volume).max(),
            )
        )
    return np.max(errors, axis=0)


def heads_arrays(
    found: Mapping[str, Sequence[Evaluation]], names: Sequence[str], packages: Sequence[str]
) -> dict[str, np.ndarray]:
    """The arrays of a fixture of heads: "HEAD/energies" and so on, of all structures in a row."""
    arrays: dict[str, np.ndarray] = {"names": np.array(names)}
    for head, evaluations in found.items():
        arrays[f"{head}/energies"] = np.concatenate([e.energies for e in evaluations])
        arrays[f"{head}/forces"] = np.concatenate([e.forces for e in evaluations])
        arrays[f"{head}/virial"] = np.array([-e.strain_derivative for e in evaluations])
    arrays["made_with"] = np.array([f"{p} {importlib.metadata.version(p)}" for p in packages])
    return arrays


def check_derivatives(evaluate: Evaluate, structure: Structure, step: float = 1e-4) -> None:
    """Forces and strain derivative against differences of the energy: float64 throughout."""
    rng = np.random.default_rng(3)
    found = evaluate(structure)
    direction = rng.normal(size=structure.positions.shape)
    strain = rng.normal(size=(3, 3))
    strain += strain.T
    moved, strained = [], []
    for h in (-2 * step, -step, step, 2 * step):
        shifted = structure._replace(positions=structure.positions + h * direction)
        moved.append(evaluate(shifted).energies.sum())
        deformation = np.eye(3) + h * strain
        deformed = structure._replace(
            positions=structure.positions @ deformation, cell=structure.cell @ deformation
        )
        strained.append(evaluate(deformed).energies.sum())
    weights = np.array([1, -8, 8, -1]) / (12 * step)
    for difference, derivative in (
        (weights @ moved, -np.sum(found.forces * direction)),
        (weights @ strained, np.sum(found.strain_derivative * strain)),
    ):
        error = abs(difference - derivative) / (1 + abs(derivative))
        assert error < 1e-8, (difference, derivative)


def save_answers(name: str, arrays: dict[str, np.ndarray]) -> None:
    """Writes fixtures/NAME.npz unless it holds the same references already, up to rounding."""
    path = FIXTURES / f"{name}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            if set(stored.files) == set(arrays) and all(
                key in NOT_COMPARED or _same(stored[key], value) for key, value in arrays.items()
            ):
                return
    path.parent.mkdir(exist_ok=True)
    np.savez_compressed(path, **arrays)
    print(f"{path.name}: written, {path.stat().st_size} bytes")


def save_model(name: str, converted: Path) -> bool:
    """Writes fixtures/NAME.safetensors from a converted model; False if it is the same already.

    Tensors that float32 holds exactly are written as such.
    """
    tensors, metadata = safetensors.read(converted)
    card = json.loads(metadata["irrepd"])
    card.pop("sha256_source", None)
    small = {key: _small(tensor) for key, tensor in tensors.items()}
    text = json.dumps(card, separators=(",", ":"))
    path = FIXTURES / f"{name}.safetensors"
    if path.exists():
        stored, text_stored = safetensors.read(path)
        if text_stored["irrepd"] == text and stored.keys() == small.keys():
            if all(_same(stored[key], tensor) for key, tensor in small.items()):
                return False
    path.parent.mkdir(exist_ok=True)
    safetensors.write(path, small, {"irrepd": text})
    print(f"{path.name}: written, {path.stat().st_size} bytes")
    return True


def _small(tensor: np.ndarray) -> np.ndarray:
    single = tensor.astype(np.float32)
    return single if np.array_equal(single, tensor) else tensor


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    return np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True)
