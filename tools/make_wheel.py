#!/usr/bin/env python3
"""Packs the Python package and the daemon with its libraries into one wheel.

    build/venv-package/bin/python tools/make_wheel.py build/irrepd build/dist

The pure wheel of clients/python, with the daemon as irrepd/bin/irrepd, a command `irrepd` that
starts it, and the licences of the libraries; auditwheel puts the libraries in and names the oldest
Linux that it runs on. Times of files come from SOURCE_DATE_EPOCH.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "clients" / "python"
DOCUMENTS = Path("/usr/share/doc")
COMMAND = "\n[console_scripts]\nirrepd = irrepd.program:main\n"
# What every manylinux system has.
SYSTEM = re.compile(r"lib(c|m|stdc\+\+|gcc_s)\.so")


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"make_wheel: {command[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def tool(name: str) -> Path:
    return Path(sysconfig.get_path("scripts")) / name


def pure_wheel(scratch: Path) -> Path:
    """Built from a copy, for setuptools leaves things behind."""
    copy = scratch / "source"
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copy(ROOT / "LICENSE", copy)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", scratch, copy)
    return next(scratch.glob("*.whl"))


def library_packages(program: Path) -> set[str]:
    """The Debian packages of the libraries that go into the wheel."""
    paths = re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", program), flags=re.M)
    found = set()
    for name, path in paths:
        if not SYSTEM.match(name):
            owner = run("dpkg-query", "--search", Path(path).resolve().relative_to("/usr"))
            found.add(owner.split(":")[0])
    return found


def add_licences(info: Path, program: Path) -> None:
    folder = info / "licenses"
    for package in sorted(library_packages(program)):
        text = DOCUMENTS / package / "copyright"
        if text.is_file():  # minimal systems leave them out
            (folder / "libraries").mkdir(parents=True, exist_ok=True)
            shutil.copy(text, folder / "libraries" / package)


def add_daemon(tree: Path, program: Path) -> None:
    """Changes an unpacked pure wheel into one for this platform that carries the daemon."""
    info = next(tree.glob("*.dist-info"))
    target = tree / "irrepd" / "bin" / "irrepd"
    target.parent.mkdir()
    run("strip", "-o", target, program)
    target.chmod(0o755)
    with (info / "entry_points.txt").open("a") as entries:
        entries.write(COMMAND)
    platform = sysconfig.get_platform().replace("-", "_")
    wheel = info / "WHEEL"
    text = wheel.read_text().replace("Root-Is-Purelib: true", "Root-Is-Purelib: false")
    wheel.write_text(text.replace("Tag: py3-none-any", f"Tag: py3-none-{platform}"))
    add_licences(info, program)


def main() -> int:
    parser = argparse.ArgumentParser(description="Packs the daemon into a wheel.")
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="irrepd-wheel-") as name:
        scratch = Path(name)
        run(tool("wheel"), "unpack", "--dest", scratch / "unpacked", pure_wheel(scratch))
        tree = next((scratch / "unpacked").iterdir())
        add_daemon(tree, options.program)
        (scratch / "packed").mkdir()
        run(tool("wheel"), "pack", "--dest-dir", scratch / "packed", tree)
        packed = next((scratch / "packed").iterdir())
        for old in options.folder.glob("irrepd-*.whl"):
            old.unlink()
        run(tool("auditwheel"), "repair", "--wheel-dir", options.folder, packed)
    print(next(options.folder.glob("irrepd-*.whl")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
