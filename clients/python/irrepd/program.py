"""Where the daemon's program is; the command `irrepd` of a wheel that carries it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

CARRIED = Path(__file__).resolve().parent / "bin" / "irrepd"
TREE = Path(__file__).resolve().parents[3] / "build"


def find(daemon: str | os.PathLike[str] | None = None) -> Path:
    """The one that is named, by the argument or IRREPD_DAEMON; else that of the package, of the
    PATH, or of the source tree. FileNotFoundError: there is none that may be run."""
    named = daemon or os.environ.get("IRREPD_DAEMON")
    if not named:
        named = CARRIED if CARRIED.exists() else shutil.which("irrepd")
    path = Path(named or TREE / "irrepd").resolve()
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(
            f"no daemon at {path}: name it by daemon= or IRREPD_DAEMON, or put irrepd on the PATH"
        )
    return path


def main() -> None:
    """Becomes the daemon that the package carries, with the same arguments."""
    os.execv(CARRIED, ["irrepd", *sys.argv[1:]])
