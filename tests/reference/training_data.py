"""Molecules of hydrogen, carbon and oxygen, labelled by SevenNet-0 in our own evaluation.

For the small trained examples in models/: the molecules of ASE's G2 set that have no other element,
displaced and stretched at random, as much as hot molecules are. One in seven is held back, and two
molecules altogether.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ase.build import molecule
from ase.collections import g2
from fixture_files import ROOT, Structure, safetensors
from libirrep import Model
from models import model_path

ELEMENTS = (1, 6, 8)
COPIES = 40  # of each molecule
UNSEEN = ("CH3CH2OH", "C6H6")  # molecules that no model is trained on
DATASET = (
    "molecules of H, C and O of the G2 set, displaced at random and labelled with energies and "
    "forces of SevenNet-0 (11Jul2024)"
)


class Example(NamedTuple):
    structure: Structure
    energy: float  # eV
    forces: np.ndarray  # [n_atoms, 3] eV/Angstrom


class Data(NamedTuple):
    train: list[Example]
    held_back: list[Example]  # other copies of the same molecules
    unseen: list[Example]  # other molecules


def load_data() -> Data:
    """The same numbers on every call, up to rounding."""
    teacher = Model(model_path("sevennet-0"))
    rng = np.random.default_rng(11)
    data = Data([], [], [])
    for name in sorted(g2.names):
        atoms = molecule(name)
        if len(atoms) < 2 or not set(atoms.numbers.tolist()) <= set(ELEMENTS):
            continue
        for copy in range(COPIES):
            structure = _displaced(atoms.numbers, atoms.positions, rng)
            label = teacher.evaluate_one(structure, "float32")
            example = Example(structure, label.energy, label.forces)
            if np.abs(label.forces).max() > 25:  # eV/Angstrom: too hot
                continue
            kind = data.unseen if name in UNSEEN else data.train if copy % 7 else data.held_back
            kind.append(example)
    return data


def _displaced(numbers: np.ndarray, positions: np.ndarray, rng: np.random.Generator) -> Structure:
    width = rng.uniform(0.02, 0.15)  # Angstrom
    stretch = np.eye(3) + rng.uniform(-0.05, 0.05, (3, 3))
    moved = positions @ stretch + width * rng.normal(size=positions.shape)
    return Structure(numbers.astype(np.int32), moved, np.zeros((3, 3)), np.zeros(3, dtype=bool))


def reference_energies(examples: list[Example]) -> dict[int, float]:
    """Energies of atoms in eV that fit the molecules best, by least squares."""
    counts = np.array([[np.sum(e.structure.numbers == z) for z in ELEMENTS] for e in examples])
    fitted = np.linalg.lstsq(counts, np.array([e.energy for e in examples]), rcond=None)[0]
    return dict(zip(ELEMENTS, fitted.tolist()))


def errors_of(model: Model, examples: list[Example]) -> dict[str, float]:
    """Mean absolute errors, as the card gives them."""
    results = [model.evaluate_one(e.structure, model.precision) for e in examples]
    energy = [abs(r.energy - e.energy) / len(e.forces) for r, e in zip(results, examples)]
    forces = np.concatenate(
        [np.abs(r.forces - e.forces).ravel() for r, e in zip(results, examples)]
    )
    return {
        "structures": len(examples),
        "energy_mae_mev_per_atom": round(1e3 * float(np.mean(energy)), 2),
        "forces_mae_mev_per_angstrom": round(1e3 * float(forces.mean()), 1),
    }


def save_example(name: str, converted: Path, data: Data, training: dict[str, Any]) -> None:
    """Writes models/NAME.safetensors, its weights in float32, with its errors in the card."""
    tensors, metadata = safetensors.read(converted)
    card = json.loads(metadata["irrepd"])
    card.pop("sha256_source", None)  # of a checkpoint that nobody has
    narrow = {
        key: tensor if key.endswith(".coupling") else tensor.astype(np.float32)
        for key, tensor in tensors.items()
    }
    trained = Model(safetensors.dumps(narrow, metadata))
    card["training"] = {
        "dataset": DATASET,
        "structures": len(data.train),
        **training,
        "held_back": errors_of(trained, data.held_back),
        "unseen_molecules": errors_of(trained, data.unseen),
    }
    path = ROOT / "models" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    safetensors.write(path, narrow, {"irrepd": json.dumps(card, separators=(",", ":"))})
    print(json.dumps(card["training"], indent=1))
    print(f"{path.name}: {path.stat().st_size} bytes")
