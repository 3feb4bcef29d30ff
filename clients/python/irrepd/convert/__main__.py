"""python3 -m irrepd.convert IN OUT"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from irrepd.convert import CARD_FIELDS, convert
from irrepd.convert.adapt import ENERGY_UNITS
from irrepd.convert.detect import KNOWN
from irrepd.errors import FormatError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="irrepd.convert",
        description=f"Turns an upstream checkpoint ({KNOWN}) into an irrepd model file. Runs "
        "nothing from the checkpoint.",
    )
    parser.add_argument("input", metavar="IN", help="checkpoint, e.g. checkpoint_sevennet_0.pth")
    parser.add_argument("output", metavar="OUT", help="model file, e.g. sevennet-0.safetensors")
    parser.add_argument(
        "--modality",
        "--head",
        help="the one fidelity or head to take from a checkpoint that has several; the model keeps "
        "all of them unless given",
    )
    parser.add_argument(
        "--default-head",
        metavar="HEAD",
        help="the head of requests that name none; unless given they are refused",
    )
    parser.add_argument(
        "--dispersion",
        metavar="FUNCTIONAL",
        help="the functional, or METHOD:FUNCTIONAL (d3bj, d3zero), that DFT-D3 is taken with where "
        "a request adds it and names none",
    )
    parser.add_argument(
        "--elements",
        type=lambda text: [int(number) for number in text.split(",")],
        help="atomic numbers that a SchNetPack potential was trained on, e.g. 1,6,8; all that it "
        "has an embedding or reference energy for unless given",
    )
    parser.add_argument(
        "--energy-unit",
        choices=ENERGY_UNITS,
        default="eV",
        help="that a SchNetPack potential was trained in",
    )
    for field in CARD_FIELDS:
        parser.add_argument(f"--{field}", help="entry of the model's card")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    about = {field: getattr(options, field) for field in CARD_FIELDS if getattr(options, field)}
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            card = convert(
                options.input,
                options.output,
                modality=options.modality,
                default_head=options.default_head,
                dispersion=options.dispersion,
                elements=options.elements,
                energy_unit=options.energy_unit,
                about=about,
            )
    except FormatError as error:
        return _refused(f"{options.input}: {error}")
    except OSError as error:
        where = options.input if error.filename == options.input else options.output
        return _refused(f"{where}: {error.strerror or error}")
    elements = len(card["atomic_numbers"])
    heads = f", heads {', '.join(card['heads'])}" if "heads" in card else ""
    print(
        f"{options.output}: {card['architecture']}, {elements} elements, r_max {card['r_max']} A"
        f"{heads}"
    )
    return 0


def _refused(text: str) -> int:
    print(f"irrepd.convert: {_printable(text)}", file=sys.stderr)
    return 2


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"irrepd.convert: warning: {_printable(str(message))}", file=sys.stderr)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


if __name__ == "__main__":
    sys.exit(main())
