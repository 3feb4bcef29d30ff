"""Frames of files that ASE reads, one after the other."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Union

from irrepd import cif, lammps_files, xyz
from irrepd.errors import StructureError
from irrepd.species import types_of

_PEEK = 4096
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SCALE = re.compile(rf"\s*{_NUMBER}(\s+{_NUMBER}\s+{_NUMBER})?\s*$")
_THREE_NUMBERS = re.compile(rf"\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}\s*$")

_CIF = re.compile(r"\.m?cif(\.\w+)?$", re.IGNORECASE)
_BEGINS_AS_CIF = re.compile(rb"(\xef\xbb\xbf)?(\s*(#.*)?\n)*\s*data_", re.IGNORECASE)

Index = Union[int, slice]
# The atoms, or why there are none; and how far into the file they end, 0 to 1, where that is known.
Frame = tuple[Any, "float | None"]


def read(path: str, index: str, form: str | None, species: Sequence[str] = ()) -> Iterator[Frame]:
    """ASE's atoms of a file, or the StructureError of a frame that cannot be read.

    index: in ASE's notation. form: ASE's name of the format. species: elements of LAMMPS' types
    1, 2, ..., for its files that do not name them. (Ext)xyz files and dumps of LAMMPS are read
    frame by frame; of others ASE decides how much it holds in memory. ValueError: the file cannot
    be read.
    """
    try:
        path, wanted = _index_of(path, index)
        name = form or format_of(path)
        types = types_of(species)
        if types and name not in ("xyz", "extxyz", *lammps_files.FORMATS):
            raise ValueError("--species is for files of LAMMPS that have types for elements")
        yield from _readers().get(name, _read_by_ase)(path, wanted, name, types)
    except Exception as error:  # ASE's readers raise whatever they stumble over
        if isinstance(error, OSError) and error.errno:
            raise
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} cannot be read: {reason}") from error


_Reader = Callable[[str, Index, str, Mapping[int, str]], Iterator[Frame]]


def _readers() -> dict[str, _Reader]:
    return {
        "xyz": _read_xyz,
        "extxyz": _read_xyz,
        "lammps-dump-text": _read_dump,
        "lammps-data": _read_data,
        "cif": _read_cif,
        "lammps-dump-binary": _read_binary_dump,
        "vasp": _read_poscar,
    }


def _index_of(path: str, index: str) -> tuple[str, Index]:
    from ase.io.formats import parse_filename, string2index

    if "@" in os.path.basename(path) and not os.path.exists(path):
        path, inside = parse_filename(path)
        index = ":" if inside is None else inside
    wanted = string2index(index) if isinstance(index, str) else index
    if not isinstance(wanted, (int, slice)):
        raise ValueError(f"--index {index}: a number or START:STOP:STEP is due")
    return path, wanted


def format_of(path: str) -> str:
    """ASE's name of the format, by name and content."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    if os.path.isdir(path):
        return str(filetype(path))
    if _CIF.search(path):
        return "cif"
    head = _head(path)
    if not head:
        raise ValueError("it is empty")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError("it is text in UTF-16: save it as UTF-8")
    try:
        has_mark = head.startswith(xyz.BOM)
        name = str(filetype(io.BytesIO(head[len(xyz.BOM) :])) if has_mark else filetype(path))
    except UnknownFileTypeError:
        name = ""
    try:
        by_name = str(filetype(path, read=False))
    except UnknownFileTypeError:
        by_name = ""
    if by_name in ioformats:
        return by_name if name not in ioformats else name
    if name == "extxyz" and looks_like_poscar(head):
        return "vasp"
    if name in ioformats:
        return name
    if _BEGINS_AS_CIF.match(head):
        return "cif"
    raise ValueError("ASE does not know its format by its name or content: name it by --format")


def _head(path: str) -> bytes:
    from ase.io.formats import open_with_compression

    with open_with_compression(path, "rb") as file:
        return bytes(file.read(_PEEK))


def looks_like_poscar(head: bytes) -> bool:
    """Whether the number in its first line is a title: a scale and three vectors follow."""
    lines = head.decode(errors="replace").splitlines()[1:5]
    if len(lines) < 4 or not _SCALE.match(lines[0]):
        return False
    return all(_THREE_NUMBERS.match(line) for line in lines[1:])


