"""A calculator for the Atomic Simulation Environment."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

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

from irrepd.client import (
    DEFAULT_URL,
    PROPERTIES,
    Client,
    Dispersion,
    wanted_committee,
    wanted_dispersion,
)
from irrepd.structures import Ignored, structure_of
from irrepd.transport import Verify

_STATE = ("charge", "spin")  # of atoms.info; ASE does not compare what is there
_PARAMETERS = (
    *("url", "model", "precision", "timeout", "verify", "strict"),
    *("dispersion", "head", "committee", "slab_stress", "compress"),
)
DESCRIPTORS = ("descriptors", "descriptors_l")  # results that ASE does not know
_OF_CLIENT = ("url", "timeout", "verify", "compress")


class _Calculated(NamedTuple):
    """The last configuration and its results, which belong together."""

    atoms: Any = None
    results: Any = {}  # noqa: RUF012  (replaced, never changed)


class IrrepCalculator(Calculator):
    """Energies, forces and stresses by an irrepd daemon, one request for each configuration.

    url: of the daemon. model: a name from `irrepd.Client(url).models()`. precision: "float32",
    "float64" or None for the model's own. timeout: seconds for one configuration, waiting for a
    busy daemon included, or None. key, verify, compress: see `Client`; a key is no parameter, so
    that ASE writes it into no file. strict: atoms with a charge, a spin or magnetic moments, which
    no model takes, are a StructureError; without, a warning says once that those are ignored.
    dispersion: True for DFT-D3 with PBE's parameters and 40 bohr, as MACE has it, or a mapping, see
    `Client.predict`; results["dispersion_energy"] is its part of the energy. head: of a model with
    several, as its card names them; None: the card's default. committee: more models, see
    `Client.predict`: results are the means, and results["energy_std"], ["forces_std"] [N] and
    ["stress_std"] [6] say how far apart the members are. slab_stress: what has a cell of three
    vectors has a stress without three periodic axes as well, by the volume of that cell, its vacuum
    too, as sevenn and mace-torch have it; for ASE's filters of slabs and wires.

    Units and shapes are ASE's: energy eV, energies [N] eV, forces [N][3] eV/Angstrom, stress [6]
    (xx, yy, zz, yz, xz, xy; tension positive) eV/Angstrom^3, and stresses [N][6], which sum to it
    and are asked for only when they are wanted; both are there only with three periodic axes, or as
    slab_stress says. "descriptors" and "descriptors_l" [N][D] are `get_descriptors`, likewise,
    and "dipole" [3], e Angstrom, is `get_dipole_moment` of models that give one. A
    changed charge or spin in atoms.info is a changed configuration. May be pickled, copied, carried
    across a fork, and shared by the images of a band and by threads: each thread has results of its
    own. ASE knows the class by the name "irrepd". Raises irrepd.ServerError where the daemon
    refuses a structure and irrepd.ConnectionFailed where it cannot be reached.
    """

    name = "irrepd"
    implemented_properties = [  # noqa: RUF012
        *("energy", "free_energy", "forces", "stress", "energies", "stresses", "dipole"),
        *DESCRIPTORS,
    ]
    ignored_changes = {"initial_magmoms", "initial_charges"}  # noqa: RUF012

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str = "sevennet-0",
        precision: str | None = None,
        timeout: float | None = 600.0,
        key: str | None = None,
        verify: Verify = True,
        strict: bool = False,
        dispersion: Dispersion = None,
        head: str | None = None,
        slab_stress: bool = False,
        committee: Sequence[str] | None = None,
        compress: str | None = None,
        **kwargs: Any,
    ):
        self._key = key
        self._forget()
        self._ignored = Ignored(strict)
        named: dict[str, Any] = {"url": url, "model": model, "precision": precision}
        named["timeout"] = timeout
        wanted = wanted_dispersion(dispersion)
        named.update({"verify": verify, "strict": strict, "dispersion": wanted, "head": head})
        named.update({"committee": wanted_committee(committee), "compress": compress})
        super().__init__(**named, slab_stress=slab_stress, **kwargs)

    def set(self, **kwargs: Any) -> dict[str, Any]:
        """Changes parameters of the constructor; drops the results of all threads."""
        unknown = set(kwargs) - set(_PARAMETERS)
        if unknown:
            raise CalculatorSetupError(f"IrrepCalculator has no parameter {sorted(unknown)}")
        if "dispersion" in kwargs:
            kwargs["dispersion"] = wanted_dispersion(kwargs["dispersion"])
        if "committee" in kwargs:
            kwargs["committee"] = wanted_committee(kwargs["committee"])
        if isinstance(kwargs.get("verify"), os.PathLike):
            kwargs["verify"] = os.fspath(kwargs["verify"])  # parameters are written to files
        changed = super().set(**kwargs)
        if changed:
            self._forget()
        if "strict" in changed:
            self._ignored = Ignored(self.parameters["strict"])
        if set(_OF_CLIENT) & set(changed):
            named = {name: self.parameters[name] for name in _OF_CLIENT}
            self.client = Client(key=self._key, **named)
        return changed

    # What has been calculated is a thread's own; one that has calculated nothing sees the latest.

    def _forget(self) -> None:
        self._own, self._latest = threading.local(), _Calculated()

    def _calculated(self) -> _Calculated:
        return getattr(self._own, "calculated", self._latest)

    @property
    def atoms(self) -> Any:
        """A copy of the configuration that this thread has calculated last, or None."""
        return self._calculated().atoms

    @atoms.setter
    def atoms(self, atoms: Any) -> None:
        self._own.calculated = self._calculated()._replace(atoms=atoms)

    @property
    def results(self) -> dict[str, Any]:
        """What belongs to `atoms`."""
        return self._calculated().results

    @results.setter
    def results(self, results: dict[str, Any]) -> None:
        self._own.calculated = self._calculated()._replace(results=results)

    def get_property(self, name: str, atoms: Any = None, allow_calculation: bool = True) -> Any:
        """One of implemented_properties, calculated if it has to be."""
        own = self._own
        if hasattr(own, "calculated"):
            return super().get_property(name, atoms, allow_calculation)
        own.calculated = latest = self._latest  # one and the same until the end of this call
        try:
            return super().get_property(name, atoms, allow_calculation)
        finally:
            if getattr(own, "calculated", None) is latest:
                del own.calculated

    def get_descriptors(
        self, atoms: Any = None, invariants_only: bool = True, num_layers: int = -1
    ) -> np.ndarray:
        """The features [N][D] of atoms that the model reads energies from, as mace-torch has it.

        invariants_only: the scalars (0e) alone. num_layers: of the first so many layers; -1: of
        all. The columns of a channel of degree l are its 2l+1 components, channels come one after
        the other. ValueError: the model has fewer layers.
        """
        name = DESCRIPTORS[0 if invariants_only else 1]
        values: np.ndarray = self.get_property(name, atoms)
        if num_layers == -1:
            return values
        layers = self.client.model(self.parameters["model"])["descriptors"]["irreps"].split()
        if not 1 <= num_layers <= len(layers):
            raise ValueError(f"num_layers is 1 to {len(layers)}, or -1, not {num_layers}")
        widths = [_columns_of(irreps, invariants_only) for irreps in layers[:num_layers]]
        return values[:, : sum(widths)]

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k not in ("_own", "_ignored")}
        return {**state, "_latest": self._calculated()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._own = threading.local()
        self._ignored = Ignored(self.parameters["strict"])

    def check_state(self, atoms: Any, tol: float = 1e-15) -> list[str]:
        """What has changed since the last calculation."""
        self._ignored.check(atoms)
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
        own = self._own
        super().calculate(atoms, properties, system_changes)
        self._ignored.check(self.atoms)
        has_stress, volume = bool(np.all(self.atoms.pbc)), None
        if self.parameters["slab_stress"] and not has_stress and self.atoms.cell.rank == 3:
            volume = self.atoms.cell.volume
        for name in {"stress", "stresses"} & set(properties):
            if not has_stress and volume is None:
                raise PropertyNotImplementedError(
                    f"{name}: not without three periodic axes, unless slab_stress is set and the "
                    "cell has three vectors"
                )
        wanted = [name for name in PROPERTIES if name != "stress" or has_stress]
        wanted += ["virial"] if volume is not None else []
        wanted += [name for name in ("stresses", "dipole", *DESCRIPTORS) if name in properties]
        (result,) = self.client.predict(
            self.parameters["model"],
            [structure_of(self.atoms)],
            wanted,
            self.parameters["precision"],
            dispersion=self.parameters["dispersion"],
            head=self.parameters["head"],
            committee=self.parameters["committee"],
        )
        self.results = results_of(result, volume)
        if self._own is own:
            self._latest = self._calculated()
        else:  # another thread has changed the parameters: these results are for this call alone
            self.atoms = None


def _columns_of(irreps: str, invariants_only: bool) -> int:
    """Of features of irreps such as "8x0e+8x1o"."""
    entries = [entry.split("x") for entry in irreps.split("+")]
    if invariants_only:
        entries = [entry for entry in entries if entry[1] == "0e"]
    return sum(int(n) * (2 * int(ir[:-1]) + 1) for n, ir in entries)


def keep_results(atoms: Any, result: dict[str, Any]) -> None:
    """Gives ase.Atoms a calculator with the results; what ASE has none of is info, or an array."""
    from ase.calculators.calculator import all_properties
    from ase.calculators.singlepoint import SinglePointCalculator

    results = results_of(result)
    for name in [name for name in results if name not in all_properties]:
        is_by_atom = name in (*DESCRIPTORS, "forces_std")
        kept = atoms.arrays if is_by_atom else atoms.info
        kept[name] = np.asarray(results.pop(name)) if is_by_atom else results.pop(name)
    atoms.calc = SinglePointCalculator(atoms, **results)


def results_of(result: dict[str, Any], volume: float | None = None) -> dict[str, Any]:
    """ASE's results of one successful entry of an answer.

    volume: Angstrom^3, by which virials become stresses where the entry has no stress.
    """
    results: dict[str, Any] = {"energy": result["energy"], "free_energy": result["energy"]}
    results["forces"] = np.array(result["forces"], dtype=float).reshape(-1, 3)
    if result.get("dispersion_energy") is not None:
        results["dispersion_energy"] = result["dispersion_energy"]
    for name in ("energies", "dipole", *DESCRIPTORS):
        if result.get(name) is not None:
            results[name] = np.array(result[name], dtype=float)
    for name in ("energy_std", "forces_std"):
        if result.get(name) is not None:
            results[name] = result[name]
    if result.get("stress_std") is not None:
        full = np.array(result["stress_std"], dtype=float)
        results["stress_std"] = full[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    given: dict[str, Any] = {}
    if result.get("stress") is not None:
        given = {name: result.get(name) for name in ("stress", "stresses")}
    elif volume is not None:  # then "stresses" are virials as well
        for name, of in (("stress", "virial"), ("stresses", "stresses")):
            virial = result.get(of)
            given[name] = None if virial is None else -np.array(virial, dtype=float) / volume
    for name, value in given.items():
        if value is not None:
            full = np.array(value, dtype=float)
            results[name] = full[..., [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    return results


if "irrepd" not in external_calculators:
    register_calculator_class("irrepd", IrrepCalculator)
