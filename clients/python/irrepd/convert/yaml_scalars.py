"""The scalars of a YAML file as OmegaConf and PyYAML write it: block mappings, one key a line.

No reader of YAML: whatever else there is (lists, text of several lines, flow mappings, anchors) is
passed over, and gives no scalar. So what is found is in the file; what is not found may be too.
"""

from __future__ import annotations

import re

LINES_MAX = 1 << 15
DEPTH_MAX = 64

_LINE = re.compile(r"""( *)([A-Za-z_][\w.\-]*|'[^'"]*'|"[^'"\\]*"):(?: +(.*))?""")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", re.ASCII)


def scalars_of(text: str) -> dict[tuple[str, ...], str]:
    """Values by the path of their keys, as they are written; a key that comes twice is left out."""
    found: dict[tuple[str, ...], str] = {}
    twice: set[tuple[str, ...]] = set()
    open_keys: list[tuple[int, str]] = []  # with their indentation
    for line in text.split("\n", LINES_MAX)[:LINES_MAX]:
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            if line.strip() and not line.lstrip().startswith("#"):
                indent = len(line) - len(line.lstrip())
                open_keys = [key for key in open_keys if key[0] < indent]
            continue
        indent, key, value = len(match[1]), match[2].strip("'\""), match[3]
        open_keys = [outer for outer in open_keys if outer[0] < indent]
        path = (*(outer for _, outer in open_keys), key)
        if value is None:
            if len(open_keys) < DEPTH_MAX:
                open_keys.append((indent, key))
        elif path in found or path in twice:
            found.pop(path, None)
            twice.add(path)
        else:
            found[path] = value.strip("'\"")
    return found


def number_of(value: str | None) -> float | None:
    """A scalar as a number; None for anything else."""
    if value is None or len(value) > 40 or not _NUMBER.fullmatch(value):
        return None
    return float(value)
