"""Structures of users as entries of a request: plain arrays, ASE's atoms, pymatgen's structures."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Union

import numpy as np

from irrepd.errors import StructureError

Entry = Union[dict[str, Any], StructureError]  # of a request, or why there is none

NUMBER_MAX = 118
_WHOLE = 0.99  # occupancies from here on are rounding


def structure(
    numbers: Iterable[int],
    positions: Any,
    cell: Any = None,
    pbc: bool | Sequence[bool] | None = None,
    id: str | None = None,
) -> dict[str, Any]:
    """One entry of a request's "structures": atomic numbers [N], positions [N][3] in Angstrom.

    cell: [3][3] in Angstrom, rows are lattice vectors; zeros count as none, as in ASE. pbc: which
    axes are periodic, three or one for all; by default all with a cell and none without. id: comes
    back with the result. StructureError, a ValueError: these are no such arrays.
    """
    result: dict[str, Any] = {
        "numbers": _numbers_of(numbers),
        "positions": _rows_of(positions, "positions"),
    }
    if cell is not None and np.any(cell):
        result["cell"] = _rows_of(cell, "cell")
    if pbc is not None:
        result["pbc"] = [bool(periodic) for periodic in np.broadcast_to(pbc, 3)]
    if id is not None:
        result["id"] = id
    return result


def structure_of(atoms: Any, id: str | None = None) -> dict[str, Any]:
    """`structure` of an ase.Atoms. StructureError: an atom is no whole atom of an element."""
    _check_occupancies(atoms)
    return structure(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, id)


def entry_of(given: Any) -> dict[str, Any]:
    """`structure` of an ase.Atoms or a pymatgen structure; a dictionary as it is.

    StructureError: one that cannot be sent, with the atom and the reason. TypeError: no structure.
    """
    if isinstance(given, dict):
        return given
    if hasattr(given, "get_positions"):
        return structure_of(given)
    if hasattr(given, "cart_coords"):
        _check_sites(given)
        lattice = getattr(given, "lattice", None)
        if lattice is None:
            return structure(given.atomic_numbers, given.cart_coords)
        return structure(given.atomic_numbers, given.cart_coords, lattice.matrix, lattice.pbc)
    raise TypeError(
        f"{type(given).__name__} is no structure: give a sequence of irrepd.structure(...), "
        "ase.Atoms or pymatgen structures"
    )


def _rows_of(values: Any, name: str) -> list[list[float]]:
    try:
        rows = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise StructureError(f"{name}: rows of three numbers are due: {error}", name) from None
    return rows.tolist()


def _numbers_of(numbers: Iterable[int]) -> list[int]:
    if isinstance(numbers, np.ndarray) and numbers.dtype.kind in "iu" and numbers.ndim == 1:
        if ((numbers > 0) & (numbers <= NUMBER_MAX)).all():
            return numbers.tolist()
    return [_whole(number, i) for i, number in enumerate(numbers)]


def _whole(number: Any, i: int) -> int:
    try:
        whole = int(number)
    except (TypeError, ValueError, OverflowError):
        whole = -1
    if whole == number and 0 < whole <= NUMBER_MAX:
        return whole
    if whole == number == 0:
        reason = "0 is no atomic number: a ghost or dummy atom (X) has no energy, so leave it out"
    else:
        reason = f"{number!r} is no atomic number, as 8 is for oxygen"
    raise StructureError(f"atom {i}: {reason}", f"numbers/{i}")


def _check_occupancies(atoms: Any) -> None:
    """Refuses what ASE has read of a disordered crystal, whole atoms in the place of parts."""
    occupancies = atoms.info.get("occupancy")
    if not isinstance(occupancies, dict):
        return
    kinds = atoms.arrays.get("spacegroup_kinds")
    for kind, parts in occupancies.items():
        if isinstance(parts, dict) and (len(parts) > 1 or min(parts.values(), default=1) < _WHOLE):
            found = [] if kinds is None else np.flatnonzero(np.asarray(kinds) == int(kind))
            i = int(found[0]) if len(found) else 0
            raise StructureError(
                f"atom {i}: its site holds {_parts(parts)}: models take whole atoms, so leave one "
                "occupant to each site (and drop atoms.info['occupancy'])",
                f"numbers/{i}",
            )


def _check_sites(given: Any) -> None:
    """Refuses a pymatgen structure whose sites are not whole atoms of elements."""
    for i, site in enumerate(given if getattr(given, "sites", None) is not None else ()):
        parts = {str(kind): float(amount) for kind, amount in site.species.items()}
        if len(parts) != 1 or min(parts.values()) < _WHOLE:
            raise StructureError(
                f"atom {i}: its site holds {_parts(parts)}: models take whole atoms, so order the "
                "structure first",
                f"numbers/{i}",
            )
        if type(site.specie).__name__ == "DummySpecies":
            raise StructureError(
                f"atom {i}: {site.specie} is a dummy and no element: leave it out", f"numbers/{i}"
            )


def _parts(parts: dict[str, float]) -> str:
    return " and ".join(f"{amount:g} {name}" for name, amount in parts.items()) or "nothing"


class Ignored:
    """Says once of each kind what structures carry and models do not take; refuses it if strict.

    Thread-safe. A charge or spin of zero is nothing.
    """

    def __init__(self, strict: bool):
        self.strict = strict
        self._said: set[str] = set()
        self._lock = threading.Lock()

    def check(self, given: Any) -> None:
        """StructureError: strict, and the structure has something that would be ignored."""
        for name, what in extras(given):
            if self.strict:
                raise StructureError(
                    f"{what}: no model takes that; leave it out, or do not ask for strict"
                )
            with self._lock:
                if name in self._said:
                    continue
                self._said.add(name)
            warnings.warn(f"{what} is ignored: no model takes that", UserWarning, stacklevel=4)


def extras(given: Any) -> Iterator[tuple[str, str]]:
    if hasattr(given, "get_positions"):
        yield from _extras_of_ase(given)
    elif hasattr(given, "cart_coords"):
        yield from _extras_of_pymatgen(given)


def _extras_of_ase(atoms: Any) -> Iterator[tuple[str, str]]:
    for name in ("charge", "spin"):
        if _counts(atoms.info.get(name)):
            yield name, f"the {name} {atoms.info[name]} in atoms.info"
    for name, words in (("initial_charges", "charges"), ("initial_magmoms", "magnetic moments")):
        if _counts(atoms.arrays.get(name)):
            yield name, f"what atoms have as initial {words}"


def _extras_of_pymatgen(given: Any) -> Iterator[tuple[str, str]]:
    charge = getattr(given, "_charge", None)  # `charge` warns of what is none of our business
    if charge is None:
        charge = _quietly(lambda: given.charge)
    if _counts(charge):
        yield "charge", f"the charge {charge:g} of the structure"
    multiplicity = getattr(given, "_spin_multiplicity", None)
    if multiplicity not in (None, 1 + round(getattr(given, "nelectrons", 0)) % 2):
        yield "spin", f"the spin multiplicity {multiplicity} of the molecule"
    properties = _quietly(lambda: given.site_properties) or {}
    if any(_counts(properties.get(name)) for name in ("magmom", "spin")):
        yield "initial_magmoms", "what sites have as magnetic moments"


def _quietly(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception:  # properties of pymatgen raise what they please
        return None


def _counts(value: Any) -> bool:
    """Whether there is anything but zeros."""
    if value is None or isinstance(value, str):
        return bool(value) and value not in ("0", "0.0")
    try:
        return bool(np.any(np.asarray([0.0 if x is None else x for x in np.ravel(value)], float)))
    except (TypeError, ValueError):
        return True


class Intake:
    """Makes entries of what users give; one that cannot be sent is its StructureError instead."""

    def __init__(self, strict: bool = False):
        self._ignored = Ignored(strict)

    def __call__(self, given: Any) -> Entry:
        """TypeError: no structure at all."""
        if isinstance(given, StructureError):  # refused before
            return given
        try:
            self._ignored.check(given)
            return entry_of(given)
        except StructureError as error:
            return error
