"""What the options of matgl's models have in common."""

from __future__ import annotations

from irrepd.convert.nequip_model import SYMBOLS
from irrepd.convert.state import Config, described
from irrepd.errors import FormatError


def numbers_of(config: Config) -> list[int]:
    """The atomic numbers of the elements, in the order of the embedding."""
    numbers = []
    for symbol in config.get("element_types"):
        if not isinstance(symbol, str) or symbol not in SYMBOLS:
            raise FormatError(f"option 'element_types' has {described(symbol)}, no element")
        numbers.append(SYMBOLS.index(symbol) + 1)
    if len(set(numbers)) != len(numbers):
        raise FormatError("option 'element_types' has an element twice")
    return numbers


def check_extensive(config: Config) -> None:
    """The energy is one number, a sum over the atoms, that no state of the structure enters."""
    config.choice("task_type", ["regression"], "regression")
    config.integer("ntargets", 1, 1, 1)
    if config.flag("include_state", False):
        raise FormatError("option 'include_state': states of a structure are not supported")
    if config.flag("is_intensive", True):
        raise FormatError("option 'is_intensive': the energy must be a sum over the atoms")
