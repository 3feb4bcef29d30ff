"""The two sides of a comparison: libirrep in this process, a peer in a process of its own."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import time
from ctypes import c_size_t, c_void_p
from pathlib import Path
from typing import Any, NamedTuple

import libirrep
from libirrep import Batch, Model

from irrepd.convert import convert

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "bench"
MODELS = OUTPUT / "models"
HERE = Path(__file__).resolve().parent
WANTED = ("energies", "forces", "stress")  # of ours, as peers give
# The instruction set that both sides are held to: "v3" is AVX2, "" the best that there is. For ours
# make bench names a library without the kernels for more.
ISA = os.environ.get("BENCH_ISA", "")
ENVIRONMENTS = {
    "": {},
    "v3": {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "SYMMETRIX_JIT_HOST_TARGET": "portable",
    },
}
MIN_SECONDS = 0.05  # of ours in a round; shorter evaluations are repeated


class NotAvailable(Exception):
    """A side that cannot run here: why."""


class Timing(NamedTuple):
    """Of one evaluation."""

    seconds: float
    cpu: float  # of all threads of the process
    energy: float  # eV
    list_seconds: float = 0.0  # of the neighbour list


class PeerProcess:
    """A peer's process. It sleeps between calls.

    threads: of peers that want to know when they start; `load` tells torch's.
    """

    def __init__(self, family: str, threads: int = 1) -> None:
        python = Path(os.environ.get("BENCH_PEERS", ROOT / "build")) / f"venv-peer-{family}"
        if not (python / "bin" / "python").exists():
            raise NotAvailable(f"no {python.name}: make bench FAMILY={family}")
        self.family = family
        OUTPUT.mkdir(parents=True, exist_ok=True)
        self._log = (OUTPUT / f"peer-{family}.log").open("w")
        self._process = subprocess.Popen(
            [str(python / "bin" / "python"), str(HERE / f"peer_{family}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), **ENVIRONMENTS[ISA]},
        )
        try:
            self.versions = self.call("versions")["versions"]
        except NotAvailable:
            self.close()
            raise

    def call(self, kind: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"call": kind, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": "the process ended"}
        if "error" in answer:
            raise NotAvailable(f"{self.family} {kind}: {answer['error']} (see {self._log.name})")
        return answer

    def take(self, atoms: Any) -> None:
        arrays = {"numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell.array}
        self.call("structure", pbc=atoms.pbc.tolist(), **{k: a.tolist() for k, a in arrays.items()})

    def run(self) -> Timing:
        answer = self.call("run")
        return Timing(answer["seconds"], answer["cpu"], answer["energy"], answer["list_seconds"])

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()


class Team:
    """Helping threads from team.c, for libirrep.Batch."""

    def __init__(self, model: Model, precision: str, n_helpers: int) -> None:
        self._library = ctypes.CDLL(str(OUTPUT / "libteam.so"))
        self._library.team_new.restype = c_void_p
        self._library.team_new.argtypes = [c_size_t, c_void_p]
        self._library.team_free.argtypes = [c_void_p]
        helper_bytes = libirrep._library.irrep_model_helper_bytes
        helper_bytes.restype, helper_bytes.argtypes = c_size_t, [c_void_p, ctypes.c_int]
        size = helper_bytes(model._handle, libirrep.PRECISIONS.index(precision))
        self._buffers = [libirrep._aligned(size, 0) for _ in range(n_helpers)]
        self._scratch = (c_void_p * n_helpers)(*(address for _, address in self._buffers))
        self.pointer = self._library.team_new(n_helpers, self._scratch)
        if not self.pointer:
            raise MemoryError

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            self._library.team_free(self.pointer)


class Ours:
    """Neighbour list, plan and evaluation, in the arena of an earlier plan, as a worker does."""

    def __init__(
        self, model: Model, atoms: Any, precision: str, threads: int = 1, warm: bool = True
    ) -> None:
        self.model, self.atoms = model, atoms
        team = Team(model, precision, threads - 1) if threads > 1 else None
        self.batch = Batch(model, [atoms], precision, wanted=WANTED, team=team, fill=0)
        self._repeats = 1
        if warm:
            self._once()
            start = time.perf_counter()
            self._once()
            self._repeats = max(1, round(MIN_SECONDS / (time.perf_counter() - start)))

    def _once(self) -> None:
        self.batch.find_graphs()
        self.batch.run()

    def run(self) -> Timing:
        """The mean of enough evaluations to be timed."""
        cpu, start = time.process_time(), time.perf_counter()
        for _ in range(self._repeats):
            self._once()
        seconds = (time.perf_counter() - start) / self._repeats
        cpu = (time.process_time() - cpu) / self._repeats
        return Timing(seconds, cpu, self.batch.results()[0].energy)


def model_files(name: str, peer: PeerProcess) -> tuple[Path, Path]:
    """The upstream checkpoint of a model, made by the peer if need be, and our model file."""
    checkpoint, ours = MODELS / f"{name}.checkpoint", MODELS / f"{name}.safetensors"
    if name == "sevennet-0":
        return checkpoint, ROOT / "build" / "models" / f"{name}.safetensors"
    MODELS.mkdir(parents=True, exist_ok=True)
    if not checkpoint.exists():
        peer.call("make", model=name, path=str(checkpoint))
    if not ours.exists():
        try:
            convert(checkpoint, ours)
        except Exception as error:
            raise NotAvailable(f"irrepd.convert: {error}") from None
    return checkpoint, ours


def processor() -> str:
    """The name that the kernel gives the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    family = {
        line.split(":")[0].strip(): line.split(":")[1].strip() for line in lines if ":" in line
    }
    name = names[0] if names else "unknown processor"
    if "cpu family" in family:  # some machines hide the model's name
        name += f" (family {family['cpu family']}, model {family['model']})"
    best = "AVX-512" if "avx512f" in family.get("flags", "").split() else "AVX2"
    return f"{name}, {'AVX2' if ISA else best}, {os.cpu_count()} logical processors"
