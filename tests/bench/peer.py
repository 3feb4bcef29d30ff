"""What every peer's process does: it answers calls, JSON lines on stdin, with JSON lines on stdout.

    {"call": "make", "model": NAME, "path": FILE}       builds a model with random weights, saves it
    {"call": "load", "model": NAME, "path": FILE, "precision": "float32", "threads": 1}
    {"call": "structure", "numbers", "positions", "cell", "pbc"}     what `run` evaluates
    {"call": "run"}  gives "seconds" and "cpu" of energy, forces and stress with the neighbour list,
                     "list_seconds", the part of the list, and "energy" (eV)
    {"call": "batch", "size": 64}    the same of as many copies in one batch, where a peer has that
    {"call": "hessian"}, or "descriptors"    gives "seconds" and "values", where a peer has that
    {"call": "relax", ...}           relaxations, where a peer has them (peer_trajectories.py)

Between two calls it sleeps. What its packages print goes to stderr.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

# Before torch is imported: e3nn 0.4 and mace keep pickles.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
# Older e3nn and lightning scold about newer torch.
warnings.simplefilter("ignore")

SEED = 11


class Peer(Protocol):
    """An upstream code."""

    packages: tuple[str, ...]

    def make(self, model: str, path: str) -> None: ...

    def load(self, model: str, path: str, precision: str) -> None: ...

    def prepare(self, atoms: Any) -> Any:
        """ASE's Atoms as the model's input, with the neighbour list."""

    def evaluate(self, data: Any) -> float:
        """Energy in eV; forces and stress are computed too."""


def serve(peer: Peer) -> None:
    """Answers calls until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    atoms = None
    for line in sys.stdin:
        call = json.loads(line)
        kind, answer = call.pop("call"), {}
        try:
            if kind == "make":
                peer.make(**call)
            elif kind == "load":
                threads = call.pop("threads")
                if "torch" in peer.packages:  # others read OMP_NUM_THREADS when they start
                    _set_threads(threads)
                peer.load(**call)
            elif kind == "structure":
                from ase import Atoms

                atoms = Atoms(**call)
            elif kind == "run":
                answer = _run(peer, partial(peer.prepare, atoms))
            elif kind == "batch":
                answer = _run(peer, partial(peer.batch, atoms, **call))
            elif kind == "relax":
                answer = peer.relax(**call)
            elif kind in ("hessian", "descriptors"):
                answer = _derivative(peer, kind, atoms)
            elif kind == "versions":
                answer = {"versions": _versions(peer.packages)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers)


def _set_threads(n: int) -> None:
    import torch

    torch.set_num_threads(n)


def _run(peer: Peer, prepare: Callable[[], Any]) -> dict[str, float]:
    cpu, start = time.process_time(), time.perf_counter()
    data = prepare()
    middle = time.perf_counter()
    energy = peer.evaluate(data)
    end = time.perf_counter()
    return {
        "seconds": end - start,
        "list_seconds": middle - start,
        "cpu": time.process_time() - cpu,
        "energy": energy,
        "resident_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _derivative(peer: Any, what: str, atoms: Any) -> dict[str, Any]:
    start = time.perf_counter()
    found = peer.derivative(what, atoms)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "values": found.ravel().tolist()}


def _versions(packages: tuple[str, ...]) -> str:
    from importlib.metadata import version

    return ", ".join(f"{name} {version(name)}" for name in packages)
