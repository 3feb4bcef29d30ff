"""include/irrep/dispersion.h by ctypes, with numpy arrays around it: for tests only."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from ctypes import POINTER, byref, c_bool, c_char_p, c_double, c_int, c_size_t, c_void_p
from pathlib import Path
from typing import NamedTuple

import libirrep
import numpy as np
from libirrep import (
    _aligned,
    _check,
    _Error,
    _library,
    _Options,
    _Result,
    _Sized,
    _Structure,
    _view,
)

DATA = libirrep.ROOT / "build" / "models" / "dftd3.params.safetensors"
DAMPINGS = ("d3bj", "d3zero")  # in the order of enum irrep_damping
BOHR = 0.5291772105638411


class _Parameters(ctypes.Structure):
    _fields_ = [("s6", c_double), ("s8", c_double), ("a", c_double), ("b", c_double)]


class _Functional(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("damping", c_int),
        ("parameters", _Parameters),
        ("doi", c_char_p),
    ]


class _DispersionOptions(_Sized):
    _fields_ = [  # noqa: RUF012
        ("struct_size", c_size_t),
        ("damping", c_int),
        ("parameters", _Parameters),
        ("cutoff", c_double),
        ("cn_cutoff", c_double),
        ("width", c_double),
        ("three_body", c_bool),
        ("three_body_cutoff", c_double),
    ]


_error = POINTER(_Error)
_options = POINTER(_DispersionOptions)
_structure = POINTER(_Structure)
for _name, _result, _arguments in (
    ("irrep_dispersion_load", c_int, [c_char_p, c_size_t, POINTER(c_void_p), _error]),
    ("irrep_dispersion_free", None, [c_void_p]),
    ("irrep_functional_at", POINTER(_Functional), [c_size_t]),
    ("irrep_functional_find", POINTER(_Functional), [c_int, c_char_p, c_size_t]),
    ("irrep_dispersion_term", c_int, [c_void_p, _options, POINTER(c_void_p), _error]),
    ("irrep_term_bytes", c_size_t, [c_void_p, c_size_t, c_size_t]),
    ("irrep_term_free", None, [c_void_p]),
    (
        "irrep_dispersion_evaluate",
        c_int,
        [c_void_p, POINTER(_Options), _structure, c_void_p, c_size_t, POINTER(_Result), _error],
    ),
):
    _function = getattr(_library, _name)
    _function.restype, _function.argtypes = _result, _arguments


class Functional(NamedTuple):
    """A row of the table of functionals; a, b: a1, a2, or rs6, rs8."""

    name: str
    method: str
    s6: float
    s8: float
    a: float
    b: float
    doi: str


def functionals() -> Iterator[Functional]:
    index = 0
    while row := _library.irrep_functional_at(index):
        r, p = row.contents, row.contents.parameters
        names = (r.name.decode(), DAMPINGS[r.damping])
        yield Functional(*names, p.s6, p.s8, p.a, p.b, r.doi.decode())
        index += 1


class Answer(NamedTuple):
    energy: float  # eV
    energies: np.ndarray  # [n_atoms]
    forces: np.ndarray  # [n_atoms, 3] eV/Angstrom
    virial: np.ndarray  # [3, 3] eV
    stress: np.ndarray  # [3, 3] eV/Angstrom^3
    stresses: np.ndarray  # [n_atoms, 3, 3]

    def bits(self) -> bytes:
        return b"".join(np.asarray(values).tobytes() for values in self)


class Dispersion:
    """The reference data, and dispersion by itself."""

    def __init__(self, source: Path | bytes = DATA) -> None:
        data = source if isinstance(source, bytes) else source.read_bytes()
        self._handle, error = c_void_p(), _Error()
        status = _library.irrep_dispersion_load(data, len(data), byref(self._handle), byref(error))
        _check(status, error)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.irrep_dispersion_free(self._handle)

    def evaluate(self, structure, **how) -> Answer:
        return Problem(self, structure, **how).evaluate()


class Problem:
    """A structure with the memory to evaluate it in, any number of times."""

    def __init__(
        self,
        dispersion: Dispersion,
        structure,
        team=None,
        method: str = "d3bj",
        functional: str = "pbe",
        cutoff: float = 40 * BOHR,
        cn_cutoff: float = 40 * BOHR,
        width: float = 0.0,
        three_body: bool = False,
        three_body_cutoff: float = 40 * BOHR,
        fill: int = 0xFF,
    ) -> None:
        damping, name = DAMPINGS.index(method), functional.encode()
        row = _library.irrep_functional_find(damping, name, len(name))
        if not row:
            raise KeyError(functional)
        cutoffs = (cutoff, cn_cutoff, width)
        how = _DispersionOptions(
            damping, row.contents.parameters, *cutoffs, three_body, three_body_cutoff
        )
        self._dispersion, self._term, error = dispersion, c_void_p(), _Error()
        status = _library.irrep_dispersion_term(
            dispersion._handle, byref(how), byref(self._term), byref(error)
        )
        _check(status, error)
        self._view, self._keep = _view(structure)
        self._options, self._team = _Options(), team
        self._options.team = team.pointer if team else None
        n = self._view.n_atoms
        self.arena_bytes = _library.irrep_term_bytes(self._term, n, 0)
        self._buffer, self._arena = _aligned(self.arena_bytes, fill)
        self._arrays = np.full(n, np.nan), np.full((n, 3), np.nan), np.full((n, 3, 3), np.nan)

    def __del__(self) -> None:
        if getattr(self, "_term", None):
            _library.irrep_term_free(self._term)

    def evaluate(self) -> Answer:
        pointers = [array.ctypes.data_as(POINTER(c_double)) for array in self._arrays]
        result, error = _Result(0, False, 0.0, *pointers), _Error()
        status = _library.irrep_dispersion_evaluate(
            *(self._term, byref(self._options), byref(self._view)),
            *(self._arena, self.arena_bytes, byref(result), byref(error)),
        )
        _check(status, error)
        _check(result.status)
        tensors = [np.array(t).reshape(3, 3) for t in (result.virial, result.stress)]
        energies, forces, stresses = (array.copy() for array in self._arrays)
        return Answer(result.energy, energies, forces, *tensors, stresses)
