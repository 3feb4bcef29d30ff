"""CIFs whose symmetry, elements and sites are told in all the ways that people and programs have.

For each the formula of the cell, as both readers (the package's and the page's) must find it, or
what the refusal says, in words that the two have in common.
"""

from __future__ import annotations

import numpy as np

ANGLES = ("alpha", "beta", "gamma")
SITE = "label type_symbol fract_x fract_y fract_z"
DIAMOND = [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]
DIAMOND += [(x + 0.25, y + 0.25, z + 0.25) for x, y, z in DIAMOND]


def cif(cell: str, sites: str, symmetry: str = "", columns: str = SITE) -> str:
    a, b, c, *angles = cell.split()
    tags = [f"_cell_length_{name} {value}" for name, value in zip("abc", (a, b, c))]
    tags += [f"_cell_angle_{name} {value}" for name, value in zip(ANGLES, angles)]
    loop = ["loop_", *(f"_atom_site_{name}" for name in columns.split())]
    return "\n".join(["data_made", *tags, symmetry, *loop, sites, ""])


CUBIC, HEXAGONAL = "5.43 5.43 5.43 90 90 90", "3.16 3.16 12.3 90 90 120"
FIRST, SECOND = "Si1 SI 0 0 0", "Si1 Si 0.125 0.125 0.125"  # in the two origins
ALL = "\n".join(f"Si{i} Si {x} {y} {z}" for i, (x, y, z) in enumerate(DIAMOND))
MOVED = "\n".join(
    f"Si{i} Si {x:.8f} {y:.8f} {z:.8f}"
    for i, (x, y, z) in enumerate(
        np.array(DIAMOND) + np.random.default_rng(1).normal(size=(8, 3)) * 0.01
    )
)
ALONE = "\nloop_\n_symmetry_equiv_pos_as_xyz\nx,y,z"
NAME, NUMBER = "_space_group_name_H-M_alt", "_space_group_IT_number"


def silicon(symmetry: str, sites: str = FIRST) -> str:
    return cif(CUBIC, sites, symmetry)


def sulfide(x: str, y: str, symmetry: str = f"{NAME} 'P 63/m m c'") -> str:
    return cif(HEXAGONAL, f"Mo1 MO {x} {y} 0.25\nS1 S {x} {y} .621", symmetry)


def labelled(label: str, more: str = "") -> str:
    return cif(CUBIC, f"{label} 0 0 0", more, "label fract_x fract_y fract_z")


MAGNETIC = """loop_
_space_group_symop_magn_operation.id
_space_group_symop_magn_operation.xyz
1 x,y,z,+1
2 -x,-y,z,-1
loop_
_space_group_symop_magn_centering.xyz
x,y,z,+1
x+1/2,y+1/2,z+1/2,-1
_parent_space_group.name_H-M_alt 'F d -3 m'"""
HALF = "label type_symbol fract_x fract_y fract_z occupancy"
GROUP = "label type_symbol fract_x fract_y fract_z disorder_group"

