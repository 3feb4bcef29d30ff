"""A file of results, a line of JSON each, from which a run that was cut off goes on."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator
from itertools import tee
from typing import Any, BinaryIO

import numpy as np

from irrepd.errors import StructureError
from irrepd.results import Result
from irrepd.structures import Entry

_FORM = "irrepd-results-1"


def fingerprint(entry: Entry) -> int:
    """CRC-32 of what makes a structure, or of why there is none."""
    if isinstance(entry, StructureError):
        return zlib.crc32(str(entry).encode())
    value = 0
    for name, dtype in (("numbers", "<i4"), ("positions", "<f8"), ("cell", "<f8"), ("pbc", "u1")):
        if entry.get(name) is not None:
            value = zlib.crc32(np.asarray(entry[name], dtype=dtype).tobytes(), value)
    return value


def difference(there: dict[str, Any], here: dict[str, Any]) -> str:
    """In words, where a file's description is not that of a run."""
    names = [name for name in {**here, **there} if there.get(name) != here.get(name)]
    return ", ".join(f"its {name} is {there.get(name)}, not {here.get(name)}" for name in names)


def with_journal(
    path: str | os.PathLike[str],
    entries: Iterator[Entry],
    heading: dict[str, Any],
    evaluate: Callable[[Iterator[Entry]], Iterator[Result]],
) -> Iterator[Result]:
    """The results that the file has, then those of the other entries, which it is given.

    heading: of a new file; ValueError when the file's is another, or its structures are, or it is
    no file of results.
    """
    heading = {"form": _FORM, **heading}
    with open(path, "a+b") as file:
        file.seek(0)
        first = _line(file)
        if first is None:
            file.seek(0)
            text = _text(heading)
            if not text.startswith(file.read(len(text) + 1)):
                raise ValueError(f"{os.fspath(path)} is no file of results: name a new one")
            file.truncate(0)
            _append(file, heading)
        elif first != heading:
            raise ValueError(
                f"{os.fspath(path)} has results of another model or kind: "
                + difference(first, heading)
            )
        else:
            yield from _stored(file, entries)
        old, new = tee(entries)
        for entry, result in zip(old, evaluate(new)):
            _append(file, {"crc": fingerprint(entry), **_plain(result)})
            yield result


def _stored(file: BinaryIO, entries: Iterator[Entry]) -> Iterator[Result]:
    """Results of whole lines; what a cut-off run left behind them is removed."""
    while True:
        begin = file.tell()
        line = _line(file)
        if line is None:
            file.truncate(begin)
            return
        entry = next(entries, None)
        if entry is None:
            raise ValueError(f"{file.name} has results of more structures")
        if line.pop("crc", None) != fingerprint(entry):
            raise ValueError(f"{file.name} has results of other structures from byte {begin} on")
        yield Result.of(line)


def _line(file: BinaryIO) -> dict[str, Any] | None:
    """The next whole line; None at the end, or where a line is cut off."""
    text = file.readline()
    if not text.endswith(b"\n"):
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _append(file: BinaryIO, value: dict[str, Any]) -> None:
    file.write(_text(value))


def _text(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _plain(result: Result) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in result.items()}
