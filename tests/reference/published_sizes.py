"""A network of a published size with random weights, beside its upstream code: what *_published.py
share. Prints the rows of README.md, and fails where a bound of accuracy.py does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from accuracy import BOUNDS, PROPERTIES
from fixture_files import Evaluation
from libirrep import Model
from structures import Structure, displaced, load

COPIES = 3
HEAD = (
    "| network | parameters | largest force | precision | energy (eV/atom) | forces (eV/A) "
    "| stress (eV/A^3) |\n|---|---|---|---|---|---|---|"
)


class Errors(NamedTuple):
    energy: float  # eV/atom
    forces: float  # eV/Angstrom
    stress: float  # eV/Angstrom^3; of a structure without a volume 0


def difference(found: Evaluation, exact: Evaluation, structure: Structure) -> Errors:
    volume = abs(np.linalg.det(structure.cell)) if structure.pbc.all() else np.inf
    strains = np.abs(found.strain_derivative - exact.strain_derivative).max()
    return Errors(
        abs(found.energies.sum() - exact.energies.sum()) / len(structure.numbers),
        np.abs(found.forces - exact.forces).max(),
        strains / volume,
    )


def ours(model: Model, structure: Structure, precision: str) -> Evaluation:
    result = model.evaluate_one(structure, precision)
    assert np.isfinite(result.forces).all()
    return Evaluation(result.energies, result.forces, -result.virial)


def sizes(exact: Evaluation, structure: Structure) -> Errors:
    """What the float64 bounds of a structure are multiplied by."""
    zero = Evaluation(*map(np.zeros_like, exact))
    return Errors(*(1 + value for value in difference(zero, exact, structure)))


def compare(
    name: str,
    parameters: int,
    code: str,
    converted: Path,
    exact: Callable[[Structure], Evaluation],
    single: Callable[[Structure], Evaluation],
    keys: Iterable[str],
) -> None:
    """The rows of one network; exact and single are the upstream code in float64 and float32."""
    model, upstream = Model(converted), f"float32 of {code}"
    largest_force = 0.0
    rows: dict[str, list[Errors]] = {"float64": [], "float32": [], upstream: []}
    for key in keys:
        for copy, structure in enumerate(displaced(load()[key], COPIES)):
            right = exact(structure)
            largest_force = max(largest_force, np.abs(right.forces).max())
            rows["float64"].append(difference(ours(model, structure, "float64"), right, structure))
            for prop, error, size in zip(PROPERTIES, rows["float64"][-1], sizes(right, structure)):
                assert error <= BOUNDS[prop] * size, (name, key, copy, prop, error)
            rows["float32"].append(difference(ours(model, structure, "float32"), right, structure))
            rows[upstream].append(difference(single(structure), right, structure))
    worst = {precision: np.max(errors, axis=0) for precision, errors in rows.items()}
    start = f"| {name} | {parameters:,} | {largest_force:.1e}"
    for precision, errors in worst.items():
        cells = " | ".join(f"{error:.1e}" for error in errors)
        print(f"{start} | {precision} | {cells} |", flush=True)
    assert np.all(worst["float32"] <= worst[upstream]), name
