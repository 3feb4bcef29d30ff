"""The example of clients/ray/ with Ray on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
from ase import Atoms
from conftest import ROOT, Fleet

import irrepd

N = 2500


def test_example(fleet: Fleet, model: str, tmp_path: Path) -> None:
    frames = [Atoms("OH", [[0, 0, 0], [0, 0, 0.8 + 1e-3 * i]]) for i in range(N)]
    frames[7] = Atoms("Og")
    ase.io.write(tmp_path / "frames.xyz", frames, format="extxyz")
    urls = [word for url in fleet.urls for word in ("--url", url)]
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "clients" / "ray" / "irrepd_ray.py"),
            *(tmp_path / "frames.xyz", "--model", model, *urls),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr[-3000:]  # a frame failed
    lines = [line.split() for line in done.stdout.splitlines()]
    wanted = list(irrepd.evaluate(frames, model, fleet.urls[0]))
    assert len(lines) == N and lines[7][0] == "error" and not wanted[7].ok
    for line, result in zip(lines, wanted):
        if result.ok:
            assert float(line[0]) == pytest.approx(result["energy"], abs=1e-8)
            assert float(line[1]) == pytest.approx(result.max_force, abs=1e-8)
    assert all(share > 0 for share in fleet.n_computed())
