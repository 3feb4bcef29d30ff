"""What the fixtures of releases hold besides a file of upstream: its own answers in float64.

Needs numpy alone; imported by the scripts release_*.py, which run with one release of a code each.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from edges import Edges, find_edges

FOLDER = Path(__file__).resolve().parent / "fixtures" / "releases"
ELEMENTS = (1, 6, 8)
SYMBOLS = ("H", "C", "O")
R_MAX = 3.5
_FIXED_DATE = (1980, 1, 1, 0, 0, 0)


class Structure(NamedTuple):
    numbers: list[int]
    positions: np.ndarray  # [n_atoms, 3] Angstrom
    cell: np.ndarray  # [3, 3] Angstrom
    pbc: np.ndarray  # bool [3]

    def edges(self, r_max: float = R_MAX) -> tuple[Edges, np.ndarray]:
        """Edges, and by how many cells their senders are moved: [n_edges, 3]."""
        found = find_edges(self.positions, self.cell, self.pbc, r_max)
        between = self.positions[found.senders] - self.positions[found.receivers]
        if not self.pbc.any():
            return found, np.zeros_like(found.vectors)
        return found, np.round((found.vectors - between) @ np.linalg.inv(self.cell))


STRUCTURES = (
    Structure(
        [1, 6, 8, 1],
        np.array([[0.0, 0.1, 0.0], [1.1, 0.3, -0.2], [1.6, 1.4, 0.3], [1.5, -0.6, 0.7]]),
        np.zeros((3, 3)),
        np.zeros(3, dtype=bool),
    ),
    Structure(  # a sheared cell, shorter than the cutoff
        [8, 6, 1],
        np.array([[0.1, 0.2, 0.3], [1.4, 1.1, 0.4], [0.5, 1.3, 2.1]]),
        np.array([[2.9, 0.1, 0.0], [0.6, 3.1, 0.2], [-0.4, 0.3, 3.3]]),
        np.ones(3, dtype=bool),
    ),
)

# Energies of the atoms (eV) and forces (eV/Angstrom) of a structure.
Evaluate = Callable[[Structure], tuple[np.ndarray, np.ndarray]]


def training_data() -> list[Any]:
    """ASE's Atoms to train on: the first structure, moved, with random labels."""
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    rng = np.random.default_rng(0)
    result = []
    for _ in range(6):
        moved = STRUCTURES[0].positions + rng.uniform(-0.1, 0.1, (4, 3))
        atoms = Atoms(STRUCTURES[0].numbers, moved)
        forces = rng.normal(size=(4, 3))
        atoms.calc = SinglePointCalculator(atoms, energy=rng.normal(), forces=forces)
        result.append(atoms)
    return result


def check_forces(evaluate: Evaluate, structure: Structure) -> None:
    """Forces are the derivative of the energies, so both are float64 throughout."""
    direction = np.random.default_rng(3).normal(size=structure.positions.shape)
    step = 1e-4
    energies = [
        evaluate(structure._replace(positions=structure.positions + h * direction))[0].sum()
        for h in (-2 * step, -step, step, 2 * step)
    ]
    slope = np.dot([1, -8, 8, -1], energies) / (12 * step)
    expected = -np.sum(evaluate(structure)[1] * direction)
    assert abs(slope - expected) < 1e-8 * (1 + abs(expected)), (slope, expected)


def save(name: str, file: Path | bytes, evaluate: Evaluate, **about: Any) -> None:
    """Writes FOLDER/NAME, compressed if it is a zip archive, and NAME.json."""
    check_forces(evaluate, STRUCTURES[0])
    answers = []
    for structure in STRUCTURES:
        energies, forces = evaluate(structure)
        assert np.isfinite(energies).all() and np.abs(forces).max() > 1e-3
        answers.append({"energies": energies.tolist(), "forces": forces.tolist()})
    FOLDER.mkdir(parents=True, exist_ok=True)
    data = file if isinstance(file, bytes) else file.read_bytes()
    (FOLDER / name).write_bytes(_compressed(data))
    (FOLDER / f"{name}.json").write_text(json.dumps({**about, "answers": answers}) + "\n")
    print(name, (FOLDER / name).stat().st_size, flush=True)


def _compressed(data: bytes) -> bytes:
    """The archive without what no converter reads (source code, compiled models), deflated."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            other = entry.filename.endswith("_model.pkl") and "/eager_" not in entry.filename
            if not other and not entry.filename.endswith((".py", "example_data.pkl")):
                info = zipfile.ZipInfo(entry.filename, _FIXED_DATE)
                new.writestr(info, old.read(entry), zipfile.ZIP_DEFLATED, 9)
    return target.getvalue()
