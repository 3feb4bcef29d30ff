"""LAMMPS' dumps and data files, read by ASE once the elements are known."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

from irrepd.errors import StructureError
from irrepd.species import element_of, elements_of_masses, is_number, needs_species

FORMATS = ("lammps-dump-text", "lammps-dump-binary", "lammps-data")
_UNITS = ("metal", "real")  # in Angstrom
_SECTION = re.compile(r"^[A-Z][A-Za-z ]*$")


def dump_frames(file: TextIO) -> Iterator[str]:
    """The text of each frame of a dump."""
    lines: list[str] = []
    for line in file:
        if line.startswith("ITEM: TIMESTEP") and any(x.startswith("ITEM: ATOMS") for x in lines):
            yield "".join(lines)
            lines = []
        lines.append(line)
    if any(line.strip() for line in lines):
        yield "".join(lines)


def atoms_of_dump(text: str, types: Mapping[int, str] | None) -> Any:
    """Atoms of a frame. StructureError: it cannot be read. ValueError: nor can any other, without
    elements or in other units."""
    from ase.io.lammpsrun import read_lammps_dump_text

    lines = text.splitlines()
    begin = next((i for i, line in enumerate(lines) if line.startswith("ITEM: ATOMS")), None)
    count = 0
    for i, line in enumerate(lines[:begin]):
        if line.startswith("ITEM: UNITS"):
            _check_units(lines[i + 1].strip())
        elif line.startswith("ITEM: NUMBER OF ATOMS"):
            count = int(lines[i + 1])
    rows = [] if begin is None else [line.split() for line in lines[begin + 1 :] if line.strip()]
    if begin is None or len(rows) != count:
        raise StructureError(f"a frame of {count} atoms has {len(rows)}: it is cut off")
    columns = lines[begin].split()[2:]
    elements = _elements_of_rows(columns, rows, types)
    # ASE sorts atoms by id, and takes what the column `element` says.
    kept = [i for i, name in enumerate(columns) if name not in ("element", "mass")]
    head = " ".join(["ITEM: ATOMS", "element", *(columns[i] for i in kept)])
    body = [" ".join([element, *(row[i] for i in kept)]) for element, row in zip(elements, rows)]
    try:
        return read_lammps_dump_text(io.StringIO("\n".join([*lines[:begin], head, *body, ""])), 0)
    except Exception as error:  # whatever it stumbled over
        raise StructureError(f"a frame cannot be read: {error}") from error


def _elements_of_rows(
    columns: list[str], rows: list[list[str]], types: Mapping[int, str] | None
) -> list[str]:
    from ase.data import atomic_numbers

    places = [i for i, name in enumerate(columns) if re.fullmatch(r"[xyz](s|u|su)?", name)]
    for i, row in enumerate(rows):
        if len(row) < len(columns):
            raise StructureError(f"atom {i}: {len(row)} columns of {len(columns)} are there")
        for word in (row[place] for place in places):
            if not is_number(word):
                raise StructureError(f"atom {i}: '{word}' is no number", f"positions/{i}")
    of_type = columns.index("type") if "type" in columns else None
    if types:
        if of_type is None:
            raise ValueError("--species needs the column type, which the dump does not have")
        return [element_of(types, int(row[of_type]), i) for i, row in enumerate(rows)]
    if "element" in columns:
        at = columns.index("element")
        for i, row in enumerate(rows):
            if not atomic_numbers.get(row[at]):
                raise StructureError(
                    f"atom {i}: '{row[at]}' is no symbol of an element", f"numbers/{i}"
                )
        return [row[at] for row in rows]
    if "mass" in columns:
        masses = [float(row[columns.index("mass")]) for row in rows]
        known = {mass: elements_of_masses([mass]) for mass in set(masses)}
        if all(known.values()):
            return [known[mass][0] for mass in masses]  # type: ignore[index]
    raise needs_species(0, int(rows[0][of_type]) if rows and of_type is not None else 1)


def atoms_of_data(text: str, types: Mapping[int, str] | None) -> Any:
    """Atoms of a data file. ValueError: without elements, or in other units."""
    from ase.data import atomic_numbers
    from ase.io.lammpsdata import read_lammps_data

    units = re.search(r"\bunits\s*=\s*(\w+)", text.split("\n", 1)[0])
    if units:
        _check_units(units[1])
    found = types
    if not found:
        labels = _section(text, "Atom Type Labels")
        masses = _section(text, "Masses")
        if labels and all(atomic_numbers.get(name) for name in labels.values()):
            found = labels
        elif masses:
            symbols = elements_of_masses(map(float, masses.values()))
            found = dict(zip(masses, symbols)) if symbols else None
    if not found:
        raise needs_species(0, 1)
    return read_lammps_data(io.StringIO(text), Z_of_type=_Numbers(found))


class _Numbers(dict[int, int]):
    """Atomic numbers by type; a type that is not there is a ValueError."""

    def __init__(self, types: Mapping[int, str]):
        from ase.data import atomic_numbers

        super().__init__({kind: atomic_numbers[symbol] for kind, symbol in types.items()})

    def __missing__(self, kind: int) -> int:
        raise ValueError(
            f"an atom is of type {kind}, but the elements of {len(self)} types are named"
        )


def _section(text: str, name: str) -> dict[int, str]:
    """First words by type of a section "Masses" or "Atom Type Labels"."""
    found: dict[int, str] = {}
    is_inside = False
    for line in text.splitlines():
        plain = line.split("#")[0].strip()
        if _SECTION.match(plain):
            is_inside = plain == name
        elif is_inside and plain:
            words = plain.split()
            found[int(words[0])] = words[1]
    return found


def _check_units(name: str) -> None:
    if name not in _UNITS:
        raise ValueError(
            f"the file is in LAMMPS' units {name}; those of metal and real, in Angstrom, are read"
        )


def binary_atoms(atoms: Any, types: Mapping[int, str] | None) -> Any:
    """Atoms of a binary dump, which ASE has taken types for atomic numbers of."""
    kinds = atoms.arrays.get("type", atoms.numbers)
    if not types:
        raise needs_species(0, int(kinds[0]) if len(kinds) else 1)
    atoms.symbols[:] = [element_of(types, int(kind), i) for i, kind in enumerate(kinds)]
    return atoms
