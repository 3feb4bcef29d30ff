"""The daemon as a client sees it: structures a second, latency, start, memory; mace-torch's too."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sides import OUTPUT, ROOT, NotAvailable, PeerProcess, model_files
from systems import ethanol

CLIENTS = (1, 8, 64)
SECONDS = 4.0
ROUNDS = 3
BATCH = 64
THREADS = 2
PYTHON = ROOT / "build" / "venv-peer-mace" / "bin" / "python"
HERE = Path(__file__).resolve().parent


def body() -> bytes:
    atoms = ethanol()
    structure = {"numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
    return json.dumps({"structures": [structure]}).encode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def first_answer(port: int, path: str, deadline: float = 300.0) -> float:
    """Seconds until the server gives an answer."""
    start = time.perf_counter()
    while time.perf_counter() - start < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=deadline)
            connection.request("POST", path, body(), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            if answer.status == 200:
                return time.perf_counter() - start
        time.sleep(0.001)
    raise NotAvailable(f"no answer from port {port}")


@contextlib.contextmanager
def daemon(model: Path) -> Iterator[tuple[subprocess.Popen, int, str]]:
    """irrepd with one model: process, port, path of its predict call."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(model, folder)
        port = free_port()
        command = [str(ROOT / "build" / "irrepd"), "--models", folder]
        command += ["--listen", f"127.0.0.1:{port}", "--workers", str(THREADS)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield process, port, f"/v1/models/{model.stem}/predict"
        finally:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def fastapi(checkpoint: Path) -> Iterator[tuple[subprocess.Popen, int, str]]:
    port = free_port()
    command = [str(PYTHON), "-m", "uvicorn", "fastapi_mace:app", "--port", str(port)]
    command += ["--workers", str(THREADS), "--log-level", "error"]
    environment = {**os.environ, "BENCH_CHECKPOINT": str(checkpoint)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=HERE, env=environment, **quiet)
    try:
        yield process, port, "/predict"
    finally:
        process.terminate()
        process.wait()


def load(port: int, path: str, clients: int) -> dict[str, float]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(body())
        file.flush()
        command = [str(OUTPUT / "load"), str(port), path, file.name, str(clients), str(SECONDS)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NotAvailable(done.stderr.strip())
    return json.loads(done.stdout)


def starts(checkpoint: Path, model: Path) -> dict[str, Any]:
    """Start to the first answer and resident memory, in turns, of both."""
    found: dict[str, Any] = {"model": model.stem, "ours": [], "theirs": []}
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with daemon(model) as (process, port, path):
            first_answer(port, path)
            seconds = time.perf_counter() - start
            found["ours"].append([seconds, resident_mb(process.pid), cpu_seconds(process.pid)])
        start, cpu = time.perf_counter(), children_cpu()
        command = [str(PYTHON), str(HERE / "first_answer.py"), str(checkpoint)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        megabytes = float(done.stdout.split()[-2])
        found["theirs"].append([seconds, megabytes, children_cpu() - cpu])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_cpu() -> float:
    """User and system time of the processes that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def daemon_load(process: subprocess.Popen, port: int, path: str, clients: int) -> dict[str, float]:
    """One load on irrepd, with its CPU time a structure."""
    before = cpu_seconds(process.pid)
    found = load(port, path, clients)
    found["cpu_ms"] = 1e3 * (cpu_seconds(process.pid) - before) / found["n_answers"]
    return found


def throughput(checkpoint: Path, model: Path, peer: PeerProcess) -> dict[str, Any]:
    """Structures a second of irrepd, of mace-torch's own batches, and of a FastAPI server."""
    peer.call("load", model=model.stem, path=str(checkpoint), precision="float32", threads=THREADS)
    peer.take(ethanol())
    found: dict[str, Any] = {"batch": [], "irrepd": {}, "fastapi": {}}
    for _ in range(3):
        peer.call("batch", size=BATCH)
    with daemon(model) as (process, port, path), fastapi(checkpoint) as (_, slow, slow_path):
        first_answer(port, path)
        first_answer(slow, slow_path)
        for clients in CLIENTS:
            mine, theirs = [], []
            for _ in range(ROUNDS):
                mine.append(daemon_load(process, port, path, clients))
                found["batch"].append(peer.call("batch", size=BATCH))
                with contextlib.suppress(NotAvailable):
                    theirs.append(load(slow, slow_path, clients))
            found["irrepd"][clients], found["fastapi"][clients] = mine, theirs
    return found


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def measure() -> dict[str, Any]:
    peer = PeerProcess("mace")
    try:
        small = model_files("mace-32", peer)
        found = {"served": throughput(*small, peer)}
        for name in ("mace-32", "mace-small", "mace-medium"):
            found.setdefault("starts", []).append(starts(*model_files(name, peer)))
    finally:
        peer.close()
    return {**found, "load_1min": os.getloadavg()[0]}


def table(found: dict[str, Any]) -> str:
    served = found["served"]
    batch = BATCH / middle([one["seconds"] for one in served["batch"]])
    batch_cpu = 1e3 * middle([one["cpu"] for one in served["batch"]]) / BATCH
    lines = [
        f"Ethanol on a 32-channel MACE, {THREADS} threads; mace-torch in batches of {BATCH}: "
        f"{batch:.0f} structures/s, {batch_cpu:.2f} CPU ms each (load {found['load_1min']:.1f}). "
        f"FastAPI: {THREADS} processes.\n",
        "| server | clients | structures/s | by mace-torch's batches (target 30) | CPU ms each | "
        "batches' CPU by it | p50 ms | p90 | p99 | queue ms | compute ms | rest ms |",
        "|---" * 12 + "|",
    ]
    for server in ("irrepd", "fastapi"):
        for clients, runs in served[server].items():
            if not runs:
                lines.append(f"| {server} | {clients} | no answers |" + " |" * 9)
                continue
            one = sorted(runs, key=lambda run: run["per_second"])[len(runs) // 2]
            keys = ("p50_ms", "p90_ms", "p99_ms", "queue_ms", "compute_ms", "rest_ms")
            cells = " | ".join(f"{one[key]:.3f}" for key in keys)
            rate, cpu = one["per_second"], one.get("cpu_ms")
            by_cpu = f"{cpu:.3f} | {batch_cpu / cpu:.1f}" if cpu else " | "
            lines.append(
                f"| {server} | {clients} | {rate:.0f} | {rate / batch:.1f} | {by_cpu} | {cells} |"
            )
    lines += [
        "\nStart to the first answer and resident memory, with one model\n",
        "| model | irrepd s | mace-torch s | ratio (target 50) | irrepd CPU s | mace-torch CPU s | "
        "ratio | irrepd MB | mace-torch MB | ratio (target 10) |",
        "|---" * 10 + "|",
    ]
    for row in found["starts"]:
        pairs = [
            [middle([run[i] for run in row[side]]) for side in ("ours", "theirs")]
            for i in (0, 2, 1)
        ]
        cells = " | ".join(
            f"{mine:.3g} | {theirs:.3g} | {theirs / mine:.1f}" for mine, theirs in pairs
        )
        lines.append(f"| {row['model']} | {cells} |")
    return "\n".join(lines)