def _text(path: str) -> io.StringIO:
    from ase.io.formats import open_with_compression

    with open_with_compression(path, "rb") as file:
        data = bytes(file.read())
    try:
        return io.StringIO(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return io.StringIO(data.decode("latin-1"))


def _read_xyz(path: str, wanted: Index, _: str, types: Mapping[int, str]) -> Iterator[Frame]:
    from ase.io.formats import get_compression, open_with_compression

    size = None if get_compression(path)[1] else max(os.path.getsize(path), 1)
    with open_with_compression(path, "rb") as file:
        try:
            for chunk in _picked(lambda: xyz.chunks(_rewound(file)), wanted):
                fraction = None if size is None else chunk.end / size
                yield _attempt(xyz.atoms_of, chunk, types), fraction
        except xyz.CutOff as error:
            yield StructureError(str(error)), None


def _read_dump(path: str, wanted: Index, _: str, types: Mapping[int, str]) -> Iterator[Frame]:
    from ase.io.formats import open_with_compression

    with io.TextIOWrapper(open_with_compression(path, "rb"), encoding="utf-8-sig") as file:
        for text in _picked(lambda: lammps_files.dump_frames(_rewound(file)), wanted):
            yield _attempt(lammps_files.atoms_of_dump, text, types), None


def _read_data(path: str, wanted: Index, _: str, types: Mapping[int, str]) -> Iterator[Frame]:
    for text in _picked(lambda: iter([_text(path).getvalue()]), wanted):
        yield lammps_files.atoms_of_data(text, types), None


def _read_cif(path: str, wanted: Index, _: str, types: Mapping[int, str]) -> Iterator[Frame]:
    text = _text(path).getvalue()
    for atoms in _picked(lambda: cif.read(text), wanted):
        yield atoms, None


def _read_binary_dump(
    path: str, wanted: Index, name: str, types: Mapping[int, str]
) -> Iterator[Frame]:
    for atoms, _ in _read_by_ase(path, wanted, name, types):
        yield lammps_files.binary_atoms(atoms, types), None


def _read_poscar(path: str, wanted: Index, name: str, types: Mapping[int, str]) -> Iterator[Frame]:
    lines = _head(path).decode(errors="replace").splitlines()
    words = lines[1].split() if len(lines) > 1 else []
    factors = [float(word) for word in takewhile(re.compile(_NUMBER).fullmatch, words)]
    is_one = len(factors) == 1 and factors[0] != 0
    if not (is_one or (len(factors) == 3 and min(factors) > 0)):
        raise ValueError(
            f"line 2, '{' '.join(words)[:80]}', is no scale: one number is due, which is not 0, or "
            "three above it"
        )
    yield from _read_by_ase(path, wanted, name, types)


def _read_by_ase(path: str, wanted: Index, name: str, _: Mapping[int, str]) -> Iterator[Frame]:
    import ase.io
    from ase.io.formats import ioformats

    form = ioformats.get(name)
    if form is None:
        raise ValueError(f"ASE knows no format called {name}")
    source: Any = path
    if form.acceptsfd and not form.isbinary and _head(path).startswith(xyz.BOM):
        source = _text(path)
    if form.single and wanted not in (0, -1, slice(None), slice(None, None, None)):
        raise ValueError(f"it holds one frame, none at {_shown(wanted)}")
    index = slice(None) if form.single else wanted
    is_empty = isinstance(wanted, int)
    try:
        for atoms in ase.io.iread(source, index=index, format=name):
            is_empty = False
            yield atoms, None
    except IndexError:
        is_empty = True
    if is_empty:
        raise ValueError(f"it has no frame {_shown(wanted)}")


def _attempt(read_frame: Callable[..., Any], text: Any, types: Mapping[int, str]) -> Any:
    try:
        return read_frame(text, types)
    except StructureError as error:
        return error


def _rewound(file: Any) -> Any:
    file.seek(0)
    return file


def _picked(frames: Callable[[], Iterator[Any]], wanted: Index) -> Iterator[Any]:
    """Those of an index. Where it counts from the end, frames are counted first."""
    if isinstance(wanted, int):
        place = wanted if wanted >= 0 else wanted + sum(1 for _ in frames())
        found = list(islice(frames(), place, place + 1)) if place >= 0 else []
        if not found:
            raise ValueError(f"it has no frame {wanted}")
        yield from found
        return
    bounds = (wanted.start, wanted.stop, wanted.step)
    if all(bound is None or bound >= 0 for bound in bounds):
        yield from islice(frames(), *bounds)
        return
    numbers = range(*wanted.indices(sum(1 for _ in frames())))
    if numbers.step > 0:
        yield from islice(frames(), numbers.start, numbers.stop, numbers.step)
        return
    for number in numbers:  # backwards: read again for each
        yield from islice(frames(), number, number + 1)


def _shown(wanted: Index) -> str:
    if isinstance(wanted, int):
        return str(wanted)
    parts = [wanted.start, wanted.stop, *([] if wanted.step is None else [wanted.step])]
    return ":".join("" if part is None else str(part) for part in parts)
