"""The heads of a model that has several (model_format.h): one is taken, or all are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from irrepd.errors import FormatError

HEADS_MAX = 64
NAME_BYTES_MAX = 63


@dataclass(frozen=True)
class Heads:
    """The heads of a checkpoint, and which of them the model file shall have."""

    names: tuple[str, ...]
    kept: tuple[int, ...]  # their places in the checkpoint
    are_named: bool  # the model file has heads; otherwise its numbers are those of the only one

    @property
    def card(self) -> dict[str, Any]:
        if self.are_named:
            return {"heads": [self.names[i] for i in self.kept]}
        return {"modality": self.names[self.kept[0]]} if len(self.names) > 1 else {}


def unknown(name: str, names: Sequence[str]) -> str:
    """What is said of a name that is not among others."""
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"'{name:.60}' is none{hint}"


def choose(names: Sequence[str], chosen: str | None, option: str) -> Heads:
    """All heads, or the chosen one alone, which then needs no name any more."""
    if chosen is not None and chosen not in names:
        raise FormatError(
            f"choose one of the model's heads with {option} ({', '.join(names)}); "
            f"{unknown(chosen, names)}"
        )
    if chosen is not None or len(names) == 1:
        place = 0 if chosen is None else list(names).index(chosen)
        return Heads(tuple(names), (place,), False)
    _check(names)
    return Heads(tuple(names), tuple(range(len(names))), True)


def _check(names: Sequence[str]) -> None:
    if len(names) > HEADS_MAX:
        raise FormatError(f"{len(names)} heads; a model file has at most {HEADS_MAX}")
    if len(set(names)) != len(names):
        raise FormatError("two heads of one name")
    for name in names:
        if not name or not name.isprintable() or len(name.encode()) > NAME_BYTES_MAX:
            raise FormatError(
                f"a head's name has 1 to {NAME_BYTES_MAX} printable bytes; choose one head"
            )


def set_default(card: dict[str, Any], name: str) -> None:
    """The card's default head."""
    names = card.get("heads")
    if not names:
        raise FormatError("--default-head is for a model that keeps several heads")
    if name not in names:
        raise FormatError(f"--default-head: one of {', '.join(names)}; {unknown(name, names)}")
    card["default_head"] = name
