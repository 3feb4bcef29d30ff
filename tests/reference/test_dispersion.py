"""DFT-D3 against simple-dftd3 and torch-dftd in float64 (fixtures/dispersion.npz), and itself.

A key of the file is "CASE METHOD STRUCTURE"; its array holds energy (eV), forces (eV/A) and virial
(eV), the latter as NaN where the code gives none. CASES in dispersion_fixtures.py says what is
asked.
"""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from dispersion import BOHR, DATA, Dispersion, functionals
from libirrep import IrrepError, _Run, _Team
from structures import FIXTURES, Structure, load

CASES = {
    "pairs": {},
    "defaults": {"cutoff": 60.0},
    "triples": {"three_body": True, "three_body_cutoff": 16.0},
    "widths": {"width": 2.0, "cutoff": 20.0, "cn_cutoff": 95.0},
    "mace": {},
    "smooth": {"width": 1.0, "cutoff": 20.0, "cn_cutoff": 12.0},
}
METHODS = ("d3bj", "d3zero")
CN_WIDTH = 1e-7  # what a switch of coordination numbers does that simple-dftd3 has not

with np.load(FIXTURES / "dispersion.npz", allow_pickle=False) as _file:
    STORED = {key: _file[key] for key in _file.files}
KEYS = [key for key in STORED if key.split()[0] in CASES]


@pytest.fixture(scope="module")
def dispersion() -> Dispersion:
    if not DATA.exists():
        pytest.fail(f"{DATA} is missing: make models")
    return Dispersion()


def in_angstrom(how: dict) -> dict:
    return {key: v if isinstance(v, bool) else v * BOHR for key, v in how.items()}


def test_every_case_is_there() -> None:
    assert {key.split()[0] for key in KEYS} == set(CASES)
    assert {key.split()[1] for key in KEYS} == set(METHODS)
    assert len(KEYS) > 150


@pytest.mark.parametrize("case", CASES)
def test_upstream(dispersion: Dispersion, case: str) -> None:
    """1e-9 eV an atom, 1e-8 eV/A; virials to 1e-8 eV an atom."""
    structures = load()
    for key in KEYS:
        if key.split()[0] != case:
            continue
        _, method, name = key.split()
        n = len(structures[name].numbers)
        found = dispersion.evaluate(structures[name], method=method, **in_angstrom(CASES[case]))
        energy, forces, virial = np.split(STORED[key], [1, 1 + 3 * n])
        assert abs(found.energy - energy[0]) <= 1e-9 * n, key
        assert np.abs(found.forces.ravel() - forces).max() <= 1e-8, key
        if np.isfinite(virial).all():
            assert np.abs(found.virial.ravel() - virial).max() <= 1e-8 * n, key


def test_functionals(dispersion: Dispersion) -> None:
    """Every entry of the table gives simple-dftd3's energy of a dimer of benzene."""
    dimer = load()["s22-benzene-dimer"]
    table = [f"{row.method} {row.name}" for row in functionals()]
    assert table == STORED["functionals"].tolist()
    for name, energy in zip(table, STORED["functional energies"]):
        method, functional = name.split()
        found = dispersion.evaluate(dimer, method=method, functional=functional)
        assert abs(found.energy - energy) <= 1e-10, name


SMOOTH = {"width": 1.0, "cutoff": 9.0, "cn_cutoff": 7.0, "three_body_cutoff": 5.0}


@pytest.mark.parametrize("three_body", [False, True])
@pytest.mark.parametrize("name", ["quartz", "slab-pt-co", "g2-thiophene", "wire-skew"])
@pytest.mark.parametrize("method", METHODS)
def test_finite_differences(
    dispersion: Dispersion, name: str, method: str, three_body: bool
) -> None:
    structure, h = load()[name], 1e-5
    how = {**SMOOTH, "method": method, "three_body": three_body}
    found = dispersion.evaluate(structure, **how)

    def energy(positions: np.ndarray, cell: np.ndarray) -> float:
        return dispersion.evaluate(structure._replace(positions=positions, cell=cell), **how).energy

    rng = np.random.default_rng(2)
    towards = rng.uniform(-1, 1, structure.positions.shape)
    ends = [energy(structure.positions + s * towards, structure.cell) for s in (h, -h)]
    assert abs((ends[1] - ends[0]) / (2 * h) - np.sum(found.forces * towards)) < 1e-6
    strain = rng.uniform(-1, 1, (3, 3))
    strain += strain.T
    maps = [np.eye(3) + s * strain for s in (h, -h)]
    ends = [energy(structure.positions @ m, structure.cell @ m) for m in maps]
    expected = np.sum(found.virial * strain)
    assert abs((ends[1] - ends[0]) / (2 * h) - expected) < 1e-5 * (1 + abs(expected))


@pytest.mark.parametrize("name", ["quartz", "alloy-500", "s22-adenine-thymine", "wire-nanotube"])
def test_parts_add_up(dispersion: Dispersion, name: str) -> None:
    structure = load()[name]
    found = dispersion.evaluate(structure)
    assert abs(found.energies.sum() - found.energy) < 1e-12 * (1 + abs(found.energy))
    assert np.abs(found.forces.sum(0)).max() < 1e-10
    whole = found.stress if structure.pbc.all() else found.virial
    assert np.abs(found.stresses.sum(0) - whole).max() < 1e-11 * (1 + np.abs(whole).max())
    assert np.array_equal(found.virial, found.virial.T)
    if structure.pbc.all():
        volume = abs(np.linalg.det(structure.cell))
        assert np.abs(found.stress + found.virial / volume).max() < 1e-14


class Team:
    """Helpers in turns: what threads do, in another order."""

    def __init__(self, n_helpers: int) -> None:
        def run(_team, task, context, n_tasks: int) -> None:
            for index in reversed(range(n_tasks)):
                task(context, index % (n_helpers + 1), index)

        scratch = (ctypes.c_void_p * n_helpers)()
        self._keep = _Team(n_helpers, scratch, None, _Run(run))
        self.pointer = ctypes.cast(ctypes.byref(self._keep), ctypes.c_void_p)


@pytest.mark.parametrize("name", ["quartz", "alloy-500", "crystal-water"])
def test_same_bits_for_any_team(dispersion: Dispersion, name: str) -> None:
    structure = load()[name]
    alone = dispersion.evaluate(structure, cutoff=12.0).bits()
    for n_helpers in (1, 5):
        assert dispersion.evaluate(structure, team=Team(n_helpers), cutoff=12.0).bits() == alone
    assert dispersion.evaluate(structure, cutoff=12.0, fill=0).bits() == alone


def test_far_apart(dispersion: Dispersion) -> None:
    """Crowds a million Angstrom apart are as they are alone."""
    pair = load()["s22-water-dimer"]
    shifted = pair.positions + np.array([9e5, -9e5, 0])
    both = Structure(
        np.tile(pair.numbers, 2), np.concatenate([pair.positions, shifted]), pair.cell, pair.pbc
    )
    assert abs(dispersion.evaluate(both).energy - 2 * dispersion.evaluate(pair).energy) < 1e-9


def test_elements_without_data(dispersion: Dispersion) -> None:
    pair = load()["s22-water-dimer"]
    numbers = pair.numbers.copy()
    numbers[2] = 95
    with pytest.raises(IrrepError, match="UNKNOWN_ELEMENT"):
        dispersion.evaluate(pair._replace(numbers=numbers))
