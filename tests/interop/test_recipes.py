"""The Python of README.md and docs/, and the recipes of docs/clients.md, run as they are pasted."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import ase.io
import pytest
from ase.build import bulk

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = "http://127.0.0.1:8421"
CHAPTER = (ROOT / "docs" / "clients.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", CHAPTER, re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES.append(ROOT / "clients" / "python" / "README.md")
PYTHON = list(
    dict.fromkeys(
        text
        for page in PAGES
        for text in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    )
)
SHELL = [text for language, text in BLOCKS if not language and "clients/" in text]
ENGINES = [text for text in SHELL if "build/irrepd --models" in text]  # with a daemon of their own
SHELL = [text for text in SHELL if text not in ENGINES]


def run(command: list[str], cwd: Path = ROOT, **environment: str) -> str:
    more = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    path = {"PYTHONPATH": str(ROOT / "clients" / "python"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **more, **path, **environment},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_there_are_recipes() -> None:
    assert len(PYTHON) >= 8 and len(SHELL) >= 3 and len(ENGINES) == 2


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
    if "-llammps" in text and not Path("/usr/include/lammps/library.h").exists():
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


@pytest.mark.parametrize("text", ENGINES)
def test_engines(text: str, tmp_path: Path) -> None:
    """In a copy of what they write to, at an address of their own."""
    (tmp_path / "build").symlink_to(ROOT / "build")
    shutil.copytree(ROOT / "clients", tmp_path / "clients")
    example, name = tmp_path / "clients" / "ipi" / "silicon.xml", f"irrepd-test-{os.getpid()}"
    example.write_text(example.read_text().replace("<address>silicon<", f"<address>{name}<"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    text = text.replace("unix:silicon", f"unix:{name}").replace("8021", port)
    daemon = os.environ.get("IRREPD_TEST_DAEMON", "build/irrepd")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with subprocess.Popen(
        ["bash", "-ec", text.replace("build/irrepd --models", f"{daemon} --models")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            assert shell.wait(120) == 0
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # the daemon, which stays
        assert shell.stdout is not None
        said = shell.stdout.read()
    assert "I-PI reports success" in said or "energy (eV) -1" in said


def test_command_line(server_url: str, tmp_path: Path) -> None:
    """The commands in the text of **The shell**."""
    (text,) = re.findall(r"\*\*The shell\*\*: `(.*?)`", CHAPTER)
    frames = [bulk("Si", a=5.3 + 0.01 * i) for i in range(5)]
    ase.io.write(tmp_path / "huge.extxyz", frames)
    command = text.replace("python3", sys.executable).split()
    run([*command, "--url", server_url], cwd=tmp_path)
    done = tmp_path / "done.extxyz"
    whole = done.read_bytes()
    assert len(ase.io.read(done, ":")) == 5
    done.rename(tmp_path / "done.extxyz.part")
    run([*command, "--url", server_url, "--resume"], cwd=tmp_path)
    assert done.read_bytes() == whole
