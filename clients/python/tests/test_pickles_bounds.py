"""Hostile pickles cost little, whatever their instructions: they are read under kernel limits.

The programs are an eighth of what they could be, and so is the reader's MEMORY_MAX; "at full size"
is one of those that take most.
IRREPD_FUZZ_SECONDS=600 makes the random programs of the last test go on for so long.
"""

from __future__ import annotations

import os
import random
import re
import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from irrepd import pickles
from irrepd.archives import Archive
from irrepd.convert.detect import converter_for
from irrepd.errors import FormatError

ALLOWED = 80 << 20  # bytes beside an interpreter with numpy; MEMORY_MAX is 16 MiB here
SECONDS = 120  # of processor time; it takes some 10
X = b"ctorch\nX\n"
SET = b"c__builtin__\nset\n"
GETATTR = b"c__builtin__\ngetattr\n"
TANH = b"ctorch\nX\n"


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def put(index: int) -> bytes:
    return b"r" + struct.pack("<I", index)


def get(index: int) -> bytes:
    return b"j" + struct.pack("<I", index)


def integers(count: int) -> bytes:
    return b"".join(b"J" + struct.pack("<i", i) for i in range(count))


def one_tuples(count: int) -> bytes:
    """As many as would do harm if their hashes were made to collide."""
    return b"".join(b"J" + struct.pack("<i", i) + b"\x85" for i in range(count))


# Name: the program, between MARK and TUPLE, STOP; and what is said of it, None if it is read.
PROGRAMS: dict[str, tuple[bytes, str | None]] = {
    # Each step's name holds all names before it.
    "getattr of getattr": (
        TANH + (put(0) + GETATTR + get(0) + text("y") + b"\x86R") * 3000, "longer than any",
    ),
    "long module": (
        text("torch." + "x" * 400_000) + put(0) + (get(0) * 2 + b"\x930") * 20_000,
        "more than 512 characters",
    ),
    "sets": (b"\x8f" * 90_000, "makes more"),
    "dictionaries with an entry": (b"}NNs" * 100_000, "makes more"),
    "memo": (b"N" + b"\x94" * 150_000, "makes more"),
    "records": (X + put(0) + (get(0) + b")\x81") * 50_000, "makes more"),
    "items of a record": (X + b")\x81(" + b"N" * 240_000 + b"u", "makes more"),
    "frozen sets": ((b"(" + integers(500) + b"\x91") * 400, "makes more"),
    "wide text": (text("\U0001f600" + "x" * 5_000_000), "makes more"),
    "persistent ids": (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x0ct"
        + put(0) + (get(0) + b"Q") * 40_000,
        "makes more",
    ),
    "records of many arguments": (
        X + put(0) + b"0(" + b"N" * 100_000 + b"t" + put(1) + (get(0) + get(1) + b"R0") * 40_000,
        "copies more",
    ),
    "sets of a list": (
        b"](" + integers(50_000) + b"e" + put(0) + SET + put(1)
        + (get(1) + get(0) + b"\x85R") * 3000,
        "copies more|makes more",
    ),
    "long texts encoded": (
        text("x" * 1_000_000) + put(0)
        + (b"c_codecs\nencode\n" + get(0) + text("latin1") + b"\x86R") * 1000,
        "copies more|makes more",
    ),
    "keywords": (
        X + put(0) + b"}" + text("a") + b"Ns" + put(1) + b"(" + b"N" * 20_000 + b"t" + put(2)
        + (get(0) + get(2) + get(1) + b"\x92") * 10_000,
        "copies more|makes more",
    ),
    "dtypes": (text("<" + "f" * 1_000_000) + put(0) + b"cnumpy\ndtype\n" + get(0) + b"\x85R",
               "without a proper name"),
    "tuple keys": (b"}(" + one_tuples(9000) + b"u", "keys that are tuples"),
    "tuples in a set": (
        b"](" + one_tuples(9000) + b"e" + put(0) + SET + get(0) + b"\x85R", "keys that are tuples",
    ),
    "nested": (b"N" + b"\x85" * 150_000, None),
    "nested records": (
        X + put(0) + b"0" + (get(0) + b")\x81") * 30_000 + b"b" * 29_999, None,
    ),
}  # fmt: skip

