"""Reads arrays that numpy.save wrote one after the other, without its parser of Python literals.

https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Of what the format allows,
plain numbers in C order are read; shapes are checked against the bytes that are left.
"""

from __future__ import annotations

import math
import os
import re
from typing import BinaryIO

import numpy as np

from irrepd.errors import FormatError

_MAGIC = b"\x93NUMPY"
_HEADER_MAX = 4096
_DIMENSIONS_MAX = 8
_HEADER = re.compile(
    r"\{'descr': '([<|][fiub][1248])', 'fortran_order': (True|False), "
    r"'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \}\s*"
)


class Arrays:
    """The arrays of an open file, from where it stands to its end."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._left = os.fstat(file.fileno()).st_size - file.tell()

    def _bytes(self, count: int) -> bytes:
        if count > self._left:
            raise FormatError("the file ends within an array")
        self._left -= count
        data = self._file.read(count)
        if len(data) != count:
            raise FormatError("the file ends within an array")
        return data

    @property
    def at_end(self) -> bool:
        return self._left == 0

    def take(self, name: str, shape: tuple[int, ...], kinds: str = "f") -> np.ndarray:
        """The next array, of finite numbers in this shape; kinds: of numpy's dtypes."""
        if self._left == 0:
            raise FormatError(f"array '{name}' is missing: the file ends before it")
        if self._bytes(len(_MAGIC)) != _MAGIC:
            raise FormatError(f"array '{name}' does not begin as numpy.save's do")
        version = self._bytes(2)
        if version not in (b"\1\0", b"\2\0", b"\3\0"):
            raise FormatError(f"array '{name}' is of version {version[0]} of numpy's format")
        length = int.from_bytes(self._bytes(2 if version[0] == 1 else 4), "little")
        if length > _HEADER_MAX:
            raise FormatError(f"array '{name}' has a header of {length} bytes")
        match = _HEADER.fullmatch(self._bytes(length).decode("latin-1"))
        if match is None:
            raise FormatError(f"array '{name}' is not one of plain numbers")
        dtype = np.dtype(match[1])
        found = tuple(int(number) for number in re.findall(r"\d+", match[3]))
        if len(found) > _DIMENSIONS_MAX or found != shape:
            raise FormatError(f"array '{name}' has shape {found}, not {shape}")
        if match[2] == "True" and len(found) > 1:
            raise FormatError(f"array '{name}' is in Fortran's order")
        array = np.frombuffer(self._bytes(math.prod(found) * dtype.itemsize), dtype)
        if dtype.kind not in kinds or not np.isfinite(array).all():
            raise FormatError(f"array '{name}' holds something else than finite numbers")
        return array.reshape(found)

    def finish(self) -> None:
        if self._left:
            raise FormatError(f"{self._left} bytes behind the last array that is understood")
