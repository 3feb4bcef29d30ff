"""Structures of an agent: what it gives becomes entries of a request, what comes back is named."""

from __future__ import annotations

import io
import json
import os
import tempfile
import threading
from collections import OrderedDict
from typing import Any

from irrepd import frames
from irrepd.agent_schemas import FORMATS
from irrepd.errors import StructureError
from irrepd.structures import entry_of, extras
from irrepd.trajectories import Moved, entries_of

SAVED_MAX = 1000  # structures that are remembered
SAVED_ATOMS_MAX = 500_000


class Unknown(ValueError):
    """What is asked for by a name that nothing has."""


class Shelf:
    """Structures by name, r1, r2 and so on; the oldest are forgotten. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._saved: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._n_atoms = self._n_named = 0

    def put(self, entry: dict[str, Any]) -> str:
        with self._lock:
            self._n_named += 1
            name = f"r{self._n_named}"
            self._saved[name] = entry
            self._n_atoms += len(entry["numbers"])
            while len(self._saved) > SAVED_MAX or (
                self._n_atoms > SAVED_ATOMS_MAX and len(self._saved) > 1
            ):
                _, oldest = self._saved.popitem(last=False)
                self._n_atoms -= len(oldest["numbers"])
        return name

    def get(self, name: str) -> dict[str, Any]:
        with self._lock:
            if name in self._saved:
                return self._saved[name]
        raise Unknown(
            f"nothing is saved as '{name[:40]}' (any more): names are in answers, as r1, and the "
            f"last {SAVED_MAX} are kept while this server runs"
        )


_STILL = ("predict", "hessian")  # they leave a structure where it is
_UNUSED = {
    "predict": ("velocities", "masses", "fixed"),
    "hessian": ("velocities", "fixed"),
    "relax": ("velocities", "masses"),
}


def entry_of_item(item: dict[str, Any], kind: str, shelf: Shelf) -> tuple[dict[str, Any], str]:
    """Of a request, and what of it no model takes, in words (mostly empty).

    kind: "predict", "hessian", "relax" or "md". StructureError: it cannot be sent, and why.
    """
    if "saved" in item:
        return _fitting(shelf.get(item["saved"]), kind), ""
    if "text" not in item:
        refused = [name for name in item if kind in _STILL and name in _UNUSED[kind]]
        if refused:
            raise StructureError(f"{kind} takes no {refused[0]}: leave it out", refused[0])
        return item, ""
    atoms = _atoms_of(item)
    (entry,) = [entry_of(atoms)] if kind in _STILL else entries_of(atoms, kind)
    if isinstance(entry, StructureError):
        raise entry
    if kind == "hessian" and atoms.has("masses"):
        entry = {**entry, "masses": atoms.get_masses().tolist()}
    ignored = [what for _, what in extras(atoms)]
    return entry, "".join(f"{what} is ignored. " for what in ignored)


def _fitting(entry: dict[str, Any], kind: str) -> dict[str, Any]:
    """Without what a relaxation, or what does not move it, has no use for."""
    return {name: value for name, value in entry.items() if name not in _UNUSED.get(kind, ())}


def _atoms_of(item: dict[str, Any]) -> Any:
    with tempfile.TemporaryDirectory(prefix="irrepd-") as folder:
        path = os.path.join(folder, "structure")
        with open(path, "w", encoding="utf-8") as file:
            file.write(item["text"])
        index = item.get("frame", -1)
        try:
            form = FORMATS[item["format"]] if "format" in item else _format_of(path, item["text"])
            ((atoms, _),) = frames.read(path, str(index), form)
        except ValueError as error:
            reason = str(error).replace(path, "the text").replace("--format", "format")
            raise StructureError(reason) from None
    if isinstance(atoms, StructureError):
        raise atoms
    return atoms


def _format_of(path: str, text: str) -> str:
    """ValueError: the text looks like none of those that are taken."""
    if frames.looks_like_poscar(text[:4096].encode()):
        return "vasp"
    form = frames.format_of(path)
    if form not in FORMATS.values():
        raise ValueError(f"it looks like {form}, and {', '.join(FORMATS)} are taken")
    return form


def entry_of_moved(moved: Moved) -> dict[str, Any]:
    """Where it has gone, as an entry of another request: with its velocities and what was given."""
    entry = {name: value for name, value in moved.given.items() if name != "id"}
    for name in ("positions", "cell", "velocities"):
        if moved.get(name) is not None:
            entry[name] = moved[name].tolist()
    return entry


def atoms_of(entry: dict[str, Any]) -> Any:
    """As ase.Atoms."""
    return moved_at(entry, Moved(status="ok")).atoms


def moved_at(entry: dict[str, Any], result: Moved) -> Moved:
    """A result of a structure that has not moved."""
    import numpy as np

    result["positions"] = np.asarray(entry["positions"], dtype=float).reshape(-1, 3)
    if entry.get("velocities") is not None:
        result["velocities"] = np.asarray(entry["velocities"], dtype=float).reshape(-1, 3)
    result.given = entry
    return result


def text_of(entry: dict[str, Any], form: str) -> str:
    if form == "json":
        return json.dumps(entry)
    import ase.io

    atoms = atoms_of(entry)
    if form != "extxyz" and not all(atoms.pbc):
        raise Unknown(f"{form} is for crystals, and this one has no three periodic axes: extxyz")
    target: Any = io.BytesIO() if form == "cif" else io.StringIO()
    options = {"sort": False, "direct": True} if form == "poscar" else {}
    ase.io.write(target, atoms, format=FORMATS[form], **options)
    text = target.getvalue()
    return text.decode() if isinstance(text, bytes) else str(text)
