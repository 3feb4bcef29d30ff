"""python3 -m irrepd models: the models that are there, and those that their authors have newer."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from irrepd import safetensors
from irrepd.catalogue import CATALOGUE, Published
from irrepd.errors import FormatError
from irrepd.pull import default_folder
from irrepd.trajectory_command import add_connection, client_of

_HEADS = ("name", "architecture", "elements", "precision", "license", "state", "newer")
_WIDTH_MAX = 44  # characters of a column


def main(_: str, arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.models is not None or options.url is None:
        cards = list(files(Path(options.models or default_folder())))
    else:
        with client_of(options) as client:
            cards = client.models()
    if options.json:
        told = [{**card, "newer": newer(card)} for card in cards]
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return 0
    print(table(cards))
    for text in sorted({warning for card in cards if (warning := _warning(card))}):
        print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd models",
        description="Lists the models of a folder or, with --url, of a daemon: what each is, under "
        "which licence, and which published one its authors put in its place (`irrepd pull`). A "
        "file that is no model is listed with the reason.",
    )
    add = parser.add_argument
    add(
        "--models",
        metavar="FOLDER",
        help="with the model files (IRREPD_MODELS, else build/models of the source tree)",
    )
    add("--json", action="store_true", help="print the cards, with citations, as JSON")
    add_connection(parser)
    return parser


def files(folder: Path) -> Iterable[dict[str, Any]]:
    """The cards of the model files of a folder, by name; of one that is none, what is wrong."""
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}")
    for path in sorted(folder.glob("*.safetensors")):
        if path.stem.endswith(".params"):  # data that models share
            continue
        try:
            yield {**card_of(path), "name": path.stem, "state": "file"}
        except (FormatError, OSError) as error:
            yield {"name": path.stem, "state": str(error)}


def card_of(path: Path) -> dict[str, Any]:
    """What a model file says of itself, of which only the header is read."""
    text = safetensors.read_metadata(path).get("irrepd")
    if text is None:
        raise FormatError("not a model file")
    try:
        card = json.loads(text)
    except (RecursionError, ValueError):
        card = None
    if not isinstance(card, dict):
        raise FormatError("its card is no JSON object")
    return card


def newer(card: Mapping[str, Any]) -> str | None:
    """The published model that takes the place of this one, or its own name where the published
    checkpoint is another than the one that it was made of."""
    entry = next((e for e in CATALOGUE if e.name == card.get("name")), None)
    if entry is None:
        return None
    return entry.name if _has_changed(entry, card) else entry.successor


def _has_changed(entry: Published, card: Mapping[str, Any]) -> bool:
    made_of = card.get("sha256_source")
    published = entry.parts[-1].sha256 if entry.parts else entry.sha256
    return published is not None and made_of is not None and made_of != published


def table(cards: Sequence[Mapping[str, Any]]) -> str:
    rows = [_HEADS, *(_row(card) for card in cards)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _row(card: Mapping[str, Any]) -> tuple[str, ...]:
    kind = card.get("variant") or card.get("architecture") or ""
    numbers = card.get("atomic_numbers")
    elements = str(len(numbers)) if isinstance(numbers, list) else ""
    parts = (
        card.get("name"), kind, elements, card.get("precision"), card.get("license"),
        card.get("state"), newer(card),
    )  # fmt: skip
    return tuple(_cell(part) for part in parts)


def _cell(value: Any) -> str:
    """One line of bounded width: a card's texts are whatever somebody wrote."""
    text = "".join(letter if letter.isprintable() else "?" for letter in str(value or ""))
    return text if len(text) <= _WIDTH_MAX else text[: _WIDTH_MAX - 3] + "..."


def _warning(card: Mapping[str, Any]) -> str | None:
    name = card.get("name")
    entry = next((e for e in CATALOGUE if e.name == name), None)
    return f"{name}: {entry.warning}" if entry and entry.warning else None