GOOD = {
    "Hall, origin 1": (silicon("_space_group_name_Hall 'F 4d 2 3 -1d'"), "Si8"),
    "Hall, origin 2": (silicon("_symmetry_space_group_name_Hall '-F 4vw 2vw 3'", SECOND), "Si8"),
    "Hall, new dictionary": (silicon("_space_group.name_Hall -F_4vw_2vw_3", SECOND), "Si8"),
    "number, origin 1": (silicon(f"{NUMBER} 227"), "Si8"),
    "number, origin 2": (silicon("_symmetry_Int_Tables_number 227", SECOND), "Si8"),
    "number, new dictionary": (silicon("_space_group.IT_number 227"), "Si8"),
    "number, mmCIF": (silicon("_symmetry.Int_Tables_number 227"), "Si8"),
    "H-M": (silicon(f"{NAME} 'F d -3 m'"), "Si8"),
    "H-M, old tag": (silicon("_symmetry_space_group_name_H-M 'F d -3 m'", SECOND), "Si8"),
    "H-M, new dictionary": (silicon("_space_group.name_H-M_alt 'F d -3 m:1'"), "Si8"),
    "H-M, reference": (silicon("_space_group_name_H-M_ref 'F d -3 m :2'", SECOND), "Si8"),
    "H-M, mmCIF": (silicon("_symmetry.space_group_name_H-M Fd-3m"), "Si8"),
    "H-M, full": (silicon("_space_group_name_H-M_full 'F 41/d -3 2/m'"), "Si8"),
    "H-M, as until 1983": (silicon(f"{NAME} Fd3m"), "Si8"),
    "H-M of ICSD, S": (silicon(f"{NAME} 'F d -3 m S'"), "Si8"),
    "H-M of ICSD, Z": (silicon(f"{NAME} 'F d -3 m Z'", SECOND), "Si8"),
    "H-M and the code": (
        silicon(f"{NAME} 'F d -3 m'\n_space_group_IT_coordinate_system_code 2", SECOND),
        "Si8",
    ),
    "H-M beside x,y,z": (silicon(f"{NAME} 'F d -3 m'{ALONE}"), "Si8"),
    "number beside x,y,z": (silicon(f"{NUMBER} 227{ALONE}", SECOND), "Si8"),
    "Hall beside x,y,z": (silicon(f"_space_group_name_Hall 'F 4d 2 3 -1d'{ALONE}"), "Si8"),
    "H-M beside all atoms": (silicon(f"{NAME} 'F d -3 m'{ALONE}", ALL), "Si8"),
    "all atoms in P 1": (silicon(f"{NAME} 'P 1'\n{NUMBER} 1{ALONE}", MOVED), "Si8"),
    "all names agree": (
        silicon(f"{NAME} 'F d -3 m:1'\n{NUMBER} 227\n_space_group_name_Hall 'F 4d 2 3 -1d'"),
        "Si8",
    ),
    "the formula tells the origin": (
        cif(
            "8.08 8.08 8.08 90 90 90",
            "Mg1 MG 0.125 0.125 0.125\nAl1 AL 0.5 0.5 0.5\nO1 O 0.2624 0.2624 0.2624",
            f"{NAME} 'F d -3 m'\n_chemical_formula_sum 'Al2 Mg O4'",
        ),
        "Al16Mg8O32",
    ),
    "monoclinic, short": (
        cif("5.15 5.21 5.32 90 99.2 90", "Zr1 ZR 0.2754 0.0395 0.2083", f"{NAME} P2(1)/c"),
        "Zr4",
    ),
    "monoclinic, along c": (
        cif("5.15 5.32 5.21 90 90 99.2", "Zr1 ZR 0.2754 0.2083 0.0395", f"{NUMBER} 14"),
        "Zr4",
    ),
    "monoclinic, P 21/n": (
        cif("5 6 7 90 95 90", "Zr1 ZR 0.1 0.2 0.3", "_symmetry_space_group_name_H-M 'P 1 21/n 1'"),
        "Zr4",
    ),
    "orthorhombic, another setting": (
        cif("5.3 7.6 5.5 90 90 90", "Ca1 CA .5 .25 .45\nTi1 TI 0 0 0", f"{NAME} 'P c m n'"),
        "Ca4Ti4",
    ),
    "rhombohedral": (
        cif("5.13 5.13 5.13 55.3 55.3 55.3", "Al1 AL .355 .355 .355", f"{NAME} 'R -3 c'"),
        "Al4",
    ),
    "hexagonal axes": (
        cif("4.758 4.758 12.99 90 90 120", "Al1 AL 0 0 .355", f"{NAME} 'R -3 c H'"),
        "Al12",
    ),
    "double glide": (
        cif("6 7 8 90 90 90", "Si1 SI .1 .2 .3", "_space_group_name_H-M_alt 'C m c e'"),
        "Si16",
    ),
    "sites in all operations": (
        cif("4 5 6 90 90 90", "Fe1 FE .1 .2 .3\nFe2 FE .6 .7 .8", MAGNETIC.split("_parent")[0]),
        "Fe4",
    ),
    "magnetic": (cif("4 5 6 90 90 90", "Fe1 FE3+ .1 .2 .3", MAGNETIC), "Fe4"),
    "magnetic, old tags": (
        cif("4 5 6 90 90 90", "Fe1 Fe .1 .2 .3", MAGNETIC.replace("operation.", "operation_")),
        "Fe4",
    ),
    **{
        f"rounded, {x} {y}": (sulfide(x, y), "Mo2S4")
        for x, y in (
            (".333", ".667"),
            ("0.3333", "0.6667"),
            ("0.333", "0.666"),
            ("0.33", "0.67"),
            ("0.33", "0.66"),
            ("0.333300", "0.666700"),
            ("0.33333(2)", "0.66667(2)"),
            ("0.3334(3)", "0.6665(3)"),
            ("3.333e-1", "6.667E-1"),
        )
    },
    "rounded, number": (sulfide(".333", ".667", f"{NUMBER} 194"), "Mo2S4"),
    "rounded images of other sites": (
        cif(HEXAGONAL, "Mo1 Mo .333 .667 .25\nMo2 Mo .667 .333 .75", f"{NUMBER} 194"),
        "Mo2",
    ),
    "capital symbols": (
        cif(
            "5.64 5.64 5.64 90 90 90",
            "A1 NA+ 0 0 0\nA2 CL1- .5 .5 .5",
            "_symmetry_space_group_name_H-M 'F m 3 m'",
        ),
        "Cl4Na4",
    ),
    **{
        f"type {kind}": (cif(CUBIC, f"A1 {kind} 0 0 0"), symbol)
        for kind, symbol in (
            *(("NA", "Na"), ("na", "Na"), ("CL", "Cl"), ("SI4+", "Si"), ("CO", "Co")),
            *(("O2-", "O"), ("D", "H"), ("D1+", "H"), ("HO", "Ho"), ("N", "N"), ("Fe3+", "Fe")),
        )
    },
    **{
        f"label {label}": (labelled(label), symbol)
        for label, symbol in (
            *(("Na1", "Na"), ("Si(1)", "Si"), ("N1A", "N"), ("ZN1", "Zn"), ("OW1", "O")),
            *(("O1W", "O"), ("H12", "H"), ("D2", "H"), ("MG", "Mg"), ("C", "C")),
        )
    },
    "label NA1 and a formula": (labelled("NA1", "_chemical_formula_sum 'Cl1 Na1'"), "Na"),
    "label CA1 and a formula": (labelled("CA1", "_chemical_formula_sum 'C2 H6 O'"), "C"),
    "whole occupancies": (cif(CUBIC, "Fe1 Fe 0 0 0 1.000(2)\nO1 O .5 .5 .5 ?", "", HALF), "FeO"),
    "one group of disorder": (cif(CUBIC, "Fe1 Fe 0 0 0 1\nO1 O .5 .5 .5 .", "", GROUP), "FeO"),
}

