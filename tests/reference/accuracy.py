"""How far libirrep is off the float64 references of fixtures/, for one model and precision."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from libirrep import Model, Result
from models import committed_names
from published import PUBLISHED, published_names
from structures import COPIES, FIXTURES, Structure, displaced, load

SEVENNET = (
    "sevennet-0",
    "sevennet-0-22may2024",
    "sevennet-l3i5",
    "sevennet-mf-0-pbe",
    "sevennet-mf-0-r2scan",
)
MODELS = (*SEVENNET, *committed_names(), *published_names())
PROPERTIES = ("energy", "forces", "stress")
SMALLEST = 1e-3  # of the largest error: a structure below has next to no edges
BOUNDS = {"energy": 1e-9, "forces": 1e-8, "stress": 1e-9}  # eV/atom, eV/A, eV/A^3 in float64


class Reference(NamedTuple):
    structure: Structure
    energies: np.ndarray  # [n_atoms] eV
    forces: np.ndarray  # [n_atoms, 3] eV/Angstrom
    virial: np.ndarray  # [3, 3] eV
    stress: np.ndarray  # [3, 3] eV/Angstrom^3, NaN unless all three axes are periodic
    n_edges: int
    upstream_float32: dict[str, float]  # largest error of upstream's float32 by property


class Errors(NamedTuple):
    """Largest errors of one structure, as they are and over 1 + the reference's size."""

    absolute: dict[str, float]  # eV/atom, eV/Angstrom, eV/Angstrom^3; NaN where there is no stress
    relative: dict[str, float]


def references(model: str) -> dict[str, Reference]:
    """The fixture of a model by structure."""
    folder = FIXTURES / "published" if model in PUBLISHED else FIXTURES
    with np.load(folder / f"{model}.npz", allow_pickle=False) as stored:
        data = dict(stored)
    measured = data.get("upstream_float32_errors", data.get("sevenn_float32_errors"))
    structures = load()
    found, begin = {}, 0
    for i, name in enumerate(map(str, data["names"])):
        structure = structures[name]
        end = begin + len(structure.numbers)
        if "numbers" in data:  # a model's elements in place of the structure's own
            structure = structure._replace(numbers=data["numbers"][begin:end])
        found[name] = Reference(
            structure,
            data["energies"][begin:end],
            data["forces"][begin:end],
            data["virial"][i],
            data["stress"][i],
            int(data["n_edges"][i]),
            dict(zip(PROPERTIES, measured[i].tolist())),
        )
        begin = end
    assert begin == len(data["energies"])
    return found


def evaluate(model: Model, cases: dict[str, Reference], precision: str) -> dict[str, Result]:
    """Every structure alone, one after the other."""
    return {name: model.evaluate_one(case.structure, precision) for name, case in cases.items()}


def errors(result: Result, case: Reference) -> Errors:
    """A number that is not finite, or a stress where there should be none, counts as infinite."""
    n_atoms = len(case.energies)
    pairs = {
        "energy": (np.float64(result.energy / n_atoms), case.energies.sum() / n_atoms),
        "forces": (result.forces, case.forces),
    }
    if np.isnan(case.stress).all():
        pairs["stress"] = (np.float64(np.nan if result.stress is None else np.inf), np.nan)
    else:
        pairs["stress"] = (np.inf if result.stress is None else result.stress, case.stress)
    absolute, relative = {}, {}
    for name, (value, reference) in pairs.items():
        expect_none = np.isnan(reference).all() and np.isnan(value).all()
        worst = np.max(np.abs(value - reference))
        absolute[name] = np.nan if expect_none else (worst if np.isfinite(worst) else np.inf)
        relative[name] = absolute[name] / (1 + np.max(np.abs(reference)))
    return Errors(absolute, relative)


def copies_of(model: str) -> int:
    """How many displaced copies of a structure upstream's float32 was measured on besides it."""
    return 0 if model in SEVENNET else COPIES


def float32_errors(
    model: Model, case: Reference, copies: int, exact_filters: bool = False
) -> dict[str, float]:
    """The largest errors over a structure and displaced copies, against the model's own float64.

    That agrees with upstream's in float64 to far more digits than float32 has (test_float64).
    """
    found = []
    for near in displaced(case.structure, copies):
        single = model.evaluate_one(near, "float32", exact_filters)
        double = model.evaluate_one(near, "float64", exact_filters=True)
        found.append(
            (
                abs(single.energy - double.energy) / len(near.numbers),
                np.abs(single.forces - double.forces).max(),
                np.nan if single.stress is None else np.abs(single.stress - double.stress).max(),
            )
        )
    return dict(zip(PROPERTIES, np.max(found, axis=0).tolist()))


def log_ratios(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, list]:
    """By property the logarithm of our error over theirs, of each structure that has one."""
    found: dict[str, list[float]] = {}
    for name in PROPERTIES:
        pairs = np.array([(a[name], b[name]) for a, b in zip(ours, theirs)])
        known = (pairs > SMALLEST * np.nanmax(pairs, axis=0)).all(axis=1)
        found[name] = np.log(pairs[known, 0] / pairs[known, 1]).tolist()
    return found


def largest(values: dict[str, dict[str, float]]) -> dict[str, tuple[float, str]]:
    """By property the largest value over the structures, and whose it is; there must be one."""
    worst = {}
    for name in PROPERTIES:
        known = {key: v[name] for key, v in values.items() if not np.isnan(v[name])}
        key = max(known, key=known.__getitem__)
        worst[name] = (known[key], key)
    return worst
