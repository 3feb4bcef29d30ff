"""What a daemon would refuse in a structure, found for a whole request before it is sent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from irrepd.errors import StructureError
from irrepd.structures import Entry

DISTANCE_MIN = 0.1  # Angstrom; IRREP_DISTANCE_MIN of the daemon

# Boxes are four times as long. Of four grids, each a quarter of a box beside the one before, a pair
# closer than DISTANCE_MIN is cut apart by at most one along each axis, so one grid has it in a box.
_GRIDS = 4
_MIX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


class _Arrays(NamedTuple):
    """A structure of the expected form, by its place in the request."""

    place: int
    positions: np.ndarray  # [N][3]
    basis: np.ndarray  # rows; of unit length and perpendicular to the rest where not periodic
    pbc: np.ndarray


def faults_of(entries: Sequence[Entry]) -> list[StructureError | None]:
    """For each entry why it cannot be sent: an atom that is not finite, or two at one place.

    Entries of another form than expected are left for the daemon to name what is wrong.
    """
    faults: list[StructureError | None] = [None] * len(entries)
    sound = []
    for i, entry in enumerate(entries):
        try:
            if isinstance(entry, StructureError):
                raise entry.at(i)
            arrays = _arrays_of(i, entry)
        except StructureError as error:
            faults[i] = error
        else:
            sound += [] if arrays is None else [arrays]
    for i, (first, second, distance) in _overlaps(sound).items():
        faults[i] = StructureError(
            f"Atoms {first} and {second} are {distance:.3g} Angstrom apart; at least "
            f"{DISTANCE_MIN:g} is accepted",
            f"positions/{second}",
            "atoms-overlap",
            i,
        )
    return faults


def _arrays_of(i: int, entry: dict[str, Any]) -> _Arrays | None:
    try:
        positions = np.asarray(entry["positions"], dtype=float)
        cell = entry.get("cell")
        cell = None if cell is None else np.asarray(cell, dtype=float)
        given = entry.get("pbc")
        pbc = np.array([cell is not None] * 3 if given is None else given, dtype=bool)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if positions.ndim != 2 or positions.shape[1] != 3 or pbc.shape != (3,):
        return None
    if not math.isfinite(positions.sum()):
        _check_finite(i, positions)
    if cell is not None and not math.isfinite(cell.sum()):
        raise StructureError("The cell must be of finite numbers", "cell", "not-finite", i)
    basis = _basis_of(cell, pbc)
    return None if basis is None or len(positions) < 2 else _Arrays(i, positions, basis, pbc)


def _check_finite(i: int, positions: np.ndarray) -> None:
    for atom in np.flatnonzero(~np.isfinite(positions).all(axis=1)):
        where = ", ".join(f"{x:g}" for x in positions[atom])
        raise StructureError(
            f"Atom {atom} is at ({where}): positions must be finite numbers",
            f"positions/{atom}",
            "not-finite",
            i,
        )


def _basis_of(cell: np.ndarray | None, pbc: np.ndarray) -> np.ndarray | None:
    """The periodic vectors, with perpendicular unit vectors for the rest; None: not that many."""
    n_periodic = int(np.count_nonzero(pbc))
    if n_periodic == 0:
        return np.eye(3)
    if cell is None or cell.shape != (3, 3):
        return None
    if n_periodic < 3:
        basis = cell.copy()
        basis[~pbc] = np.linalg.svd(cell[pbc])[2][n_periodic:]
        return basis
    return cell


def _overlaps(sound: list[_Arrays]) -> dict[int, tuple[int, int, float]]:
    """For each structure with a pair of atoms too close: one such pair and its distance."""
    if not sound:
        return {}
    bases = np.array([part.basis for part in sound])
    volumes = abs(np.linalg.det(bases))
    has_volume = volumes > 1e-9 * np.sqrt((bases**2).sum(axis=2)).prod(axis=1)
    if not has_volume.all():  # the daemon says that a cell is flat
        return _overlaps([part for part, good in zip(sound, has_volume) if good])
    counts = np.array([len(part.positions) for part in sound])
    owner = np.repeat(np.arange(len(sound)), counts)
    first = np.cumsum(counts) - counts
    pbc = np.array([part.pbc for part in sound])
    inverse = np.linalg.inv(bases)
    positions = np.concatenate([part.positions for part in sound])
    fractions = (positions[:, None, :] @ inverse[owner])[:, 0, :]
    found: dict[int, tuple[int, int, float]] = {}
    for i, j in _neighbours(fractions, inverse, pbc, owner):
        s = int(owner[i])
        if s != owner[j] or sound[s].place in found:
            continue
        apart = fractions[j] - fractions[i]
        apart = np.where(pbc[s], apart - np.rint(apart), apart) @ bases[s]
        distance = float(np.sqrt(apart @ apart))
        if distance < DISTANCE_MIN:
            pair = sorted((int(i - first[s]), int(j - first[s])))
            found[sound[s].place] = (pair[0], pair[1], distance)
    return found


def _neighbours(
    fractions: np.ndarray, inverse: np.ndarray, pbc: np.ndarray, owner: np.ndarray
) -> Iterator[tuple[int, int]]:
    """Pairs of atoms that share a box of some grid, and few others."""
    heights = 1.0 / np.sqrt((inverse**2).sum(axis=1))
    boxes = heights / (_GRIDS * DISTANCE_MIN)
    n_boxes = np.where(pbc, np.maximum(np.floor(boxes), 1.0), boxes)[owner]
    scaled, wraps = fractions * n_boxes, pbc[owner]
    for grid in range(_GRIDS):
        box = np.floor(scaled + grid / _GRIDS)
        box = np.where(wraps, box - n_boxes * np.floor(box / n_boxes), box)
        key = (box.astype(np.int64).view(np.uint64) * _MIX).sum(axis=1, dtype=np.uint64)
        key ^= owner.astype(np.uint64) << np.uint64(40)
        ordered = np.sort(key)
        if (ordered[1:] == ordered[:-1]).any():  # seldom, and ordering atoms takes longer
            yield from _pairs_of_boxes(ordered, np.argsort(key))


def _pairs_of_boxes(key: np.ndarray, order: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of atoms in one box: of sorted keys, each with the few that follow it."""
    pairs: list[tuple[int, int]] = []
    for step in range(1, 9):
        same = np.flatnonzero(key[step:] == key[:-step])
        if len(same) == 0:
            break
        pairs.extend(zip(order[same].tolist(), order[same + step].tolist()))
    return pairs
