"""A state dict of which every tensor must be used, and options that are checked on reading."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from irrepd.errors import FormatError
from irrepd.records import Array, Tensor


def values_of(value: Any) -> Any:
    """A Tensor or Array as a numpy array; anything else as it is."""
    if isinstance(value, Tensor):
        return value.array()
    return value.value if isinstance(value, Array) else value


def described(value: Any) -> str:
    """A value for a message; containers by their type alone, as they may be nested without end."""
    if isinstance(value, (str, int, float, type(None))):
        return f"{value!r:.60}"
    return f"a {type(value).__name__}"


class StateDict:
    """Tensors by name. `take` hands one out; `finish` refuses a dict with tensors left over."""

    def __init__(self, tensors: Any):
        if not isinstance(tensors, Mapping) or not tensors:
            raise FormatError("the checkpoint has no state dict")
        for name, tensor in tensors.items():
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                raise FormatError("the state dict holds something that is no named tensor")
        self._tensors: dict[str, Tensor] = dict(tensors)
        self._left = set(self._tensors)

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def everything(self) -> dict[str, Tensor]:
        return dict(self._tensors)

    def take(self, name: str, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """The tensor as stored; of finite floats, and of the given shape if one is given."""
        if name not in self._tensors:
            raise FormatError(f"tensor '{name}' is missing")
        self._left.discard(name)
        array = self._tensors[name].array()
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise FormatError(f"tensor '{name}' holds something else than finite numbers")
        if shape is not None and array.shape != shape:
            raise FormatError(f"tensor '{name}' has shape {array.shape}, not {shape}")
        return array

    def take_any(self, name: str) -> np.ndarray:
        """A tensor of whatever dtype."""
        if name not in self._tensors:
            raise FormatError(f"tensor '{name}' is missing")
        self._left.discard(name)
        return self._tensors[name].array()

    def take_empty(self, name: str) -> None:
        """Passes over a placeholder that must be there without elements, or not at all."""
        if name in self._tensors:
            self.take(name, (0,))

    def take_mask(self, name: str) -> None:
        """Passes over an output mask: a constant of zeros and ones."""
        if name in self._tensors and not np.isin(self.take(name), (0, 1)).all():
            raise FormatError(f"tensor '{name}' is no mask of zeros and ones")

    def matching(self, pattern: str) -> dict[str, re.Match[str]]:
        found = ((name, re.fullmatch(pattern, name)) for name in self._tensors)
        return {name: match for name, match in found if match}

    def finish(self) -> None:
        if self._left:
            names = sorted(self._left)
            listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise FormatError(f"{len(names)} tensors that are not understood: {listed}")


class Config:
    """Options of a checkpoint, typed on reading."""

    def __init__(self, options: Any):
        if not isinstance(options, Mapping):
            raise FormatError("the checkpoint has no configuration")
        self._options = options

    def get(self, key: str, default: Any = None) -> Any:
        return values_of(self._options.get(key, default))

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise FormatError(f"option '{key}' is {described(value)}, not an integer {low}..{high}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        value = self.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise FormatError(f"option '{key}' is {described(value)}, not a number")
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise FormatError(f"option '{key}' is {described(value)}, not True or False")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key, default)
        if not isinstance(value, str):
            raise FormatError(f"option '{key}' is {described(value)}, not text")
        return value

    def choice(self, key: str, choices: Iterable[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise FormatError(
                f"option '{key}' is '{value:.60}'; supported: {', '.join(sorted(choices))}"
            )
        return value

    def integers(self, key: str, low: int, high: int) -> list[int]:
        values = self.get(key)
        if not isinstance(values, list) or not 0 < len(values) <= 16:
            raise FormatError(f"option '{key}' is {described(values)}, not a list of integers")
        for value in values:
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise FormatError(f"option '{key}' is {described(values)}, not of {low}..{high}")
        return list(values)

    def section(self, key: str, default: dict[str, Any] | None = None) -> Config:
        value = self.get(key, default)
        if not isinstance(value, Mapping):
            raise FormatError(f"option '{key}' is missing")
        return Config(value)

    def names(self) -> set[Any]:
        return set(self._options)

    def only(self, key: str, known: set[str]) -> None:
        """Refuses options beyond the known ones."""
        extra = self.names() - known
        if extra:
            parts = ", ".join(sorted(map(described, extra)))
            listed = ", ".join(sorted(known))
            raise FormatError(f"option '{key}' has unknown parts: {parts}; supported: {listed}")
