"""Files of frames with their results."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from irrepd import xyz
from irrepd.errors import StructureError
from irrepd.journal import difference
from irrepd.results import Result

_TEXT = (".xyz", ".extxyz")
_PREFIX = "irrepd_"  # of what frames say of their results, in atoms.info
_ERROR = f"{_PREFIX}error"


def attach(atoms: Any, result: Result, label: dict[str, Any]) -> Any:
    """The atoms with the result as their calculator; with none where there is no result.

    In atoms.info: irrepd_model, irrepd_model_sha256, irrepd_precision, and irrepd_error where there
    is no result. What calculators of ASE do not have is info or an array: "virial" [3][3], and the
    parts of atoms without three periodic axes as "virials" [N][9] (eV), descriptors [N][D],
    "dispersion_energy" (eV), and how far the members of a committee are apart.
    """
    from irrepd.calculator import keep_results

    for name in [name for name in atoms.info if str(name).startswith(_PREFIX)]:
        del atoms.info[name]
    atoms.info.update({_PREFIX + name: value for name, value in label.items() if value})
    if not result.ok:
        atoms.info[_ERROR] = result.problem
    atoms.calc = None
    if result.ok:
        keep_results(atoms, result)
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


def check(path: str, resume: bool) -> None:
    """ValueError: there cannot be such an output, or only with the other value of resume."""
    if not path.lower().endswith(_TEXT):
        if resume:
            raise ValueError("only .xyz, .extxyz and .jsonl files can be resumed")
        _format_of(path)
        return
    part = f"{path}.part"
    if os.path.exists(part) and os.path.getsize(part) > 0 and not resume:
        raise ValueError(f"{part} is of an interrupted run: add --resume to go on, or remove it")


class Writer:
    """Writes frames with their results, to PATH.part until all are there.

    (Ext)xyz files are written as the frames come, and an interrupted run can go on; the frames of
    other formats are kept until `finish`. label: what results depend on, see `Client.label`.
    """

    def __init__(self, path: str, resume: bool, label: dict[str, Any]):
        self.path, self.part, self.label = path, f"{path}.part", label
        self.is_stream = path.lower().endswith(_TEXT)
        self.n_done = 0
        self._kept: list[Any] = []
        self._file: Any = None
        self._is_single = False
        self._is_finished = False  # the file that is gone on with was whole
        check(path, resume)
        if not self.is_stream:
            self._is_single = _format_of(path).single
            return
        end = self._check_frames() if resume else 0
        if self._is_finished:
            os.replace(self.path, self.part)
        with open(self.part, "ab") as file:
            file.truncate(end)
        self._done = self._done_frames()
        self._file = open(self.part, "a", encoding="utf-8")  # noqa: SIM115

    def _check_frames(self) -> int:
        """Counts the whole frames that are there, and says where they end.

        ValueError: one of them is of another model or precision, or does not say of which.
        """
        self._is_finished = not os.path.exists(self.part) and os.path.exists(self.path)
        source = self.path if self._is_finished else self.part
        end = 0
        if os.path.exists(source):
            with open(source, "rb") as file:
                for chunk in _whole_chunks(file):
                    self._check_label(source, chunk)
                    self.n_done, end = self.n_done + 1, chunk.end
            if self._is_finished and end < os.path.getsize(source):
                raise ValueError(
                    f"{source} is not a file of whole frames: remove it, or name another"
                )
        return end

    def _check_label(self, source: str, chunk: xyz.Chunk) -> None:
        from ase.io.extxyz import key_val_dict_to_str, key_val_str_to_dict

        comment = chunk.text.splitlines()[1]
        info = key_val_str_to_dict(comment) if comment.strip() else {}
        due = {_PREFIX + name: value for name, value in self.label.items() if value}
        here = key_val_str_to_dict(key_val_dict_to_str(due)) if due else {}
        there = {name: info[name] for name in due if name in info}
        if len(there) < len(here):
            raise ValueError(
                f"{source}, frame {self.n_done}, does not say of which model and precision its "
                "results are: remove the file, or name another"
            )
        if there != here:
            raise ValueError(
                f"{source}, frame {self.n_done}, has results of another model or kind: "
                f"{difference(there, here)}"
            )

    def _done_frames(self) -> Iterator[Any]:
        with open(self.part, "rb") as file:
            for chunk in xyz.chunks(file):
                yield xyz.atoms_of(chunk)

    def skip(self, frame: Any, i: int) -> None:
        """Checks that the next frame that is done is of these atoms."""
        if not _is_same(frame, next(self._done)):
            raise ValueError(f"{self.part} is of other frames than these, from frame {i} on")

    def write(self, frame: Any, result: Result) -> None:
        """frame: atoms, or the StructureError of one that could not be read."""
        from ase import Atoms

        atoms = Atoms() if isinstance(frame, StructureError) else frame
        attach(atoms, result, self.label)
        if self._file is None:
            if self._is_single and self._kept:
                raise ValueError(f"{self.path} is of a format for one frame: choose another")
            self._kept.append(atoms)
            return
        import ase.io

        self._is_finished = False
        ase.io.write(self._file, atoms, format="extxyz")

    def close(self) -> None:
        if self._file is None:
            return
        self._file.close()
        if self._is_finished:  # nothing was added to it
            os.replace(self.part, self.path)
            self._is_finished = False

    def finish(self, n_frames: int) -> None:
        """Puts the whole file in its place. n_frames: that there were."""
        if n_frames < self.n_done:
            raise ValueError(f"{self.part} has results of more frames than these")
        if self._file is not None:
            self._is_finished = False
            self.close()
            os.replace(self.part, self.path)
        elif self._kept:
            import ase.io

            ase.io.write(self.path, self._kept)


def _whole_chunks(file: Any) -> Iterator[xyz.Chunk]:
    """Those before the place where a run was cut off."""
    try:
        for chunk in xyz.chunks(file):
            if not chunk.text.endswith("\n"):
                return
            yield chunk
    except ValueError:
        return


def _is_same(frame: Any, done: Any) -> bool:
    import numpy as np

    if isinstance(frame, StructureError):
        return len(done) == 0 and bool(done.info.get(_ERROR))
    if len(frame) != len(done) or not np.array_equal(frame.numbers, done.numbers):
        return False
    near = {"rtol": 1e-9, "atol": 1e-6, "equal_nan": True}
    return bool(
        np.allclose(frame.positions, done.positions, **near)
        and np.allclose(frame.cell.array, done.cell.array, **near)
        and np.array_equal(frame.pbc, done.pbc)
    )
