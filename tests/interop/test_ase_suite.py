"""ASE's own tests of sockets, dynamics, optimisers and bands, with the calculator exchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MODULES = """
calculator.socketio.test_ipi_protocol_bfgs calculator.socketio.test_python_interface
calculator.test_fd
filter.test_strain_emt md.test_md md.test_rng neb.test_shared_calculator_neb optimize.test_nsteps
optimize.test_replay test_potential_energies
""".split()
N_TESTS = 26


@pytest.mark.skipif(
    "IRREPD_TEST_DAEMON" in os.environ, reason="long, and nothing new to a sanitizer"
)
def test_tests_of_ase(server_url: str, tmp_path: Path) -> None:
    here = Path(__file__).parent
    paths = [str(here), str(here.parents[1] / "clients" / "python")]
    environment = {**os.environ, "IRREPD_URL": server_url, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "ase_suite", "-p", "no:cacheprovider"]
    # Of the moments that bulk("Ni") begins with; ASE's tests take any warning for an error.
    ignored = ["-W", "ignore:what atoms have as initial magnetic moments:UserWarning"]
    options = [*ignored, "-c", os.devnull, "--rootdir", str(tmp_path), "--tb=short", "--pyargs"]
    done = subprocess.run(
        [*command, *options, *(f"ase.test.{module}" for module in MODULES)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(rf"^{N_TESTS} passed(?!.*skipped)", done.stdout.splitlines()[-1]), done.stdout
