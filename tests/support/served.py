"""A model of build/libirrep.so as a calculator for ASE, in double precision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

from ase.calculators.calculator import Calculator, all_changes
from libirrep import Model


class Served(Calculator):
    implemented_properties: ClassVar[list[str]] = ["energy", "forces", "stress"]

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def calculate(
        self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        structure = SimpleNamespace(
            numbers=atoms.numbers,
            positions=atoms.positions,
            cell=atoms.cell[:] if atoms.pbc.any() else None,
            pbc=[bool(periodic) for periodic in atoms.pbc],
        )
        result = self.model.evaluate_one(structure, "float64")
        self.results = {"energy": float(result.energy), "forces": result.forces}
        if atoms.pbc.all():
            self.results["stress"] = result.stress.ravel()[[0, 4, 8, 5, 2, 1]]
