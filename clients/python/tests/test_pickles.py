"""The reader of PyTorch files: what it understands, and what it refuses without running it."""

from __future__ import annotations

import builtins
import os
import pickle
import struct
import time
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from irrepd import pickles
from irrepd.archives import Archive
from irrepd.convert.__main__ import main
from irrepd.errors import FormatError
from irrepd.records import Array, Global, Record, Tensor

FLOATS = np.arange(12, dtype=np.float32)


def archive_of(path: Path, program: bytes, entries: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", program)
        for name, data in {"data/0": FLOATS.tobytes(), **(entries or {})}.items():
            file.writestr(f"archive/{name}", data)
    return path


@pytest.fixture
def load(tmp_path: Path) -> Any:
    """Loads a pickle program or object put into an archive."""

    def loader(program: Any, entries: dict[str, bytes] | None = None) -> Any:
        if not isinstance(program, bytes):
            program = pickle.dumps(program, protocol=2)
        with Archive(archive_of(tmp_path / "test.pt", program, entries)) as archive:
            result = pickles.load(archive)
            return result.array().copy() if isinstance(result, Tensor) else result

    return loader


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"\x8a" + bytes([9]) + value.to_bytes(9, "little", signed=True)


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def storage(numel: int = 12, kind: str = "FloatStorage", key: str = "0") -> bytes:
    parts = text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
    return b"(" + parts + number(numel) + b"tQ"


def tensor(
    offset: int = 0,
    shape: tuple[int, ...] = (3, 4),
    strides: tuple[int, ...] = (4, 1),
    stored: bytes | None = None,
) -> bytes:
    arguments = (stored or storage()) + number(offset) + numbers(*shape) + numbers(*strides)
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return b"\x80\x02" + rebuild + arguments + b"\x89ccollections\nOrderedDict\n)RtR."


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_objects(load: Any, protocol: int) -> None:
    value = {
        "numbers": [1, -2, 300, 70000, 1 << 40, -(1 << 70), 1.5, float("inf"), True, None],
        "texts": ["", "ä", "x" * 300],
        "nested": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], {}, [[1], {"a": (2,)}]),
        "sets": {1, 2, 3},
        "ordered": OrderedDict([("b", 1), ("a", 2)]),
        3: {(1, "a"): 2.5},
    }
    assert load(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", [2, 4])
def test_shared_objects_stay_shared(load: Any, protocol: int) -> None:
    shared = [1]
    shared.append(shared)
    first, second = load(pickle.dumps([shared, shared], protocol=protocol))
    assert first is second and first[1] is first


@pytest.mark.parametrize("protocol", [2, 4])
def test_numpy_values(load: Any, protocol: int) -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    value = [np.float64(1.5), np.int64(-7), np.float32(0.25), np.bool_(True), matrix, matrix.T]
    result = load(pickle.dumps(value, protocol=protocol))
    assert result[:4] == [1.5, -7, 0.25, True]
    assert all(isinstance(array, Array) for array in result[4:])
    assert np.array_equal(result[4].value, matrix) and np.array_equal(result[5].value, matrix.T)


def test_tensors(load: Any) -> None:
    assert np.array_equal(load(tensor()), FLOATS.reshape(3, 4))
    assert np.array_equal(load(tensor(1, (2, 3), (1, 4))), FLOATS.reshape(3, 4).T[1:3])
    assert np.array_equal(load(tensor(11, (), ())), 11)
    assert np.array_equal(load(tensor(0, (5, 12), (0, 1))), np.tile(FLOATS, (5, 1)))
    assert load(tensor(12, (0,), (1,))).shape == (0,)


def test_unknown_classes_become_records(load: Any) -> None:
    state = b"}" + text("lr") + b"G" + struct.pack(">d", 0.5) + b"s"
    record = load(b"\x80\x02ctorch.optim.adam\nAdam\n)\x81" + state + b"b.")
    assert isinstance(record, Record)
    assert str(record.function) == "torch.optim.adam.Adam"
    assert record.state == {"lr": 0.5}


class Exploit:
    def __init__(self, function: Any, *arguments: Any):
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "system"),
        (os.remove, "remove"),
        (builtins.eval, "eval"),
        (builtins.exec, "exec"),
    ],
)
def test_hostile_calls_run_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], function: Any, name: str, protocol: int
) -> None:
    victim, proof, target = tmp_path / "victim", tmp_path / "proof", tmp_path / "out.safetensors"
    victim.touch()
    argument = {
        "system": f"touch {proof}",
        "remove": str(victim),
    }.get(name, f"open({str(proof)!r}, 'w')")
    program = pickle.dumps({"config": Exploit(function, argument)}, protocol=protocol)
    path = archive_of(tmp_path / "hostile.pth", program)
    assert main([str(path), str(target)]) == 2
    error = capsys.readouterr().err
    begins = f"irrepd.convert: {path}: refused: the file names '"
    assert error.startswith(begins) and name in error[len(begins) :]
    assert error.count("\n") == 1
    assert victim.exists() and not proof.exists() and not target.exists()


