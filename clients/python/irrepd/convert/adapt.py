"""What a SchNetPack potential does not say of itself: its unit of energy, and its elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from irrepd.errors import FormatError

ARCHITECTURES = ("schnet", "painn", "so3net")

# In eV; CODATA 2018.
ENERGY_UNITS = {
    "eV": 1.0,
    "meV": 1e-3,
    "Ha": 27.211386245988,
    "kcal/mol": 4184 / (6.02214076e23 * 1.602176634e-19),
    "kJ/mol": 1000 / (6.02214076e23 * 1.602176634e-19),
}


def adapt(
    tensors: dict[str, np.ndarray],
    card: dict[str, Any],
    elements: Sequence[int] | None,
    energy_unit: str,
) -> None:
    """Keeps the given atomic numbers only, and turns energies from the given unit into eV."""
    if elements is None and energy_unit == "eV":
        return
    if card["architecture"] not in ARCHITECTURES:
        raise FormatError("elements and units are given for SchNetPack's potentials only")
    if energy_unit not in ENERGY_UNITS:
        known = ", ".join(ENERGY_UNITS)
        raise FormatError(f"energies in '{energy_unit}' are not supported; known: {known}")
    for name in ("scale", "shift"):
        tensors[name] = tensors[name] * ENERGY_UNITS[energy_unit]
    if elements is not None:
        numbers = card["atomic_numbers"]
        missing = [number for number in elements if number not in numbers]
        if missing or not elements:
            raise FormatError(f"the checkpoint does not have the elements {missing}")
        kept = [number for number in numbers if number in elements]
        rows = [numbers.index(number) for number in kept]
        for name in ("embedding.weight", "scale", "shift"):
            tensors[name] = tensors[name][rows]
        card["atomic_numbers"] = kept
