"""include/irrep/ by ctypes, with numpy arrays around it: for tests and benchmarks only."""

from __future__ import annotations

import ctypes
import json
import os
import threading
from collections.abc import Callable, Sequence
from ctypes import (
    POINTER,
    byref,
    c_bool,
    c_char,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_size_t,
    c_uint32,
    c_void_p,
)
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
ALIGNMENT = 64  # IRREP_ALIGNMENT
PRECISIONS = ("float32", "float64")  # in the order of enum irrep_precision
SIZE_MAX = ctypes.c_size_t(-1).value


class _Sized(ctypes.Structure):
    """A struct that begins with its size: "Versions" in include/irrep/conventions.h."""

    def __init__(self, *values: object) -> None:
        super().__init__(ctypes.sizeof(self), *values)


class _Structure(_Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_atoms", c_size_t),
        ("numbers", POINTER(c_int32)),
        ("positions", POINTER(c_double)),
        ("pbc", c_bool * 3),
        ("cell", c_double * 9),
    ]


class _Error(ctypes.Structure):
    _fields_ = [("status", c_int), ("field", c_char * 64), ("detail", c_char * 256)]


class _Card(ctypes.Structure):
    _fields_ = [
        ("architecture", c_char_p),
        ("variant", c_char_p),
        ("atomic_numbers", POINTER(c_int32)),
        ("n_elements", c_size_t),
        ("r_max", c_double),
        ("precision", c_int),
        ("bytes", c_size_t),
        ("metadata", c_char_p),
        ("metadata_size", c_size_t),
        ("blas", c_char_p),
        ("heads", POINTER(c_char_p)),
        ("n_heads", c_size_t),
        ("default_head", c_size_t),
        ("n_descriptors", c_size_t),
        ("n_descriptors_l", c_size_t),
        ("descriptor_irreps", c_char_p),
        ("has_dipole", c_bool),
    ]


class _Plan(_Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_structures", c_size_t),
        ("n_atoms", c_size_t),
        ("n_edges", c_size_t),
    ]


_Cancelled = ctypes.CFUNCTYPE(c_bool, c_void_p)


class _Options(_Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("precision", c_int),
        ("exact_filters", c_bool),
        ("plain_kernels", c_bool),
        ("cancelled", _Cancelled),
        ("cancel_context", c_void_p),
        ("team", c_void_p),
        ("profile", c_void_p),
        ("exchange", c_void_p),
        ("additions", c_void_p),
        ("n_additions", c_size_t),
        ("heads", POINTER(c_size_t)),
    ]


_Task = ctypes.CFUNCTYPE(None, c_void_p, c_size_t, c_size_t)
_Run = ctypes.CFUNCTYPE(None, c_void_p, _Task, c_void_p, c_size_t)


class _Team(_Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_helpers", c_size_t),
        ("scratch", POINTER(c_void_p)),
        ("context", c_void_p),
        ("run", _Run),
    ]


class _Result(_Sized):
    _fields_ = [
        ("struct_size", c_size_t),
        ("status", c_int),
        ("has_stress", c_bool),
        ("energy", c_double),
        ("energies", POINTER(c_double)),
        ("forces", POINTER(c_double)),
        ("stresses", POINTER(c_double)),
        ("virial", c_double * 9),
        ("stress", c_double * 9),
        ("n_edges", c_size_t),
        ("n_descriptors", c_size_t),
        ("n_descriptors_l", c_size_t),
        ("descriptors", POINTER(c_double)),
        ("descriptors_l", POINTER(c_double)),
        ("has_dipole", c_bool),
        ("dipole", c_double * 3),
    ]