@pytest.mark.parametrize(
    "name",
    [
        "builtins\n__import__",
        "__builtin__\neval",
        "subprocess\nPopen",
        "torchx\nload",
        "posix\nsystem",
        "importlib\nimport_module",
        "pickle\nloads",
        "runpy\nrun_path",
        "codecs\nencode",
    ],
)
def test_names_that_no_checkpoint_needs(load: Any, name: str) -> None:
    with pytest.raises(FormatError, match="refused"):
        load(b"\x80\x02c" + name.encode() + b"\n.")


def test_getattr_of_torch_is_one_more_name(load: Any) -> None:
    program = b"\x80\x02c__builtin__\ngetattr\n(c%s\n%stR."
    found = load(program % (b"torch._C._VariableFunctions\nVariableFunctionsClass", text("tanh")))
    assert isinstance(found, Global) and found.name == "tanh"
    for owner, name in ((b"numpy\nndarray", "tofile"), (b"builtins\nobject", "__subclasses__")):
        with pytest.raises(FormatError, match="refused"):
            load(program % (owner, text(name)))
    with pytest.raises(FormatError, match="refused"):
        load(program % (b"torch\nTensor", text("a.b")))


def test_names_inside_known_packages_stay_inert(load: Any) -> None:
    program = b"\x80\x02cnumpy.testing\nrunstring\n(" + text("raise SystemExit(3)") + b"}tR."
    assert isinstance(load(program), Record)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"", "ends too early"),
        (b"\x80\x02", "ends too early"),
        (b"\x80\x06.", "protocol 6"),
        (b"\x80\x02X\xff\xff\xff\xffabc.", "ends too early"),
        (b"\x80\x02\x8e" + b"\xff" * 8 + b".", "ends too early"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "UTF-8"),
        (b"\x80\x02ctorch", "does not end"),
        (b"\x80\x02" + b"c" + b"a" * 1000 + b"\n.", "does not end"),
        (b"\x80\x02.", "one object"),
        (b"\x80\x02NN.", "one object"),
        (b"\x80\x02(.", "one object"),
        (b"\x80\x020.", "empty stack"),
        (b"\x80\x02)R.", "empty stack"),
        (b"\x80\x02t.", "no mark"),
        (b"\x80\x02h\x00.", "memo 0"),
        (b"\x80\x02Nq\x00j\xff\xff\xff\xff.", "memo 4294967295"),
        (b"\x80\x02q\x05.", "empty stack"),
        (b"\x80\x02N)R.", "no global"),
        (b"\x80\x02ctorch\nX\nNR.", "no global"),
        (b"\x80\x02NNb.", "takes none"),
        (b"\x80\x02NNNs.", "no dictionary"),
        (b"\x80\x02}(Nu.", "key without"),
        (b"\x80\x02NNa.", "no list"),
        (b"\x80\x02}]Ns.", "plain value"),
        (b"\x80\x04\x8f(]\x90.", "plain value"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f", "integer of"),
        (b"\x80\x02\x8b\xff\xff\xff\xff", "integer of"),
        (b"\x80\x02NQ.", "persistent id"),
        (b"\x80\x02Nnonsense", "0x6e"),
        (b"\x80\x02\x82\x01.", "0x82"),  # EXT1
        (b"\x80\x02(ios\nsystem\n.", "0x69"),  # INST
        (b"cnumpy\ndtype\n)R.", "dtype"),
    ],
)
def test_malformed_programs(load: Any, program: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        load(program)


def test_numpy_objects_are_refused(load: Any) -> None:
    with pytest.raises(FormatError):
        load(np.array([{"a": 1}], dtype=object))
    with pytest.raises(FormatError, match="structured"):
        load(np.zeros(2, dtype=[("a", "f8")]))
    with pytest.raises(FormatError, match="f8"):
        load(np.zeros(2, dtype=">f8"))


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (tensor(stored=storage(13)), "48 bytes where the pickle claims 13"),
        (tensor(stored=storage(1 << 40)), "48 bytes where"),
        (tensor(stored=storage(-1)), "key and size"),
        (tensor(stored=storage(12, "DoubleStorage")), "48 bytes where"),
        (tensor(stored=storage(12, "BFloat16Storage")), "BFloat16Storage"),
        (tensor(stored=storage(12, key="1")), "missing"),
        (tensor(stored=storage(12, key="../0")), "key and size"),
        (tensor(1), "beyond its storage"),
        (tensor(13, (0,), (1,)), "beyond its storage"),
        (tensor(0, (3, 4), (5, 1)), "beyond its storage"),
        (tensor(0, (1 << 40,), (1 << 40,)), "beyond its storage"),
        (tensor(0, (1 << 40,), (0,)), "repeats"),
        (tensor(0, (1 << 47,) * 9, (0,) * 9), "repeats"),
        (tensor(-1), "offset, shape and strides"),
        (tensor(0, (3, -4)), "offset, shape and strides"),
        (tensor(11, (3,), (-1,)), "offset, shape and strides"),
        (tensor(0, (12,), (1, 1)), "as many strides"),
        (tensor(0, (1,) * 17, (1,) * 17), "offset, shape and strides"),
    ],
)
def test_lying_tensors(load: Any, program: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        load(program)


def test_bombs_end_soon(load: Any) -> None:
    started = time.monotonic()
    doubled = b"\x80\x02N" + b"2\x86" * 100  # a tuple that counts 2^100 leaves
    assert isinstance(load(doubled + b"."), tuple)
    with pytest.raises(FormatError, match="plain value"):
        load(b"\x80\x02}" + doubled[2:] + b"Ns.")
    assert isinstance(load(b"\x80\x02N" + b"\x85" * 500_000 + b"."), tuple)
    with pytest.raises(FormatError, match="steps"):
        load(b"\x80\x02" + b"N" * (3 << 20))
    with pytest.raises(FormatError, match="too large"):
        load(b"N" * (17 << 20))
    big = text("x" * 1_000_000) + b"q\x00"
    encode = b"c_codecs\nencode\n(h\x00" + text("latin1") + b"tR0"
    with pytest.raises(FormatError, match="copies more"):
        load(b"\x80\x02" + big + encode * 100)
    assert time.monotonic() - started < 60


def test_archives_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"", b"PK\x03\x04", b"\x80\x02N.", b"x" * 1000):
        path.write_bytes(data)
        with pytest.raises(FormatError, match="not a PyTorch zip"):
            Archive(path)


