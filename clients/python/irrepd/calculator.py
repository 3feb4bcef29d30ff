"""A calculator for the Atomic Simulation Environment."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from ase.calculators.calculator import (
    Calculator,
    CalculatorSetupError,
    PropertyNotImplementedError,
    all_changes,
    equal,
    external_calculators,
    register_calculator_class,
)

from irrepd.client import DEFAULT_URL, PROPERTIES, Client, structure_of
from irrepd.transport import Verify

_STATE = ("charge", "spin")  # of atoms.info; ASE does not compare what is there


class IrrepCalculator(Calculator):
    """Energies, forces and stresses by an irrepd daemon, one request for each configuration.

    url: of the daemon. model: a name from `irrepd.Client(url).models()`. precision: "float32",
    "float64" or None for the model's own. timeout: seconds for one configuration, waiting for a
    busy daemon included. key, verify: see `Client`; a key is no parameter, so that ASE writes it
    into no file.

    Units and shapes are ASE's: energy eV, energies [N] eV, forces [N][3] eV/Angstrom, stress [6]
    (xx, yy, zz, yz, xz, xy; tension positive) eV/Angstrom^3, which there is only with three
    periodic axes. A changed charge or spin in atoms.info is a changed configuration. May be
    pickled, copied, carried across a fork, and shared by the images of a band. ASE knows the class
    by the name "irrepd" once this module is imported. Raises irrepd.ServerError where the daemon
    refuses a structure and irrepd.ConnectionFailed where it cannot be reached.
    """

    name = "irrepd"
    implemented_properties = ["energy", "free_energy", "forces", "stress", "energies"]  # noqa: RUF012
    ignored_changes = {"initial_magmoms", "initial_charges"}  # noqa: RUF012

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str = "sevennet-0",
        precision: str | None = None,
        timeout: float = 600.0,
        key: str | None = None,
        verify: Verify = True,
        **kwargs: Any,
    ):
        self._key = key
        super().__init__(
            url=url, model=model, precision=precision, timeout=timeout, verify=verify, **kwargs
        )

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Changes parameters of the constructor; drops results."""
        unknown = set(kwargs) - {"url", "model", "precision", "timeout", "verify"}
        if unknown:
            raise CalculatorSetupError(f"IrrepCalculator has no parameter {sorted(unknown)}")
        if isinstance(kwargs.get("verify"), os.PathLike):
            kwargs["verify"] = os.fspath(kwargs["verify"])  # parameters are written to files
        changed = super().set(**kwargs)
        if changed:
            self.reset()
        if {"url", "timeout", "verify"} & set(changed):
            named = {name: self.parameters[name] for name in ("url", "timeout", "verify")}
            self.client = Client(key=self._key, **named)
        return changed

    def check_state(self, atoms: Any, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation."""
        changes = super().check_state(atoms, tol)
        if self.atoms is not None:
            changes += [x for x in _STATE if not equal(atoms.info.get(x), self.atoms.info.get(x))]
        return changes

    def calculate(
        self,
        atoms: Any = None,
        properties: Any = ("energy",),
        system_changes: Any = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        has_stress = bool(np.all(self.atoms.pbc))
        if "stress" in properties and not has_stress:
            raise PropertyNotImplementedError("stress needs a structure periodic along all axes")
        wanted = [name for name in PROPERTIES if name != "stress" or has_stress]
        (result,) = self.client.predict(
            self.parameters["model"],
            [structure_of(self.atoms)],
            wanted,
            self.parameters["precision"],
        )
        self.results = results_of(result)


def results_of(result: dict[str, Any]) -> dict[str, Any]:
    """ASE's results of one successful entry of an answer."""
    results: dict[str, Any] = {"energy": result["energy"], "free_energy": result["energy"]}
    results["forces"] = np.array(result["forces"], dtype=float).reshape(-1, 3)
    if result.get("energies") is not None:
        results["energies"] = np.array(result["energies"], dtype=float)
    if result.get("stress") is not None:
        stress = np.array(result["stress"], dtype=float)
        results["stress"] = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return results


if "irrepd" not in external_calculators:
    register_calculator_class("irrepd", IrrepCalculator)