class _Output(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("unit", c_char_p),
        ("irreps", c_char_p),
        ("bit", c_uint32),
        ("by_atom", c_bool),
        ("n_dims", c_size_t),
        ("dims", c_size_t * 2),
        ("columns", c_size_t),
        ("of_gradient", c_bool),
        ("needs_volume", c_bool),
        ("is_default", c_bool),
    ]


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    model, error = c_void_p, POINTER(_Error)
    options, structure, plan = POINTER(_Options), POINTER(_Structure), POINTER(_Plan)
    signatures = {
        "irrep_status_name": (c_char_p, [c_int]),
        "irrep_model_load": (c_int, [c_char_p, c_size_t, POINTER(model), error]),
        "irrep_model_free": (None, [model]),
        "irrep_model_card": (POINTER(_Card), [model]),
        "irrep_model_plan": (c_int, [model, structure, c_size_t, plan, error]),
        "irrep_model_graph": (
            c_int,
            [model, structure, c_size_t, c_size_t, plan, POINTER(c_void_p), error],
        ),
        "irrep_graph_free": (None, [c_void_p]),
        "irrep_model_bytes": (c_size_t, [model, c_int, plan]),
        "irrep_model_evaluate": (
            c_int,
            [model, options, structure, c_size_t, c_void_p, c_size_t, POINTER(_Result), error],
        ),
        "irrep_output_at": (POINTER(_Output), [c_size_t]),
        "irrep_output_values": (POINTER(c_double), [POINTER(_Output), POINTER(_Result)]),
        "irrep_outputs_place": (
            c_size_t,
            [c_uint32, POINTER(_Card), c_size_t, POINTER(c_double), POINTER(_Result)],
        ),
        "irrep_output_columns_in": (c_size_t, [POINTER(_Output), POINTER(_Result)]),
        "irrep_rotate": (
            c_int,
            [c_char_p, c_void_p, c_size_t, c_void_p, c_void_p, error],
        ),
        "irrep_model_evaluate_graphs": (
            c_int,
            [model, options, c_void_p, c_size_t, c_void_p, c_size_t, POINTER(_Result), error],
        ),
        "irrep_model_has_tangents": (c_bool, [model]),
        "irrep_tangents_new": (
            c_int,
            [model, structure, c_size_t, c_size_t, POINTER(c_void_p), error],
        ),
        "irrep_tangents_bytes": (c_size_t, [c_void_p]),
        "irrep_tangents_rows": (None, [c_void_p, c_size_t, c_void_p]),
        "irrep_tangents_free": (None, [c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_LIBRARY_PATH = Path(os.environ.get("IRREPD_TEST_LIBRARY", ROOT / "build" / "libirrep.so"))
_library = _declare(ctypes.CDLL(str(_LIBRARY_PATH)))


class IrrepError(Exception):
    """A status other than OK, with the field and the sentence of struct irrep_error."""

    def __init__(self, status: int, error: _Error | None = None) -> None:
        self.status = _library.irrep_status_name(status).decode()
        self.field = error.field.decode() if error else ""
        self.detail = error.detail.decode() if error else ""
        super().__init__(f"{self.status} {self.field}: {self.detail}")


class Plan(NamedTuple):
    n_structures: int
    n_atoms: int
    n_edges: int


class Output(NamedTuple):
    """A row of the table irrep/outputs.h."""

    name: str
    unit: str
    irreps: str  # "0e", "1o" or "0e+2e"; "" as the model has it
    by_atom: bool
    shape: tuple[int | str, ...]  # of a row; "D": as the model has it
    of_gradient: bool
    needs_volume: bool
    is_default: bool


def _rows() -> list[_Output]:
    rows = []
    while row := _library.irrep_output_at(len(rows)):
        rows.append(row.contents)
    return rows


_ROWS = _rows()
OUTPUTS = [
    Output(
        row.name.decode(),
        row.unit.decode(),
        row.irreps.decode(),
        row.by_atom,
        tuple(row.dims[: row.n_dims]) if row.columns else ("D",),
        row.of_gradient,
        row.needs_volume,
        row.is_default,
    )
    for row in _ROWS
]


class Result(NamedTuple):
    """All outputs, which are attributes too: `energy`, `forces` [n_atoms, 3] and so on.

    None or NaN where there is none.
    """

    outputs: dict[str, np.ndarray | None]
    n_edges: int

    def __getattr__(self, name: str):
        try:
            return self.outputs[name]
        except KeyError:
            raise AttributeError(name) from None

    def bits(self) -> bytes:
        """Every number of the result, for comparisons of bits."""
        return b"".join(b"-" if a is None else a.tobytes() for a in self.outputs.values())


class Model:
    """A loaded model. Structures are anything with numbers, positions, cell and pbc."""

    def __init__(self, source: Path | bytes) -> None:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        self._handle = c_void_p()
        error = _Error()
        _check(_library.irrep_model_load(data, len(data), byref(self._handle), byref(error)), error)
        card = _library.irrep_model_card(self._handle).contents
        self.architecture = card.architecture.decode()
        self.variant = card.variant.decode()
        self.atomic_numbers = np.array(card.atomic_numbers[: card.n_elements])
        self.r_max = card.r_max
        self.precision = PRECISIONS[card.precision]
        self.bytes = card.bytes
        self.heads = [name.decode() for name in card.heads[: card.n_heads]]
        self.card = card
        self.descriptor_irreps = card.descriptor_irreps.decode().split()
        self.metadata = json.loads(ctypes.string_at(card.metadata, card.metadata_size))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.irrep_model_free(self._handle)
            self._handle = None

    def plan(self, structure, max_edges: int = SIZE_MAX) -> Plan:
        view, _keep = _view(structure)
        plan, error = _Plan(), _Error()
        _check(
            _library.irrep_model_plan(
                self._handle, byref(view), max_edges, byref(plan), byref(error)
            ),
            error,
        )
        return Plan(plan.n_structures, plan.n_atoms, plan.n_edges)

    def arena_bytes(self, precision: str, plan: Plan) -> int:
        return _library.irrep_model_bytes(
            self._handle, PRECISIONS.index(precision), byref(_Plan(*plan))
        )

    def evaluate(
        self,
        structures: Sequence,
        precision: str = "float64",
        exact_filters: bool = False,
        heads: Sequence[str] | None = None,
    ) -> list[Result]:
        """Plans and evaluates one batch; raises the first status that is not OK."""
        batch = Batch(self, structures, precision, exact_filters=exact_filters)
        if heads is not None:
            batch.set_heads(heads)
        return batch.evaluate()

    @property
    def has_tangents(self) -> bool:
        return _library.irrep_model_has_tangents(self._handle)

    def tangents(self, structure, head: int = 0, max_bytes: int = SIZE_MAX) -> np.ndarray:
        """The Hessian [3N, 3N] by tangents, as its rows come: not made symmetric."""
        view, _keep = _view(structure)
        made, error = c_void_p(), _Error()
        _check(
            _library.irrep_tangents_new(
                self._handle, byref(view), head, max_bytes, byref(made), byref(error)
            ),
            error,
        )
        n = len(structure.numbers)
        rows = np.empty((n, 3, 3 * n))
        for atom in range(n):
            _library.irrep_tangents_rows(made, atom, rows[atom].ctypes.data_as(c_void_p))
        _library.irrep_tangents_free(made)
        return rows.reshape(3 * n, 3 * n)

    def evaluate_one(
        self, structure, precision: str = "float64", exact_filters: bool = False
    ) -> Result:
        return self.evaluate([structure], precision, exact_filters)[0]


class Batch:
    """Structures with the arena and arrays to evaluate them in, any number of times.

    Arena and arrays are filled with `fill` first, so that what reads or keeps unwritten memory
    shows up. wanted: names of outputs.
    """

    def __init__(
        self,
        model: Model,
        structures: Sequence,
        precision: str,
        plans: Sequence[Plan] | None = None,
        wanted: Sequence[str] = tuple(output.name for output in OUTPUTS),
        fill: int = 0xFF,
        exact_filters: bool = False,
        team: Team | None = None,
    ) -> None:
        self._model, self._team = model, team
        self._graphs: ctypes.Array | None = None
        plans = plans or [model.plan(structure) for structure in structures]
        self.plan = Plan(*np.sum(plans, axis=0).tolist())
        self.arena_bytes = model.arena_bytes(precision, self.plan)
        self._buffer, self._arena = _aligned(self.arena_bytes, fill)
        views = [_view(structure) for structure in structures]
        self._keep = [keep for _, keep in views]
        self._structures = (_Structure * len(views))(*(view for view, _ in views))
        self._results = (_Result * len(views))(*(_Result() for _ in views))
        helpers = team.pointer if team else None
        self._options = _Options(PRECISIONS.index(precision), exact_filters)
        self._options.team = helpers
        bits = sum(row.bit for row, output in zip(_ROWS, OUTPUTS) if output.name in wanted)
        self._n_atoms = [view.n_atoms for view, _ in views]
        self._storage = []
        for result, n_atoms in zip(self._results, self._n_atoms):
            card = byref(model.card)
            size = _library.irrep_outputs_place(bits, card, n_atoms, None, None)
            storage = np.full(size, np.nan)
            pointer = storage.ctypes.data_as(POINTER(c_double))
            _library.irrep_outputs_place(bits, card, n_atoms, pointer, byref(result))
            self._storage.append(storage)

    def set_heads(self, heads: Sequence[str]) -> None:
        """The head of each structure; without, all have the model's default."""
        indices = [self._model.heads.index(name) for name in heads]
        self._heads = (c_size_t * len(indices))(*indices)
        self._options.heads = self._heads

    def cancel_when(self, cancelled: Callable[[], bool]) -> None:
        """Has every later run ask whether to end early."""
        self._options.cancelled = _Cancelled(lambda _context: cancelled())

    def find_graphs(self) -> None:
        """Plans each structure anew and keeps what was found: the next runs evaluate that.

        The calls' arguments are made once, for making them takes as long as a small structure.
        """
        if self._graphs is None:
            self._graphs = (c_void_p * len(self._structures))()
            self._graph_error = _Error()
            plan, error, size = _Plan(), self._graph_error, ctypes.sizeof(c_void_p)
            self._graph_calls = [
                (
                    *(self._model._handle, byref(structure), SIZE_MAX, SIZE_MAX, byref(plan)),
                    *(byref(c_void_p.from_buffer(self._graphs, i * size)), byref(error)),
                )
                for i, structure in enumerate(self._structures)
            ]
        self._free_graphs()
        for call in self._graph_calls:
            status = _library.irrep_model_graph(*call)
            if status:
                raise IrrepError(status, self._graph_error)

    def _free_graphs(self) -> None:
        for i, graph in enumerate(self._graphs or ()):
            _library.irrep_graph_free(graph)
            self._graphs[i] = None

    def __del__(self) -> None:
        self._free_graphs()

    def run(self) -> None:
        """The bare call."""
        error = _Error()
        inputs = self._graphs or self._structures
        evaluate = (
            _library.irrep_model_evaluate_graphs if self._graphs else _library.irrep_model_evaluate
        )
        batch = (inputs, len(inputs), self._arena, self.arena_bytes)
        options = byref(self._options)
        _check(
            evaluate(self._model._handle, options, *batch, self._results, byref(error)),
            error,
        )

    def statuses(self) -> list[str]:
        """The status of each structure in the last run."""
        return [_library.irrep_status_name(r.status).decode() for r in self._results]

    def results(self, skip: int | None = None) -> list[Result]:
        """Copies of the last run's results; raises the first status that is not OK."""
        found = []
        for i, (result, n_atoms) in enumerate(zip(self._results, self._n_atoms)):
            if i == skip:
                continue
            _check(result.status)
            outputs = {row.name.decode(): _values(row, result, n_atoms) for row in _ROWS}
            found.append(Result(outputs, result.n_edges))
        return found

    def evaluate(self) -> list[Result]:
        self.run()
        return self.results()


class Team:
    """Threads of Python that help with an evaluation; they take tasks in a scrambled order."""

    def __init__(self, model: Model, precision: str, n_helpers: int) -> None:
        helper_bytes = _library.irrep_model_helper_bytes
        helper_bytes.restype, helper_bytes.argtypes = c_size_t, [c_void_p, c_int]
        size = helper_bytes(model._handle, PRECISIONS.index(precision))
        self._buffers = [_aligned(size, 0xFF) for _ in range(n_helpers)]
        self._scratch = (c_void_p * n_helpers)(*(address for _, address in self._buffers))
        self._struct = _Team(n_helpers, self._scratch, None, _Run(self._run))
        self._n_threads = n_helpers + 1
        self._rng = np.random.default_rng(n_helpers)
        self.n_tasks = 0
        self.pointer = ctypes.cast(byref(self._struct), c_void_p)

    def _run(self, _team, task, context, n_tasks: int) -> None:
        self.n_tasks += n_tasks
        order = self._rng.permutation(n_tasks).tolist()

        def work(thread: int) -> None:
            while True:
                try:
                    index = order.pop()
                except IndexError:
                    return
                task(context, thread, index)

        helpers = [threading.Thread(target=work, args=(t,)) for t in range(1, self._n_threads)]
        for helper in helpers:
            helper.start()
        work(0)
        for helper in helpers:
            helper.join()


def rotated(irreps: str, matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Features [n, dim] of what has been turned: a vector v, as a column, is matrix v then."""
    error, found = _Error(), np.empty_like(rows)
    turn, rows = np.ascontiguousarray(matrix, dtype=float), np.ascontiguousarray(rows)
    pointers = (turn.ctypes.data, len(rows), rows.ctypes.data, found.ctypes.data)
    _check(_library.irrep_rotate(irreps.encode(), *pointers, byref(error)), error)
    return found


def _aligned(size: int, fill: int) -> tuple[np.ndarray, int]:
    """A buffer and the address of the aligned block of `size` bytes inside."""
    buffer = np.full(size + ALIGNMENT, fill, dtype=np.uint8)
    return buffer, -(-buffer.ctypes.data // ALIGNMENT) * ALIGNMENT


def _values(row: _Output, result: _Result, n_atoms: int) -> np.ndarray | None:
    """A copy; None where there are none."""
    dims = row.dims[: row.n_dims]
    if not row.columns:
        dims = [_library.irrep_output_columns_in(byref(row), byref(result))]
    shape = (*([n_atoms] if row.by_atom else []), *dims)
    pointer = _library.irrep_output_values(byref(row), byref(result))
    return np.ctypeslib.as_array(pointer, shape or (1,)).reshape(shape).copy() if pointer else None


def _check(status: int, error: _Error | None = None) -> None:
    if status:
        raise IrrepError(status, error)


def _view(structure) -> tuple[_Structure, tuple]:
    """The C view of a structure and the arrays it points into."""
    numbers = np.ascontiguousarray(structure.numbers, dtype=np.int32)
    positions = np.ascontiguousarray(structure.positions, dtype=np.float64)
    cell = np.zeros((3, 3)) if structure.cell is None else np.asarray(structure.cell, dtype=float)
    assert positions.shape == (len(numbers), 3) and cell.shape == (3, 3)
    view = _Structure(
        len(numbers),
        numbers.ctypes.data_as(POINTER(c_int32)),
        positions.ctypes.data_as(POINTER(c_double)),
        (c_bool * 3)(*map(bool, structure.pbc)),
        (c_double * 9)(*cell.ravel()),
    )
    return view, (numbers, positions)
