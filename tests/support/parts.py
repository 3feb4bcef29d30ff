"""A structure cut into parts with ghosts, evaluated side by side as a parallel program's ranks do.

Each part has a thread. Where the library asks for an exchange, the threads meet, and rows are
copied or added by hand.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import POINTER, byref, c_bool, c_double, c_int, c_size_t, c_void_p
from typing import NamedTuple

import libirrep
import numpy as np
from edges import find_edges
from libirrep import Model, Team

BOXES = {1: (1, 1, 1), 2: (2, 1, 1), 4: (2, 2, 1), 8: (2, 2, 2)}
PATIENCE = 60  # seconds that a part waits for the others


class Part(NamedTuple):
    atoms: np.ndarray  # [n_local] of the structure
    ghosts: np.ndarray  # [n_ghosts] the atoms of the structure that they are copies of
    numbers: np.ndarray  # int32 [n_local + n_ghosts]
    first_edge: np.ndarray  # uint32 [n_local + 1]
    senders: np.ndarray  # uint32 [n_edges]
    vectors: np.ndarray  # float64 [n_edges, 3] Angstrom, from sender to receiver


def boxes_of(structure, n_boxes: int) -> np.ndarray:
    """The box of each atom: halves of the cell, or of the extent along open axes."""
    positions, pbc = np.asarray(structure.positions), np.asarray(structure.pbc)
    frame = np.where(pbc[:, None], structure.cell, np.eye(3))
    places = positions @ np.linalg.inv(frame)
    low, high = places.min(axis=0), places.max(axis=0)
    places = np.where(pbc, places - np.floor(places), (places - low) / (high - low + 1e-3))
    counts = np.array(BOXES[n_boxes])
    return np.ravel_multi_index(np.minimum(places * counts, counts - 1).astype(int).T, counts)


def cut(structure, boxes: np.ndarray, n_boxes: int, r_max: float) -> list[Part]:
    """The parts of a structure whose atoms are in the given boxes; some may be empty."""
    edges = find_edges(structure.positions, structure.cell, structure.pbc, r_max)
    axes = np.flatnonzero(structure.pbc)
    rows = np.asarray(structure.cell, dtype=float)[axes]
    inverse = np.linalg.pinv(rows) if len(axes) else np.zeros((3, 0))
    wrapped = structure.positions - np.floor(structure.positions @ inverse) @ rows
    apart = wrapped[edges.senders] - wrapped[edges.receivers]
    images = np.round((edges.vectors - apart) @ inverse).astype(int)
    parts = []
    for box in range(n_boxes):
        atoms = np.flatnonzero(boxes == box)
        at = {atom: i for i, atom in enumerate(atoms)}
        ghosts: dict[tuple, int] = {}
        senders, counts = [], np.zeros(len(atoms), dtype=int)
        mine = np.flatnonzero(np.isin(edges.receivers, atoms))
        for e in mine:
            sender, image = edges.senders[e], tuple(images[e])
            counts[at[edges.receivers[e]]] += 1
            if sender in at and not any(image):
                senders.append(at[sender])
            else:
                senders.append(len(atoms) + ghosts.setdefault((sender, *image), len(ghosts)))
        owners = np.array([key[0] for key in ghosts], dtype=int)
        parts.append(
            Part(
                *(atoms, owners, structure.numbers[np.r_[atoms, owners]].astype(np.int32)),
                np.r_[0, np.cumsum(counts)].astype(np.uint32),
                np.array(senders, dtype=np.uint32),
                np.ascontiguousarray(-edges.vectors[mine]),
            )
        )
    return parts


class Sum(NamedTuple):
    """What the parts give together."""

    energy: float
    energies: np.ndarray
    forces: np.ndarray
    virial: np.ndarray
    virials: np.ndarray  # [n_atoms, 3, 3] eV, each atom's part
    n_exchanges: int


class Settings(NamedTuple):
    precision: str = "float64"
    exact_filters: bool = False
    n_helpers: int = 0  # of each part


class _Arrays(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("cutoff", c_double),
        ("n_local", c_size_t),
        ("n_atoms", c_size_t),
        ("n_edges", c_size_t),
        ("numbers", c_void_p),
        ("first_edge", c_void_p),
        ("senders", c_void_p),
        ("vectors", c_void_p),
        ("n_total", c_size_t),
    ]


_Rows = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, c_size_t, c_bool)


class _Exchange(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("context", c_void_p), ("rows", _Rows)]


def view(part: Part, cutoff: float, n_total: int) -> c_void_p:
    """A graph over the arrays of a part, which must outlive it; for irrep_graph_free."""
    library = libirrep._library
    arrays = _Arrays(
        ctypes.sizeof(_Arrays),
        cutoff,
        len(part.atoms),
        len(part.numbers),
        len(part.senders),
        *(a.ctypes.data for a in part[2:]),
        n_total,
    )
    graph, error = c_void_p(), libirrep._Error()
    library.irrep_graph_view.argtypes = [c_void_p, POINTER(c_void_p), POINTER(libirrep._Error)]
    libirrep._check(library.irrep_graph_view(byref(arrays), byref(graph), byref(error)), error)
    return graph


class _Meeting:
    """Where the parts' threads exchange rows."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._barrier = threading.Barrier(len(parts), timeout=PATIENCE)
        self._rows: list[np.ndarray] = [np.zeros(0)] * len(parts)
        self.n_exchanges = 0
        owner = {atom: (p, i) for p, part in enumerate(parts) for i, atom in enumerate(part.atoms)}
        self._copies = [
            (p, len(part.atoms) + i, *owner[atom])
            for p, part in enumerate(parts)
            for i, atom in enumerate(part.ghosts)
        ]

    def abort(self) -> None:
        self._barrier.abort()

    def exchange(self, index: int, rows: int, width: int, real_size: int, forward: bool) -> None:
        shape = (len(self._parts[index].numbers), width)
        real = {4: np.float32, 8: np.float64}[real_size]
        buffer = (ctypes.c_char * (shape[0] * shape[1] * real_size)).from_address(rows or 1)
        self._rows[index] = np.frombuffer(buffer, dtype=real).reshape(shape)
        if self._barrier.wait() == 0:
            self.n_exchanges += 1
            for part, ghost, owner, atom in self._copies:
                if forward:
                    self._rows[part][ghost] = self._rows[owner][atom]
                else:
                    self._rows[owner][atom] += self._rows[part][ghost]
        self._barrier.wait()


