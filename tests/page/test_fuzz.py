"""Whatever text is put in, the page takes it or says why not, and does no endless work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from samples import CIF, EXTXYZ, HEAD, JSON, POSCAR, cif, operations, structures, written

FUZZ = (Path(__file__).parent / "fuzz.js").read_text()
SLOW_MS = 10_000  # of one text, on a machine that does much else


def samples() -> list[str]:
    made = [*EXTXYZ.values(), *POSCAR.values(), *CIF.values(), *JSON.values()]
    for name, atoms in structures().items():
        forms = ["extxyz", "cif", "json", *(["vasp"] if name in ("primitive", "triclinic") else [])]
        made += [written(atoms, form) for form in forms]
    return made


def fuzz(page: Page, texts: list[str], runs: int = -1, seed: int = 0) -> Any:
    given = {"samples": texts, "seed": seed, "runs": runs, "slow": SLOW_MS, "base": "/page"}
    return page.evaluate(f"(given) => ({FUZZ.strip()})(given)", given)


@pytest.mark.parametrize("seed", (1, 2))
def test_random_changes(page: Page, seed: int) -> None:
    told = fuzz(page, samples(), 1000, seed)
    assert told["wrong"] == []
    assert told["taken"] >= 50 and told["refused"] >= 500


MANY = operations(225).split("\n", 3)[3] * 27  # the 192 operations of Fm-3m, each 27 times
LISTED = "loop_\n_space_group_symop_operation_xyz\n"
SITES = "Na1 0 0 0"

# Texts that end in another error, hang, or make a structure of fewer numbers than it says.
HOSTILE = {
    "counts beyond the text": f"comment\n{HEAD}Si O\n1000000 1000000\nDirect\n 0 0 0\n",
    "an endless array": '{"numbers":{"__ndarray__":[[1e9,0],"d",[]]},"positions":[[0,0,0]]}',
    "no counts": "Si\n1\n4 0 0\n0 4 0\n0 0 4",
    "a volume beyond all numbers": f"comment\n{HEAD}Si\n1\nCart\n 0 0 0\n".replace(
        "1.5", "-160", 1
    ).replace("4.0", "1e308", 1),
    "digits without an end": f"comment\n1\n{'1' * 50_000}x\n0 4 0\n0 0 4\nSi\n1\nDirect\n0 0 0\n",
    "no cell for fractions": cif("4 4 4 90 90 90", SITES).replace("_cell_length_a", "_a", 1),
    "no sites": cif("4 4 4 90 90 90", ""),
    "operations without an end": cif("4 4 4 90 90 90", SITES, f"{LISTED}{'1' * 50_000}x,y,z\n"),
    "operations that are no group": cif("4 4 4 90 90 90", SITES, f"{LISTED}x,y,z\n-x,y,z+1/7\n"),
}


def test_hostile_texts(page: Page) -> None:
    for name, text in HOSTILE.items():
        assert fuzz(page, [text]) == {"taken": 0, "refused": 1, "wrong": []}, name
    # Each operation is there 27 times: 27 million products, were all of them worked out.
    many = cif("4 4 4 90 90 90", SITES, LISTED + MANY)
    assert fuzz(page, [many]) == {"taken": 1, "refused": 0, "wrong": []}
