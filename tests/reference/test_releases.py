"""Files of old and new releases of each code (release_fixtures.py), converted here and now.

Energies of atoms within 1e-9 eV and forces within 1e-8 eV/Angstrom of upstream's own, in float64.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import release_answers
from libirrep import Model
from structures import Structure

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "python"))
from irrepd.convert import convert

FILES = sorted(path.stem for path in release_answers.FOLDER.glob("*.json"))
CODES = ("allegro", "mace", "nequip", "schnetpack", "sevenn")


def stored(source: Path, target: Path) -> Path:
    """The archive without compression, as torch writes it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return target


@pytest.mark.parametrize("name", FILES)
def test_energies_and_forces_are_those_of_upstream(name: str, tmp_path: Path) -> None:
    about = json.loads((release_answers.FOLDER / f"{name}.json").read_text())
    source = stored(release_answers.FOLDER / name, tmp_path / name)
    target = tmp_path / "model.safetensors"
    convert(source, target, **about.get("options", {}))
    model = Model(target)
    for at, expected in zip(release_answers.STRUCTURES, about["answers"]):
        numbers = np.array(at.numbers, dtype=np.int32)
        structure = Structure(numbers, at.positions, at.cell, at.pbc)
        found = model.evaluate_one(structure, "float64")
        assert np.abs(found.energies - expected["energies"]).max() < 1e-9
        assert np.abs(found.forces - expected["forces"]).max() < 1e-8


@pytest.mark.parametrize("code", CODES)
def test_each_code_has_an_old_and_a_new_release(code: str) -> None:
    versions = {name.split("-")[1] for name in FILES if name.startswith(f"{code}-")}
    assert len(versions) >= 2
