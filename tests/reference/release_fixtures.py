"""Writes fixtures/releases/: files of old and new releases of each code, and their own answers.

    python3 tests/reference/release_fixtures.py [NAME ..]

makes one environment with torch below build/releases/, puts the packages of each release into a
folder of its own, without their dependencies, and runs release_CODE.py with it on PYTHONPATH. Takes
about half an hour on two cores. The oldest releases are those that PyPI has and that run with
Python 3.11 and this torch; nequip before 0.7 and schnetpack before 2.0 have another kind of file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "releases"
TORCH = "torch==2.13.0"
COMMON = (
    "numpy==2.4.6 ase==3.29.0 matscipy==1.3.1 lightning==2.6.6 torchmetrics==1.9.0 hydra-core "
    "omegaconf lmdb tqdm pyyaml pandas requests scikit-learn braceexpand packaging "
    "torch_geometric opt_einsum opt_einsum_fx torch-ema prettytable configargparse GitPython h5py "
    "python-hostlist orjson hydra-colorlog rich fasteners dirsync tensorboardX progressbar2"
).split()
# Name: the script, and the packages of a release.
RELEASES = {
    "nequip-0.7": ("nequip", "nequip==0.7.0 nequip-allegro==0.4.0 e3nn==0.5.8"),
    "nequip-0.12": ("nequip", "nequip==0.12.1 nequip-allegro==0.7.1 e3nn==0.5.8"),
    "nequip-0.16": ("nequip", "nequip==0.16.0 nequip-allegro==0.8.0 e3nn==0.5.9"),
    "nequip-0.19": ("nequip", "nequip==0.19.1 nequip-allegro==0.8.3 e3nn==0.6.0"),
    "mace-0.3.3": ("mace", "mace-torch==0.3.3 e3nn==0.4.4"),
    "mace-0.3.6": ("mace", "mace-torch==0.3.6 e3nn==0.4.4"),
    "mace-0.3.16": ("mace", "mace-torch==0.3.16 e3nn==0.4.4"),
    "schnetpack-2.0": ("schnetpack", "schnetpack==2.0.0"),
    "schnetpack-2.1": ("schnetpack", "schnetpack==2.1.1"),
    "sevenn-0.9": ("sevennet", "sevenn==0.9.3.post1 e3nn==0.5.8"),
    "sevenn-0.10": ("sevennet", "sevenn==0.10.4 e3nn==0.5.8"),
    "sevenn-0.13": ("sevennet", "sevenn==0.13.0 e3nn==0.6.0"),
}


def pip(python: Path, *arguments: str) -> None:
    subprocess.run([python, "-m", "pip", "install", "--quiet", *arguments], check=True)


def environment() -> Path:
    """The interpreter with what all releases need; torch first, so that nothing pulls another."""
    python = BUILD / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", BUILD / "venv"], check=True)
        pip(python, TORCH)
        pip(python, TORCH, *COMMON)
    return python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RELEASES))
    python = environment()
    for name in parser.parse_args().names or RELEASES:
        script, packages = RELEASES[name]
        folder = BUILD / name
        if not folder.exists():
            pip(python, "--no-deps", "--target", str(folder), *packages.split())
        paths = {**os.environ, "PYTHONPATH": str(folder), "PYTHONWARNINGS": "ignore"}
        subprocess.run([python, HERE / f"release_{script}.py"], check=True, env=paths)


if __name__ == "__main__":
    main()
