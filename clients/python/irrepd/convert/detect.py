"""Finds out which architecture a checkpoint holds."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from irrepd.convert import allegro, mace, nequip, schnetpack, sevennet
from irrepd.errors import FormatError
from irrepd.records import Record, Tensor

Converter = Callable[[Any, Optional[str]], tuple[dict[str, np.ndarray], dict[str, Any]]]

CONVERTERS: tuple[tuple[str, Callable[[Any], bool], Converter], ...] = (
    ("SevenNet", sevennet.is_sevennet, sevennet.convert),
    ("MACE", mace.is_mace, mace.convert),
    ("SchNetPack (SchNet, PaiNN, SO3net)", schnetpack.is_schnetpack, schnetpack.convert),
    ("NequIP", nequip.is_nequip, nequip.convert),
    ("Allegro", allegro.is_allegro, allegro.convert),
)
KNOWN = ", ".join([*(name for name, _, _ in CONVERTERS), "Nequix", "matgl (TensorNet)"])


def converter_for(checkpoint: Any) -> Converter:
    """The converter of the checkpoint's architecture; FormatError when there is none."""
    for _, is_of_it, converter in CONVERTERS:
        if is_of_it(checkpoint):
            return converter
    if isinstance(checkpoint, Record):
        raise FormatError(f"a pickled '{checkpoint.function}' is not supported; known: {KNOWN}")
    if isinstance(checkpoint, dict):
        raise FormatError(_kind_of_dictionary(checkpoint))
    raise FormatError(f"a checkpoint of an unknown kind; known: {KNOWN}")


def _kind_of_dictionary(checkpoint: dict[Any, Any]) -> str:
    """What it is and what to do, as far as its keys tell."""
    if checkpoint and all(isinstance(value, Tensor) for value in checkpoint.values()):
        return (
            "weights alone, without the options of their model (a state dict, such as nequip's "
            "best_model.pth before 0.7): convert the file that holds both"
        )
    if {"model", "optimizer", "lr_scheduler"} <= set(checkpoint):
        return (
            "a checkpoint of mace's training, which holds weights alone: convert the .model file "
            "that mace_run_train writes beside it"
        )
    if "pytorch-lightning_version" in checkpoint:
        return (
            "a Lightning checkpoint that is not of nequip-train. Of SchNetPack's training, convert "
            "the potential that it saves (best_model)"
        )
    if isinstance(checkpoint.get("model"), dict) and "@class" in checkpoint["model"]:
        return "matgl's model.pt, which holds no weights: convert the folder that it lies in"
    config = checkpoint.get("config")
    if "model_state_dict" in checkpoint and isinstance(config, dict) and "type_map" in config:
        return "a checkpoint of sevenn before 0.9, which is not supported"
    keys = ", ".join(key[:40] for key in list(checkpoint)[:8] if isinstance(key, str))
    return f"a checkpoint of an unknown kind (it holds: {keys}); known: {KNOWN}"
