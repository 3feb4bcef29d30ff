"""What `make install` lays out, below a folder of the tests, and what `make wheel deb` wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from daemon import MODELS, ROOT

__all__ = ["BUILD", "DIST", "MODELS", "PREFIX", "ROOT", "install", "only", "run"]

BUILD = ROOT / "build"
DIST = BUILD / "dist"
PREFIX = "/usr/local"


def run(*command: object, **options: object) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=300,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return str(done.stdout)


def install(folder: Path) -> Path:
    """Installs what is built; the folder that stands for PREFIX."""
    run("tools/install.sh", "build", folder, PREFIX, f"{PREFIX}/lib", cwd=ROOT)
    return folder / PREFIX.lstrip("/")


def only(pattern: str) -> Path:
    """The package of build/dist/ with such a name."""
    found = sorted(DIST.glob(pattern))
    assert len(found) == 1, f"make wheel deb writes one {pattern} to {DIST}; there is {found}"
    return found[0]
