"""Finds out which architecture a checkpoint holds."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from irrepd.convert import mace, schnetpack, sevennet
from irrepd.errors import FormatError
from irrepd.records import Record

KNOWN = "SevenNet, MACE, SchNetPack (SchNet, SO3net)"

Converter = Callable[
    [dict[str, Any], Optional[str]], tuple[dict[str, np.ndarray], dict[str, Any]]
]


def converter_for(checkpoint: Any) -> Converter:
    """The converter of the checkpoint's architecture; FormatError when there is none."""
    if sevennet.is_sevennet(checkpoint):
        return sevennet.convert
    if mace.is_mace(checkpoint):
        return mace.convert
    if schnetpack.is_schnetpack(checkpoint):
        return schnetpack.convert
    if isinstance(checkpoint, Record):
        raise FormatError(f"a pickled '{checkpoint.function}' is not supported; known: {KNOWN}")
    if isinstance(checkpoint, dict):
        keys = ", ".join(key[:40] for key in list(checkpoint)[:8] if isinstance(key, str))
        raise FormatError(f"a checkpoint of an unknown kind (it holds: {keys}); known: {KNOWN}")
    raise FormatError(f"a checkpoint of an unknown kind; known: {KNOWN}")
