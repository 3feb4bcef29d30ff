"""What the tests do to files of nequip and nequip-allegro before they convert them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def stored(source: Path, target: Path) -> Path:
    """A package without compression, as nequip-package stores it."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return target


def put(path: str, value: Any) -> Callable[[Any], None]:
    """Sets an option of the model's configuration."""

    def change(checkpoint: Any) -> None:
        *parents, last = path.split("/")
        target = checkpoint["hyper_parameters"]["model"]
        for parent in parents:
            target = target[parent]
        target[last] = value

    return change


def without(name: str) -> Callable[[Any], None]:
    return lambda checkpoint: checkpoint["state_dict"].pop(name)


def modified(modifier: str) -> Callable[[Any], None]:
    def change(checkpoint: Any) -> None:
        parameters = checkpoint["hyper_parameters"]
        parameters["model"] = {
            "_target_": "nequip.model.modify",
            "modifiers": [{"modifier": modifier}],
            "model": parameters["model"],
        }

    return change
