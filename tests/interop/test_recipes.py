"""The README's recipes of the chapter 'Use it from ...' run as they are pasted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "http://127.0.0.1:8421"
CHAPTER = re.search(r"\n## Use it from.*?(?=\n## )", (ROOT / "README.md").read_text(), re.DOTALL)
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", CHAPTER[0] if CHAPTER else "", re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [text for language, text in BLOCKS if not language and "clients/" in text]
SHELL = [text for text in SHELL if "i-pi " not in text]  # test_ipi.py has its example


def run(command: list[str], **environment: str) -> str:
    more = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    path = {"PYTHONPATH": str(ROOT / "clients" / "python"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **more, **path, **environment},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_there_are_recipes() -> None:
    assert len(PYTHON) >= 4 and len(SHELL) >= 3


@pytest.mark.parametrize("text", PYTHON)
def test_python(text: str, server_url: str, tmp_path: Path) -> None:
    for package in ("phonopy", "distributed"):
        if package in text:
            pytest.importorskip(package)
    start = f"URL = {server_url!r}\n"
    with_url = text.replace(f'"{DEFAULT}"', "URL").replace(
        'evaluate(cells, precision="float64")', 'evaluate(cells, client=URL, precision="float64")'
    )
    with_url = with_url.replace(f'"{DEFAULT[7:]}"', "URL[7:]")
    daemon = os.environ.get("IRREPD_TEST_DAEMON", str(ROOT / "build" / "irrepd"))
    tmp_path.chmod(0o700)
    run([sys.executable, "-c", start + with_url], IRREPD_DAEMON=daemon, TMPDIR=str(tmp_path))


@pytest.mark.parametrize("text", SHELL)
def test_shell(text: str, server_url: str, tmp_path: Path) -> None:
    if "mpicc" in text and not shutil.which("mpicc"):
        pytest.skip("needs liblammps-dev")
    if "lammps.py" in text:
        pytest.importorskip("lammps")
        text = text.replace("--steps", f"--url {server_url} --steps")
    if "pkg-config" in text:
        found = subprocess.run(["pkg-config", "--exists", "libcurl"], check=False)
        if found.returncode != 0:
            pytest.skip("needs libcurl4-gnutls-dev")
    text = text.replace("build/", f"{tmp_path}/").replace(DEFAULT, server_url)
    text = text.replace("python3 ", f"{sys.executable} ").replace(" 200", " 5")
    run(["bash", "-ec", text])
