"""Reads PyTorch zip checkpoints without PyTorch, and without running anything that they name.

A pickle is a program for a small stack machine. The machine here is our own: a global becomes an
inert `Global`, a call an inert `Record`, and only a short list of constructors (tensors, numpy
arrays, ordered dictionaries, ...) is understood. Nothing is imported and nothing called. Sizes,
indices and depths are checked before use; whatever is not as expected is a FormatError.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, Optional, Union

import numpy as np

from irrepd.errors import FormatError

PICKLE_MAX = 32 << 20  # bytes of data.pkl
ENTRIES_MAX = 1 << 16  # of the zip archive
EXPANDED_MAX = 1 << 20  # elements of a tensor that repeats its storage (stride 0)
DIMENSIONS_MAX = 16
INTEGER_BYTES_MAX = 64

# Packages whose classes checkpoints hold; every one of their names stays inert.
_PACKAGES = {
    "argparse",
    "ase",
    "collections",
    "e3nn",
    "mace",
    "nequip",
    "numpy",
    "opt_einsum_fx",
    "schnetpack",
    "sevenn",
    "torch",
    "torch_geometric",
}
_BUILTINS = {"set", "frozenset", "list", "dict", "tuple", "int", "float", "bool", "str", "bytes"}
_BUILTINS |= {"complex", "slice", "object"}

_STORAGES = {
    "BoolStorage": "bool",
    "ByteStorage": "u1",
    "CharStorage": "i1",
    "ShortStorage": "<i2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
    "HalfStorage": "<f2",
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "ComplexFloatStorage": "<c8",
    "ComplexDoubleStorage": "<c16",
}


@dataclass(eq=False)
class Global:
    """A name that the pickle mentions; never looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Record:
    """What a class or function was given, in place of the call."""

    function: Global
    args: tuple[Any, ...]
    state: Any = None
    items: list[Any] = field(default_factory=list)


@dataclass(eq=False)
class Storage:
    dtype: np.dtype
    key: str
    numel: int


