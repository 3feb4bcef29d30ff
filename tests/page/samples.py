"""Texts of structures: what ASE writes, and what people and databases write by hand."""

from __future__ import annotations

import io

import numpy as np
from ase import Atoms
from ase.build import bulk, fcc111, graphene, molecule
from ase.io import write
from ase.spacegroup import Spacegroup


def written(structure: Atoms | list[Atoms], form: str, **options: object) -> str:
    """A structure as ASE writes it."""
    sink: io.StringIO | io.BytesIO = io.BytesIO() if form == "cif" else io.StringIO()
    write(sink, structure, format=form, **options)
    value = sink.getvalue()
    return value.decode() if isinstance(value, bytes) else value


def structures() -> dict[str, Atoms]:
    slab = fcc111("Al", (2, 2, 3), vacuum=6.0)
    triclinic = Atoms(
        "NaClO3",
        cell=[[5.1, 0.2, -0.3], [1.7, 6.3, 0.4], [-0.9, 1.1, 7.7]],
        scaled_positions=[
            [0, 0, 0],
            [0.31, 0.42, 0.53],
            [0.9, 0.1, 0.2],
            [0.6, 0.7, 0.8],
            [0.2, 0.5, 0.95],
        ],
        pbc=True,
    )
    made = {
        "primitive": bulk("Si"),
        "cubic": bulk("Cu", cubic=True),
        "triclinic": triclinic,
        "slab": slab,
        "sheet": graphene("BN", a=2.5, size=(2, 2, 1), vacuum=5.0),
        "molecule": molecule("CH3CH2OH"),
    }
    for seed, atoms in enumerate(made.values()):
        atoms.rattle(0.03, seed=seed)
    return made


def with_arrays(atoms: Atoms) -> Atoms:
    """The same with what trajectories carry besides, some of it before the positions."""
    atoms = atoms.copy()
    atoms.info.update(energy=-1.5, config_type='a bulk, pbc="F F F"', virial=np.eye(3))
    atoms.set_tags(range(len(atoms)))
    atoms.arrays["forces"] = np.ones((len(atoms), 3)) * 1e-5
    return atoms


EXTXYZ = {
    "plain": "3\nwater, by hand\nO 0 0 0\nH 0.96 0 .0\nH -2.4e-1 9.3E-1 -0.\n\n",
    "windows": '1\r\nLattice="4 0 0 0 4 0 0 0 4"\r\nAr 1.0 2.0 3.0\r\n',
    "numbers": "2\nProperties=Z:I:1:pos:R:3\n14 0 0 0\n8 1.5 0 0\n",
    "order": '2\nProperties=tag:I:1:pos:R:3:species:S:1:forces:R:3 pbc="T F T" '
    'Lattice="3.0 0 0 0.5 4 0 0 0 5"\n7 0 0 0 Si 9 9 9\n7 1 1 1 C 9 9 9\n',
    "frames": "1\nfirst\nH 0 0 0\n2\nlast\nHe 0 0 1\nNe 0 0 4\n",
}

HEAD = "1.5\n 2.0 0.0 0.1\n 0.0 3.0 0.0\n 0.5 0.0 4.0\n"
ATOMS = " 0.00 0.00 0.00\n 0.50 0.25 0.10\n 0.75 0.50 0.60\n"
POSCAR = {
    "version 5": f"comment\n{HEAD}Si O\n1 2\nDirect\n{ATOMS}",
    "version 4": f"Si O\n{HEAD}1 2\nDirect\n{ATOMS}",
    "formula": f"SiO2 of the title\n{HEAD}1 2\nDirect\n{ATOMS}",
    "cartesian": f"comment\n{HEAD}Si O\n1 2\nCartesian\n{ATOMS}",
    "k": f"comment\n{HEAD}Si O\n1 2\nkartesisch\n{ATOMS}",
    "volume": f"comment\n{HEAD}Si O\n1 2\nCart\n{ATOMS}".replace("1.5", "-160", 1),
    "three scales": f"comment\n{HEAD}Si O\n1 2\nCart\n{ATOMS}".replace("1.5", "1.5 1.0 0.5", 1),
    "selective": f"comment\n{HEAD}Si O\n1 2\nSelective dynamics\nDirect\n"
    + ATOMS.replace("\n", " T F T\n"),
    "potentials": f"comment\n{HEAD}Na_pv/6a2f54 O_s\n1 2 ! counts\nDirect\n{ATOMS}",
    "repeated": f"comment\n{HEAD}O Si O\n1 1 1\nDirect\n{ATOMS}",
    "velocities": f"comment\n{HEAD}Si O\n1 2\nDirect\n{ATOMS}\n{ATOMS}",
    "labels": f"comment\n{HEAD}Si O\n1 2\nDirect\n" + ATOMS.replace("\n", " Si1 label\n"),
}


def operations(number: int) -> str:
    """The symmetry operations of a space group as a loop_ of CIF."""

    def component(row: np.ndarray, shift: float) -> str:
        terms = [f"{'+' if r > 0 else '-'}{axis}" for r, axis in zip(row, "xyz") if r]
        twelfths = round(shift * 12)
        return "".join(terms) + (f"+{twelfths}/12" if twelfths else "")

    lines = [
        "'" + ", ".join(component(row, t) for row, t in zip(rotation, translation)) + "'"
        for rotation, translation in Spacegroup(number).get_symop()
    ]
    head = [f"_space_group_IT_number {number}", "loop_", "_space_group_symop_operation_xyz"]
    return "\n".join([*head, *lines]) + "\n"


