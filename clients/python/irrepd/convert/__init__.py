"""Turns upstream checkpoints into model files; needs numpy only and runs nothing from the file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Union

import numpy as np

from irrepd import pickles, safetensors
from irrepd.archives import Archive
from irrepd.errors import FormatError

__all__ = ["FormatError", "convert"]

Path = Union[str, "os.PathLike[str]"]
CARD_FIELDS = ("name", "description", "source", "license", "citation")


def convert(
    source: Path,
    target: Path,
    *,
    modality: str | None = None,
    default_head: str | None = None,
    dispersion: str | None = None,
    elements: Sequence[int] | None = None,
    energy_unit: str = "eV",
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes the model file of a checkpoint and returns its card; FormatError when refused.

    modality: the one head to take of a checkpoint that has several; otherwise all are kept, and
    default_head is that of requests that name none.
    dispersion: the functional of the card, such as "r2scan" or "d3zero:pbe": what DFT-D3 is taken
    where a request adds it and names none; the daemon knows which there are.
    elements, energy_unit: of a SchNetPack potential, which does not tell (adapt.py).
    about: entries of the card that the checkpoint cannot tell (CARD_FIELDS, training).
    """
    from irrepd.convert import matgl, nequix
    from irrepd.convert.adapt import adapt
    from irrepd.convert.detect import converter_for
    from irrepd.convert.heads import set_default

    weights = matgl.weights_of(source) if matgl.is_matgl(source) else source
    if os.path.exists(target) and os.path.exists(weights) and os.path.samefile(weights, target):
        raise FormatError("the model file would take the place of the checkpoint")
    if matgl.is_matgl(source):
        tensors, card = matgl.convert(source, modality)
    elif nequix.is_nequix(source):
        tensors, card = nequix.convert(source, modality)
    else:
        with Archive(source) as archive:
            checkpoint = pickles.load(archive)
            tensors, card = converter_for(checkpoint)(checkpoint, modality)
    adapt(tensors, card, elements, energy_unit)
    if dispersion is not None:
        card["dispersion"] = dispersion_of(dispersion)
    if default_head is not None:
        set_default(card, default_head)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise FormatError(f"tensor '{name}' overflows")
    card["sha256_source"] = _sha256(weights)
    for key, value in (about or {}).items():
        if key == "training":
            card[key] = {**card.get(key, {}), **value}
        elif key in CARD_FIELDS:
            card[key] = value
        else:
            raise ValueError(f"'{key}' is no field of the card")
    text = json.dumps(card, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safetensors.write(target, tensors, {"irrepd": text})
    return card


def dispersion_of(text: str) -> dict[str, str]:
    """What a card says of dispersion: of "FUNCTIONAL", with d3bj, or "METHOD:FUNCTIONAL"."""
    method, colon, functional = text.rpartition(":")
    method = method if colon else "d3bj"
    if method not in ("d3bj", "d3zero") or not 0 < len(functional.encode()) < 64:
        raise FormatError(
            f"--dispersion takes FUNCTIONAL, d3bj:FUNCTIONAL or d3zero:FUNCTIONAL, not '{text:.60}'"
        )
    return {"method": method, "functional": functional}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