@dataclass(eq=False)
class Tensor:
    """A tensor whose bytes are read when `array` is called."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    archive: Archive

    def array(self) -> np.ndarray:
        """The tensor's elements, a read-only view on the archive's bytes."""
        data = np.frombuffer(self.archive.storage_bytes(self.storage), self.storage.dtype)
        step = self.storage.dtype.itemsize
        strides = tuple(stride * step for stride in self.strides)
        return np.lib.stride_tricks.as_strided(
            data[self.offset :], self.shape, strides, writeable=False
        )


class _Mark:
    pass


_MARK = _Mark()


class Archive:
    """A PyTorch zip file, open for reading. Close it, or use it as a context manager."""

    def __init__(self, path: Union[str, os.PathLike[str]]):
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise FormatError(f"not a PyTorch zip checkpoint: {error}") from None
        try:
            self._entries = self._checked_entries()
            pickles = [name for name in self._entries if re.fullmatch(r"[^/]+/data\.pkl", name)]
            if len(pickles) != 1:
                raise FormatError("not a PyTorch zip checkpoint: it holds no single data.pkl")
            self._prefix = pickles[0][: -len("data.pkl")]
            order = self._prefix + "byteorder"
            if order in self._entries and self._read(order, 16) != b"little":
                raise FormatError("a checkpoint that is not little-endian")
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def _checked_entries(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > ENTRIES_MAX:
            raise FormatError(f"a zip archive of {len(infos)} entries")
        entries: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                raise FormatError(f"zip entry '{info.filename}' is compressed, which PyTorch's are not")
            if info.flag_bits & 1 or info.filename in entries:
                raise FormatError(f"zip entry '{info.filename}' is encrypted or there twice")
            entries[info.filename] = info
        return entries

    def _read(self, name: str, limit: int) -> bytes:
        info = self._entries.get(name)
        if info is None:
            raise FormatError(f"zip entry '{name}' is missing")
        if info.file_size > limit:
            raise FormatError(f"zip entry '{name}' of {info.file_size} bytes is too large")
        try:
            data = self._zip.read(info)
        except (zipfile.BadZipFile, EOFError, OSError, ValueError, struct.error) as error:
            raise FormatError(f"zip entry '{name}' is damaged: {error}") from None
        if len(data) != info.file_size:
            raise FormatError(f"zip entry '{name}' is cut short")
        return data

    def storage_bytes(self, storage: Storage) -> bytes:
        return self._read(f"{self._prefix}data/{storage.key}", self._bytes_of(storage))

    def _bytes_of(self, storage: Storage) -> int:
        return storage.numel * storage.dtype.itemsize

    def check_storage(self, storage: Storage) -> Storage:
        """The storage, if the archive holds exactly the bytes that the pickle claims."""
        name = f"{self._prefix}data/{storage.key}"
        info = self._entries.get(name)
        if info is None:
            raise FormatError(f"zip entry '{name}' is missing")
        if info.file_size != self._bytes_of(storage):
            raise FormatError(
                f"zip entry '{name}' has {info.file_size} bytes where the pickle claims "
                f"{storage.numel} elements of {storage.dtype.itemsize}"
            )
        return storage

    def load(self) -> Any:
        """The object of data.pkl, made of plain values, Records and Tensors."""
        return _Machine(self._read(self._prefix + "data.pkl", PICKLE_MAX), self).run()


def _is_index(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _is_indices(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= DIMENSIONS_MAX and all(map(_is_index, value))


def _storage(identifier: Any, archive: Archive) -> Storage:
    if not (isinstance(identifier, tuple) and len(identifier) == 5 and identifier[0] == "storage"):
        raise FormatError("a persistent id that is not a PyTorch storage")
    _, kind, key, _, numel = identifier
    name = kind.name if isinstance(kind, Global) and kind.module == "torch" else str(kind)
    if name not in _STORAGES:
        raise FormatError(f"tensors of '{name}' are not supported")
    if not (isinstance(key, str) and re.fullmatch(r"[0-9]{1,9}", key) and _is_index(numel)):
        raise FormatError("a PyTorch storage without proper key and size")
    return archive.check_storage(Storage(np.dtype(_STORAGES[name]), key, numel))


def _rebuild_tensor(args: tuple[Any, ...], archive: Archive) -> Tensor:
    if len(args) < 4 or not isinstance(args[0], Storage):
        raise FormatError("a tensor without storage")
    storage, offset, shape, strides = args[:4]
    if not (_is_index(offset) and _is_indices(shape) and _is_indices(strides)):
        raise FormatError("a tensor without proper offset, shape and strides")
    if len(shape) != len(strides):
        raise FormatError("a tensor with as many strides as dimensions is expected")
    count = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides))
    if count and last >= storage.numel or offset > storage.numel:
        raise FormatError("a tensor reaches beyond its storage")
    if count > max(storage.numel, EXPANDED_MAX):
        raise FormatError("a tensor repeats its storage too often")
    return Tensor(storage, offset, shape, strides, archive)


@dataclass(eq=False)
class _Dtype:
    code: str
    order: str = "<"

    def numpy(self) -> np.dtype:
        if not re.fullmatch(r"(b1|[iu][1248]|f[248]|c8|c16)", self.code) or self.order == ">":
            raise FormatError(f"numpy arrays of dtype '{self.code}' are not supported")
        return np.dtype("<" + self.code) if self.code != "b1" else np.dtype(bool)


@dataclass(eq=False)
class Array:
    """A numpy array; `value` is set once its state has come."""

    value: Optional[np.ndarray] = None


def _scalar(args: tuple[Any, ...]) -> Any:
    if len(args) != 2 or not isinstance(args[0], _Dtype) or not isinstance(args[1], bytes):
        raise FormatError("a numpy scalar without dtype and bytes")
    dtype = args[0].numpy()
    if len(args[1]) != dtype.itemsize:
        raise FormatError("a numpy scalar of the wrong size")
    return np.frombuffer(args[1], dtype)[0].item()


def _dtype(args: tuple[Any, ...]) -> _Dtype:
    if not args or not isinstance(args[0], str):
        raise FormatError("a numpy dtype without a name")
    return _Dtype(args[0].lstrip("<|="))


def _encode(args: tuple[Any, ...]) -> bytes:
    if len(args) not in (1, 2) or not isinstance(args[0], str) or args[1:] not in ((), ("latin1",)):
        raise FormatError("_codecs.encode is understood for latin1 only")
    try:
        return args[0].encode("latin1")
    except UnicodeEncodeError:
        raise FormatError("bytes that are not latin1") from None


def _plain(value: Any) -> bool:
    scalar = (str, bytes, int, float, bool, type(None), Global, Record)
    if isinstance(value, tuple):
        return len(value) <= 64 and all(isinstance(part, scalar) for part in value)
    return isinstance(value, scalar)


def _hashable(value: Any) -> Any:
    """The value, if hashing it costs no more than its bytes (nested tuples may cost 2^n)."""
    if not _plain(value):
        raise FormatError("a dictionary key or set element that is not a plain value")
    return value


def _ordered_dict(args: tuple[Any, ...]) -> dict[Any, Any]:
    if not args:
        return {}
    if len(args) == 1 and isinstance(args[0], list):
        pairs = args[0]
        if all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
            return {_hashable(pair[0]): pair[1] for pair in pairs}
    raise FormatError("an ordered dictionary of an unknown form")


def _set(args: tuple[Any, ...]) -> set[Any]:
    if len(args) > 1 or args and not isinstance(args[0], (list, tuple, set)):
        raise FormatError("a set of an unknown form")
    return {_hashable(value) for value in args[0]} if args else set()


def _first(args: tuple[Any, ...]) -> Any:
    if not args:
        raise FormatError("a parameter without data")
    return args[0]


_CONSTRUCTORS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "builtins.set": _set,
    "builtins.frozenset": _set,
    "__builtin__.set": _set,
    "__builtin__.frozenset": _set,
    "torch._utils._rebuild_parameter": _first,
    "torch.Size": lambda args: tuple(args[0]) if args and isinstance(args[0], tuple) else args,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.multiarray._reconstruct": lambda args: Array(),
    "numpy._core.multiarray._reconstruct": lambda args: Array(),
    "_codecs.encode": _encode,
}


def _global(module: str, name: str) -> Global:
    full = f"{module}.{name}"
    if module in ("builtins", "__builtin__"):
        known = name in _BUILTINS
    else:
        known = module.split(".")[0] in _PACKAGES or full in _CONSTRUCTORS
    if not known:
        raise FormatError(f"refused: the file names '{full[:100]}', which is no part of a checkpoint")
    return Global(module, name)


def _set_dtype_state(dtype: _Dtype, state: Any) -> None:
    if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", "|", "=", ">")):
        raise FormatError("a numpy dtype of an unknown form")
    if len(state) > 4 and any(part is not None for part in state[2:5]):
        raise FormatError("structured numpy dtypes are not supported")
    dtype.order = state[1]


def _set_array_state(array: Array, state: Any) -> None:
    if not (isinstance(state, tuple) and len(state) == 5):
        raise FormatError("a numpy array of an unknown form")
    _, shape, dtype, fortran, data = state
    if not (_is_indices(shape) and isinstance(dtype, _Dtype) and isinstance(data, bytes)):
        raise FormatError("a numpy array without shape, dtype and bytes")
    kind = dtype.numpy()
    if len(data) != math.prod(shape) * kind.itemsize:
        raise FormatError("a numpy array has not the bytes of its shape")
    array.value = np.frombuffer(data, kind).reshape(shape, order="F" if fortran is True else "C")


class _Machine:
    """The stack machine; one method for each opcode that PyTorch's pickles (protocol 2..5) use."""

    def __init__(self, data: bytes, archive: Archive):
        self.data = data
        self.position = 0
        self.archive = archive
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        while True:
            code = self.take(1)[0]
            if code == 0x2E:  # STOP
                if len(self.stack) != 1 or self.stack[0] is _MARK:
                    raise FormatError("the pickle does not end in one object")
                return self.stack[0]
            step = _OPCODES.get(code)
            if step is None:
                raise FormatError(f"pickle opcode 0x{code:02x} at byte {self.position - 1} is not "
                                  "used by PyTorch and is refused")
            step(self)

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.position:
            raise FormatError("the pickle ends too early")
        self.position += count
        return self.data[self.position - count : self.position]

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.find(b"\n", self.position, self.position + 512)
        if end < 0:
            raise FormatError("a name in the pickle does not end")
        text = self.take(end - self.position + 1)[:-1]
        return self.text(text)

    @staticmethod
    def text(data: bytes) -> str:
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise FormatError("text in the pickle is not UTF-8") from None

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise FormatError("the pickle takes from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise FormatError("the pickle looks at an empty stack")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        values = []
        while self.stack:
            value = self.stack.pop()
            if value is _MARK:
                values.reverse()
                return values
            values.append(value)
        raise FormatError("the pickle has no mark where it needs one")

    def get(self, index: int) -> None:
        if index not in self.memo:
            raise FormatError(f"the pickle refers to memo {index}, which it has not made")
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.top()

    def memoize(self) -> None:
        self.put(len(self.memo))

    def tuple(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def integer(self, size: int) -> None:
        if not 0 <= size <= INTEGER_BYTES_MAX:
            raise FormatError(f"an integer of {size} bytes")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def set_items(self, values: list[Any]) -> None:
        target = self.top()
        if len(values) % 2:
            raise FormatError("a key without a value")
        if isinstance(target, Record):
            target.items.extend(zip(values[::2], values[1::2]))
        elif isinstance(target, dict):
            target.update(zip(map(_hashable, values[::2]), values[1::2]))
        else:
            raise FormatError("items are set on something that is no dictionary")

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def append(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Record):
            target.items.extend(values)
        elif isinstance(target, list):
            target.extend(values)
        else:
            raise FormatError("elements are appended to something that is no list")

    def append_one(self) -> None:
        self.append([self.pop()])

    def add_items(self) -> None:
        values = self.pop_to_mark()
        target = self.top()
        if not isinstance(target, set):
            raise FormatError("elements are added to something that is no set")
        target.update(map(_hashable, values))

    def dictionary(self) -> None:
        values = self.pop_to_mark()
        self.push({})
        self.set_items(values)

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise FormatError("a global without a name")
        self.push(_global(module, name))

    def call(self, with_keywords: bool = False) -> None:
        keywords = self.pop() if with_keywords else {}
        args, function = self.pop(), self.pop()
        if not isinstance(function, Global) or not isinstance(args, tuple):
            raise FormatError("the pickle calls something that is no global")
        if not isinstance(keywords, dict):
            raise FormatError("the pickle calls with keywords that are no dictionary")
        constructor = _CONSTRUCTORS.get(str(function))
        if str(function) in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
            self.push(_rebuild_tensor(args, self.archive))
        elif constructor is not None:
            self.push(constructor(args))
        else:
            self.push(Record(function, args + ((keywords,) if keywords else ())))

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if isinstance(target, Array):
            _set_array_state(target, state)
        elif isinstance(target, _Dtype):
            _set_dtype_state(target, state)
        elif isinstance(target, Record):
            target.state = state
        elif not isinstance(target, (dict, Tensor)):  # attributes of these are not needed
            raise FormatError("a state is set on something that takes none")

    def persistent(self) -> None:
        self.push(_storage(self.pop(), self.archive))


def _sized(form: str) -> Callable[[_Machine], bytes]:
    return lambda m: m.take(m.number(form))


def _bytes_opcodes() -> Iterator[tuple[int, Callable[[_Machine], None]]]:
    for code, form in ((0x8C, "<B"), (0x58, "<I"), (0x8D, "<Q")):  # (SHORT_)BINUNICODE(8)
        yield code, lambda m, sized=_sized(form): m.push(m.text(sized(m)))
    for code, form in ((0x43, "<B"), (0x42, "<I"), (0x8E, "<Q"), (0x55, "<B"), (0x54, "<I")):
        yield code, lambda m, sized=_sized(form): m.push(sized(m))  # (SHORT_)BINBYTES, BINSTRING


_OPCODES: dict[int, Callable[[_Machine], None]] = {
    0x80: lambda m: _check_protocol(m.number("<B")),
    0x95: lambda m: m.take(8) and None,  # FRAME
    0x28: lambda m: m.push(_MARK),
    0x30: lambda m: m.pop() and None,  # POP
    0x31: lambda m: m.pop_to_mark() and None,  # POP_MARK
    0x32: lambda m: m.push(m.top()),  # DUP
    0x4E: lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    0x4A: lambda m: m.push(m.number("<i")),
    0x4B: lambda m: m.push(m.number("<B")),
    0x4D: lambda m: m.push(m.number("<H")),
    0x8A: lambda m: m.integer(m.number("<B")),
    0x8B: lambda m: m.integer(m.number("<i")),
    0x47: lambda m: m.push(m.number(">d")),
    0x5D: lambda m: m.push([]),
    0x29: lambda m: m.push(()),
    0x7D: lambda m: m.push({}),
    0x8F: lambda m: m.push(set()),
    0x61: _Machine.append_one,
    0x65: lambda m: m.append(m.pop_to_mark()),
    0x6C: lambda m: m.push(m.pop_to_mark()),  # LIST
    0x74: lambda m: m.push(tuple(m.pop_to_mark())),
    0x85: lambda m: m.tuple(1),
    0x86: lambda m: m.tuple(2),
    0x87: lambda m: m.tuple(3),
    0x73: _Machine.set_item,
    0x75: lambda m: m.set_items(m.pop_to_mark()),
    0x64: _Machine.dictionary,
    0x90: _Machine.add_items,
    0x91: lambda m: m.push(_set((m.pop_to_mark(),))),  # FROZENSET
    0x68: lambda m: m.get(m.number("<B")),
    0x6A: lambda m: m.get(m.number("<I")),
    0x71: lambda m: m.put(m.number("<B")),
    0x72: lambda m: m.put(m.number("<I")),
    0x94: _Machine.memoize,
    0x63: lambda m: m.push(_global(m.line(), m.line())),
    0x93: _Machine.stack_global,
    0x52: _Machine.call,  # REDUCE
    0x81: _Machine.call,  # NEWOBJ
    0x92: lambda m: m.call(with_keywords=True),  # NEWOBJ_EX
    0x62: _Machine.build,
    0x51: _Machine.persistent,  # BINPERSID
    **dict(_bytes_opcodes()),
}


def _check_protocol(version: int) -> None:
    if not 2 <= version <= 5:
        raise FormatError(f"pickle protocol {version} is not supported")
