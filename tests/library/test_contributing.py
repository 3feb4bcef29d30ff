"""What CONTRIBUTING.md says has to be touched is there, and a property touches nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from lint import without_comments  # noqa: E402


def rows() -> dict[str, str]:
    """The table "What to touch": what for, and the files."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = re.search(r"\| for \| touch \|\n\|[-|]+\|\n((?:\|.*\|\n)+)", text)
    assert table
    cells = (line.strip("|").split("|") for line in table[1].splitlines())
    return {name.strip(): files for name, files in cells}


ROWS = rows()
KINDS = "an architecture, an operation, a term of the energy, a property, a route, a metric, a flag"


def test_the_table_has_what_there_is_to_add() -> None:
    assert set(KINDS.split(", ")) <= set(ROWS)


@pytest.mark.parametrize("kind", ROWS)
def test_the_files_are_there(kind: str) -> None:
    """NAME and * stand for any name; a name without a folder is in that of the file before it."""
    folder = Path()
    named = [n for n in re.findall(r"`([^`]+)`", ROWS[kind]) if re.search(r"/|\.\w+$", n)]
    assert named
    for name in named:
        if "/" in name:
            folder = Path(name if name.endswith("/") else str(Path(name).parent))
        path = folder / Path(name).name if "/" not in name else Path(name)
        assert any(ROOT.glob(str(path).replace("NAME", "*"))), name


def words(name: str) -> set[str]:
    text = without_comments((ROOT / name).read_text())
    return set(re.findall(r"\w+", re.sub(r'"[^"\n]*"', "", text)))


def test_a_property_touches_no_other_file() -> None:
    """In C: the newest one, of which nothing but its field and its row need know."""
    row = set(re.findall(r"`([^`]+\.[ch])`", ROWS["a property"]))
    assert {"include/irrep/result.h", "core/outputs/outputs.c", "core/api/gather.c"} <= row
    command = ["git", "ls-files", "-co", "--exclude-standard", "core", "server", "include"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    sources = [n for n in listed.splitlines() if n.endswith((".c", ".h")) and (ROOT / n).exists()]
    assert len(sources) > 300
    for word in ("stresses", "IRREP_OUTPUT_STRESSES"):
        naming = {name for name in sources if word in words(name)}
        assert naming and naming <= row, word
