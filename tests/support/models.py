"""Which model files the tests run on."""

from __future__ import annotations

import os
from pathlib import Path

from published import PUBLISHED, published_path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("IRREPD_TEST_MODELS_ALL", ROOT / "build" / "models-all"))
DEFAULT = Path(os.environ.get("IRREPD_TEST_MODELS", ROOT / "build" / "models"))
COMMITTED = ROOT / "tests" / "reference" / "fixtures"  # small models of every architecture


def committed_names() -> list[str]:
    """Models beside their references, as ARCHITECTURE/NAME."""
    paths = COMMITTED.glob("*/*.safetensors")
    return sorted(f"{path.parent.name}/{path.stem}" for path in paths)


def model_path(name: str) -> Path:
    """The file of a model: from the folder of all models, else from the others."""
    if name in PUBLISHED:
        return published_path(name)
    for folder in (FOLDER, DEFAULT, COMMITTED):
        path = folder / f"{name}.safetensors"
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{name}.safetensors in none of {FOLDER}, {DEFAULT}, {COMMITTED}: make models-all"
    )


def served_names(folder: Path) -> list[str]:
    """The models that a daemon finds in a folder: not the data that models share."""
    return sorted(p.stem for p in folder.glob("*.safetensors") if not p.stem.endswith(".params"))


def model_names() -> list[str]:
    """Every model in these folders; one in the first two is expected."""
    names = {name for folder in (FOLDER, DEFAULT) for name in served_names(folder)}
    return [*(sorted(names) or ["sevennet-0"]), *committed_names()]
