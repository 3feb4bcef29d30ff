"""Files of frames: what is read, what is refused by name, and what an interrupted run has left."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from fake_server import SHA256, FakeServer

from irrepd import StructureError, frames
from irrepd.__main__ import main

WATER = "3\nwater\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n"


def run(server: FakeServer, *arguments: object) -> int:
    return main([*map(str, arguments), "--url", server.url, "--model", "springs"])


def read(path: Path, index: str = ":", form: str | None = None, *species: str) -> list[Any]:
    return [frame for frame, _ in frames.read(str(path), index, form, species)]


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


# Extended XYZ


@pytest.mark.parametrize("gap", ["\n", "\n\n  \n", "\r\n"])
def test_blank_lines_between_frames(tmp_path: Path, gap: str) -> None:
    path = written(tmp_path, "x.xyz", gap + gap.join([WATER] * 4) + gap)
    assert [len(atoms) for atoms in read(path)] == [3] * 4
    assert len(read(path, "-1")) == len(read(path, "2")) == 1


def test_lines_vec_are_the_cell(tmp_path: Path) -> None:
    vectors = "VEC1 4 0 0\nVEC2 0.5 5 0\nVEC3 0 0 6\n"
    path = written(tmp_path, "x.xyz", WATER + vectors + WATER + vectors[:24] + WATER)
    crystal, slab, plain = read(path)
    assert crystal.cell.array.tolist() == [[4, 0, 0], [0.5, 5, 0], [0, 0, 6]]
    assert crystal.pbc.all() and slab.pbc.tolist() == [True, True, False] and not plain.pbc.any()
    lattice = WATER.replace("water", 'Lattice="4 0 0 0 4 0 0 0 4"')
    both = written(tmp_path, "y.xyz", lattice + vectors)
    assert "VEC1 to VEC3 and a Lattice" in str(read(both)[0])


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    silicon = bulk("Si", cubic=True)
    ase.io.write(tmp_path / "POSCAR", silicon, format="vasp")
    ase.io.write(tmp_path / "x.extxyz", silicon)
    ase.io.write(tmp_path / "x.json", silicon)
    ase.io.write(tmp_path / "x.lmp", silicon, format="lammps-data", masses=True)
    for name in ("POSCAR", "x.extxyz", "x.json", "x.lmp"):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        (atoms,) = read(path, ":", "lammps-data" if name == "x.lmp" else None)
        assert atoms.get_chemical_formula() == "Si8"
    with pytest.raises(ValueError, match="UTF-16"):
        read(written(tmp_path, "y.xyz", WATER.encode("utf-16")))


def test_compressed_files(tmp_path: Path) -> None:
    path = written(tmp_path, "x.xyz.gz", gzip.compress((WATER + "\n" + WATER).encode()))
    assert [len(atoms) for atoms in read(path)] == [3, 3]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (":", [0, 1, 2, 3, 4]),
        ("1:4:2", [1, 3]),
        ("-2:", [3, 4]),
        ("::-2", [4, 2, 0]),
        (":-3", [0, 1]),
        ("3", [3]),
        ("-5", [0]),
        ("7:", []),
    ],
)
def test_index(tmp_path: Path, index: str, expected: list[int]) -> None:
    ase.io.write(tmp_path / "x.extxyz", [Atoms("H", [[i, 0, 0]]) for i in range(5)])
    found = read(tmp_path / "x.extxyz", index)
    assert [int(atoms.positions[0, 0]) for atoms in found] == expected


@pytest.mark.parametrize("index", ["5", "-6", "all"])
def test_index_of_nothing(tmp_path: Path, index: str) -> None:
    ase.io.write(tmp_path / "x.extxyz", [Atoms("H", [[i, 0, 0]]) for i in range(5)])
    ase.io.write(tmp_path / "x.traj", [Atoms("H", [[i, 0, 0]]) for i in range(5)])
    for name in ("x.extxyz", "x.traj"):
        with pytest.raises(ValueError, match=r"no frame|number or START"):
            read(tmp_path / name, index)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("D 0 0 1", r"atom 1 \(line 4\): 'D' is no symbol of an element: write H"),
        ("O1 0 0 1", r"atom 1 \(line 4\): 'O1' is no symbol of an element: write O"),
        ("CL3 0 0 1", "'CL3' is no symbol of an element: write Cl"),
        ("X1 0 0 1", "'X1' is no symbol of an element: a ghost or dummy atom"),
        ("Qq 0 0 1", "'Qq' is no symbol of an element"),
        ("H 0 0 zero", r"atom 1 \(line 4\): 'zero' is no number"),
        ("H 0 0", r"atom 1 \(line 4\): 3 columns of 4"),
    ],
)
def test_the_atom_and_the_reason(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, "x.xyz", f"2\n\nH 0 0 0\n{line}\n" + WATER)
    bad, good = read(path)
    assert isinstance(bad, StructureError) and len(good) == 3
    with pytest.raises(StructureError, match=message):
        raise bad


def test_what_is_no_frame_is_named(tmp_path: Path) -> None:
    for text, message in (
        (WATER + "\nnonsense\n", "line 7: 'nonsense' is no number of atoms"),
        (WATER + "-1\n\n", "line 6: '-1' is no number"),
        ("9" * 5000 + "\n", "is no number of atoms"),
    ):
        with pytest.raises(ValueError, match=message):
            read(written(tmp_path, "x.xyz", text))


@pytest.mark.parametrize("properties", ["species:S:1", "pos:R:3", "bogus", "tags:I:1:pos:R:3"])
def test_properties_without_species_or_positions(tmp_path: Path, properties: str) -> None:
    """ASE would put the atoms in the origin, or leave them out."""
    (bad,) = read(written(tmp_path, "x.xyz", f"1\nProperties={properties}\nH 0 0 1\n"))
    assert "line 2: Properties lacks species or pos" in str(bad)


@pytest.mark.parametrize("rest", ["3\n", "3\nwater\nO 0 0 0\n", "2\n\nH 0 0 0\n\n", WATER[:-20]])
def test_a_last_frame_that_is_cut_off_is_its_own_error(tmp_path: Path, rest: str) -> None:
    good, bad = read(written(tmp_path, "x.xyz", WATER + rest))
    assert len(good) == 3 and "from line 6 on, is cut off" in str(bad)


# POSCAR


def poscar(title: str = "64", scale: str = "1.0") -> str:
    vectors = "5.43 0.0 0.0\n0.0 5.43 0.0\n0.0 0.0 5.43\n"
    return f"{title}\n{scale}\n{vectors}Si\n1\nDirect\n0.1 0.2 0.3\n"


@pytest.mark.parametrize("name", ["silicon", "POSCAR", "x.vasp"])
def test_a_poscar_with_a_number_for_a_title(tmp_path: Path, name: str) -> None:
    (atoms,) = read(written(tmp_path, name, poscar()))
    assert atoms.get_chemical_formula() == "Si" and atoms.cell[0, 0] == 5.43


def test_xyz_without_an_ending_stays_xyz(tmp_path: Path) -> None:
    (atoms,) = read(written(tmp_path, "water", WATER.replace("water", "1.0")))
    assert len(atoms) == 3


@pytest.mark.parametrize("scale", ["1 2", "0 1 1", "0", "1 1 0", "-1 1 1", "x", "nan", "1 1 1 1"])
def test_scales_that_are_none(tmp_path: Path, scale: str) -> None:
    with pytest.raises(ValueError, match=r"scale|scaling"):
        read(written(tmp_path, "POSCAR", poscar("Si", scale)))


# LAMMPS

DUMP = (
    "ITEM: TIMESTEP\n{step}\nITEM: NUMBER OF ATOMS\n2\nITEM: BOX BOUNDS pp pp pp\n"
    "0 5.43\n0 5.43\n0 5.43\nITEM: ATOMS id type{more} x y z\n2 2{second} 1 1 1\n1 1{first} 0 0 0\n"
)


def dump(folder: Path, more: str = "", first: str = "", second: str = "") -> Path:
    parts = {"more": more, "first": first, "second": second}
    text = "".join(DUMP.format(step=step, **parts) for step in range(3))
    return written(folder, "x.lammpstrj", text)


def data(folder: Path, more: str = "", title: str = "LAMMPS") -> Path:
    text = f"{title}\n\n2 atoms\n2 atom types\n0 5.43 xlo xhi\n0 5.43 ylo yhi\n0 5.43 zlo zhi\n"
    return written(folder, "x.data", f"{text}\n{more}\nAtoms # atomic\n\n1 1 0 0 0\n2 2 1 1 1\n")


def symbols(found: list[Any]) -> list[list[str]]:
    return [atoms.get_chemical_symbols() for atoms in found]


def test_types_are_no_elements(tmp_path: Path) -> None:
    lammps_xyz = "2\nAtoms. Timestep: {}\n1 0 0 0\n2 1 1 1\n"
    masses = tmp_path / "masses"
    masses.mkdir()
    cases: list[tuple[Path, str | None, int]] = [
        (dump(tmp_path), None, 3),
        (data(tmp_path), "lammps-data", 1),
        (data(masses, "Masses\n\n1 1.0\n2 1.5\n"), "lammps-data", 1),
        (written(tmp_path, "x.xyz", lammps_xyz.format(0) + lammps_xyz.format(9)), None, 2),
    ]
    for path, form, count in cases:
        with pytest.raises(ValueError, match=r"is of type \d.*--species Si O"):
            read(path, ":", form)
        assert symbols(read(path, ":", form, "Si", "O")) == [["Si", "O"]] * count
        with pytest.raises(ValueError, match=r"of type 2, but (--species names|the elements of) 1"):
            read(path, ":", form, "Si")
        with pytest.raises(ValueError, match="'Qq' is no symbol"):
            read(path, ":", form, "Si", "Qq")


def test_elements_that_files_of_lammps_name(tmp_path: Path) -> None:
    assert symbols(read(dump(tmp_path, " element", " Si", " O"))) == [["Si", "O"]] * 3
    assert symbols(read(dump(tmp_path, " mass", " 28.0855", " 15.999"))) == [["Si", "O"]] * 3
    masses = "Masses\n\n1 28.06 # any\n2 16.0\n"
    assert symbols(read(data(tmp_path, masses), ":", "lammps-data")) == [["Si", "O"]]
    labels = "Atom Type Labels\n\n1 Si\n2 O\n"
    assert symbols(read(data(tmp_path, labels), ":", "lammps-data")) == [["Si", "O"]]
    with pytest.raises(ValueError, match="--species"):
        read(dump(tmp_path, " mass", " 1.5", " 3.0"))
    assert "no symbol" in str(read(dump(tmp_path, " element", " A", " O"))[0])


def test_a_dump_is_that_of_ase(tmp_path: Path) -> None:
    path = dump(tmp_path, " element", " Si", " O")
    expected = ase.io.read(path, "2", format="lammps-dump-text")
    (found,) = read(path, "2")
    assert np.array_equal(found.positions, expected.positions)
    assert np.array_equal(found.cell, expected.cell) and found.pbc.all()


def test_frames_of_a_dump_that_cannot_be_read(tmp_path: Path) -> None:
    path = dump(tmp_path, " element", " Si", " O")
    whole = path.read_text()
    for text, message in (
        (whole[: whole.rindex("1 1 Si")], "a frame of 2 atoms has 1: it is cut off"),
        (whole[: whole.rindex("ITEM: ATOMS")], "a frame of 2 atoms has 0: it is cut off"),
        (whole[:-6] + "0 0 zz\n", "atom 1: 'zz' is no number"),
        (whole[:-3] + "\n", "atom 1: 5 columns of 6 are there"),
    ):
        path.write_text(text)
        first, second, bad = read(path)
        assert len(first) == len(second) == 2 and message in str(bad)


def test_units_in_which_lengths_are_no_angstrom(tmp_path: Path) -> None:
    path = data(tmp_path, title="LAMMPS data file via write_data, units = electron")
    with pytest.raises(ValueError, match="units electron"):
        read(path, ":", "lammps-data", "Si", "O")
    path = dump(tmp_path)
    path.write_text("ITEM: UNITS\nlj\n" + path.read_text())
    with pytest.raises(ValueError, match="units lj"):
        read(path, ":", None, "Si", "O")


def test_species_are_for_types_alone(tmp_path: Path) -> None:
    ase.io.write(tmp_path / "x.traj", molecule("H2O"))
    for path in (tmp_path / "x.traj", written(tmp_path, "x.xyz", WATER)):
        with pytest.raises(ValueError, match="--species is for files of LAMMPS"):
            read(path, ":", None, "O", "H")


# The command line


def test_a_run_goes_on_after_bad_frames(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = ["1\n\nX 0 0 0\n", "1\n\nO1 0 0 0\n"]
    bad += ["2\n\nH 0 0 0\nH 0 0 nan\n", "2\n\nH 0 0 0\nH 0 0 0\n"]
    said = ["20: atom 0: 0 is", "41: atom 0 (line 206)", "62: Atom 1 is at", "83: Atoms 0 and 1"]
    path = written(tmp_path, "in.xyz", "".join(WATER * 20 + frame for frame in bad) + WATER)
    for output in ("out.extxyz", "out.traj", "out.jsonl"):
        assert run(server, path, "--output", tmp_path / output, "--quiet") == 1
        out, err = capsys.readouterr()
        lines = err.splitlines()
        assert out == "" and len(lines) == 5
        for line, words in zip(lines, said):
            assert line.startswith(f"irrepd: frame {words}")
        assert lines[-1] == "irrepd: 4 of 85 frames have no result"
    assert sum("error" in line for line in (tmp_path / "out.jsonl").read_text().splitlines()) == 4
    for output in ("out.extxyz", "out.traj"):
        found = ase.io.read(tmp_path / output, ":")
        assert [i for i, atoms in enumerate(found) if atoms.calc is None] == [20, 41, 62, 83]
        assert "'O1'" in found[41].info["irrepd_error"] and len(found) == 85
        assert "irrepd_error" not in found[0].info
    part = tmp_path / "out.extxyz.part"
    (tmp_path / "out.extxyz").rename(part)
    whole = part.read_text()
    part.write_text(whole[: len(whole) // 2])
    server.requests.clear()
    assert run(server, path, "--output", tmp_path / "out.extxyz", "--quiet", "--resume") == 1
    assert (tmp_path / "out.extxyz").read_text() == whole
    assert 0 < sum(len(request["structures"]) for request in server.requests) < 60


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("x.xyz", "", [], "x.xyz cannot be read: it is empty"),
        ("x.traj", "", [], "it is empty"),
        ("x.xyz", "\n\n", [], "x.xyz holds no frame"),
        ("x.xyz", WATER, ["--index", "3:"], "holds no frame at --index 3:"),
        ("x.xyz", WATER, ["--index", "3"], "it has no frame 3"),
        ("POSCAR", poscar("Si"), ["--index", "1"], "it holds one frame, none at 1"),
        ("x.foo", "?", [], "name it by --format"),
    ],
)
def test_nothing_to_do_is_a_failure(
    server: FakeServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str,
    options: list[str],
    message: str,
) -> None:
    output = tmp_path / "out.extxyz"
    path = written(tmp_path, name, text)
    assert run(server, path, "--quiet", "--output", output, *options) == 2
    assert message in capsys.readouterr().err
    assert not output.exists() and not server.requests


@pytest.mark.parametrize("name", ["out.extxyz", "out.jsonl"])
def test_what_can_be_read_is_done(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = written(tmp_path, "in.xyz", WATER * 5 + "nonsense\n" + WATER)
    args = [path, "--output", tmp_path / name, "--quiet"]
    assert run(server, *args) == 2
    assert "line 26: 'nonsense' is no number of atoms" in capsys.readouterr().err
    assert sum(len(request["structures"]) for request in server.requests) == 5
    written(tmp_path, "in.xyz", WATER * 6)
    server.requests.clear()
    assert run(server, *args, "--resume") == 0
    assert sum(len(request["structures"]) for request in server.requests) == 1


def test_strict_and_warnings(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    atoms = [molecule("H2O") for _ in range(3)]
    atoms[1].info["charge"] = 1
    ase.io.write(tmp_path / "x.extxyz", atoms)
    assert run(server, tmp_path / "x.extxyz", "--quiet") == 0
    assert capsys.readouterr().err == (
        "irrepd: the charge 1 in atoms.info is ignored: no model takes that\n"
    )
    assert run(server, tmp_path / "x.extxyz", "--quiet", "--strict") == 1
    assert "frame 1: the charge 1" in capsys.readouterr().err


def test_a_file_of_authorities_means_https(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "x.xyz", WATER)
    assert run(server, path, "--ca-file", tmp_path / "x.pem") == 2
    assert "--ca-file is for https" in capsys.readouterr().err
    assert main([str(path), "--ca-file", str(tmp_path / "x.pem")]) == 2
    assert "x.pem" in capsys.readouterr().err


@pytest.mark.parametrize("timeout", ["inf", "1e9"])
def test_no_end_of_patience(server: FakeServer, tmp_path: Path, timeout: str) -> None:
    key = written(tmp_path, "key", b"\xef\xbb\xbfsecret\r\n")
    path = written(tmp_path, "x.xyz", WATER)
    assert run(server, path, "--quiet", "--timeout", timeout, "--key-file", key) == 0
    assert server.headers[0]["Authorization"] == "Bearer secret"


# Going on


def interrupted(server: FakeServer, folder: Path, name: str, *options: str) -> tuple[Path, Path]:
    """The input and the output of a run that was cut off in its third frame."""
    path, output = folder / "in.extxyz", folder / name
    ase.io.write(path, [Atoms("H", [[float(i), 0, 0]]) for i in range(6)])
    assert run(server, path, "--output", output, "--quiet", *options) == 0
    whole = output.read_bytes()
    part = output if name.endswith(".jsonl") else output.with_name(f"{name}.part")
    output.rename(part)
    lines = whole.splitlines(keepends=True)
    n_lines = 4 if name.endswith(".jsonl") else 9
    part.write_bytes(b"".join(lines[:n_lines]) + lines[n_lines][:4])
    return path, output


NAMES = ["out.extxyz", "out.xyz", "out.jsonl"]


@pytest.mark.parametrize("name", NAMES)
def test_frames_name_model_file_and_precision(
    server: FakeServer, tmp_path: Path, name: str
) -> None:
    path, output = interrupted(server, tmp_path, name, "--precision", "float64")
    args = [path, "--output", output, "--quiet", "--resume"]
    assert run(server, *args, "--precision", "float64") == 0
    text = output.read_text()
    assert text.count(SHA256) == (1 if name.endswith(".jsonl") else 6)
    if not name.endswith(".jsonl"):
        for atoms in ase.io.read(output, ":", format="extxyz"):
            assert atoms.info["irrepd_model"] == "springs"
            assert atoms.info["irrepd_precision"] == "float64"


def test_formats_that_cannot_be_resumed_name_them_too(server: FakeServer, tmp_path: Path) -> None:
    path = written(tmp_path, "in.xyz", WATER)
    assert run(server, path, "--output", tmp_path / "out.traj", "--quiet") == 0
    info = ase.io.read(tmp_path / "out.traj").info
    assert (info["irrepd_model_sha256"], info["irrepd_precision"]) == (SHA256, "float32")


@pytest.mark.parametrize("name", NAMES)
def test_other_models_and_precisions_are_refused(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, output = interrupted(server, tmp_path, name)
    part = output if name.endswith(".jsonl") else output.with_name(f"{name}.part")
    before = part.read_bytes()
    args = [path, "--output", output, "--quiet", "--resume"]
    server.requests.clear()
    assert run(server, *args, "--precision", "float64") == 2
    assert "precision is float32, not float64" in capsys.readouterr().err
    server.sha256 = "cd" * 32
    assert run(server, *args) == 2
    assert f"model_sha256 is {SHA256}, not {'cd' * 32}" in capsys.readouterr().err
    assert part.read_bytes() == before and not server.requests
    server.sha256 = SHA256
    assert run(server, *args, "--precision", "float32") == 0  # the model's own


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_changes_on_the_way_is_refused(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, output = interrupted(server, tmp_path, name)

    def exchange(_: Any) -> bool:
        server.sha256 = "cd" * 32
        return False

    server.faults = [lambda _: False, exchange]  # the card, then the structures
    assert run(server, path, "--output", output, "--quiet", "--resume") == 2
    assert "is another one now" in capsys.readouterr().err
    assert "cdcd" not in "".join(p.read_text() for p in tmp_path.glob(f"{name}*"))


@pytest.mark.parametrize("name", NAMES)
def test_whole_outputs_are_gone_on_with(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path, output = interrupted(server, tmp_path, name)
    args = [path, "--output", output, "--quiet", "--resume"]
    assert run(server, *args) == 0
    whole = output.read_bytes()
    server.requests.clear()
    assert run(server, *args) == 0
    assert output.read_bytes() == whole and not server.requests
    assert run(server, *args, "--precision", "float64") == 2
    capsys.readouterr()
    ase.io.write(path, [Atoms("H", [[float(i), 1, 0]]) for i in range(6)])
    assert run(server, *args) == 2
    assert "other" in capsys.readouterr().err and output.read_bytes() == whole
    ase.io.write(path, [Atoms("H", [[float(i), 0, 0]]) for i in range(9)])
    assert run(server, *args) == 0
    assert sum(len(request["structures"]) for request in server.requests) == 3
    ase.io.write(path, [Atoms("H", [[float(i), 0, 0]]) for i in range(4)])
    assert run(server, *args) == 2
    assert "more" in capsys.readouterr().err


def test_frames_without_a_name_are_refused(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "in.xyz", WATER)
    theirs = written(tmp_path, "out.extxyz", WATER)
    assert run(server, path, "--output", theirs, "--resume") == 2
    assert "does not say of which model" in capsys.readouterr().err
    assert theirs.read_text() == WATER


def test_each_frame_that_is_done_is_compared(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = interrupted(server, tmp_path, "out.extxyz")
    frames = ase.io.read(path, ":")
    frames[0].set_cell([9, 9, 9])
    ase.io.write(path, frames)
    assert run(server, path, "--output", output, "--resume") == 2
    assert "other frames than these, from frame 0" in capsys.readouterr().err
