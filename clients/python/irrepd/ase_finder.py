"""Lets ASE find the calculator by its name as soon as the package is installed.

`get_calculator_class("irrepd")` imports ase.calculators.irrepd. An installation has a file
irrepd-ase.pth that imports this module when Python starts, which is why it imports nothing.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing is not imported at Python's start
if TYPE_CHECKING:
    from typing import Any

NAME = "ase.calculators.irrepd"


class Finder:
    """Finds one module, in irrepd/ase_calculator.py."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
        if name != NAME:
            return None
        from importlib.util import spec_from_file_location

        return spec_from_file_location(name, __file__.replace("ase_finder", "ase_calculator"))


if Finder not in sys.meta_path:
    sys.meta_path.append(Finder)  # type: ignore[arg-type]
