"""Writes and strictly reads safetensors files with numpy alone.

The file: u64 little-endian size of the header, the header (JSON), then the tensors' bytes without
gaps. See https://github.com/huggingface/safetensors and include/irrep/model_format.h.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from typing import Any, Union

import numpy as np

from irrepd.errors import FormatError

_DTYPES = {
    "BOOL": np.dtype("bool"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_HEADER_MAX = 16 << 20

Path = Union[str, "os.PathLike[str]"]


def dumps(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """The bytes of a file with these tensors, in their order, and metadata."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    parts = []
    offset = 0
    for name, tensor in tensors.items():
        array = np.ascontiguousarray(tensor).reshape(np.shape(tensor))
        little = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
        if name == "__metadata__" or little not in _NAMES:
            raise ValueError(f"tensor '{name}' of dtype {array.dtype} cannot be written")
        data = array.astype(little, copy=False).tobytes()
        header[name] = {
            "dtype": _NAMES[little],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(data)],
        }
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 64)  # aligns the first tensor in a mapped file
    return b"".join([struct.pack("<Q", len(text)), text, *parts])


def write(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Writes a file; readers of the path see the old file or the whole new one."""
    data = dumps(tensors, metadata)
    path = os.fspath(path)
    temporary = f"{path}.{os.getpid()}.part"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a file, of which only the header is read; FormatError where it has none."""
    with open(path, "rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < size <= _HEADER_MAX:
            raise FormatError("not a safetensors file")
        text = file.read(size)
    try:
        header = json.loads(text.decode(), object_pairs_hook=_unique)
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise FormatError("not a safetensors file") from None
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatError("not a safetensors file")
    return metadata


def loads(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Tensors (read-only views) and metadata of a file's bytes; FormatError unless all is well."""
    if len(data) < 8:
        raise FormatError("safetensors: shorter than its header's size")
    (size,) = struct.unpack_from("<Q", data)
    if size > min(_HEADER_MAX, len(data) - 8):
        raise FormatError(f"safetensors: a header of {size} bytes does not fit")
    try:
        header = json.loads(data[8 : 8 + size].decode(), object_pairs_hook=_unique)
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FormatError(f"safetensors: the header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise FormatError("safetensors: the header is not an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or any(not isinstance(v, str) for v in metadata.values()):
        raise FormatError("safetensors: __metadata__ is not an object of strings")
    body = memoryview(data)[8 + size :]
    tensors = {name: _tensor(name, entry, body) for name, entry in header.items()}
    _check_cover(header, len(body))
    return tensors, metadata


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """`loads` of a file."""
    with open(path, "rb") as file:
        return loads(file.read())


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _tensor(name: str, entry: Any, body: memoryview) -> np.ndarray:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"safetensors: '{name}' needs dtype, shape and data_offsets, no more")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise FormatError(f"safetensors: '{name}' has an unknown dtype")
    if not isinstance(shape, list) or len(shape) > 32 or not all(map(_is_count, shape)):
        raise FormatError(f"safetensors: '{name}' has no proper shape")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_count, offsets)):
        raise FormatError(f"safetensors: '{name}' has no proper data_offsets")
    begin, end = offsets
    if not begin <= end <= len(body):
        raise FormatError(f"safetensors: '{name}' reaches beyond the file")
    if end - begin != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise FormatError(f"safetensors: '{name}' has not the bytes of its shape")
    return np.frombuffer(body[begin:end], dtype=_DTYPES[dtype]).reshape(shape)


def _check_cover(header: dict[str, Any], n_bytes: int) -> None:
    position = 0
    for begin, end in sorted(entry["data_offsets"] for entry in header.values()):
        if begin != position:
            raise FormatError("safetensors: gaps or overlaps between tensors")
        position = end
    if position != n_bytes:
        raise FormatError("safetensors: bytes after the last tensor")
