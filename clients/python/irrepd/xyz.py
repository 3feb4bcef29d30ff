"""Frames of (extended) XYZ files, one after the other: cut out here, and read by ASE."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, BinaryIO, NamedTuple

from irrepd.errors import StructureError
from irrepd.species import element_of, is_number, needs_species

BOM = b"\xef\xbb\xbf"
_OF_LAMMPS = re.compile(r"\s*Atoms\. Timestep:")
_PROPERTIES = re.compile(r"""\bProperties=(?:"([^"]*)"|'([^']*)'|(\S+))""")
_PLAIN = "species:S:1:pos:R:3"


class Chunk(NamedTuple):
    """The text of a frame; `line` counts from 1, begin and end are bytes of the file."""

    text: str
    line: int
    begin: int
    end: int


class CutOff(ValueError):
    """The file ends within a frame."""


def chunks(file: BinaryIO) -> Iterator[Chunk]:
    """The frames of a file, with their lines VEC1 to VEC3 where there are some.

    Blank lines between frames are passed over. ValueError, with the line: no number of atoms stands
    where one is due. CutOff: the last frame is not whole.
    """
    line, place = 1, 0
    first = file.readline()
    if first.startswith(BOM):
        place, first = len(BOM), first[len(BOM) :]
    while first:
        if not first.strip():
            line, place, first = line + 1, place + len(first), file.readline()
            continue
        lines = [first, *islice(file, _count(first, line) + 1)]
        if len(lines) < int(first) + 2 or (len(lines) > 2 and not lines[-1].strip()):
            raise CutOff(f"the last frame, from line {line} on, is cut off")
        first = file.readline()
        while first.lstrip().startswith(b"VEC"):
            lines.append(first)
            first = file.readline()
        end = place + sum(map(len, lines))
        yield Chunk(_decoded(b"".join(lines)), line, place, end)
        line, place = line + len(lines), end


def _count(text: bytes, line: int) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if not 0 <= count < 1 << 40:
        shown = text.strip()[:40].decode(errors="replace")
        raise ValueError(f"line {line}: '{shown}' is no number of atoms")
    return count


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def atoms_of(chunk: Chunk, types: Mapping[int, str] | None = None) -> Any:
    """ASE's atoms of a frame. types: elements of LAMMPS' types, which some files have for symbols.

    StructureError: it cannot be read, with the atom and the reason.
    """
    from ase.io.extxyz import read_xyz

    lines = chunk.text.splitlines(keepends=True)
    if _OF_LAMMPS.match(lines[1]):
        lines = [*lines[:2], *(_with_element(line, i, types) for i, line in enumerate(lines[2:]))]
    elif types:
        raise ValueError("--species is for files of LAMMPS that have types for elements")
    has_vectors = lines[-1].lstrip().startswith("VEC")
    if has_vectors and re.search(r"\b(Lattice|Properties)=", lines[1]):
        raise StructureError("the frame has lines VEC1 to VEC3 and a Lattice or Properties as well")
    names = {name.lower() for name in _properties(lines[1]).split(":")[::3]}
    if not (names & {"species", "z", "numbers"} and names & {"pos", "positions"}):
        raise StructureError(f"line {chunk.line + 1}: Properties lacks species or pos")
    try:
        return next(iter(read_xyz(io.StringIO("".join(lines)), 0)))
    except Exception as error:  # whatever it stumbled over
        _diagnose(lines, chunk.line)
        reason = str(error) or type(error).__name__
        raise StructureError(f"the frame of line {chunk.line} cannot be read: {reason}") from error


def _with_element(line: str, i: int, types: Mapping[int, str] | None) -> str:
    """An atom of LAMMPS' dump xyz, which has the type for an element unless told otherwise."""
    words = line.split(maxsplit=1)
    if len(words) < 2 or not words[0].isdigit():
        return line
    if not types:
        raise needs_species(i, int(words[0]))
    return f"{element_of(types, int(words[0]), i)} {words[1]}"


def _properties(comment: str) -> str:
    found = _PROPERTIES.search(comment)
    return next(filter(None, found.groups()), _PLAIN) if found else _PLAIN


def _diagnose(lines: list[str], line: int) -> None:
    """StructureError with the first atom that is at fault, if one is."""
    fields = _properties(lines[1]).split(":")
    columns: list[tuple[str, str]] = []
    for name, kind, width in zip(fields[::3], fields[1::3], fields[2::3]):
        columns += [(name, kind)] * (int(width) if width.isdigit() else 0)
    for i, text in enumerate(lines[2 : 2 + int(lines[0])]):
        words = text.split()
        where = f"atom {i} (line {line + 2 + i})"
        if len(words) < len(columns):
            raise StructureError(f"{where}: {len(words)} columns of {len(columns)} are there")
        for (name, kind), word in zip(columns, words):
            if name == "species":
                _check_symbol(word, where, i)
            elif kind == "R" and not is_number(word):
                raise StructureError(f"{where}: '{word}' is no number", f"positions/{i}")


def _check_symbol(word: str, where: str, i: int) -> None:
    from ase.data import atomic_numbers

    if word.capitalize() in atomic_numbers:
        return
    letters = re.match(r"[A-Za-z]{1,2}", word)
    stem = letters[0].capitalize() if letters else ""
    if word.capitalize() in ("D", "T"):
        hint = "write H, which it is for a model"
    elif stem[:1] == "X" and stem != "Xe":
        hint = "a ghost or dummy atom has no energy, so leave it out"
    elif stem in atomic_numbers or stem[:1] in atomic_numbers:
        hint = f"write {stem if stem in atomic_numbers else stem[:1]}"
    else:
        hint = "as Si is for silicon"
    raise StructureError(f"{where}: '{word}' is no symbol of an element: {hint}", f"numbers/{i}")
