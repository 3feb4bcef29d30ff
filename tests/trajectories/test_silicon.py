"""The energy of silicon without a thermostat, with the default model in float64."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from libirrep import ROOT, Model
from md import Told, Trajectory

TEMPERATURE = 600.0
LENGTH = 600.0  # fs
DRIFT_MAX = 1e-4  # eV/atom/ps


def energies(model: Model, timestep: float) -> tuple[np.ndarray, np.ndarray]:
    """Times in ps and total energies in eV/atom of a crystal of 8 atoms."""
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.02, seed=1)

    def evaluate(positions: np.ndarray, cell: np.ndarray) -> Told:
        result = model.evaluate_one(
            SimpleNamespace(numbers=atoms.numbers, positions=positions, cell=cell, pbc=[True] * 3),
            "float64",
        )
        return float(result.energy), result.forces, result.stress

    md = Trajectory(
        atoms.numbers,
        atoms.positions,
        atoms.cell[:],
        [True] * 3,
        timestep=timestep,
        n_steps=round(LENGTH / timestep),
        temperature=TEMPERATURE,
        seed=2,
    )
    rows = [(f.time * 1e-3, f.conserved / len(atoms)) for f in md.frames(evaluate)]
    times, values = np.array(rows).T
    return times, values


def test_energy() -> None:
    """It does not drift, and its error falls with the square of the timestep."""
    model = Model(ROOT / "build" / "models" / "sevennet-0.safetensors")
    spreads = []
    for timestep in (4.0, 2.0, 1.0):
        times, values = energies(model, timestep)
        drift = np.polyfit(times, values, 1)[0]
        spreads.append(values[times >= 0.02].std())
        print(f"{timestep} fs: drift {drift:.2g} eV/atom/ps, spread {spreads[-1]:.2g} eV/atom")
    assert abs(drift) < DRIFT_MAX
    assert spreads[0] / spreads[1] == pytest.approx(4, rel=0.3)
    assert spreads[1] / spreads[2] == pytest.approx(4, rel=0.3)
