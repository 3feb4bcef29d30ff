"""Published weights that are tested when they are there; never in git.

IRREPD_TEST_WEIGHTS names their folder, by default shared/models beside the checkout.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = Path(os.environ.get("IRREPD_TEST_WEIGHTS", ROOT.parent / "shared" / "models"))
ANSWERS = ROOT / "tests" / "reference" / "fixtures" / "published"
CONVERTED = ROOT / "build" / "published"
PUBLISHED = {  # name -> file, or folder of matgl's
    "nequix-oam-1": "nequix-oam-1.nqx",
    "nequix-mp-1-pft": "nequix-mp-1-pft.nqx",
    "tensornet-matpes-pbe": "TensorNet-MatPES-PBE-v2025.1-PES",
    "so3net-ani-1x": "SO3Net-ANI-1x-Subset-PES",
}


def weights_of(name: str) -> Path | None:
    """The checkpoint, where it is there."""
    path = WEIGHTS / PUBLISHED[name]
    return path if path.exists() else None


def published_names() -> list[str]:
    """Those with weights and with answers to compare."""
    return [
        name
        for name in PUBLISHED
        if weights_of(name) is not None and (ANSWERS / f"{name}.npz").is_file()
    ]


def published_path(name: str) -> Path:
    """The model file, converted anew where it is missing or older than the converter."""
    source, target = weights_of(name), CONVERTED / f"{name}.safetensors"
    assert source is not None
    package = ROOT / "clients" / "python"
    newest = max(path.stat().st_mtime for path in (package / "irrepd").rglob("*.py"))
    if not target.exists() or target.stat().st_mtime < newest:
        CONVERTED.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f"{name}.{os.getpid()}")
        command = [sys.executable, "-m", "irrepd.convert", str(source), str(fresh), "--name", name]
        environment = {**os.environ, "PYTHONPATH": str(package)}
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        fresh.rename(target)
    return target
