"""A step of the programs that drive the daemon, and what of it is spent outside the core."""

from __future__ import annotations

import os
import socket
import statistics
import struct
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import serving
from ase import Atoms
from ase.build import bulk
from ase.calculators.socketio import SocketIOCalculator
from sides import ROOT
from systems import copper

from irrepd import Client, IrrepCalculator, ase_socket

MODEL = "sevennet-0"
BLOCKS, BLOCK = 30, 10  # steps between two looks at the daemon's own times
BOHR = 0.529177
PATIENCE = 60.0


def core_seconds(url: str) -> float:
    """That the daemon has spent in the core: planning, which counts neighbours, and evaluation."""
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    name = "irrepd_inference_compute_duration_seconds_sum{"
    found = [line for line in lines if line.startswith(name)]
    found = [line for line in found if 'stage="evaluate"' in line or 'stage="plan"' in line]
    return sum(float(line.split()[1]) for line in found)


def measure_steps(url: str, step: Callable[[], Any]) -> tuple[list[float], list[float]]:
    """Seconds of a step, and of a step outside the core: the means of blocks."""
    whole, rest = [], []
    for _ in range(3 * BLOCK):
        step()
    for _ in range(BLOCKS):
        computed = core_seconds(url)
        begun = time.perf_counter()
        for _ in range(BLOCK):
            step()
        seconds = time.perf_counter() - begun
        whole.append(seconds / BLOCK)
        rest.append((seconds - (core_seconds(url) - computed)) / BLOCK)
    return whole, rest


@contextmanager
def ipi(url: str, atoms: Atoms) -> Iterator[Callable[[], Any]]:
    """Steps as i-PI 3 takes them: POSDATA and GETFORCE in one write over a unix socket."""
    name = f"irrepd-bench-{os.getpid()}"
    h = atoms.cell.array.T / BOHR
    head = b"POSDATA     " + h.tobytes() + np.linalg.inv(h).tobytes()
    head += struct.pack("i", len(atoms))
    positions = atoms.positions / BOHR
    size = 12 + 8 + 4 + 24 * len(atoms) + 72 + 4 + 1

    def step() -> None:
        positions[0, 0] += 1e-4
        peer.sendall(head + positions.tobytes() + b"GETFORCE    ")
        left = size
        while left > 0:
            left -= len(peer.recv(left))

    with socket.socket(socket.AF_UNIX) as listening, Client(url) as client, ExitStack() as stack:
        listening.bind(f"/tmp/ipi_{name}")
        stack.callback(os.unlink, f"/tmp/ipi_{name}")
        listening.listen()
        listening.settimeout(PATIENCE)
        body = {"protocol": "ipi", "address": f"unix:{name}", "model": MODEL}
        client.call("POST", "/v1/sockets", {**body, "numbers": atoms.numbers.tolist()})
        peer = stack.enter_context(listening.accept()[0])
        yield step


@contextmanager
def socketio(url: str, atoms: Atoms) -> Iterator[Callable[[], Any]]:
    """ASE's SocketIOCalculator, unmodified, over TCP."""
    engine = ase_socket(url, MODEL)
    with SocketIOCalculator(launch_client=engine, port=serving.free_port()) as atoms.calc:
        yield lambda: moved(atoms)


@contextmanager
def http(url: str, atoms: Atoms) -> Iterator[Callable[[], Any]]:
    atoms.calc = IrrepCalculator(url, MODEL)
    yield lambda: moved(atoms)


def moved(atoms: Atoms) -> None:
    atoms.positions[0, 0] += 1e-4
    atoms.get_forces()


def measure() -> list[dict[str, Any]]:
    rows = []
    model = ROOT / "build" / "models" / f"{MODEL}.safetensors"
    with serving.daemon(model) as (_, port, path):
        url = f"http://127.0.0.1:{port}"
        serving.first_answer(port, path)
        for title, program in (
            ("i-PI's messages, unix", ipi),
            ("ASE SocketIOCalculator, inet", socketio),
            ("ASE IrrepCalculator, HTTP", http),
        ):
            for atoms in (copper(), bulk("Cu")):
                with program(url, atoms) as step:
                    whole, rest = measure_steps(url, step)
                rows.append({"title": title, "n_atoms": len(atoms), "whole": whole, "rest": rest})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "A step of programs that drive the daemon, SevenNet-0, Cu: all of it, and the rest that is "
        "spent outside the core\n",
        "| program | atoms | step ms min | median | max | rest us min | median | max |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        cells = [f"{1e3 * f(row['whole']):.3f}" for f in (min, statistics.median, max)]
        cells += [f"{1e6 * f(row['rest']):.0f}" for f in (min, statistics.median, max)]
        lines.append(f"| {row['title']} | {row['n_atoms']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