BAD = {
    "two origins": (silicon(f"{NUMBER} 227", "Si1 Si .1 .2 .3"), "two origins"),
    "an old name over moved atoms": (
        silicon(f"{NAME} 'F d -3 m'{ALONE}", MOVED),
        "under the symmetry are",
    ),
    "an old name over some atoms": (
        silicon(f"{NAME} 'F d -3 m'{ALONE}", ALL.split("\nSi4")[0]),
        "neither its operations nor its atoms",
    ),
    "two names": (silicon(f"{NAME} 'F d -3 m'\n{NUMBER} 225"), "names two space groups"),
    "P 1 and a number": (silicon(f"{NAME} 'P 1'\n{NUMBER} 227"), "names two space groups"),
    "Hall and another name": (
        silicon(f"{NAME} 'F d -3 m'\n_space_group_name_Hall 'P 2 2'"),
        "names two space groups",
    ),
    "unknown name": (silicon(f"{NAME} 'Q d -3 m'"), "symbol .Q d -3 m. is not known"),
    "unknown number": (silicon(f"{NUMBER} 231"), "no number of a space group"),
    "no Hall symbol": (silicon("_space_group_name_Hall 'F 5d'"), "no Hall symbol"),
    "Schoenflies alone": (
        silicon("_space_group_name_Schoenflies Oh^7"),
        "_space_group_name_schoenflies .Oh.7., which is not understood",
    ),
    "magnetic, named alone": (
        silicon("_space_group_magn.number_BNS 227.128"),
        "_space_group_magn_number_bns .227.128., which is not understood",
    ),
    "modulated": (
        silicon("_space_group_ssg_name 'Fd-3m(00g)'\n_cell_modulation_dimension 1"),
        "which is not understood",
    ),
    "another cell": (
        cif("5.43 5.9 5.43 90 90 90", FIRST, f"{NAME} 'F d -3 m'"),
        "cell has not the symmetry",
    ),
    "generators": (
        silicon("loop_\n_symmetry_equiv_pos_as_xyz\nx,y,z\n-y,x,z"),
        "operations are no group",
    ),
    "no operation": (silicon("loop_\n_symmetry_equiv_pos_as_xyz\nx,y"), "not a symmetry operation"),
    "partial": (cif(CUBIC, "Fe1 Fe 0 0 0 0.5", "", HALF), "occupancy of Fe1 is 0.5"),
    "vacant": (cif(CUBIC, "Fe1 Fe 0 0 0 0", "", HALF), "occupancy of Fe1 is 0"),
    "overfull": (cif(CUBIC, "Fe1 Fe 0 0 0 2", "", HALF), "occupancy of Fe1 is 2"),
    "shared": (cif(CUBIC, "Fe1 Fe 0 0 0\nNi1 Ni 0 0 1"), "share a site"),
    "shared by an image": (
        cif(HEXAGONAL, "Mo1 Mo .333 .667 .25\nW1 W .667 .333 .75", f"{NUMBER} 194"),
        "share a site",
    ),
    "alternatives": (cif(CUBIC, "Fe1 Fe 0 0 0 1\nO1 O .5 .5 .5 2", "", GROUP), "are alternatives"),
    "hydrogens that are not there": (
        cif(CUBIC, "O1 O 0 0 0 2", "", f"{SITE} attached_hydrogens"),
        "hydrogens that are not listed",
    ),
    "dummy": (cif(CUBIC, "O1 O 0 0 0 dum", "", f"{SITE} calc_flag"), "is a dummy"),
    "near an image of itself": (
        cif(CUBIC, "Si1 Si 0.00512 0.1 0.2", f"{NAME} 'P m m m'"),
        "Images of Si1 under|images of Si1 under",
    ),
    **{
        f"type {kind}": (cif(CUBIC, f"A1 {kind} 0 0 0"), f".{kind}. is not an element")
        for kind in ("OH", "Wat", "X", "M", "Vac", "9")
    },
    **{
        f"label {label}": (labelled(label), "add _atom_site_type_symbol")
        for label in ("CL1", "NA1", "SI1", "CO1", "WAT", "X1", "1", "Wa1")
    },
    "a tag twice": (silicon(f"{NUMBER} 227\n_space_group.IT_number 1"), "is there twice"),
}

# Two atoms of a text that are too near, which is told before they are sent.
NEAR = {
    "P 1": cif(CUBIC, "Si1 Si 0 0 0\nSi2 Si 0 0 0.01"),
    "P 1, the same twice": cif(CUBIC, "Si1 Si 0 0 0\nSi2 Si 0 0 0"),
    "across the cell": cif(CUBIC, "Si1 Si 0 0 0.005\nSi2 Si 0 0 0.995"),
    "other elements": cif(CUBIC, "Si1 Si 0 0 0\nO1 O 0 0 0.012"),
}
