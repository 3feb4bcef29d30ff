"""What a pickle's globals and calls become: inert records, and values that are understood.

Every constructor checks what it is given and raises FormatError when that is not as expected.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from irrepd.archives import Archive, Storage
from irrepd.errors import FormatError

EXPANDED_MAX = 1 << 20  # elements of a tensor that repeats its storage (stride 0)
DIMENSIONS_MAX = 16
KEY_MAX = 1024  # characters of a dictionary key
KEY_PARTS_MAX = 16  # of a key that is a tuple
NAME_MAX = 512  # characters of a global's module or name

# Packages whose classes checkpoints hold; every one of their names stays inert.
_PACKAGES = {
    "allegro",
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
_NAMES = {"functools.partial"}  # of SchNetPack before 2.0, which is refused for what it is
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


def _is_index(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _is_indices(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) <= DIMENSIONS_MAX and all(map(_is_index, value))


def storage_of(identifier: Any, archive: Archive) -> Storage:
    if not (isinstance(identifier, tuple) and len(identifier) == 5 and identifier[0] == "storage"):
        raise FormatError("a persistent id that is not a PyTorch storage")
    _, kind, key, _, numel = identifier
    key = str(key) if _is_index(key) else key  # packages number their storages
    if not isinstance(kind, Global) or kind.module != "torch" or kind.name not in _STORAGES:
        what = f"'{kind}'" if isinstance(kind, Global) else "an unknown storage"
        raise FormatError(f"tensors of {what} are not supported")
    if not (isinstance(key, str) and re.fullmatch(r"[0-9]{1,9}", key) and _is_index(numel)):
        raise FormatError("a PyTorch storage without proper key and size")
    return archive.check_storage(Storage(np.dtype(_STORAGES[kind.name]), key, numel))


def rebuild_tensor(args: tuple[Any, ...], archive: Archive) -> Tensor:
    if len(args) < 4 or not isinstance(args[0], Storage):
        raise FormatError("a tensor without storage")
    storage, offset, shape, strides = args[:4]
    if not (_is_index(offset) and _is_indices(shape) and _is_indices(strides)):
        raise FormatError("a tensor without proper offset, shape and strides")
    if len(shape) != len(strides):
        raise FormatError("a tensor with as many strides as dimensions is expected")
    count = math.prod(shape)
    last = offset + sum((n - 1) * stride for n, stride in zip(shape, strides))
    if (count and last >= storage.numel) or offset > storage.numel:
        raise FormatError("a tensor reaches beyond its storage")
    if count > max(storage.numel, EXPANDED_MAX):
        raise FormatError("a tensor repeats its storage too often")
    return Tensor(storage, offset, shape, strides, archive)


@dataclass(eq=False)
class Dtype:
    code: str
    order: str = "<"

    def numpy(self) -> np.dtype:
        if not re.fullmatch(r"(b1|[iu][1248]|f[248]|c8|c16)", self.code) or self.order == ">":
            raise FormatError(f"numpy arrays of dtype '{self.code}' are not supported")
        return np.dtype("<" + self.code) if self.code != "b1" else np.dtype(bool)


@dataclass(eq=False)
class Array:
    """A numpy array; `value` is set once its state has come."""

    value: np.ndarray | None = None


def _scalar(args: tuple[Any, ...]) -> Any:
    if len(args) != 2 or not isinstance(args[0], Dtype) or not isinstance(args[1], bytes):
        raise FormatError("a numpy scalar without dtype and bytes")
    dtype = args[0].numpy()
    if len(args[1]) != dtype.itemsize:
        raise FormatError("a numpy scalar of the wrong size")
    return np.frombuffer(args[1], dtype)[0].item()


def _dtype(args: tuple[Any, ...]) -> Dtype:
    if not args or not isinstance(args[0], str) or len(args[0]) > 16:
        raise FormatError("a numpy dtype without a proper name")
    return Dtype(args[0].lstrip("<|="))


def _encode(args: tuple[Any, ...]) -> bytes:
    if len(args) not in (1, 2) or not isinstance(args[0], str) or args[1:] not in ((), ("latin1",)):
        raise FormatError("_codecs.encode is understood for latin1 only")
    try:
        return args[0].encode("latin1")
    except UnicodeEncodeError:
        raise FormatError("bytes that are not latin1") from None


def _is_plain(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) <= KEY_MAX
    if isinstance(value, int):
        return -1 << 60 < value < 1 << 60
    return isinstance(value, (float, type(None), Global, Record))


def hashable(value: Any) -> Any:
    """The value, if hashing and comparing it is cheap (a nested tuple may cost 2^n)."""
    parts = value if isinstance(value, tuple) and len(value) <= KEY_PARTS_MAX else (value,)
    if not all(map(_is_plain, parts)):
        raise FormatError("a dictionary key or set element that is not a plain value")
    return value


def tuple_keys(function: str, args: tuple[Any, ...]) -> int:
    """How many tuples a constructor is about to hash.

    Their hashes, unlike those of text, can be made to collide, which costs n^2 comparisons.
    """
    if function not in _KEYED or not args or not isinstance(args[0], (list, tuple, set)):
        return 0
    if CONSTRUCTORS[function] is set_of:
        return sum(isinstance(value, tuple) for value in args[0])
    return sum(isinstance(pair[0], tuple) for pair in args[0] if _is_pair(pair))


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _ordered_dict(args: tuple[Any, ...]) -> dict[Any, Any]:
    if not args:
        return {}
    if len(args) == 1 and isinstance(args[0], list):
        pairs = args[0]
        if all(map(_is_pair, pairs)):
            return {hashable(pair[0]): pair[1] for pair in pairs}
    raise FormatError("an ordered dictionary of an unknown form")


def set_of(args: tuple[Any, ...]) -> set[Any]:
    if len(args) > 1 or (args and not isinstance(args[0], (list, tuple, set))):
        raise FormatError("a set of an unknown form")
    return {hashable(value) for value in args[0]} if args else set()


def _first(args: tuple[Any, ...]) -> Any:
    if not args:
        raise FormatError("a parameter without data")
    return args[0]


def _attribute(args: tuple[Any, ...]) -> Global:
    """getattr(class of torch, name), as functions such as torch.tanh are pickled: one more name."""
    if len(args) == 2 and isinstance(args[0], Global) and isinstance(args[1], str):
        # Attributes of attributes make names that grow with each step.
        if len(args[1]) > NAME_MAX or len(args[0].module) + len(args[0].name) > NAME_MAX:
            raise FormatError("refused: getattr of a name longer than any in torch")
        if args[0].module.split(".")[0] == "torch" and args[1].isidentifier():
            return Global(str(args[0]), args[1])
    raise FormatError("refused: getattr of something else than a function of torch")


CONSTRUCTORS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "builtins.set": set_of,
    "builtins.frozenset": set_of,
    "__builtin__.set": set_of,
    "__builtin__.frozenset": set_of,
    "builtins.getattr": _attribute,
    "__builtin__.getattr": _attribute,
    "torch._utils._rebuild_parameter": _first,
    "torch.Size": lambda args: tuple(args[0]) if args and isinstance(args[0], tuple) else args,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy.core.multiarray._reconstruct": lambda args: Array(),
    "numpy._core.multiarray._reconstruct": lambda args: Array(),
    "_codecs.encode": _encode,
}


_KEYED = {name for name, made in CONSTRUCTORS.items() if made in (set_of, _ordered_dict)}


def global_of(module: str, name: str) -> Global:
    if len(module) > NAME_MAX or len(name) > NAME_MAX:
        raise FormatError(f"refused: a name of more than {NAME_MAX} characters")
    full = f"{module}.{name}"
    if module in ("builtins", "__builtin__"):
        known = name in _BUILTINS or full in CONSTRUCTORS
    else:
        known = module.split(".")[0] in _PACKAGES or full in CONSTRUCTORS or full in _NAMES
    if not known:
        raise FormatError(f"refused: the file names '{full[:100]}', no part of a checkpoint")
    return Global(module, name)


def set_dtype_state(dtype: Dtype, state: Any) -> None:
    if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", "|", "=", ">")):
        raise FormatError("a numpy dtype of an unknown form")
    if len(state) > 4 and any(part is not None for part in state[2:5]):
        raise FormatError("structured numpy dtypes are not supported")
    dtype.order = state[1]


def set_array_state(array: Array, state: Any) -> None:
    if not (isinstance(state, tuple) and len(state) == 5):
        raise FormatError("a numpy array of an unknown form")
    _, shape, dtype, fortran, data = state
    if not (_is_indices(shape) and isinstance(dtype, Dtype) and isinstance(data, bytes)):
        raise FormatError("a numpy array without shape, dtype and bytes")
    kind = dtype.numpy()
    if len(data) != math.prod(shape) * kind.itemsize:
        raise FormatError("a numpy array has not the bytes of its shape")
    array.value = np.frombuffer(data, kind).reshape(shape, order="F" if fortran is True else "C")
