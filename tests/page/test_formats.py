"""The page reads each format as ASE does."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import crystals
import numpy as np
import pytest
import spglib
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii
from ase.formula import Formula
from ase.io import read
from daemon import Daemon
from playwright.sync_api import Page
from samples import (
    ARRAYS,
    ATOMS,
    CELL,
    CIF,
    EXTXYZ,
    HEAD,
    JSON,
    POSCAR,
    cif,
    structures,
    with_arrays,
    written,
)

PARSE = "async (text) => (await import('/page/formats.js')).parse(text)"
FAULT = (
    "(text) => import('/page/formats.js').then((m) => m.parse(text)).then(String, (e) => e.message)"
)


@pytest.fixture(scope="module")
def reader(browser: Any, daemon: Daemon) -> Any:
    context = browser.new_context()
    page = context.new_page()
    page.goto(daemon.url)
    yield page
    context.close()


def check(page: Page, text: str, form: str, expected: Atoms) -> None:
    """The last frame of a text, in the page, has the atoms, cell and flags of `expected`."""
    found = page.evaluate(PARSE, text)
    assert found["format"] == form
    frame = found["frames"][-1]
    assert frame["numbers"] == expected.numbers.tolist()
    assert frame["pbc"] == expected.pbc.tolist()
    cell = np.zeros((3, 3)) if frame["cell"] is None else np.array(frame["cell"])
    np.testing.assert_allclose(cell, expected.cell[:], rtol=1e-13, atol=1e-13)
    apart = np.array(frame["positions"]) - expected.positions
    if form == "CIF" and expected.cell.rank == 3:  # 1 - 1e-17 and 0 are one place
        fractions = expected.cell.scaled_positions(apart)
        apart = expected.cell.cartesian_positions(fractions - np.rint(fractions))
    np.testing.assert_allclose(apart, 0, atol=1e-12)


SHOWN = {"extxyz": "extxyz", "xyz": "extxyz", "vasp": "POSCAR", "cif": "CIF", "json": "JSON"}
WRITTEN = [
    (form, name)
    for form in SHOWN
    for name, atoms in structures().items()
    if form not in ("vasp", "cif") or atoms.pbc.all()  # they hold crystals only
]


@pytest.mark.filterwarnings("ignore:Skipping unhashable")
@pytest.mark.parametrize(("form", "name"), WRITTEN)
def test_what_ase_writes(reader: Page, form: str, name: str) -> None:
    text = written(structures()[name], form)
    check(reader, text, SHOWN[form], read(io.StringIO(text), format=form))


def test_cartesian_poscar_that_ase_writes(reader: Page) -> None:
    text = written(structures()["triclinic"], "vasp", direct=False)
    check(reader, text, "POSCAR", read(io.StringIO(text), format="vasp"))


@pytest.mark.filterwarnings("ignore:Skipping unhashable")
def test_trajectory_that_ase_writes(reader: Page) -> None:
    frames = [with_arrays(atoms) for atoms in structures().values()]
    text = written(frames, "extxyz")
    check(reader, text, "extxyz", read(io.StringIO(text), format="extxyz"))
    found = reader.evaluate(PARSE, text)["frames"]
    assert [len(frame["numbers"]) for frame in found] == [len(atoms) for atoms in frames]


@pytest.mark.parametrize("name", EXTXYZ)
def test_extxyz(reader: Page, name: str) -> None:
    check(reader, EXTXYZ[name], "extxyz", read(io.StringIO(EXTXYZ[name]), format="extxyz"))


@pytest.mark.parametrize("name", POSCAR)
def test_poscar(reader: Page, name: str) -> None:
    check(reader, POSCAR[name], "POSCAR", read(io.StringIO(POSCAR[name]), format="vasp"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CIF)
def test_cif(reader: Page, name: str) -> None:
    check(reader, CIF[name], "CIF", read(io.StringIO(CIF[name]), format="cif"))


@pytest.mark.parametrize("name", JSON)
def test_json(reader: Page, name: str) -> None:
    given = json.loads(JSON[name])
    last = given[-1] if isinstance(given, list) else given.get("structures", [given])[-1]
    cell = last.get("cell")
    pbc = last.get("pbc", cell is not None)
    expected = Atoms(last["numbers"], last["positions"], cell=cell, pbc=pbc)
    check(reader, JSON[name], "JSON", expected)


def test_pymatgen(reader: Page) -> None:
    sites = [
        {"species": [{"element": "Na+", "occu": 1}], "abc": [0, 0, 0], "xyz": [0, 0, 0]},
        {"species": [{"element": "Cl", "occu": 1.0}], "abc": [0.5, 0, 0], "xyz": [2, 0, 0]},
    ]
    cell = [[4, 0, 0], [0, 4, 0], [0, 0, 4]]
    crystal = {
        "@class": "Structure",
        "lattice": {"matrix": cell, "pbc": [True] * 3},
        "sites": sites,
    }
    expected = Atoms("NaCl", [site["xyz"] for site in sites], cell=cell, pbc=True)
    check(reader, json.dumps(crystal), "JSON", expected)
    del crystal["lattice"]
    expected = Atoms("NaCl", expected.positions)
    check(reader, json.dumps(crystal), "JSON", expected)


BAD = {
    "none": ("hello\nworld\n", "none of the formats"),
    "xyz: count": ("0\n\n", "Line 1: “0” is not a number of atoms"),
    "xyz: short": ("3\n\nH 0 0 0\nH 0 0 1", "Line 1 announces 3 atoms"),
    "xyz: element": ("1\n\nQq 0 0 0\n", "Line 3, element: “Qq” is not an element"),
    "xyz: number": ("1\n\nH 0 0 zero\n", "Line 3, position: “zero” is not a number"),
    "xyz: hexadecimal": ("1\n\nH 0 0 0x10\n", "“0x10” is not a number"),
    "xyz: missing": ("1\n\nH 0 0\n", "Line 3, position: a number is missing"),
    "xyz: lattice": ('1\nLattice="1 2 3"\nH 0 0 0\n', "Line 2: Lattice has 3 numbers"),
    "xyz: pbc": ('1\npbc="T T maybe"\nH 0 0 0\n', "Line 2: pbc is “T T maybe”"),
    "xyz: columns": ("1\nProperties=species:S:1\nH 0 0 0\n", "Properties lacks species or pos"),
    "xyz: vectors": ("1\n\nH 0 0 0\nVEC2 1 0 0\n", "Line 4: “VEC2 1 0 0” is not VEC1"),
    "xyz: vectors and Lattice": (
        '1\nLattice="4 0 0 0 4 0 0 0 4"\nH 0 0 0\nVEC1 1 0 0\n',
        "Line 2: there are Lattice or Properties, and lines VEC1 to VEC3",
    ),
    "xyz: types": ("1\nAtoms. Timestep: 0\n1 0 0 0\n", "Line 3: 1 is a type of LAMMPS"),
    "xyz: more": ("1\n\nH 0 0 0\n\nmore\n", "Line 5: “more” is not a number of atoms"),
    "overlap": ("2\n\nH 0 0 0\nH 0 0 .05\n", "Atoms 0 and 1 are 0.0500 Å apart"),
    "overlap in JSON": (
        '{"numbers": [1, 1], "positions": [[0, 0, 0.01], [0, 0, 3.99]], '
        '"cell": [[4, 0, 0], [0, 4, 0], [0, 0, 4]]}',
        "Atoms 0 and 1 are 0.0200 Å apart",
    ),
    "xyz: infinity": ("1\n\nH 0 0 1e999\n", "is not a number"),
    "poscar: element": (f"x\n{HEAD}Qq O\n1 2\nDirect\n{ATOMS}", "Line 6, element 1: “Qq”"),
    "poscar: counts": (f"x\n{HEAD}Si\n1 2\nDirect\n{ATOMS}", "Line 7: 2 counts for 1 elements"),
    "poscar: mode": (f"x\n{HEAD}Si O\n1 2\n{ATOMS}", "Line 8: .* neither Direct nor Cartesian"),
    "poscar: short": (
        f"x\n{HEAD}Si O\n1 9\nDirect\n{ATOMS}",
        "Line 12, position: a number is missing",
    ),
    "poscar: scale": (f"x\n{HEAD}Si O\n1 2\nDirect\n{ATOMS}".replace("1.5", "0", 1), "Line 2"),
    **{
        f"poscar: scale {scale}": (
            f"x\n{HEAD}Si O\n1 2\nDirect\n{ATOMS}".replace("1.5", scale, 1),
            f"Line 2: “{scale}” is no scale",
        )
        for scale in ("1 2", "0 1 1", "1 1 0", "-1 1 1", "1 1 1 1", "text")
    },
    "poscar: huge": (f"x\n{HEAD}Si O\n1 99999999\nDirect\n{ATOMS}", "is not a number of atoms"),
    "cif: nothing": ("data_x\n_cell_length_a 4\n", "lists no atoms"),
    "cif: cell": (cif("4 4 4 90 90 ?", "H1 0 0 0"), "_cell_angle_gamma: “\\?” is not a number"),
    "cif: flat": (cif("4 4 4 60 60 170", "H1 0 0 0"), "No cell has these"),
    "cif: operation": (
        cif("4 4 4 90 90 90", "H1 0 0 0", "loop_\n_symmetry_equiv_pos_as_xyz\nx,y,2z\n"),
        "is not a symmetry operation",
    ),
    "cif: occupancy": (
        cif("4 4 4 90 90 90", "Fe1 0 0 0 0.5", "", "label fract_x fract_y fract_z occupancy"),
        "_atom_site_occupancy of Fe1 is 0.5",
    ),
    "cif: shared": (cif("4 4 4 90 90 90", "Fe1 0 0 0\nNi1 1 0 0"), "Two elements .* share a site"),
    "cif: loop": (cif("4 4 4 90 90 90", "Fe1 0 0"), "has 3 values for 4 tags"),
    "cif: text": ("data_x\n_a\n;\nno end", "text field of line 3 does not end"),
    "cif: value": ("data_x\n_a\n_b 1\n", "Line 2: _a has no value"),
    "cif: dummy": (cif("4 4 4 90 90 90", "Fe1 . . ."), "_atom_site_fract_x: “.” is not a number"),
    "json: syntax": ("{", "The JSON cannot be read"),
    "json: empty": ('{"structures": []}', "holds no structure"),
    "json: numbers": (
        '{"structures": [{"numbers": [0], "positions": [[0, 0, 0]]}]}',
        "structures\\[0\\].numbers",
    ),
    "json: positions": ('{"numbers": [1], "positions": [[0, 0]]}', "structure\\[0\\].positions"),
    "json: a ghost": (
        '{"numbers": [1, 0], "positions": [[0, 0, 0], [0, 0, 1]]}',
        "structure\\[0\\].numbers\\[1\\] is 0, not an atomic number",
    ),
    "json: a place": (
        '{"numbers": [1, 1], "positions": [[0, 0, 0], [0, 0, null]]}',
        "structure\\[0\\].positions\\[1\\] is \\[0,0,null\\], not",
    ),
    "json: lengths": ('{"numbers": [1], "positions": []}', "1 numbers but 0 positions"),
    "json: cell": (f'{{{ARRAYS}, "cell": [[1, 0, 0]]}}', "cell is not three vectors"),
    "json: pbc": (f'{{{ARRAYS}, {CELL}, "pbc": [1, 1, 1]}}', "pbc is not three"),
    "json: disorder": (
        '{"sites": [{"species": [{"element": "Fe", "occu": 0.5}], "xyz": [0, 0, 0]}]}',
        "sites\\[0\\].species is not one whole element",
    ),
    "json: null": ("[null]", "numbers is not a list"),
}


@pytest.mark.parametrize("name", crystals.GOOD)
def test_symmetry_of_cif(reader: Page, name: str) -> None:
    text, formula = crystals.GOOD[name]
    numbers = reader.evaluate(PARSE, text)["frames"][-1]["numbers"]
    assert Atoms(numbers).symbols.formula.count() == Formula(formula).count()


@pytest.mark.parametrize("name", crystals.BAD)
def test_symmetry_of_cif_that_is_not_understood(reader: Page, name: str) -> None:
    text, message = crystals.BAD[name]
    said = reader.evaluate(FAULT, text)
    assert re.search(message, said), said


@pytest.mark.parametrize("name", crystals.NEAR)
def test_atoms_that_are_near(reader: Page, name: str) -> None:
    said = reader.evaluate(FAULT, crystals.NEAR[name])
    assert re.search(r"Atoms 0 and 1 are 0\.0\d* Å apart|share a site", said), said


OPERATIONS = (
    "async (symbols) => { const m = await import('/page/hall.js');"
    " return symbols.map((symbol) => m.operationsOfHall(symbol)); }"
)


def test_operations_of_all_hall_symbols(reader: Page) -> None:
    """Of the 530 settings of International Tables, as spglib has them."""
    kinds = [spglib.get_spacegroup_type(number) for number in range(1, 531)]
    found = reader.evaluate(OPERATIONS, [kind.hall_symbol for kind in kinds])
    for number, operations in enumerate(found, 1):
        known = spglib.get_symmetry_from_database(number)
        shifts = np.rint(known["translations"] * 24).astype(int) % 24
        due = {(*map(int, r.ravel()), *map(int, t)) for r, t in zip(known["rotations"], shifts)}
        rows = np.array(operations)
        turns = np.rint(rows[:, :, :3]).astype(int).reshape(-1, 9)
        moves = np.rint(rows[:, :, 3] * 24).astype(int) % 24
        assert {(*map(int, r), *map(int, t)) for r, t in zip(turns, moves)} == due, number
        assert len(operations) == len(due)


SETTING = (
    "async ([name, number]) => { const m = await import('/page/space_groups.js');"
    " const halls = (found) => found.map((setting) => setting.hall);"
    " return [halls(m.settingsOfName(name, '')), halls(m.settingsOfNumber(number, ''))]; }"
)


def test_settings_of_all_names(reader: Page) -> None:
    for number in range(1, 531):
        kind = spglib.get_spacegroup_type(number)
        origin = re.match("[12HR]", kind.choice)
        name = kind.international.split(" = ")[-1] + (f" :{origin[0]}" if origin else "")
        for form in (name, name.replace(" ", ""), name.replace("_", "")):
            named, numbered = reader.evaluate(SETTING, [form, str(kind.number)])
            assert kind.hall_symbol in named and kind.hall_symbol in numbered, form


OVERLAP = (
    "async (frames) => { const m = await import('/page/overlap.js'); return frames.map((frame) =>"
    " { try { m.checkDistances(frame); return ''; } catch (e) { return e.message; } }); }"
)


@pytest.mark.parametrize("pbc", [(1, 1, 1), (1, 1, 0), (0, 1, 0), (1, 0, 1), (0, 0, 0)])
def test_overlaps_are_those_of_all_pairs(reader: Page, pbc: Any) -> None:
    """Of atoms whose last one is near an image of the first."""
    cell = np.array([[3.1, 0, 0], [1.3, 2.9, 0], [-0.8, 1.1, 4.3]])
    random, frames, expected = np.random.default_rng(5), [], []
    images = np.array(np.meshgrid(*(range(-6, 7) if p else (0,) for p in pbc))).reshape(3, -1).T
    for _ in range(200):
        positions, step = random.uniform(-4, 4, size=(5, 3)), random.normal(size=3)
        step *= random.uniform(0, 0.2) / np.linalg.norm(step)
        positions[-1] = positions[0] + np.where(pbc, random.integers(-3, 4, 3), 0) @ cell + step
        apart = positions[:, None] - positions[None]
        distances = np.linalg.norm(apart[:, :, None] + images @ cell, axis=-1).min(axis=-1)
        expected.append(distances[np.triu_indices(5, 1)].min() < 0.1)
        flags = [bool(p) for p in pbc]
        frames.append({"positions": positions.tolist(), "cell": cell.tolist(), "pbc": flags})
    assert 50 < sum(expected) < 150
    assert [said != "" for said in reader.evaluate(OVERLAP, frames)] == expected


def test_large_structures_are_looked_through_at_once(reader: Page) -> None:
    grid = np.stack(np.meshgrid(*[np.arange(40) * 1.5] * 3), axis=-1).reshape(-1, 3)
    frame = {"positions": grid.tolist(), "cell": (np.eye(3) * 60).tolist(), "pbc": [True] * 3}
    assert reader.evaluate(OVERLAP, [frame]) == [""]


@pytest.mark.parametrize("title", ["64", "  8  ", "1"])
def test_a_poscar_with_a_number_for_a_title(reader: Page, title: str) -> None:
    text = f"{title}\n{HEAD}Si O\n1 2\nDirect\n{ATOMS}"
    check(reader, text, "POSCAR", read(io.StringIO(text), format="vasp"))


def test_xyz_with_a_number_for_a_comment(reader: Page) -> None:
    text = "3\n1.0\n14 0 0 0\n8 1.5 0 0\n8 0 1.5 0\n"
    check(reader, text, "extxyz", Atoms("SiO2", [[0, 0, 0], [1.5, 0, 0], [0, 1.5, 0]]))


@pytest.mark.parametrize("form", ["extxyz", "vasp", "cif", "json"])
def test_a_byte_order_mark_is_no_part_of_the_text(reader: Page, form: str) -> None:
    found = reader.evaluate(PARSE, "\ufeff" + written(structures()["cubic"], form))
    assert found["format"] == SHOWN[form] and len(found["frames"][0]["numbers"]) == 4


def test_lines_vec_are_the_cell(reader: Page) -> None:
    vectors = "VEC1 4 0 0\nVEC2 0.5 5 0\nVEC3 0 0 6\n"
    frame = "1\nby ADF\nH 0 0 1\n"
    found = reader.evaluate(PARSE, "\n" + frame + vectors + "\n\n" + frame + vectors[:24] + frame)
    crystal, slab, plain = found["frames"]
    assert crystal["cell"] == [[4, 0, 0], [0.5, 5, 0], [0, 0, 6]] and all(crystal["pbc"])
    assert slab["cell"][2] == [0, 0, 0] and slab["pbc"] == [True, True, False]
    assert plain["cell"] is None and plain["pbc"] == [False] * 3


@pytest.mark.parametrize("name", BAD)
def test_faults(reader: Page, name: str) -> None:
    text, message = BAD[name]
    said = reader.evaluate(FAULT, text)
    assert re.search(message, said), said


def test_radii(reader: Page) -> None:
    """The covalent radii that bonds are drawn by are those that ASE took from the same paper."""
    known = reader.evaluate(
        "async () => { const e = await import('/page/elements.js');"
        " return Array.from({length: 96}, (_, i) => [e.symbolOf(i + 1), e.radiusOf(i + 1)]); }"
    )
    for number, (symbol, radius) in enumerate(known, 1):
        assert symbol == chemical_symbols[number]
        assert radius == pytest.approx(covalent_radii[number], abs=1e-9), symbol
