"""Reads PyTorch zip checkpoints without PyTorch, and without running anything that they name.

A pickle is a program for a small stack machine. The machine here is our own: a global becomes an
inert `Global`, a call an inert `Record`, and only a short list of constructors (tensors, numpy
arrays, ordered dictionaries, ...) is understood. Nothing is imported and nothing called. Sizes,
indices and depths are checked before use; whatever is not as expected is a FormatError.

What a program may make is bounded whatever its instructions: a step takes constant time, or time in
proportion to what it takes from the stack or to what has been paid for (`spend`), and all that is
made is charged for (`charge`).
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable, Iterable
from typing import Any

from irrepd.archives import Archive
from irrepd.errors import FormatError
from irrepd.records import (
    CONSTRUCTORS,
    Array,
    Dtype,
    Global,
    Record,
    Tensor,
    global_of,
    hashable,
    rebuild_tensor,
    set_array_state,
    set_dtype_state,
    storage_of,
    tuple_keys,
)

PICKLE_MAX = 16 << 20  # bytes of data.pkl
STEPS_MAX = 2 << 20  # opcodes
MEMORY_MAX = 128 << 20  # bytes of all that is made, estimated from above
# Elements and characters that constructors look at: of each byte of the program, and besides.
COPIES_MAX, COPIED_BASE = 8, 1 << 20
TUPLE_KEYS_MAX = 4096  # in all dictionaries and sets
INTEGER_BYTES_MAX = 64

# Bytes, estimated from above: objects with attributes, and what an element adds to a container.
_OBJECT, _LISTED, _KEPT, _ENTRY, _PAIR = 480, 12, 120, 120, 80


def load(archive: Archive) -> Any:
    """The object of an archive's pickle, made of plain values, Records, Arrays and Tensors.

    Tensors read from the archive, which must stay open as long as they are used.
    """
    return _Machine(archive.pickle_bytes(PICKLE_MAX), archive).run()


class _Mark:
    pass


_MARK = _Mark()


class _Machine:
    """The stack machine; one method for each opcode that PyTorch's pickles (protocol 2..5) use."""

    def __init__(self, data: bytes, archive: Archive):
        self.data = data
        self.position = 0
        self.archive = archive
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.memory = 0
        self.copied = 0
        self.tuple_keys = 0

    def run(self) -> Any:
        for _ in range(STEPS_MAX):
            code = self.take(1)[0]
            if code == 0x2E:  # STOP
                if len(self.stack) != 1 or self.stack[0] is _MARK:
                    raise FormatError("the pickle does not end in one object")
                return self.stack[0]
            step = _OPCODES.get(code)
            if step is None:
                where = f"0x{code:02x} at byte {self.position - 1}"
                raise FormatError(f"pickle opcode {where} is not used by PyTorch and is refused")
            step(self)
        raise FormatError(f"a pickle of more than {STEPS_MAX} steps")

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.position:
            raise FormatError("the pickle ends too early")
        self.position += count
        return self.data[self.position - count : self.position]

    def skip(self, count: int) -> None:
        self.take(count)

    def sized(self, form: str) -> bytes:
        return self.take(self.number(form))

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

    def make(self, value: Any) -> None:
        """Pushes what the program has not had before."""
        plain = isinstance(value, (str, bytes, int, float, tuple, list, dict, set))
        self.charge(sys.getsizeof(value) if plain else _OBJECT)
        self.push(value)

    def charge(self, n_bytes: int) -> None:
        self.memory += n_bytes
        if self.memory > MEMORY_MAX:
            raise FormatError(f"a pickle that makes more than {MEMORY_MAX >> 20} MiB")

    def spend(self, count: int) -> None:
        """Before looking at elements or characters that may have been looked at before."""
        self.copied += count
        if self.copied > COPIES_MAX * len(self.data) + COPIED_BASE:
            raise FormatError("the pickle copies more than a checkpoint would")

    def hash(self, values: Iterable[Any]) -> list[Any]:
        """Keys of a dictionary or elements of a set."""
        keys = [hashable(value) for value in values]
        self.count_tuples(sum(isinstance(key, tuple) for key in keys))
        self.charge(_ENTRY * len(keys))
        return keys

    def count_tuples(self, count: int) -> None:
        self.tuple_keys += count
        if self.tuple_keys > TUPLE_KEYS_MAX:
            raise FormatError(f"more than {TUPLE_KEYS_MAX} keys that are tuples")

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise FormatError("the pickle takes from an empty stack")
        return self.stack.pop()

    def drop(self) -> None:
        self.pop()

    def drop_to_mark(self) -> None:
        self.pop_to_mark()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise FormatError("the pickle looks at an empty stack")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        values: list[Any] = []
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
        self.charge(_KEPT)
        self.memo[index] = self.top()

    def memoize(self) -> None:
        self.put(len(self.memo))

    def tuple(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.make(tuple(reversed(values)))

    def integer(self, size: int) -> None:
        if not 0 <= size <= INTEGER_BYTES_MAX:
            raise FormatError(f"an integer of {size} bytes")
        self.make(int.from_bytes(self.take(size), "little", signed=True))

    def set_items(self, values: list[Any]) -> None:
        target = self.top()
        if len(values) % 2:
            raise FormatError("a key without a value")
        if isinstance(target, Record):
            self.charge(_PAIR * len(values))
            target.items.extend(zip(values[::2], values[1::2]))
        elif isinstance(target, dict):
            target.update(zip(self.hash(values[::2]), values[1::2]))
        else:
            raise FormatError("items are set on something that is no dictionary")

    def set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def append(self, values: list[Any]) -> None:
        target = self.top()
        self.charge(_LISTED * len(values))
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
        target.update(self.hash(values))

    def dictionary(self) -> None:
        values = self.pop_to_mark()
        self.make({})
        self.set_items(values)

    def frozen_set(self) -> None:
        self.make(set(self.hash(self.pop_to_mark())))

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise FormatError("a global without a name")
        self.make(global_of(module, name))

    def call(self, with_keywords: bool = False) -> None:
        keywords = self.pop() if with_keywords else {}
        args, function = self.pop(), self.pop()
        if not isinstance(function, Global) or not isinstance(args, tuple):
            raise FormatError("the pickle calls something that is no global")
        if not isinstance(keywords, dict):
            raise FormatError("the pickle calls with keywords that are no dictionary")
        self.spend(len(args) + len(keywords))
        self.spend(sum(len(part) for part in args if isinstance(part, (str, list, tuple, set))))
        name = str(function)
        self.count_tuples(tuple_keys(name, args))
        if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
            self.make(rebuild_tensor(args, self.archive))
        elif name in CONSTRUCTORS:
            self.make(CONSTRUCTORS[name](args))
        else:
            if keywords:
                self.charge(_LISTED * len(args))
                args = (*args, keywords)
            self.make(Record(function, args))

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if isinstance(target, Array):
            set_array_state(target, state)
        elif isinstance(target, Dtype):
            set_dtype_state(target, state)
        elif isinstance(target, Record):
            target.state = state
        elif not isinstance(target, (dict, Tensor)):  # attributes of these are not needed
            raise FormatError("a state is set on something that takes none")

    def persistent(self) -> None:
        self.make(storage_of(self.pop(), self.archive))


_OPCODES: dict[int, Callable[[_Machine], None]] = {
    0x80: lambda m: _check_protocol(m.number("<B")),
    0x95: lambda m: m.skip(8),  # FRAME
    0x28: lambda m: m.push(_MARK),
    0x30: lambda m: m.drop(),  # POP
    0x31: lambda m: m.drop_to_mark(),  # POP_MARK
    0x32: lambda m: m.push(m.top()),  # DUP
    0x4E: lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    0x4A: lambda m: m.make(m.number("<i")),
    0x4B: lambda m: m.push(m.number("<B")),
    0x4D: lambda m: m.make(m.number("<H")),
    0x8A: lambda m: m.integer(m.number("<B")),
    0x8B: lambda m: m.integer(m.number("<i")),
    0x47: lambda m: m.make(m.number(">d")),
    0x5D: lambda m: m.make([]),
    0x29: lambda m: m.push(()),
    0x7D: lambda m: m.make({}),
    0x8F: lambda m: m.make(set()),
    0x61: _Machine.append_one,
    0x65: lambda m: m.append(m.pop_to_mark()),
    0x6C: lambda m: m.make(m.pop_to_mark()),  # LIST
    0x74: lambda m: m.make(tuple(m.pop_to_mark())),
    0x85: lambda m: m.tuple(1),
    0x86: lambda m: m.tuple(2),
    0x87: lambda m: m.tuple(3),
    0x73: _Machine.set_item,
    0x75: lambda m: m.set_items(m.pop_to_mark()),
    0x64: _Machine.dictionary,
    0x90: _Machine.add_items,
    0x91: _Machine.frozen_set,
    0x68: lambda m: m.get(m.number("<B")),
    0x6A: lambda m: m.get(m.number("<I")),
    0x71: lambda m: m.put(m.number("<B")),
    0x72: lambda m: m.put(m.number("<I")),
    0x94: _Machine.memoize,
    0x63: lambda m: m.make(global_of(m.line(), m.line())),
    0x93: _Machine.stack_global,
    0x52: _Machine.call,  # REDUCE
    0x81: _Machine.call,  # NEWOBJ
    0x92: lambda m: m.call(with_keywords=True),  # NEWOBJ_EX
    0x62: _Machine.build,
    0x51: _Machine.persistent,  # BINPERSID
    0x8C: lambda m: m.make(m.text(m.sized("<B"))),  # SHORT_BINUNICODE
    0x58: lambda m: m.make(m.text(m.sized("<I"))),
    0x8D: lambda m: m.make(m.text(m.sized("<Q"))),
    0x43: lambda m: m.make(m.sized("<B")),  # SHORT_BINBYTES
    0x42: lambda m: m.make(m.sized("<I")),
    0x8E: lambda m: m.make(m.sized("<Q")),
    0x55: lambda m: m.make(m.sized("<B")),  # SHORT_BINSTRING
    0x54: lambda m: m.make(m.sized("<I")),
}


def _check_protocol(version: int) -> None:
    if not 2 <= version <= 5:
        raise FormatError(f"pickle protocol {version} is not supported")
