"""The plugin under AddressSanitizer: `make test-lammps SANITIZER=address,undefined`."""

from __future__ import annotations

import os
import re

import pytest
from libirrep import Model
from models import model_path
from setups import case_of
from systems import system

pytestmark = pytest.mark.skipif(
    "IRREPD_TEST_PLUGIN" not in os.environ, reason="for a plugin with a sanitizer"
)

STEPS = int(os.environ.get("IRREPD_TEST_STEPS", "10000"))

# Hot atoms that cross from rank to rank, which a soft repulsion keeps apart.
INPUT = """
velocity all create 3000 4928459 loop geom
fix n all nve/limit 0.05
fix t all langevin 3000 3000 0.05 1
timestep 0.001
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
thermo {every}
thermo_style custom step atoms temp pe press
run {steps}
"""


def test_a_long_run_is_clean(lammps, tmp_path):
    """10,000 steps of 1,000 atoms: migration, rebuilt lists, a new size of each array."""
    path = model_path("nequip-small")
    model = Model(path)
    case = case_of(model, "crystal", system(model, "crystal", 1).repeated((5, 5, 10)), tmp_path)
    assert len(case.structure.numbers) == 1000
    text = case.text("irrep precision single", path)
    text = text.replace("pair_style irrep", "pair_style hybrid/overlay lj/cut 2.0 irrep")
    text = text.replace(
        "pair_coeff * * ", "pair_coeff * * lj/cut 0.5 1.5\npair_coeff * * irrep ", 1
    )
    said = lammps(text + INPUT.format(steps=STEPS, every=max(1, STEPS // 10)), 2)
    n = len(case.structure.numbers)
    assert "Loop time of" in said and f" {STEPS} steps with {n} atoms" in said
    assert int(re.search(r"Neighbor list builds = (\d+)", said)[1]) > STEPS // 100
    assert "ERROR" not in said and "runtime error" not in said and "LeakSanitizer" not in said
