"""The tree that `make install` lays out: manual pages, versions. Its library: tests/library/."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest
from installed import BUILD, PREFIX, ROOT, install, run


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("install"))


def pkg_config(tree: Path, *arguments: str) -> list[str]:
    environment = {
        **os.environ,
        "PKG_CONFIG_PATH": str(tree / "lib" / "pkgconfig"),
        "PKG_CONFIG_SYSROOT_DIR": str(tree).removesuffix(PREFIX),
    }
    return run("pkg-config", *arguments, "irrep", env=environment).split()


def test_versions_agree(tree: Path) -> None:
    version = run(tree / "bin" / "irrepd", "--version").split()[1]
    assert pkg_config(tree, "--modversion") == [version]
    package = (ROOT / "clients" / "python" / "irrepd" / "__init__.py").read_text()
    assert f'\n__version__ = "{version}"\n' in package
    described = json.loads((ROOT / "server" / "page" / "openapi.json").read_text())
    assert described["info"]["version"] == version


def test_the_unit_starts_what_is_installed(tree: Path) -> None:
    unit = (tree / "lib" / "systemd" / "system" / "irrepd.service").read_text()
    assert f"\nExecStart={PREFIX}/bin/irrepd\n" in unit


def test_manual_pages(tree: Path) -> None:
    pages = [tree / "share" / "man" / name for name in ("man1/irrepd.1", "man5/irrepd-models.5")]
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "style", *map(str, pages)], capture_output=True, text=True
    )
    # That a page of another package is not installed here says nothing of ours.
    said = (done.stdout + done.stderr).splitlines()
    assert [line for line in said if not re.search(r"referenced manual|mandoc\.db", line)] == []


def test_the_manual_page_has_every_flag(tree: Path) -> None:
    page = run("mandoc", "-T", "ascii", tree / "share" / "man" / "man1" / "irrepd.1")
    text = re.sub(r".\x08", "", page)  # bold and underlined by overstriking
    flags = re.findall(r"^  (--\S+) (\S*)", run(BUILD / "irrepd", "--help"), flags=re.M)
    assert len(flags) > 30
    for flag, argument in flags:
        tag = re.escape(f"{flag} {argument}".rstrip())
        assert re.search(rf"^ +{tag}(  .*)?$", text, flags=re.M)


def test_without_a_destination_it_says_how() -> None:
    done = subprocess.run([ROOT / "tools" / "install.sh", "build"], cwd=ROOT, capture_output=True)
    assert done.returncode == 2 and b"DESTDIR" in done.stderr


def test_it_is_hardened() -> None:
    """Stack protector, fortified calls, indirect branch tracking, no lazy binding."""

    def readelf(*flags: str) -> str:
        command = ["readelf", "--wide", *flags, str(ROOT / "build" / "irrepd")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols and "__snprintf_chk" in symbols
    assert "BIND_NOW" in readelf("--dynamic") and "GNU_RELRO" in readelf("--segments")
    if platform.machine() == "x86_64":
        command = ["objdump", "-d", "--no-show-raw-insn", str(ROOT / "build" / "irrepd")]
        code = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert re.search(r"<main>:\n.*endbr64", code)