def cif(
    cell: str, sites: str, symmetry: str = "", columns: str = "label fract_x fract_y fract_z"
) -> str:
    names = ["a", "b", "c", "alpha", "beta", "gamma"]
    tags = [
        f"_cell_{'length' if i < 3 else 'angle'}_{name} {value}"
        for i, (name, value) in enumerate(zip(names, cell.split()))
    ]
    loop = ["loop_", *(f"_atom_site_{name}" for name in columns.split())]
    return "data_made\n" + "\n".join(tags) + f"\n{symmetry}" + "\n".join(loop) + f"\n{sites}\n"


CIF = {
    "P1": cif("4 5 6 80 95 110", "Na1 0 0 0\nCl1 .5 0.5 -0.25"),
    "rock salt": cif("5.64 5.64 5.64 90 90 90", "Na1 0 0 0\nCl1 0.5 0.5 0.5", operations(225)),
    "rutile": cif(
        "4.594 4.594 2.959 90 90 90", "Ti1 0 0 0\nO1 0.305(2) 0.305(2) 0", operations(136)
    ),
    "diamond": cif("3.57 3.57 3.57 90 90 90", "C1 0 0 0", operations(227)),
    "monoclinic": cif(
        "5.15 5.21 5.32 90.00 99.2(1) 90.00",
        "Zr1 0.2754 0.0395 0.2083\nO1 0.0700 0.3317 0.3447\nO2 0.4496 0.7569 0.4792",
        operations(14).replace("_space_group_IT_number", "_symmetry_Int_Tables_number"),
    ),
    "hexagonal": cif(
        "4.758 4.758 12.99 90 90 120", "Al1 0 0 0.35219\nO1 0.30633 0 0.25", operations(167)
    ),
    "screw axis": cif(
        "4.916 4.916 5.4054 90 90 120",
        "Si1 0.4697 0 .6667\nO1 0.4135 0.2669 0.7858",
        "_symmetry_space_group_name_H-M 'P 32 2 1'\nloop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n"
        "'-Y, X-Y, z+2/3'\n'-x+y,-x,1/3+z'\ny,x,-z\n'x-y, -y, -z+1/3'\n'-x, -x+y, -z+2/3'\n",
    ),
    "numbered operations": cif(
        "4 4 4 90 90 90",
        "Fe1 0.1 0.2 0.3",
        "_symmetry_Int_Tables_number 2\nloop_\n_symmetry_equiv_pos_site_id\n"
        "_symmetry_equiv_pos_as_xyz\n1 x,y,z\n2 -x,-y,-z\n",
    ),
    "charges": cif(
        "4.2 4.2 4.2 90 90 90",
        "M1 Mg2+ 0 0 0 1.0\nX1 O2- 0.5 0.5 0.5 1",
        "_symmetry_space_group_name_H-M 'P 1'\n",
        "label type_symbol fract_x fract_y fract_z occupancy",
    ),
    "Cartesian": cif(
        "4 5 6 90 90 90",
        "Ne1 0.5 1.0 1.5\nAr1 3.5 4.5 5.5",
        columns="label Cartn_x Cartn_y Cartn_z",
    ),
    "deuterium": cif("4 4 4 90 90 90", "D1 0 0 0\nD2 0.2 0 0\nO1 0.1 0.1 0"),
    "repeated site": cif(
        "4 4 4 90 90 90",
        "Fe1 0.1 0.2 0.3\nFe2 -0.1 -0.2 -0.3\nO1 0 0 0",
        "_symmetry_Int_Tables_number 2\nloop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-x,-y,-z\n",
    ),
    "several blocks": "data_global\n_journal_name 'J. of X'\n"
    + cif("3 3 3 90 90 90", "He1 0 0 0")
    + cif("4 4 4 90 90 90", "Ne1 0.5 0 0").replace("data_made", "data_other"),
    "texts and comments": "# from a database\n"
    + cif(
        "4 4 4 90 90 90",
        "'Si 1' 0 0 0 # first\n\"Si'2\" 0.5 0.5 0.5",
        "_chemical_name 'it's #1'\n_publ_text\n;\nloop_\n_atom_site_label\ndata_no\n;\n",
    ),
}

ARRAYS = '"numbers": [14, 8], "positions": [[0, 0, 0], [1.6, 0.1, 0]]'
CELL = '"cell": [[4, 0, 0], [0, 5, 0], [1, 0, 6]]'
JSON = {
    "request": f'{{"structures": [{{"id": "a", {ARRAYS}, {CELL}}}], "precision": "float64"}}',
    "no cell": f'{{"structures": [{{{ARRAYS}, "cell": null}}]}}',
    "one": f'{{{ARRAYS}, {CELL}, "pbc": [true, false, true]}}',
    "list": f'[{{"numbers": [1], "positions": [[0, 0, 0]]}}, {{{ARRAYS}}}]',
}
