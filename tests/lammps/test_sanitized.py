"""The plugin under AddressSanitizer: `make test-lammps SANITIZER=address,undefined`."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from libirrep import Model
from models import model_path
from setups import case_of
from systems import system

pytestmark = pytest.mark.skipif(
    "IRREPD_TEST_SANITIZED" not in os.environ, reason="for a plugin with a sanitizer"
)

STEPS = int(os.environ.get("IRREPD_TEST_STEPS", "10000"))
SPREAD = 1.3  # less dense than what models are made for: a third of the edges to compute

# Hot atoms that cross from rank to rank, which a soft repulsion keeps apart. The lists are built
# again about every sixth step, and atoms change their rank then.
INPUT = """
velocity all create 3000 4928459 loop geom
fix n all nve/limit 0.05
fix t all langevin 3000 3000 0.05 1
timestep 0.001
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
thermo {every}
thermo_style custom step atoms temp pe press
dump d all custom {often} ranks.dump id proc
dump_modify d sort id
run {steps}
"""
OFTEN = 20  # steps between looks at the ranks of atoms


def ranks_of_atoms(path: Path, n: int) -> np.ndarray:
    """[n_frames][n] the rank that has each atom."""
    lines = path.read_text().splitlines()
    frames = [lines[i + 9 : i + 9 + n] for i in range(0, len(lines), 9 + n)]
    return np.array([[int(line.split()[1]) for line in frame] for frame in frames])


def test_a_long_run_is_clean(lammps, tmp_path):
    """10,000 steps of 1,000 atoms: migration, rebuilt lists, a new size of each array."""
    path = model_path("nequip-small")
    model = Model(path)
    crystal = system(model, "crystal", 1).repeated((5, 5, 10)).deformed(SPREAD * np.eye(3))
    case = case_of(model, "crystal", crystal, tmp_path)
    n = len(case.structure.numbers)
    assert n == 1000
    text = case.text("irrep precision single", path)
    text = text.replace("pair_style irrep", "pair_style hybrid/overlay lj/cut 2.0 irrep")
    text = text.replace(
        "pair_coeff * * ", "pair_coeff * * lj/cut 0.5 1.5\npair_coeff * * irrep ", 1
    )
    said = lammps(text + INPUT.format(steps=STEPS, every=max(1, STEPS // 10), often=OFTEN), 2)
    assert f" {STEPS} steps with {n} atoms" in said
    builds = int(re.search(r"Neighbor list builds = (\d+)", said)[1])
    ranks = ranks_of_atoms(tmp_path / "ranks.dump", n)
    moves = int((ranks[1:] != ranks[:-1]).sum())
    seconds = re.search(r"Loop time of (\S+)", said)[1]
    print(
        f"\n{STEPS} steps of {n} atoms on 2 ranks in {seconds} s: "
        f"{builds} lists built, {moves} atoms seen on another rank than {OFTEN} steps before"
    )
    assert len(ranks) == STEPS // OFTEN + 1 and set(ranks.flat) == {0, 1}
    assert builds > STEPS // 10 and moves > STEPS // 10
    assert "ERROR" not in said and "runtime error" not in said
