"""include/irrep/md.h by ctypes, with numpy arrays around it: for tests only."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from ctypes import POINTER, byref, c_bool, c_double, c_int, c_int32, c_size_t, c_uint32, c_uint64
from typing import Any, ClassVar, NamedTuple

import numpy as np
from libirrep import ROOT, _Error, _Sized, _Structure

ENSEMBLES = ("nve", "nvt", "npt")
THERMOSTATS = (None, "langevin", "csvr", "nose-hoover")
BAROSTATS = (None, "c-rescale", "mtk")
COUPLINGS = ("isotropic", "anisotropic", "triclinic")
DRIFTS = (None, "remove", "keep")
STATES = ("running", "done", "failed")

# energy in eV, forces in eV/Angstrom, stress [3, 3] in eV/Angstrom^3 or None
Told = tuple[float, np.ndarray, "np.ndarray | None"]


class _Options(_Sized):
    _fields_: ClassVar = [
        ("struct_size", c_size_t),
        ("ensemble", c_int),
        ("thermostat", c_int),
        ("barostat", c_int),
        ("coupling", c_int),
        ("drift", c_int),
        ("has_ramp", c_bool),
        ("timestep", c_double),
        ("n_steps", c_uint64),
        ("temperature", c_double),
        ("temperature_end", c_double),
        ("pressure", c_double),
        ("friction", c_double),
        ("thermostat_time", c_double),
        ("barostat_time", c_double),
        ("compressibility", c_double),
        ("seed", c_uint64),
        ("structure", c_uint32),
        ("chain_length", c_uint32),
        ("degrees_of_freedom", c_uint64),
        ("move_max", c_double),
    ]


class _Atoms(_Sized):
    _fields_: ClassVar = [
        ("struct_size", c_size_t),
        ("velocities", POINTER(c_double)),
        ("masses", POINTER(c_double)),
        ("fixed", POINTER(c_uint32)),
        ("n_fixed", c_size_t),
    ]


class _Frame(_Sized):
    _fields_: ClassVar = [
        ("struct_size", c_size_t),
        ("step", c_uint64),
        ("time", c_double),
        ("potential", c_double),
        ("kinetic", c_double),
        ("conserved", c_double),
        ("temperature", c_double),
        ("target", c_double),
        ("has_pressure", c_bool),
        ("pressure", c_double),
        ("stress", c_double * 9),
        ("cell", c_double * 9),
        ("positions", POINTER(c_double)),
        ("velocities", POINTER(c_double)),
        ("forces", POINTER(c_double)),
        ("n_atoms", c_size_t),
        ("degrees_of_freedom", c_uint64),
    ]


class Frame(NamedTuple):
    step: int
    time: float
    potential: float
    kinetic: float
    conserved: float
    temperature: float
    pressure: float | None
    cell: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    degrees_of_freedom: int


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(ROOT / "build" / "libirrep.so"))
    library.irrep_md_free.restype = None
    library.irrep_md_failure.restype = POINTER(_Error)
    return library


def _of(array: np.ndarray | None, kind: Any) -> Any:
    return None if array is None else array.ctypes.data_as(POINTER(kind))


class Trajectory:
    """A trajectory of one structure. Options as in irrep_md_options, kinds by their names."""

    def __init__(
        self,
        numbers: Sequence[int],
        positions: np.ndarray,
        cell: np.ndarray,
        pbc: Sequence[bool],
        *,
        velocities: np.ndarray | None = None,
        masses: np.ndarray | None = None,
        fixed: Sequence[int] = (),
        **options: Any,
    ) -> None:
        self._library = _library()
        self._md = ctypes.c_void_p()
        own = _Options()
        kinds = {
            "ensemble": ENSEMBLES,
            "thermostat": THERMOSTATS,
            "barostat": BAROSTATS,
            "coupling": COUPLINGS,
            "drift": DRIFTS,
        }
        for name, value in options.items():
            if name not in dict(_Options._fields_):
                raise TypeError(f"no option {name}")
            setattr(own, name, kinds[name].index(value) if name in kinds else value)
        number = np.ascontiguousarray(numbers, np.int32)
        place = np.ascontiguousarray(positions, np.float64)
        if velocities is not None:
            velocities = np.ascontiguousarray(velocities, np.float64)
        if masses is not None:
            masses = np.ascontiguousarray(masses, np.float64)
        indices = np.ascontiguousarray(fixed, np.uint32)
        structure = _Structure(
            len(number),
            _of(number, c_int32),
            _of(place, c_double),
            (c_bool * 3)(*map(bool, pbc)),
            (c_double * 9)(*np.asarray(cell, float).ravel()),
        )
        atoms = _Atoms(
            _of(velocities, c_double), _of(masses, c_double), _of(indices, c_uint32), len(indices)
        )
        error = _Error()
        status = self._library.irrep_md_new(
            byref(own), byref(structure), byref(atoms), byref(self._md), byref(error)
        )
        if status:
            raise ValueError(f"{error.field.decode()}: {error.detail.decode()}")

    def __del__(self) -> None:
        self._library.irrep_md_free(self._md)

    def ask(self) -> tuple[str, np.ndarray, np.ndarray]:
        """The state, positions and cell."""
        structure = _Structure()
        state = STATES[self._library.irrep_md_ask(self._md, byref(structure))]
        if state != "running":
            return state, np.zeros((0, 3)), np.zeros((3, 3))
        positions = np.ctypeslib.as_array(structure.positions, (structure.n_atoms, 3)).copy()
        return state, positions, np.array(structure.cell).reshape(3, 3)

    def tell(self, energy: float, forces: np.ndarray, stress: np.ndarray | None) -> str:
        forces = np.ascontiguousarray(forces, np.float64)
        if stress is not None:
            stress = np.ascontiguousarray(stress, np.float64)
        return STATES[
            self._library.irrep_md_tell(
                self._md, c_double(energy), _of(forces, c_double), _of(stress, c_double)
            )
        ]

    def failure(self) -> str | None:
        error = self._library.irrep_md_failure(self._md)
        return error.contents.detail.decode() if error else None

    def frame(self) -> Frame:
        f = _Frame()
        if self._library.irrep_md_completed(self._md, byref(f), None):
            raise ValueError("no step is complete")
        return Frame(
            f.step,
            f.time,
            f.potential,
            f.kinetic,
            f.conserved,
            f.temperature,
            f.pressure if f.has_pressure else None,
            np.array(f.cell).reshape(3, 3),
            np.ctypeslib.as_array(f.positions, (f.n_atoms, 3)).copy(),
            np.ctypeslib.as_array(f.velocities, (f.n_atoms, 3)).copy(),
            f.degrees_of_freedom,
        )

    def frames(self, evaluate: Callable[[np.ndarray, np.ndarray], Told]) -> Iterator[Frame]:
        """Every step, with what `evaluate` says of positions and cell."""
        while True:
            state, positions, cell = self.ask()
            if state != "running":
                break
            self.tell(*evaluate(positions, cell))
            if self.failure():
                raise ValueError(self.failure())
            yield self.frame()