def _evaluate_one(
    model: Model, parts: Sequence[Part], index: int, meeting: _Meeting, settings: Settings
) -> libirrep.Result:
    part, library, error = parts[index], libirrep._library, libirrep._Error()
    n_atoms = len(part.numbers)
    plan = libirrep.Plan(1, n_atoms, len(part.senders))
    n_bytes = model.arena_bytes(settings.precision, plan)
    _buffer, arena = libirrep._aligned(n_bytes, 0xFF)

    def rows(_context, rows, width, real_size, forward) -> int:
        try:
            meeting.exchange(index, rows, width, real_size, forward)
        except threading.BrokenBarrierError:
            return 1
        return 0

    exchange = _Exchange(ctypes.sizeof(_Exchange), None, _Rows(rows))
    team = Team(model, settings.precision, settings.n_helpers) if settings.n_helpers else None
    options = libirrep._Options()
    options.precision = libirrep.PRECISIONS.index(settings.precision)
    options.exact_filters = settings.exact_filters
    options.team = team.pointer if team else None
    options.exchange = ctypes.addressof(exchange)
    bits = sum(row.bit for row in libirrep._ROWS)
    card = byref(model.card)
    storage = np.full(library.irrep_outputs_place(bits, card, n_atoms, None, None), np.nan)
    result = libirrep._Result()
    library.irrep_outputs_place(
        bits, card, n_atoms, storage.ctypes.data_as(POINTER(c_double)), byref(result)
    )
    graph = view(part, model.r_max, sum(len(p.atoms) for p in parts))
    graphs = (c_void_p * 1)(graph.value)
    try:
        status = library.irrep_model_evaluate_graphs(
            *(model._handle, byref(options), graphs, 1, arena, n_bytes),
            *(byref(result), byref(error)),
        )
        libirrep._check(status or result.status, error)
    except libirrep.IrrepError:
        meeting.abort()
        raise
    finally:
        library.irrep_graph_free(graph)
    outputs = {r.name.decode(): libirrep._values(r, result, n_atoms) for r in libirrep._ROWS}
    return libirrep.Result(outputs, result.n_edges)


def evaluate(model: Model, parts: Sequence[Part], settings: Settings) -> Sum:
    """All parts at a time, and the sum of what they give."""
    meeting = _Meeting(parts)
    with ThreadPoolExecutor(len(parts)) as pool:
        calls = [
            pool.submit(_evaluate_one, model, parts, index, meeting, settings)
            for index in range(len(parts))
        ]
        results = [call.result() for call in calls]
    n_atoms = sum(len(part.atoms) for part in parts)
    energies, forces = np.zeros(n_atoms), np.zeros((n_atoms, 3))
    virials = np.zeros((n_atoms, 3, 3))
    for part, result in zip(parts, results):
        at = np.r_[part.atoms, part.ghosts].astype(int)
        energies[part.atoms] = result.energies[: len(part.atoms)]
        np.add.at(forces, at, result.forces)
        np.add.at(virials, at, result.stresses)
        assert result.stress is None and result.n_edges == len(part.senders)
    return Sum(
        sum(result.energy for result in results),
        energies,
        forces,
        sum((result.virial for result in results), np.zeros((3, 3))),
        virials,
        meeting.n_exchanges,
    )
