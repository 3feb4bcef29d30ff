"""Random changes of answers, by a seed: they are read whole, or refused by FormatError."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from irrepd import binary, safetensors
from irrepd.errors import FormatError

WATER = {"id": "w", "numbers": [8, 1, 1], "positions": np.zeros((3, 3))}
ATOM = {"numbers": [14], "positions": np.zeros((1, 3))}
PROPERTIES = ["energy", "forces", "stress", "virial", "energies", "stresses"]


def answer() -> bytes:
    """What a daemon answers for both, the second of which has no numbers."""
    tensors = {
        "energy": np.array([-14.2, np.nan]),
        "forces": np.ones((4, 3)),
        "stress": np.full((2, 3, 3), np.nan),
        "virial": np.ones((2, 3, 3)),
        "energies": np.ones(4),
        "stresses": np.ones((4, 3, 3)),
        "status": np.array([0, 422], dtype="<i4"),
    }
    return safetensors.dumps(tensors, {"by_atom": "forces,energies,stresses", "model_sha256": "ab"})


VALUES: list[Any] = [
    0, 1, -1, 2, 3, 4, 7, 8, 1.5, 1 << 31, 1 << 62, 1 << 64, True, None, "", "F32", "F64", "I32",
    "U8", "BOOL", "F16", "U64", [], [0], [2], [4], [1, 1], [2, 2], [4, 3], [2, 3, 3], [0, 8],
    [8, 16],
    [1] * 40, {}, {"by_atom": "forces"}, {"by_atom": "status,energy"}, {"a": 1},
]  # fmt: skip


def change_value(node: Any, rng: random.Random) -> Any:
    """The tree with one of its values as another, or gone."""
    if not isinstance(node, (dict, list)) or not node or rng.random() < 0.15:
        return rng.choice(VALUES)
    key = rng.choice(list(node)) if isinstance(node, dict) else rng.randrange(len(node))
    changed: Any = dict(node) if isinstance(node, dict) else list(node)
    if rng.random() < 0.1:
        del changed[key]
    else:
        changed[key] = change_value(node[key], rng)
    return changed


def change_header(data: bytes, rng: random.Random) -> bytes:
    (size,) = struct.unpack_from("<Q", data)
    try:
        header = change_value(json.loads(data[8 : 8 + size]), rng)
    except ValueError:
        return data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def change_tensor(data: bytes, rng: random.Random) -> bytes:
    """One tensor's bytes under another type or shape of the same size."""
    (size,) = struct.unpack_from("<Q", data)
    try:
        header = json.loads(data[8 : 8 + size])
        entry = header[rng.choice([name for name in header if name != "__metadata__"])]
        same = {"F64": ["I64", "U64"], "I32": ["F32", "U32"]}
        if rng.random() < 0.5:
            entry["dtype"] = rng.choice(same.get(entry["dtype"], ["U8"]))
        else:
            shape = entry["shape"]
            entry["shape"] = rng.choice([[*shape, 1], [shape[0], 1, *shape[1:]], shape[::-1]])
    except (ValueError, LookupError, TypeError, AttributeError):
        return data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def change_bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    piece = rng.choice([b"", bytes([rng.randrange(256)]), b"[" * 300, b'"', b"\xff\xfe", b"1e999"])
    return data[:at] + piece + data[at + rng.choice([0, 1, 1, 8]) :]


def change_size(data: bytes, rng: random.Random) -> bytes:
    return struct.pack("<Q", rng.choice([0, 1, 2, 1 << 20, 1 << 63, len(data) - 8])) + data[8:]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


CHANGES: list[Callable[[bytes, random.Random], bytes]] = [
    change_header, change_header, change_tensor, change_tensor, change_bytes, change_size, cut,
]  # fmt: skip


def changed(seed: int) -> bytes:
    rng, data = random.Random(seed), answer()
    for _ in range(rng.randint(1, 3)):
        if len(data) >= 8:
            data = rng.choice(CHANGES)(data, rng)
    return data


def is_whole(results: Any) -> bool:
    """Of what was read, each has its status, and an evaluated one arrays of its size."""
    shapes = {"energy": (), "stress": (3, 3), "virial": (3, 3)}
    for entry, result in zip((WATER, ATOM), results):
        n = len(entry["numbers"])
        by_atom = {"forces": (n, 3), "energies": (n,), "stresses": (n, 3, 3)}
        if result["status"] == "error":
            assert isinstance(result["error"]["status"], int)
            continue
        for name, shape in {**shapes, **by_atom}.items():
            value = result[name]
            assert value is None or np.shape(value) == shape
            assert value is None or np.asarray(value).dtype == np.float64
    return len(results) == 2


@pytest.mark.parametrize("first", range(0, 4000, 1000))
def test_changed_answers(first: int) -> None:
    taken = refused = 0
    for seed in range(first, first + 1000):
        data = changed(seed)
        try:
            tensors, metadata = safetensors.loads(data)
            assert sum(tensor.nbytes for tensor in tensors.values()) <= len(data)
            assert all(isinstance(value, str) for value in metadata.values())
            assert is_whole(binary.decode(data, [WATER, ATOM], PROPERTIES))
            taken += 1
        except FormatError:
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    assert taken >= 10 and refused >= 500


def test_the_answer_itself() -> None:
    water, atom = binary.decode(answer(), [WATER, ATOM], PROPERTIES)
    assert water["energy"] == -14.2 and water["stress"] is None and water["forces"].shape == (3, 3)
    assert atom["error"] == {"status": 422}
