"""Crystals from CIF, in all the ways that their symmetry is told."""

from __future__ import annotations

import builtins
import re
from pathlib import Path
from typing import Any

import crystals
import numpy as np
import pytest
from ase.formula import Formula
from fake_server import FakeServer

from irrepd import cif, frames
from irrepd.__main__ import main
from irrepd.checks import faults_of
from irrepd.cif_text import read_blocks
from irrepd.structures import entry_of
from irrepd.symmetry import symmetry_of

gemmi = pytest.importorskip("gemmi")
spglib = pytest.importorskip("spglib")


def read(text: str) -> Any:
    (atoms,) = cif.read(text)
    return atoms


@pytest.mark.parametrize("name", crystals.GOOD)
def test_atoms_of_the_cell(name: str) -> None:
    text, formula = crystals.GOOD[name]
    atoms = read(text)
    assert atoms.symbols.formula.count() == Formula(formula).count()
    assert faults_of([entry_of(atoms)]) == [None]


@pytest.mark.parametrize("name", crystals.BAD)
def test_what_is_not_understood_is_named(name: str) -> None:
    text, message = crystals.BAD[name]
    with pytest.raises(ValueError, match=message):
        read(text)


@pytest.mark.parametrize("name", crystals.NEAR)
def test_atoms_that_are_near(name: str) -> None:
    try:
        (fault,) = faults_of([entry_of(read(crystals.NEAR[name]))])
    except ValueError as error:  # two elements
        fault = error  # type: ignore[assignment]
    assert fault is not None and re.search("Atoms 0 and 1 are|share a site", str(fault))


def operations(operations: Any) -> set[tuple[int, ...]]:
    rotations = np.asarray(operations.rotations).reshape(-1, 9)
    shifts = np.rint(np.asarray(operations.translations) * 24).astype(int) % 24
    return {tuple(map(int, (*r, *t))) for r, t in zip(rotations, shifts)}


def metric_of(number: int, choice: str) -> np.ndarray:
    """Of a cell that the setting fits, and no setting with other axes."""
    lengths, cosines = np.array([4.0, 5.0, 6.0]), np.zeros(3)
    if number <= 2:
        cosines[:] = (0.1, 0.2, 0.15)
    elif number <= 15:
        cosines["abc".index(re.sub("[-0-9]", "", choice)[0])] = 0.2
    elif number > 194 or choice == "R":
        lengths[:] = 5.0
        cosines[:] = 0.2 if choice == "R" else 0.0
    elif number > 74:
        lengths[1] = lengths[0]
        cosines[2] = -0.5 if number > 142 else 0.0
    gram = np.diag(lengths**2)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        gram[j, k] = gram[k, j] = cosines[i] * lengths[j] * lengths[k]
    return gram


def test_all_settings_by_name_and_by_hall() -> None:
    """The 530 of International Tables, as spglib has them."""
    for hall_number in range(2, 531):
        kind = spglib.get_spacegroup_type(hall_number)
        known = spglib.get_symmetry_from_database(hall_number)
        shifts = np.rint(known["translations"] * 24).astype(int) % 24
        due = {tuple(map(int, (*r.ravel(), *t))) for r, t in zip(known["rotations"], shifts)}
        metric = metric_of(kind.number, kind.choice)
        by_hall = symmetry_of({"_space_group_name_hall": [kind.hall_symbol]}, metric)
        assert [operations(group) for group in by_hall.named] == [due]
        name = kind.international.split(" = ")[-1].replace("_", "")
        origin = re.match("[12HR]", kind.choice)
        block = {"_symmetry_space_group_name_h-m": [name + (f" :{origin[0]}" if origin else "")]}
        if kind.number in (67, 68):  # spglib calls two settings by one name
            continue
        by_name = symmetry_of(block, metric)
        assert [operations(group) for group in by_name.named] == [due], (hall_number, name)


def test_operations_are_enough_without_gemmi(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "gemmi":
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert len(read(crystals.GOOD["magnetic"][0])) == 4
    listed = crystals.GOOD["magnetic"][0].replace("_parent_space_group", "_space_group")
    assert len(read(listed)) == 4
    with pytest.raises(ImportError, match=r"space group F d -3 m .*pip install 'irrepd\[cif\]'"):
        read(crystals.GOOD["H-M"][0])


def test_positions_are_those_of_the_file() -> None:
    atoms = read(crystals.GOOD["hexagonal axes"][0])
    assert atoms.positions[0].tolist() == pytest.approx([0, 0, 0.355 * 12.99], abs=1e-12)
    assert np.allclose(atoms.cell.cellpar(), [4.758, 4.758, 12.99, 90, 90, 120])
    distances = atoms.get_all_distances(mic=True)
    assert distances[distances > 0].min() > 2.5


def test_grammar() -> None:
    text = "# c\ndata_A\n_a.b 'it''s' # c\n_c\n;one\ntwo\n;\nloop_\n_D _e\n1 \"2 3\"\n4 5\ndata_B\n"
    assert read_blocks(text) == [
        {"_a_b": ["it''s"], "_c": ["one\ntwo"], "_d": ["1", "4"], "_e": ["2 3", "5"]},
        {},
    ]
    for wrong, message in (
        ("_a 1", "line 1: '_a' stands before"),
        ("data_x\n_a\n_b 1\n", "line 2: _a has no value"),
        ("data_x\n1\n", "line 2: '1' belongs to no tag"),
        ("data_x\nloop_\n_a _b\n1 2 3\n", "line 2 has 3 values for 2 tags"),
        ("data_x\n_a\n;\nno end", "line 3 does not end"),
        ("data_x\n_cell_length_a 4\n", "lists no atoms"),
    ):
        with pytest.raises(ValueError, match=message):
            list(cif.read(wrong))


@pytest.mark.parametrize("name", ["x.cif", "x.mcif", "x"])
def test_command_line(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = tmp_path / name
    options = ["--url", server.url, "--model", "springs"]
    path.write_bytes(b"\xef\xbb\xbf" + crystals.GOOD["H-M beside x,y,z"][0].encode())
    assert main([str(path), *options]) == 0
    assert "Si8" in capsys.readouterr().out
    path.write_text(crystals.BAD["partial"][0])
    assert main([str(path), *options]) == 2
    assert "occupancy of Fe1 is 0.5" in capsys.readouterr().err
    path.write_text(crystals.NEAR["P 1"])
    assert main([str(path), *options]) == 1
    assert "Atoms 0 and 1 are 0.0543 Angstrom apart" in capsys.readouterr().out
    assert len(server.requests) == 1


def test_blocks_are_frames(tmp_path: Path) -> None:
    path = tmp_path / "x.cif"
    path.write_text("data_global\n_a b\n" + crystals.silicon("") + crystals.silicon("", ALL))
    assert [len(atoms) for atoms, _ in frames.read(str(path), ":", None)] == [1, 8]
    assert [len(atoms) for atoms, _ in frames.read(str(path), "-1", None)] == [8]


ALL = crystals.ALL
