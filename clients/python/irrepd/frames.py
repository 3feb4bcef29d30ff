"""Frames of files that ASE reads and writes, one after the other."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from irrepd.results import Result

_TEXT = (".xyz", ".extxyz")


def read(path: str, index: str, form: str | None) -> Iterator[tuple[Any, float | None]]:
    """Atoms of a file, and how far into the file they end (0 to 1, None where that is unknown).

    (ext)xyz files are read frame by frame; of others ASE decides how much it holds in memory.
    """
    try:
        is_text = form == "extxyz" or (form is None and path.lower().endswith(_TEXT))
        if is_text and index == ":":
            yield from _read_text(path)
        else:
            import ase.io

            for atoms in ase.io.iread(path, index=index, format=form):
                yield atoms, None
    except Exception as error:  # ASE's readers raise whatever they stumble over
        if isinstance(error, OSError) and error.errno:
            raise
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} cannot be read: {reason}") from error


def _read_text(path: str) -> Iterator[tuple[Any, float | None]]:
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        for text in _chunks(file):
            yield _atoms(text), file.tell() / max(size, 1)


def _atoms(text: str) -> Any:
    from ase.io.extxyz import read_xyz

    return next(iter(read_xyz(io.StringIO(text), 0)))


def _chunks(file: BinaryIO) -> Iterator[str]:
    """The text of each frame; ValueError where one is not whole."""
    while True:
        first = file.readline()
        if not first.strip():
            return
        count = int(first)
        if count < 0:
            raise ValueError("a negative number of atoms")
        lines = [first, *islice(file, count + 1)]
        if len(lines) < count + 2 or (count > 0 and not lines[-1].strip()):
            raise ValueError("the last frame is cut off")
        yield b"".join(lines).decode()


def attach(atoms: Any, result: Result) -> Any:
    """The atoms with the result as their calculator; with none where there is no result.

    What calculators of ASE do not have is info or an array: "virial" [3][3], and the parts of atoms
    without three periodic axes as "virials" [N][9] (eV).
    """
    from ase.calculators.singlepoint import SinglePointCalculator

    from irrepd.calculator import results_of

    atoms.calc = SinglePointCalculator(atoms, **results_of(result)) if result.ok else None
    if result.get("virial") is not None:
        atoms.info["virial"] = result["virial"]
    if result.get("stresses") is not None and result.get("stress") is None:
        atoms.arrays["virials"] = result["stresses"].reshape(-1, 9)
    return atoms


def _format_of(path: str) -> Any:
    """ASE's format of a file to write. ValueError: there will be none."""
    from ase.io.formats import UnknownFileTypeError, filetype, ioformats

    try:
        form = ioformats.get(filetype(path, read=False))
    except UnknownFileTypeError:
        form = None
    if form is None or not form.can_write:
        raise ValueError(f"ASE writes no format called as in {path}: try .extxyz or .traj")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise ValueError(f"there is no folder for {path}")
    return form


class Writer:
    """Writes frames with their results, to PATH.part until all are there.

    (Ext)xyz files are written as the frames come, and an interrupted run can go on; the frames of
    other formats are kept until `finish`.
    """

    def __init__(self, path: str, resume: bool):
        self.path, self.part = path, f"{path}.part"
        self.is_stream = path.lower().endswith(_TEXT)
        self.n_done = 0
        self.last: Any = None
        self._kept: list[Any] = []
        self._file: Any = None
        self._is_single = False
        if not self.is_stream:
            if resume:
                raise ValueError("only .xyz, .extxyz and .jsonl files can be resumed")
            self._is_single = _format_of(path).single
            return
        if os.path.exists(self.part) and os.path.getsize(self.part) > 0 and not resume:
            raise ValueError(
                f"{self.part} is of an interrupted run: add --resume to go on, or remove it"
            )
        with open(self.part, "ab"):
            pass
        self._keep_whole_frames()
        self._file = open(self.part, "a", encoding="utf-8")  # noqa: SIM115

    def _keep_whole_frames(self) -> None:
        end, last = 0, ""
        with open(self.part, "rb+") as file:
            with contextlib.suppress(ValueError):
                for text in _chunks(file):
                    if not text.endswith("\n"):
                        break
                    last, end, self.n_done = text, file.tell(), self.n_done + 1
            file.truncate(end)
        if last:
            self.last = _atoms(last)

    def skip(self, atoms: Any, i: int) -> None:
        """Checks that the frame i, the last one that is done, is of these atoms."""
        if i != self.n_done - 1:
            return
        is_same = len(atoms) == len(self.last) and (atoms.numbers == self.last.numbers).all()
        if not is_same or abs(atoms.positions - self.last.positions).max(initial=0.0) > 1e-6:
            raise ValueError(f"{self.part} is of other frames than these")

    def write(self, atoms: Any, result: Result) -> None:
        attach(atoms, result)
        if self._file is None:
            if self._is_single and self._kept:
                raise ValueError(f"{self.path} is of a format for one frame: choose another")
            self._kept.append(atoms)
            return
        import ase.io

        ase.io.write(self._file, atoms, format="extxyz")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def finish(self) -> None:
        """Puts the whole file in its place."""
        self.close()
        if self._file is not None:
            os.replace(self.part, self.path)
        elif self._kept:
            import ase.io

            ase.io.write(self.path, self._kept)