LIMIT = """
import pathlib, resource, sys
from irrepd import pickles
from irrepd.archives import Archive
from irrepd.errors import FormatError
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
bytes_max = pages * resource.getpagesize() + {allowed}
resource.setrlimit(resource.RLIMIT_AS, (bytes_max, bytes_max))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
pickles.MEMORY_MAX = {memory_max}
"""
READ = """
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        with Archive(path) as archive:
            pickles.load(archive)
    except FormatError as error:
        print(path.stem, "refused:", str(error)[:200], flush=True)
    else:
        print(path.stem, "read", flush=True)
"""


def archive_of(path: Path, program: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", b"\x80\x02" + program)
        file.writestr("archive/data/0", bytes(48))
    return path


def limited(code: str, *arguments: str, scale: int = 1) -> subprocess.CompletedProcess[str]:
    """Runs code in a fresh interpreter that the kernel stops where it takes too much."""
    limit = LIMIT.format(
        allowed=ALLOWED * scale, seconds=SECONDS, memory_max=pickles.MEMORY_MAX // 8 * scale
    )
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", limit + code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the reader says of all programs, in one process."""
    folder = tmp_path_factory.mktemp("programs")
    for name, (program, _) in PROGRAMS.items():
        archive_of(folder / f"{name.replace(' ', '-')}.pt", b"(" + program + b"t.")
    done = limited(READ, str(folder))
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr[-500:]
    return {line.partition(" ")[0]: line.partition(" ")[2] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_multiply(name: str, outcomes: dict[str, str]) -> None:
    _, message = PROGRAMS[name]
    found = outcomes[name.replace(" ", "-")]
    assert found == "read" if message is None else re.search(f"refused: .*({message})", found)


def test_the_limits_are_those_of_the_kernel(tmp_path: Path) -> None:
    """The test above can fail."""
    done = limited(READ + f"bytes({2 * ALLOWED})", str(tmp_path))
    assert done.returncode != 0 and "MemoryError" in done.stderr


def test_at_full_size(tmp_path: Path) -> None:
    archive_of(tmp_path / "sets.pt", b"\x8f" * 700_000)
    done = limited(READ, str(tmp_path), scale=8)
    assert done.returncode == 0 and "sets refused: a pickle that makes more" in done.stdout


def test_modules_that_share_a_part(tmp_path: Path) -> None:
    """16,000 modules with one and the same dictionary of 5,000 tensors."""
    module = b"cmace.modules.models\nMACE\n)\x81}(" + text("_modules")
    tensors = b"}(" + b"".join(text(f"t{i}") + get(1) for i in range(5000)) + b"u" + put(2) + b"0"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\nFloatStorage\n"
    rebuild += text("0") + text("cpu") + b"K\x0ctQK\x00K\x03\x85K\x01\x85\x89NtR" + put(1) + b"0"
    child = b"ctorch\nM\n)\x81}(" + text("_buffers") + get(2) + b"ub"
    children = b"}(" + b"".join(text(f"m{i}") + child for i in range(15_000)) + b"u"
    program = rebuild + tensors + module + children + b"ub."
    with Archive(archive_of(tmp_path / "test.pt", program)) as archive:
        checkpoint = pickles.load(archive)
        with pytest.raises(FormatError, match="more modules than any known one"):
            converter_for(checkpoint)(checkpoint, None)


def test_storages_that_are_read_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("irrepd.archives.READ_BASE", 0)
    path = archive_of(tmp_path / "test.pt", b"(" + text("storage") + b"ctorch\nFloatStorage\n"
                      + text("0") + text("cpu") + b"K\x0ctQ.")  # fmt: skip
    with Archive(path) as archive:
        storage = pickles.load(archive)
        allowed = 8 * path.stat().st_size // storage.n_bytes
        for _ in range(allowed):
            archive.storage_bytes(storage)
        with pytest.raises(FormatError, match="share their storages"):
            archive.storage_bytes(storage)


NAMES = (
    "collections.OrderedDict", "__builtin__.set", "__builtin__.getattr", "_codecs.encode",
    "numpy.dtype", "torch.Size", "torch.X", "torch._utils._rebuild_parameter", "e3nn.o3.Irreps",
)  # fmt: skip


class Programs:
    """Random programs whose instructions mostly fit each other: each piece pushes one value.

    They lean to what multiplies: runs of one piece, values from the memo, calls and growth.
    """

    def __init__(self, seed: int):
        self.draw = random.Random(seed)

    def program(self) -> bytes:
        self.kept = 0
        pieces = b"".join(self.run() for _ in range(self.draw.randrange(1, 12)))
        return b"(" + pieces + self.draw.choice([b"t.", b"t.", b"l.", b"."])

    def run(self) -> bytes:
        piece = self.piece(3) or b"N"
        if self.draw.random() < 0.4:
            piece += b"r" + struct.pack("<I", self.kept)
            self.kept += 1
        most = 1 + 30_000 // len(piece)
        return piece * min(most, self.draw.choice([1, 1, 1, 2, 30, 1000, most]))

    def piece(self, depth: int) -> bytes:
        draw = self.draw
        if draw.random() < 0.01:
            return bytes([draw.randrange(256)])
        kinds = [self.atom, self.memo, self.memo]
        if depth:
            kinds += [self.container, self.container, self.call, self.call, self.built]
        return draw.choice(kinds)(depth - 1)

    def atom(self, _: int) -> bytes:
        draw = self.draw
        words = ["latin1", "f8", "x", "torch", "tanh", "a" * draw.randrange(20_000), "\xff\u0100"]
        number = b"J" + struct.pack("<i", draw.randrange(-5, 500))
        return draw.choice(
            [
                b"N",
                b"\x88",
                b"]",
                b")",
                b"}",
                b"\x8f",
                number,
                self.name(),
                text(draw.choice(words)),
                b"G" + struct.pack(">d", draw.random()),
            ]
        )

    def name(self) -> bytes:
        module, _, name = self.draw.choice(NAMES).rpartition(".")
        return f"c{module}\n{name}\n".encode()

    def memo(self, _: int) -> bytes:
        return get(self.draw.randrange(self.kept)) if self.kept else b"N"

    def values(self, depth: int, even: bool = False) -> bytes:
        count = self.draw.choice([0, 1, 2, 4])
        piece = b"".join(self.piece(depth) for _ in range(count + count % 2 * even))
        return b"(" + piece * min(
            self.draw.choice([1, 1, 1, 10, 200]), 1 + 20_000 // (1 + len(piece))
        )

    def container(self, depth: int) -> bytes:
        begin, end = self.draw.choice(
            [
                (b"", b"t"),
                (b"", b"l"),
                (b"", b"\x91"),
                (b"", b"d"),
                (b"]", b"e"),
                (b"}", b"u"),
                (b"\x8f", b"\x90"),
            ]
        )
        return begin + self.values(depth, even=end in (b"d", b"u")) + end

    def call(self, depth: int) -> bytes:
        return self.name() + self.values(depth) + b"t" + self.draw.choice([b"R", b"R", b"\x81"])

    def built(self, depth: int) -> bytes:
        record = b"ctorch\nX\n)\x81"
        return record + self.draw.choice([self.values(depth) + b"e", self.piece(depth) + b"b"])


def fuzz(folder: Path, seed: int, seconds: float, count: int) -> int:
    """Reads random programs until the time or count is over; how many were read to their end."""
    begun, n_read, made = time.monotonic(), 0, Programs(seed)
    while count and time.monotonic() - begun < seconds:
        count -= 1
        try:
            with Archive(archive_of(folder / "test.pt", made.program())) as archive:
                checkpoint = pickles.load(archive)
                n_read += 1
                converter_for(checkpoint)(checkpoint, None)
        except FormatError:
            continue
    return n_read


FUZZ = """
sys.path[:0] = sys.argv[1:3]
from test_pickles_bounds import fuzz
print(fuzz(pathlib.Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), int(sys.argv[6])))
"""


@pytest.mark.parametrize("seed", range(2))
def test_random_programs(seed: int, tmp_path: Path) -> None:
    """Whatever the instructions are, the reader answers or says FormatError, within its memory."""
    here = Path(__file__).resolve().parent
    seconds = float(os.environ.get("IRREPD_FUZZ_SECONDS", "0"))
    count = -1 if seconds else 120
    seed += int(seconds and time.time())
    bounds = [str(seed), str(seconds or 1e9), str(count)]
    done = limited(FUZZ, str(here), str(here.parent), str(tmp_path), *bounds)
    assert done.returncode == 0, f"seed {seed}: {done.stderr[-800:]}"
    assert int(done.stdout) > 10
