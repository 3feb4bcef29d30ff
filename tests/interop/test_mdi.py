"""The daemon as an engine of MDI, asked by a driver with MolSSI's own library."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk, molecule
from conftest import Daemon

from irrepd import IrrepCalculator

MODEL = "sevennet-0"
DRIVER = Path(__file__).parent / "driver_mdi.py"
PATIENCE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def drive(port: int, structures: list[Atoms]) -> subprocess.CompletedProcess[str]:
    steps = [
        {
            "numbers": atoms.numbers.tolist(),
            "positions": atoms.positions.tolist(),
            "cell": atoms.cell.array.tolist(),
            "pbc": atoms.pbc.tolist(),
        }
        for atoms in structures
    ]
    return subprocess.run(
        [sys.executable, str(DRIVER), str(port)],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def compare(url: str, atoms: Atoms, answer: dict[str, Any]) -> None:
    atoms.calc = IrrepCalculator(url, MODEL, precision="float64")
    energy = atoms.get_potential_energy()
    assert abs(answer["energy"] - energy) <= 1e-10 * abs(energy)
    forces = atoms.get_forces()
    assert np.allclose(answer["forces"], forces, rtol=1e-10, atol=1e-10)
    if all(atoms.pbc):
        stress = atoms.get_stress(voigt=False)
        assert np.abs(stress).max() > 1e-4
        assert np.allclose(answer["stress"], stress, rtol=1e-10, atol=1e-12)


def test_driver(tmp_path: Path) -> None:
    """Crystal, the same moved, a molecule; then another driver at the same port."""
    port, log = free_port(), tmp_path / "log"
    options = f"127.0.0.1:{port},model={MODEL},precision=float64"
    daemon = Daemon(log, "--mdi", options, "--request-timeout-ms", "1000")
    structures = [bulk("Si"), bulk("Si"), molecule("CH3CH2OH")]
    for seed, atoms in enumerate(structures):
        atoms.rattle(0.1, seed=seed)
    structures[1].set_cell(structures[1].cell.array + np.diag([0.1, 0.2, 0.3]))
    for _ in range(2):
        done = drive(port, structures)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert told["name"] == "irrepd"
        assert {">ELEMENTS", "<FORCES", "<STRESS", "EXIT"} <= set(told["commands"])
        for atoms, answer in zip(structures, told["answers"]):
            compare(daemon.url, atoms, answer)
    assert daemon.stop() == 0
    assert log.read_text().count('"reason":"the driver has ended"') == 2


def test_refusals(tmp_path: Path) -> None:
    """A driver is told of a structure without numbers, and the daemon tries again."""
    port, log = free_port(), tmp_path / "log"
    daemon = Daemon(log, "--mdi", f"127.0.0.1:{port},model={MODEL}")
    done = drive(port, [Atoms("Si2", [[0, 0, 0], [0, 0, 0]])])
    assert "nonzero error flag received" in done.stdout + done.stderr
    done = drive(port, [Atoms("Si2", [[0, 0, 0], [0, 0, 2.2]])])
    assert done.returncode == 0, done.stdout + done.stderr
    assert daemon.stop() == 0
    assert re.search(r'"reason":"Atoms 0 and 1 are 0 Angstrom apart', log.read_text())
