#!/usr/bin/env python3
"""Writes the version of the file VERSION to every file that has to carry it.

    tools/version.py            writes it
    tools/version.py --check    prints FILE: MESSAGE for every file that has another

tools/lint.py checks too. What make makes takes it from VERSION. Needs only the standard library.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

# FILE: what surrounds the version there. <V> stands for the version, <0>, <1>, <2> for its numbers.
PLACES = {
    "include/irrep/version.h": (
        "#define IRREP_VERSION_MAJOR <0>\n",
        "#define IRREP_VERSION_MINOR <1>\n",
        "#define IRREP_VERSION_PATCH <2>\n",
        '#define IRREP_VERSION "<V>"\n',
        ', e.g. "<V>"',
    ),
    "clients/python/irrepd/__init__.py": ('\n__version__ = "<V>"\n',),
    "server/page/openapi.json": ('\n  "version": "<V>",\n',),
    "CITATION.cff": ("\nversion: <V>\n",),
    "docker/Dockerfile": ("\nARG VERSION=<V>\n",),
    "docker/compose.yaml": ("image: ${IRREPD_IMAGE:-irrepd:<V>}",),
    "docker/kubernetes/base/kustomization.yaml": ("newTag: <V>\n",),
}
# What is written for people says it where it likes, in these files.
WRITING = ("README.md", "docs/**/*.md")
WRITTEN = ("irrepd:<V>",)


def read_version(root: Path) -> str:
    """The content of VERSION: three numbers."""
    text = (root / "VERSION").read_text()
    if not re.fullmatch(r"\d+\.\d+\.\d+\n", text):
        raise ValueError(f"VERSION: {text!r} is not three numbers and a newline")
    return text.strip()


def pattern_of(place: str) -> re.Pattern[str]:
    """Finds a place with any version in it."""
    return re.compile(re.sub("<[012]>", r"\\d+", re.escape(place).replace("<V>", r"\d+\.\d+\.\d+")))


def filled(place: str, version: str) -> str:
    text = place.replace("<V>", version)
    for i, number in enumerate(version.split(".")):
        text = text.replace(f"<{i}>", number)
    return text


def updated(text: str, places: tuple[str, ...], version: str) -> tuple[str, list[str]]:
    """The text with the version at each place, and the places that it does not have."""
    missing = []
    for place in places:
        wanted = filled(place, version)
        text, n = pattern_of(place).subn(lambda _, wanted=wanted: wanted, text)
        if n == 0:
            missing.append(place.strip())
    return text, missing


def files(root: Path) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Each file with its places, and whether it has to have them."""
    for name, places in PLACES.items():
        yield name, places, True
    for pattern in WRITING:
        for path in sorted(root.glob(pattern)):
            yield str(path.relative_to(root)), WRITTEN, False


def problems(root: Path) -> Iterator[tuple[str, str]]:
    """(file, message) for each file that says something else than VERSION."""
    try:
        version = read_version(root)
    except ValueError as error:
        yield "VERSION", str(error)
        return
    for name, places, has_to in files(root):
        text = (root / name).read_text()
        new, missing = updated(text, places, version)
        for place in missing if has_to else []:
            yield name, f"no version at '{place}': mend the file, or PLACES in tools/version.py"
        if new != text:
            yield name, f"not the version {version} of VERSION: run tools/version.py"


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if not sys.argv[1:]:
        version = read_version(root)
        for name, places, _ in files(root):
            path = root / name
            text = path.read_text()
            new, _ = updated(text, places, version)
            if new != text:
                path.write_text(new)
                print(f"{name}: {version}")
    found = list(problems(root))
    for name, message in found:
        print(f"{name}: {message}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
