"""From the start of Symmetrix-XL's process to its first answer, with nothing compiled and then with
what was. The model is there in its own format."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from typing import Any

from serving import children_cpu
from sides import ENVIRONMENTS, HERE, ISA, ROOT, NotAvailable, PeerProcess, model_files

MODELS = ("mace-small", "mace-medium")


def measure() -> list[dict[str, Any]]:
    peer = PeerProcess("symmetrix")
    try:
        checkpoints = {name: model_files(name, peer)[0] for name in MODELS}
    finally:
        peer.close()
    return [
        {"model": name, "cold": cold, "cached": cached}
        for name, checkpoint in checkpoints.items()
        for cold, cached in [twice(str(checkpoint))]
    ]


def twice(checkpoint: str) -> list[dict[str, float]]:
    """Seconds, also of CPU time, of two processes that share what they compile."""
    python = ROOT / "build" / "venv-peer-symmetrix" / "bin" / "python"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        held = {"SYMMETRIX_JIT_CACHE": folder, "OMP_NUM_THREADS": "1", **ENVIRONMENTS[ISA]}
        for _ in range(2):
            start, cpu = time.perf_counter(), children_cpu()
            command = [str(python), str(HERE / "peer_symmetrix.py"), checkpoint]
            done = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, **held}
            )
            if done.returncode:
                raise NotAvailable(done.stderr[-300:])
            seconds = time.perf_counter() - start
            found.append({"seconds": seconds, "cpu": children_cpu() - cpu})
    return found


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "Symmetrix-XL, float32: seconds from its start to the first answer (CPU time)\n",
        "| model | compiling | compiled before |",
        "|---|---|---|",
    ]
    for row in rows:
        cells = (f"{row[k]['seconds']:.1f} ({row[k]['cpu']:.1f})" for k in ("cold", "cached"))
        lines.append(f"| {row['model']} | {' | '.join(cells)} |")
    return "\n".join(lines)
