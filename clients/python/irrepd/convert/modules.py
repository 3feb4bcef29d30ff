"""The tree of modules in a pickled model: read by name, with every tensor accounted for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from irrepd.archives import Archive
from irrepd.convert.state import StateDict, described, values_of
from irrepd.errors import FormatError
from irrepd.records import Record, Tensor

MODULES_MAX = 1 << 14
DEPTH_MAX = 64
NAMES_MAX = 1 << 17  # of tensors and of children, in all modules; a part may be that of many
PATH_MAX = 1024  # characters


class Tensors(StateDict):
    """All parameters and buffers of a model by their dotted names."""

    def archive(self) -> Archive:
        """The file that they are read from."""
        return next(iter(self._tensors.values())).archive


class Module:
    """One module: its class, attributes, tensors and children."""

    def __init__(self, record: Any, path: str = "", tensors: Tensors | None = None):
        if not is_module(record):
            raise FormatError(f"'{path or 'model'}' is {described(record)}, not a module")
        self._record = record
        self.path = path
        self.tensors = tensors if tensors is not None else Tensors(_collect(record))

    @property
    def kind(self) -> str:
        """The name of its class, without that of the package."""
        return self._record.function.name

    def expect(self, *kinds: str) -> str:
        """Its kind, which must be one of these."""
        if self.kind not in kinds:
            known = ", ".join(kinds)
            where = f"'{self.path}'" if self.path else "the model"
            raise FormatError(f"{where} is a {self._record.function}; supported: {known}")
        return self.kind

    def __contains__(self, name: str) -> bool:
        return name in self._record.state or any(
            name in _part(self._record, part) for part in ("_modules", "_parameters", "_buffers")
        )

    def child(self, name: str) -> Module:
        children = _part(self._record, "_modules")
        if name not in children:
            raise FormatError(f"module '{self.where(name)}' is missing")
        return Module(children[name], self.where(name), self.tensors)

    def children(self) -> Iterator[Module]:
        for name in _part(self._record, "_modules"):
            if isinstance(name, str):
                yield self.child(name)

    def where(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute; a tensor is given as an array, one of a single element as a number."""
        if name in _part(self._record, "_parameters") or name in _part(self._record, "_buffers"):
            value = self.tensors.take_any(self.where(name))
        else:
            value = values_of(self._record.state.get(name, default))
        if isinstance(value, np.ndarray):
            return value.item() if value.ndim == 0 else value
        return value

    def is_none(self, name: str) -> bool:
        modules = _part(self._record, "_modules")
        return modules.get(name, self._record.state.get(name)) is None

    def number(self, name: str) -> float:
        value = self.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FormatError(f"'{self.where(name)}' is {described(value)}, not a number")
        if not np.isfinite(value):
            raise FormatError(f"'{self.where(name)}' is {value}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.get(name, default)
        if not isinstance(value, bool):
            raise FormatError(f"'{self.where(name)}' is {described(value)}, not True or False")
        return value

    def take(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """One of its tensors, of finite floats."""
        return self.tensors.take(self.where(name), shape)

    def only(self, known: set[str]) -> None:
        """Refuses children and attributes beyond the known ones: each may change the result."""
        names = set(self._record.state) | set(_part(self._record, "_modules"))
        extra = {n for n in names if isinstance(n, str) and not n.startswith("_")} - known
        extra -= {"training"}
        if extra:
            parts, listed = ", ".join(sorted(extra)[:5]), ", ".join(sorted(known))
            where = self.path or self.kind
            raise FormatError(f"'{where}' has parts not understood: {parts}; supported: {listed}")


_PARTS = ("_parameters", "_buffers", "_modules")


def is_module(record: Any) -> bool:
    return isinstance(record, Record) and isinstance(record.state, dict) and not record.items


def _part(record: Record, name: str) -> dict[Any, Any]:
    part = record.state.get(name)
    return part if isinstance(part, dict) else {}


def _collect(root: Record) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    left = [(root, "", 0)]
    n_names = 0
    for _ in range(MODULES_MAX):
        if not left:
            return found
        record, path, depth = left.pop()
        n_names += sum(len(_part(record, part)) for part in _PARTS)
        if depth > DEPTH_MAX or len(path) > PATH_MAX or n_names > NAMES_MAX:
            break
        prefix = f"{path}." if path else ""
        for part in ("_parameters", "_buffers"):
            for name, tensor in _part(record, part).items():
                if isinstance(tensor, Tensor):
                    found[f"{prefix}{name}"] = tensor
        for name, child in _part(record, "_modules").items():
            if is_module(child):
                left.append((child, f"{prefix}{name}", depth + 1))
    raise FormatError("a model of more modules than any known one")