def test_archives_with_odd_entries(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("elsewhere.pkl", b"N.")
    with pytest.raises(FormatError, match=r"no single data\.pkl"):
        Archive(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", b"N" * 100000)
    with pytest.raises(FormatError, match="compressed"):
        Archive(path)
    with pytest.warns(UserWarning), zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", b"N.")
        file.writestr("a/data.pkl", b"N.")
    with pytest.raises(FormatError, match="twice"):
        Archive(path)
    archive_of(path, b"N.", {"byteorder": b"big"})
    with pytest.raises(FormatError, match="little-endian"):
        Archive(path)


def test_truncated_and_flipped_archives(tmp_path: Path, fixtures: Path) -> None:
    """Whatever a bit flip or a cut does, the reader answers or says FormatError."""
    whole = (fixtures / "solid.pth").read_bytes()
    path = tmp_path / "damaged.pth"
    generator = np.random.default_rng(2)
    refused = 0
    for _ in range(150):
        data = bytearray(whole)
        if generator.random() < 0.2:
            data = data[: generator.integers(len(data))]
        else:
            for _ in range(generator.integers(1, 4)):
                data[generator.integers(len(data))] ^= 1 << generator.integers(8)
        path.write_bytes(data)
        try:
            with Archive(path) as archive:
                checkpoint = pickles.load(archive)
                for value in checkpoint.get("model_state_dict", {}).values():
                    value.array()
        except FormatError:
            refused += 1
    assert refused > 50
