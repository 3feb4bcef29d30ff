"""Which model files the tests run on."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("IRREPD_TEST_MODELS_ALL", ROOT / "build" / "models-all"))
DEFAULT = Path(os.environ.get("IRREPD_TEST_MODELS", ROOT / "build" / "models"))


def model_path(name: str) -> Path:
    """The file of a model: from the folder of all models, else from that of the default ones."""
    for folder in (FOLDER, DEFAULT):
        path = folder / f"{name}.safetensors"
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{name}.safetensors in neither {FOLDER} nor {DEFAULT}: make models-all"
    )


def model_names() -> list[str]:
    """Every model in the two folders; there must be one."""
    names = {path.stem for folder in (FOLDER, DEFAULT) for path in folder.glob("*.safetensors")}
    return sorted(names) or ["sevennet-0"]
