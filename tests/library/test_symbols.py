"""The libraries show the functions that the public headers declare, and nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def declared() -> set[str]:
    """The functions of include/irrep/, whatever their names."""
    text = "".join(path.read_text() for path in sorted((ROOT / "include" / "irrep").glob("*.h")))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif", "", text, flags=re.S | re.M)
    text = re.sub(r"^#(?:.*\\\n)*.*", "", text, flags=re.M)
    text = re.sub(r"\{[^{}]*\}", "", text)  # what structs and enums hold
    return {name for name in re.findall(r"\b(\w+)\(", text) if not name.isupper()}


def defined(library: str, *flags: str) -> set[str]:
    """The global symbols that a library defines."""
    command = ["nm", "--defined-only", "--extern-only", "--format=posix", *flags, BUILD / library]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if len(line.split()) > 1}


def test_what_is_declared() -> None:
    names = declared()
    assert {"irrep_model_load", "irrep_version", "irrep_fail", "irrep_wigner_d"} <= names
    assert all(name.startswith("irrep_") for name in names)


@pytest.mark.parametrize(("library", "flags"), [("libirrep.so", ["-D"]), ("libirrep.a", [])])
def test_only_what_is_declared_is_visible(library: str, flags: list[str]) -> None:
    assert defined(library, *flags) == declared()


def test_the_inside_is_there_for_tests() -> None:
    assert "neighbours_find" in defined("libcore.a")


def test_one_object() -> None:
    done = subprocess.run(
        ["ar", "t", BUILD / "libirrep.a"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["libirrep.o"]


def test_soname() -> None:
    version = (ROOT / "VERSION").read_text().split(".")
    done = subprocess.run(
        ["readelf", "-d", BUILD / "libirrep.so"], capture_output=True, text=True, check=True
    )
    assert re.findall(r"\(SONAME\).*\[(.*)\]", done.stdout) == [f"libirrep.so.{version[0]}"]
