"""Inputs for LAMMPS of structures, and what it dumps."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import ase.io
import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols
from libirrep import Model
from systems import System

BARS = 1.6021765e6  # LAMMPS' nktv2p in units metal: bar in an eV/Angstrom^3


class Case(NamedTuple):
    """A structure as LAMMPS has it: in its orientation, atoms in the order of their ids."""

    name: str
    structure: System
    symbols: list[str]

    def text(self, style: str, model: Path, units: str = "metal") -> str:
        """The input up to where a run may follow."""
        boundary = " ".join("p" if periodic else "f" for periodic in self.structure.pbc)
        masses = [
            f"mass {i + 1} {atomic_masses[chemical_symbols.index(symbol)]}"
            for i, symbol in enumerate(self.symbols)
        ]
        lines = [
            "clear",
            f"units {units}",
            f"boundary {boundary}",
            "atom_style atomic",
            "atom_modify map yes",
            "box tilt large",
            f"read_data {self.name}.data",
            *masses,
            f"pair_style {style}",
            f"pair_coeff * * {model} {' '.join(self.symbols)}",
        ]
        return "\n".join(lines) + "\n"


MEASURES = """
compute e all pe/atom
compute s all stress/atom NULL virial
compute p all pressure NULL virial
thermo_style custom step pe c_p[*]
thermo_modify format float %.17g
dump d all custom 1 {name}.dump id fx fy fz c_e c_s[*]
dump_modify d sort id format float %.17g
run 0
"""


def case_of(model: Model, name: str, structure: System, folder: Path, room: float = 8.0) -> Case:
    """Writes the data file NAME.data; axes that are not periodic get `room` around the atoms."""
    symbols = [chemical_symbols[n] for n in model.atomic_numbers]
    cell = structure.cell.copy()
    positions = structure.positions
    open_axes = ~np.asarray(structure.pbc)
    if open_axes.any():
        cell = np.diag(np.where(open_axes, np.ptp(positions, axis=0) + 2 * room, np.diag(cell)))
        positions = positions + np.where(open_axes, room - positions.min(axis=0), 0.0)
    atoms = Atoms(structure.numbers, positions, cell=cell, pbc=structure.pbc)
    path = folder / f"{name}.data"
    ase.io.write(path, atoms, format="lammps-data", specorder=symbols, masses=False)
    types = {i + 1: int(n) for i, n in enumerate(model.atomic_numbers)}
    read = ase.io.read(
        path, format="lammps-data", Z_of_type=types, atom_style="atomic", sort_by_id=True
    )
    found = System(read.numbers, read.positions, np.array(read.cell), np.array(structure.pbc))
    return Case(name, found, symbols)


class Found(NamedTuple):
    """What LAMMPS computes for a case, in eV and Angstrom."""

    energy: float
    virial: np.ndarray  # [6] xx, yy, zz, xy, xz, yz
    forces: np.ndarray
    energies: np.ndarray
    virials: np.ndarray  # [n_atoms][6]


def row_after_step(said: str) -> list[float]:
    """The first row of each table that thermo prints, in one."""
    lines = said.splitlines()
    starts = [i for i, line in enumerate(lines) if line.split()[:1] == ["Step"]]
    return [float(word) for i in starts for word in lines[i + 1].split()]


def found_of(case: Case, row: list[float], folder: Path, energy_unit: float = 1.0) -> Found:
    table = np.loadtxt(folder / f"{case.name}.dump", skiprows=9, ndmin=2)
    volume = abs(np.linalg.det(case.structure.cell))
    scale = 1 / energy_unit
    return Found(
        row[1] * scale,
        np.array(row[2:8]) * volume / BARS,
        table[:, 1:4] * scale,
        table[:, 4] * scale,
        -table[:, 5:11] / BARS,
    )


def wanted_of(case: Case, model: Model, precision: str, head: str | None = None) -> Found:
    heads = None if head is None else [head]
    whole = model.evaluate([case.structure], precision, heads=heads)[0]
    periodic = np.all(case.structure.pbc)
    volume = abs(np.linalg.det(case.structure.cell)) if periodic else 1.0
    virials = whole.stresses * (-volume if periodic else 1.0)
    six = (0, 4, 8, 1, 2, 5)
    return Found(
        whole.energy,
        np.asarray(whole.virial).reshape(9)[list(six)],
        whole.forces,
        whole.energies,
        virials.reshape(-1, 9)[:, list(six)],
    )
