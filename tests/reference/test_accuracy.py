"""Every model against its upstream code in float64 (fixtures/, written by *_fixtures.py).

float64: each structure within 1e-9 eV/atom, 1e-8 eV/Angstrom and 1e-9 eV/Angstrom^3, each times
1 + the largest absolute value of the reference.

float32: no further off than upstream's own float32 over the same structures and displaced copies
of them. The two round differently, so that one structure says little: compared is the geometric
mean of our error over upstream's. It is at most 1 for each model, over structures and properties,
and for each property, over structures and the models of an architecture.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from accuracy import (
    BOUNDS,
    MODELS,
    PROPERTIES,
    SEVENNET,
    copies_of,
    errors,
    evaluate,
    float32_errors,
    log_ratios,
    published_names,
    references,
)
from edges import find_edges
from libirrep import Model
from models import model_path
from structures import SUBSET, load

ARCHITECTURES = ("sevennet", "schnet", "painn", "so3net", "nequip", "allegro", "mace", "tensornet")
ALL_ELEMENTS = {*range(1, 84), *range(89, 95)}


@cache
def evaluated(name: str, precision: str):
    cases = references(name)
    return cases, evaluate(Model(model_path(name)), cases, precision)


@pytest.mark.parametrize("name", MODELS)
def test_float64(name):
    cases, results = evaluated(name, "float64")
    wrong = []
    for key, case in cases.items():
        found = errors(results[key], case)
        for prop, bound in BOUNDS.items():
            if found.relative[prop] > bound:
                wrong.append(f"{key} {prop}: {found.absolute[prop]:.2e}")
        if not np.isnan(case.stress).all():
            assert np.isfinite(found.absolute["stress"]), key
    assert not wrong


@pytest.mark.parametrize("name", MODELS)
def test_float64_by_atom_and_virial(name):
    """What is asked for less often: energies of atoms, and the virial of any periodicity."""
    cases, results = evaluated(name, "float64")
    for key, case in cases.items():
        result = results[key]
        for value, reference in ((result.energies, case.energies), (result.virial, case.virial)):
            bound = 1e-8 * (1 + np.abs(reference).max())
            assert np.all(np.abs(value - reference) <= bound), key
        assert result.n_edges == case.n_edges, key


@cache
def ratios(name: str, exact_filters: bool) -> dict[str, list[float]]:
    """log_ratios of a model."""
    model, cases = Model(model_path(name)), references(name).values()
    ours = [float32_errors(model, case, copies_of(name), exact_filters) for case in cases]
    return log_ratios(ours, [case.upstream_float32 for case in cases])


@pytest.mark.parametrize("exact_filters", (False, True), ids=("tables", "exact"))
@pytest.mark.parametrize("name", MODELS)
def test_float32_of_a_model(name, exact_filters):
    found = ratios(name, exact_filters)
    means = {prop: np.exp(np.mean(r)) for prop, r in found.items()}
    assert np.mean(np.concatenate(list(found.values()))) <= 0, means


@pytest.mark.parametrize("exact_filters", (False, True), ids=("tables", "exact"))
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_float32_is_no_worse_than_upstream(architecture, exact_filters):
    # Not the published ones, whose weights are not there everywhere.
    committed = [name for name in MODELS if name not in published_names()]
    models = [name for name in committed if name.partition("/")[0].startswith(architecture)]
    assert len(models) >= 5
    for prop in PROPERTIES:
        means = [np.mean(ratios(name, exact_filters)[prop]) for name in models]
        assert np.mean(means) <= 0, f"{prop}: {dict(zip(models, np.exp(means)))}"


@pytest.mark.parametrize("name", MODELS)
def test_float32_is_float32(name):
    """The two precisions are two computations: most structures differ, and none by much."""
    cases, single = evaluated(name, "float32")
    _, double = evaluated(name, "float64")
    differing = sum(single[key].bits() != double[key].bits() for key in cases)
    assert differing > len(cases) // 2


def test_structures_cover_what_they_promise():
    structures = load()
    sizes = [len(s.numbers) for s in structures.values()]
    assert min(sizes) == 1 and max(sizes) == 500 and sizes.count(500) == 1
    assert {int(z) for s in structures.values() for z in s.numbers} == ALL_ELEMENTS
    assert {int(np.sum(s.pbc)) for s in structures.values()} == {0, 1, 2, 3}
    assert any(np.linalg.det(s.cell) < 0 for s in structures.values())
    assert set(SUBSET) <= set(structures)


def test_structures_are_away_from_the_cutoff_and_from_each_other():
    for name, structure in load().items():
        edges = find_edges(structure.positions, structure.cell, structure.pbc, 5.5)
        distances = np.linalg.norm(edges.vectors, axis=1)
        assert np.all(distances > 0.6), name
        assert np.all(np.abs(distances - 5.0) > 1e-5), name


@pytest.mark.parametrize("name", MODELS)
def test_fixtures_are_consistent(name):
    """The references obey what any right answer does: no net force, no net torque on a molecule."""
    cases = references(name)
    if name in SEVENNET:
        assert set(cases) == (set(load()) if name == "sevennet-0" else set(SUBSET))
    sizes = [len(case.forces) for case in cases.values()]
    assert len(sizes) >= 8 and min(sizes) == 1 and max(sizes) >= 30
    for key, case in cases.items():
        assert np.abs(case.forces.sum(axis=0)).max() < 1e-10 * len(case.forces), key
        if not case.structure.pbc.any():
            torque = np.cross(case.structure.positions, case.forces).sum(axis=0)
            assert np.abs(torque).max() < 1e-9, key
        if case.structure.pbc.all():
            volume = abs(np.linalg.det(case.structure.cell))
            assert np.allclose(case.stress * volume, -case.virial, rtol=1e-12, atol=1e-12), key
