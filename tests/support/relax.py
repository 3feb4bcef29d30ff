"""include/irrep/relax.h by ctypes: one relaxation driven by a calculator of ASE."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

ROOT = Path(__file__).resolve().parents[2]
OPTIMIZERS = ("lbfgs", "bfgs", "fire", "fire2")
CELLS = ("fixed", "volume", "shape", "full")
STATES = ("running", "converged", "max_steps", "failed")


class Structure(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("n_atoms", ctypes.c_size_t),
        ("numbers", ctypes.POINTER(ctypes.c_int32)),
        ("positions", ctypes.POINTER(ctypes.c_double)),
        ("pbc", ctypes.c_bool * 3),
        ("cell", ctypes.c_double * 9),
    ]


class Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("optimizer", ctypes.c_int),
        ("fmax", ctypes.c_double),
        ("max_steps", ctypes.c_size_t),
        ("cell", ctypes.c_int),
        ("pressure", ctypes.c_double),
        ("mask", ctypes.POINTER(ctypes.c_bool)),
        ("fixed", ctypes.POINTER(ctypes.c_uint32)),
        ("n_fixed", ctypes.c_size_t),
        ("symmetry", ctypes.c_bool),
        ("symprec", ctypes.c_double),
        ("max_step", ctypes.c_double),
        ("memory", ctypes.c_size_t),
        ("alpha", ctypes.c_double),
        ("damping", ctypes.c_double),
    ]


class Progress(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("state", ctypes.c_int),
        ("status", ctypes.c_int),
        ("n_steps", ctypes.c_size_t),
        ("n_evaluations", ctypes.c_size_t),
        ("energy", ctypes.c_double),
        ("fmax", ctypes.c_double),
        ("wants_stress", ctypes.c_bool),
    ]


class Error(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_int),
        ("field", ctypes.c_char * 64),
        ("detail", ctypes.c_char * 256),
    ]


def load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(ROOT / "build" / "libirrep.so"))
    library.irrep_relax_free.argtypes = [ctypes.c_void_p]
    library.irrep_relax_free.restype = None
    library.irrep_relax_save_size.argtypes = [ctypes.c_void_p]
    library.irrep_relax_save_size.restype = ctypes.c_size_t
    library.irrep_relax_save.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.irrep_relax_save.restype = None
    library.irrep_relax_tell.argtypes = [
        ctypes.c_void_p,
        ctypes.c_double,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    return library


LIBRARY = load()


class RelaxError(Exception):
    def __init__(self, error: Error) -> None:
        super().__init__(f"{error.field.decode()}: {error.detail.decode()}")
        self.field = error.field.decode()


class Relax:
    """A relaxation of Atoms by their calculator."""

    def __init__(self, atoms: Atoms, **options: Any) -> None:
        self.atoms = atoms.copy()
        self.atoms.calc = atoms.calc
        self.error = Error()
        self.handle = ctypes.c_void_p()
        numbers = np.ascontiguousarray(atoms.numbers, np.int32)
        positions = np.ascontiguousarray(atoms.positions, float)
        structure = Structure(
            ctypes.sizeof(Structure),
            len(atoms),
            numbers.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            positions.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            tuple(bool(p) for p in atoms.pbc),
            tuple(np.asarray(atoms.cell).ravel()),
        )
        options = {"fmax": 1e-6, "max_steps": 20, **options}
        options["optimizer"] = OPTIMIZERS.index(options["optimizer"])
        options["cell"] = CELLS.index(options.get("cell", "fixed"))
        mask, fixed = options.pop("mask", None), options.pop("fixed", None)
        given = Options(ctypes.sizeof(Options), **options)
        if mask is not None:
            given.mask = (ctypes.c_bool * 9)(*np.ravel(mask))
        if fixed is not None:
            given.fixed = (ctypes.c_uint32 * len(fixed))(*fixed)
            given.n_fixed = len(fixed)
        self.check(
            LIBRARY.irrep_relax_new(
                ctypes.byref(given),
                ctypes.byref(structure),
                ctypes.byref(self.handle),
                ctypes.byref(self.error),
            )
        )

    def __del__(self) -> None:
        LIBRARY.irrep_relax_free(self.handle)

    def check(self, status: int) -> None:
        if status != 0:
            raise RelaxError(self.error)

    def ask(self) -> Atoms:
        """The structure that is wanted, with the calculator."""
        asked = Structure(ctypes.sizeof(Structure))
        self.check(LIBRARY.irrep_relax_ask(self.handle, ctypes.byref(asked), None))
        n = asked.n_atoms
        self.atoms.positions = np.ctypeslib.as_array(asked.positions, (n, 3)).copy()
        self.atoms.cell = np.array(asked.cell).reshape(3, 3)
        return self.atoms

    def tell(self) -> str:
        """Evaluates what is asked for and tells it."""
        atoms = self.ask()
        energy, forces = atoms.get_potential_energy(), np.ascontiguousarray(atoms.get_forces())
        stress = np.ascontiguousarray(atoms.get_stress(voigt=False)) if self.wants_stress else None
        state = ctypes.c_int()
        self.check(
            LIBRARY.irrep_relax_tell(
                self.handle,
                energy,
                forces.ctypes.data,
                None if stress is None else stress.ctypes.data,
                ctypes.byref(state),
                ctypes.byref(self.error),
            )
        )
        return STATES[state.value]

    @property
    def progress(self) -> Progress:
        progress = Progress(ctypes.sizeof(Progress))
        self.check(LIBRARY.irrep_relax_report(self.handle, ctypes.byref(progress), None))
        return progress

    @property
    def wants_stress(self) -> bool:
        return bool(self.progress.wants_stress)

    def steps(self) -> Iterator[Atoms]:
        """The structure at the start and after each step, until it has ended."""
        n_steps = -1
        while True:
            if self.progress.n_steps > n_steps:
                n_steps = self.progress.n_steps
                yield self.ask().copy()
            if self.tell() != "running":
                return

    def save_and_restore(self) -> None:
        """Goes on as what its own bytes say."""
        bytes_ = ctypes.create_string_buffer(LIBRARY.irrep_relax_save_size(self.handle))
        LIBRARY.irrep_relax_save(self.handle, bytes_)
        LIBRARY.irrep_relax_free(self.handle)
        self.handle = ctypes.c_void_p()
        self.check(
            LIBRARY.irrep_relax_restore(
                bytes_,
                ctypes.c_size_t(len(bytes_)),
                ctypes.byref(self.handle),
                ctypes.byref(self.error),
            )
        )
