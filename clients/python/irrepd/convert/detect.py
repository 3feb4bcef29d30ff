"""Finds out which architecture a checkpoint holds."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np

from irrepd.convert import allegro, mace, nequip, schnetpack, sevennet
from irrepd.errors import FormatError
from irrepd.records import Record

Converter = Callable[[Any, Optional[str]], tuple[dict[str, np.ndarray], dict[str, Any]]]

CONVERTERS: tuple[tuple[str, Callable[[Any], bool], Converter], ...] = (
    ("SevenNet", sevennet.is_sevennet, sevennet.convert),
    ("MACE", mace.is_mace, mace.convert),
    ("SchNetPack (SchNet, SO3net)", schnetpack.is_schnetpack, schnetpack.convert),
    ("NequIP", nequip.is_nequip, nequip.convert),
    ("Allegro", allegro.is_allegro, allegro.convert),
)
KNOWN = ", ".join(name for name, _, _ in CONVERTERS)


def converter_for(checkpoint: Any) -> Converter:
    """The converter of the checkpoint's architecture; FormatError when there is none."""
    for _, is_of_it, converter in CONVERTERS:
        if is_of_it(checkpoint):
            return converter
    if isinstance(checkpoint, Record):
        raise FormatError(f"a pickled '{checkpoint.function}' is not supported; known: {KNOWN}")
    if isinstance(checkpoint, dict):
        keys = ", ".join(key[:40] for key in list(checkpoint)[:8] if isinstance(key, str))
        raise FormatError(f"a checkpoint of an unknown kind (it holds: {keys}); known: {KNOWN}")
    raise FormatError(f"a checkpoint of an unknown kind; known: {KNOWN}")
