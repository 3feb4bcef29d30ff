from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from irrepd import safetensors
from irrepd.errors import FormatError

TENSORS = {
    "a": np.arange(6.0).reshape(2, 3),
    "b": np.array([1.5, -2.5], dtype=np.float32),
    "scalar": np.array(7, dtype=np.int64),
    "empty": np.zeros((0, 4)),
    "flags": np.array([True, False]),
}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.write(path, TENSORS, {"irrepd": '{"é": 1}'})
    tensors, metadata = safetensors.read(path)
    assert metadata == {"irrepd": '{"é": 1}'}
    assert list(tensors) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype and np.array_equal(tensors[name], tensor)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_layout() -> None:
    data = safetensors.dumps({"x": np.array([1.0, 2.0])}, {})
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    assert header == {"x": {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}}
    assert size % 8 == 0 and data[8 + size :] == struct.pack("<2d", 1, 2)


def test_strided_and_big_endian_arrays_are_written_plainly() -> None:
    base = np.arange(12.0).reshape(3, 4)
    tensors, _ = safetensors.loads(safetensors.dumps({"t": base.T, "b": base.astype(">f8")}, {}))
    assert np.array_equal(tensors["t"], base.T) and np.array_equal(tensors["b"], base)


def test_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    safetensors.write(path, TENSORS, {})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="complex"):
        safetensors.write(path, {"z": np.zeros(2, complex)}, {})
    assert path.read_bytes() == before


def file_of(header: Any, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def entry(begin: Any, end: Any, shape: Any, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "shorter"),
        (b"1234567", "shorter"),
        (struct.pack("<Q", 1 << 60), "does not fit"),
        (file_of(b"{", b""), "not JSON"),
        (file_of(b"\xff", b""), "not JSON"),
        (file_of(b"[" * 100000, b""), "not JSON"),
        (file_of([], b""), "not an object"),
        (file_of({"__metadata__": {"a": 1}}, b""), "object of strings"),
        (file_of(b'{"a":1,"a":2}', b""), "duplicate"),
        (file_of({"a": {**entry(0, 4, [1]), "more": 1}}, b"1234"), "no more"),
        (file_of({"a": entry(0, 4, [1], "F33")}, b"1234"), "dtype"),
        (file_of({"a": entry(0, 4, [1], [])}, b"1234"), "dtype"),
        (file_of({"a": entry(0, 4, [-1])}, b"1234"), "shape"),
        (file_of({"a": entry(0, 4, [True])}, b"1234"), "shape"),
        (file_of({"a": entry(0, 4, [1] * 33)}, b"1234"), "shape"),
        (file_of({"a": entry(0, 4.0, [1])}, b"1234"), "data_offsets"),
        (file_of({"a": entry(4, 0, [1])}, b"1234"), "beyond"),
        (file_of({"a": entry(0, 8, [2])}, b"1234"), "beyond"),
        (file_of({"a": entry(0, 4, [2])}, b"1234"), "bytes of its shape"),
        (file_of({"a": entry(0, 4, [1 << 61, 8])}, b"1234"), "bytes of its shape"),
        (file_of({"a": entry(0, 4, [1])}, b"12345"), "after the last"),
        (file_of({"a": entry(0, 4, [1]), "b": entry(0, 4, [1])}, b"1234"), "overlaps"),
        (file_of({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, b"x" * 12), "gaps"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        safetensors.loads(data)
