"""The pair style irrep gives the library's numbers on any number of ranks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import ase.build
import numpy as np
import pytest
from conftest import BIN, ROOT
from libirrep import Model
from models import model_path
from setups import MEASURES, case_of, found_of, row_after_step, wanted_of
from systems import System, system

from irrepd import safetensors

MODELS = (
    "sevennet-0",
    "mace-small",
    "nequip-small",
    "allegro-small",
    "schnet-small",
    "so3net-small",
)


def sheared(structure: System) -> System:
    return structure.deformed(np.array([[1, 0, 0], [0.45, 1, 0], [0.1, -0.4, 1]]))


def silicon() -> System:
    """32 atoms of diamond, moved by up to 0.1 Angstrom."""
    atoms = ase.build.bulk("Si", cubic=True).repeat((2, 2, 1))
    atoms.positions += np.random.default_rng(1).uniform(-0.1, 0.1, atoms.positions.shape)
    return System(atoms.numbers, atoms.positions, np.array(atoms.cell), np.full(3, True))


def water() -> System:
    """Eight molecules, each turned by chance, at the density of the liquid."""
    rng = np.random.default_rng(2)
    molecule = ase.build.molecule("H2O")
    positions = []
    for site in np.ndindex(2, 2, 2):
        turned = molecule.positions @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
        positions.append(turned + 3.1 * np.array(site) + rng.uniform(-0.1, 0.1, 3))
    return System(
        np.tile(molecule.numbers, 8), np.concatenate(positions), 6.2 * np.eye(3), np.full(3, True)
    )


def structures(model: Model) -> dict[str, System]:
    """Crystals, a sheared one, water, a slab with vacuum, and few atoms."""
    crystal = system(model, "crystal", 1).repeated((2, 2, 3))
    layer = system(model, "layer", 2).repeated((2, 1, 2))
    upright = layer._replace(cell=np.diag(np.diag(layer.cell)))
    known = set(model.atomic_numbers.tolist())
    named = {"silicon": ({14}, silicon), "water": ({1, 8}, water)}
    return {
        **{name: make() for name, (numbers, make) in named.items() if numbers <= known},
        "crystal": crystal,
        "sheared": sheared(crystal),
        "slab": upright,
        "molecule": system(model, "molecule", 3),
    }


def check(ours, wanted, tolerance: float) -> None:
    n = len(wanted.forces)
    assert abs(ours.energy - wanted.energy) <= tolerance * n
    assert np.abs(ours.energies - wanted.energies).max() <= tolerance * n
    assert np.abs(ours.forces - wanted.forces).max() <= 10 * tolerance
    size = max(1.0, np.abs(wanted.virial).max())
    assert np.abs(ours.virial - wanted.virial).max() <= 10 * tolerance * size * n
    assert np.abs(ours.virials - wanted.virials).max() <= 10 * tolerance * size


# Waiting ranks take each other's processor: `make test-lammps` runs every model on 1 to 4 ranks.
EVERY = [(name, ranks) for name in MODELS for ranks in (1, 2, 3, 4)]
SOME = [*((name, 2) for name in MODELS), ("sevennet-0", 1), ("mace-small", 4), ("allegro-small", 3)]
LONG = bool(os.environ.get("IRREPD_TEST_LONG"))
RUNS = EVERY if LONG else SOME


@pytest.mark.parametrize(("name", "ranks"), RUNS)
def test_numbers(name, ranks, lammps, tmp_path):
    path = model_path(name)
    model = Model(path)
    cases = [case_of(model, k, s, tmp_path) for k, s in structures(model).items()]
    text = "".join(
        case.text("irrep precision double", path) + MEASURES.format(name=case.name)
        for case in cases
    )
    rows = row_after_step(lammps(text, ranks))
    for i, case in enumerate(cases):
        row = rows[8 * i : 8 * i + 8]
        check(found_of(case, row, tmp_path), wanted_of(case, model, "float64"), 1e-10)


def test_ranks_without_atoms(lammps, tmp_path):
    """The middle of the box has all of them."""
    for name in MODELS if LONG else ("nequip-small", "allegro-small"):
        path = model_path(name)
        model = Model(path)
        case = case_of(model, name, system(model, "molecule", 3), tmp_path, room=30.0)
        text = case.text("irrep precision double", path)
        text = text.replace("read_data", "processors 4 1 1\nread_data")
        said = lammps(text + MEASURES.format(name=name), 4)
        assert re.search(r"Nlocal: .* 0 min", said), said[-2000:]
        found = found_of(case, row_after_step(said), tmp_path)
        check(found, wanted_of(case, model, "float64"), 1e-10)


def test_heads(lammps, tmp_path):
    """A head by its name, the card's default, and words where there is neither."""
    path = model_path("mace/multihead")
    model = Model(path)
    energies = set()
    case = case_of(model, "crystal", system(model, "crystal", 1), tmp_path)
    for head in model.heads:
        text = case.text(f"irrep precision double head {head}", path)
        rows = row_after_step(lammps(text + MEASURES.format(name="crystal"), 2))
        check(found_of(case, rows, tmp_path), wanted_of(case, model, "float64", head), 1e-10)
        energies.add(rows[1])
    assert len(energies) == len(model.heads) > 1
    known = " ".join(model.heads)
    said = lammps(case.text("irrep head nothing", path) + "run 0\n", fails=True)
    assert f"the model has no head nothing; it has {known}" in said
    rows = row_after_step(
        lammps(case.text("irrep precision double", path) + MEASURES.format(name="crystal"))
    )
    default = model.metadata["default_head"]
    check(found_of(case, rows, tmp_path), wanted_of(case, model, "float64", default), 1e-10)
    tensors, metadata = safetensors.read(path)
    card = json.loads(metadata["irrepd"])
    del card["default_head"]
    undecided = tmp_path / "undecided.safetensors"
    safetensors.write(undecided, tensors, {**metadata, "irrepd": json.dumps(card)})
    said = lammps(case.text("irrep", undecided) + "run 0\n", fails=True)
    assert f"name one by pair_style irrep head, of {known}" in said


def test_memory(lammps, tmp_path):
    """A step for which there is no memory is refused by the numbers."""
    text = f"""
units metal
lattice diamond 5.43
region cell block 0 22 0 22 0 22
create_box 1 cell
create_atoms 1 box
mass 1 28.0855
pair_style irrep
pair_coeff * * {model_path("sevennet-0")} Si
run 0
"""
    said = lammps(text, 1, fails=True, address_space=3 << 30)
    assert re.search(r"irrep: [0-9.]+ MB are not there for 85184 atoms with \d+ edges", said), said


def test_compiles_for_open_mpi(plugin):
    """Debian's; the plugin calls no more of MPI than LAMMPS itself."""
    if not shutil.which("mpicxx.openmpi"):
        pytest.skip("there is no Open MPI")
    headers = next((BIN.parent / "lib").glob("python3*/site-packages/lammps/include/lammps"))
    command = ["mpicxx.openmpi", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"]
    command += ["-DLAMMPS_SMALLBIG", '-DLAMMPS_VERSION="any"', "-isystem", str(headers)]
    sources = [str(path) for path in sorted((ROOT / "clients" / "lammps").glob("*.cc"))]
    subprocess.run([*command, f"-I{ROOT / 'include'}", *sources], check=True)


def small(lammps_folder: Path, name: str = "nequip-small", repeats=(2, 2, 2)):
    """A model's file, the model and a crystal for it."""
    path = model_path(name)
    model = Model(path)
    structure = system(model, "crystal", 1).repeated(repeats)
    return path, model, case_of(model, "crystal", structure, lammps_folder)


def test_newton_off_and_units_real(lammps, tmp_path):
    path, model, case = small(tmp_path)
    wanted = wanted_of(case, model, "float64")
    style = "irrep precision double threads 2"
    off = case.text(style, path).replace("clear\n", "clear\nnewton off\n")
    rows = row_after_step(lammps(off + MEASURES.format(name=case.name), 2))
    check(found_of(case, rows, tmp_path), wanted, 1e-10)

    real = case.text(style, path, "real") + MEASURES.format(name=case.name)
    row = row_after_step(lammps(real, 2))
    kcal = 23.060549
    assert abs(row[1] / kcal - wanted.energy) <= 1e-10 * len(wanted.forces)
    table = np.loadtxt(tmp_path / "crystal.dump", skiprows=9)
    assert np.abs(table[:, 1:4] / kcal - wanted.forces).max() <= 1e-9
    volume, atmospheres = abs(np.linalg.det(case.structure.cell)), 68568.415  # LAMMPS' nktv2p
    virial = np.array(row[2:8]) * volume / atmospheres / kcal
    assert np.abs(virial - wanted.virial).max() <= 1e-9 * np.abs(wanted.virial).max()


def test_ranks_of_unlike_size(lammps, tmp_path):
    """comm_style tiled: boxes by recursive bisection, with several neighbours to a side."""
    path, model, _ = small(tmp_path)
    for name in ("sheared", "slab", "molecule"):
        case = case_of(model, name, structures(model)[name], tmp_path)
        text = case.text("irrep precision double", path)
        text = text.replace("pair_style", "comm_style tiled\nbalance 1.0 rcb\npair_style")
        row = row_after_step(lammps(text + MEASURES.format(name=name), 3))
        check(found_of(case, row, tmp_path), wanted_of(case, model, "float64"), 1e-10)


HEAT = """
velocity all create 900 4928459 loop geom
compute ke all ke/atom
compute e all pe/atom
compute s all stress/atom NULL virial
compute j all heat/flux ke e s
thermo_style custom step c_j[*]
thermo_modify format float %.17g
dump d all custom 1 heat.dump id vx vy vz c_ke
dump_modify d sort id format float %.17g
run 0
"""


def test_heat_flux(lammps, tmp_path):
    """sum_i (e_i v_i + W_i v_i) by the library's energies and virials of atoms."""
    path, model, case = small(tmp_path)
    wanted = wanted_of(case, model, "float64")
    xx, yy, zz, xy, xz, yz = wanted.virials.T
    virials = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    for ranks in (1, 2):
        row = row_after_step(lammps(case.text("irrep precision double", path) + HEAT, ranks))
        table = np.loadtxt(tmp_path / "heat.dump", skiprows=9)
        v, kinetic = table[:, 1:4], table[:, 4]
        convective = (kinetic + wanted.energies) @ v
        flux = convective + np.einsum("abi,ib->a", virials, v)
        size = np.abs(v).max() * np.abs(wanted.virials).max()
        assert np.abs(row[4:7] - convective).max() <= 1e-9 * size
        assert np.abs(row[1:4] - flux).max() <= 1e-9 * size


def test_precision_single_is_the_librarys(lammps, tmp_path):
    path, model, case = small(tmp_path)
    rows = row_after_step(
        lammps(case.text("irrep precision single", path) + MEASURES.format(name="crystal"))
    )
    single = wanted_of(case, model, "float32")
    double = wanted_of(case, model, "float64")
    check(found_of(case, rows, tmp_path), single, 2e-5)
    assert not np.array_equal(found_of(case, rows, tmp_path).forces, double.forces)


def test_types_without_a_model_are_not_seen(lammps, tmp_path):
    """hybrid/overlay with a type that is NULL: its atoms are no neighbours of the others."""
    path, model, case = small(tmp_path)
    left_out = model.atomic_numbers[0]
    words = ["NULL" if s == case.symbols[0] else s for s in case.symbols]
    text = case.text("irrep precision double", path)
    text = text.replace("pair_style irrep", "pair_style hybrid/overlay zero 3.0 irrep")
    text = text.replace(
        f"pair_coeff * * {path} {' '.join(case.symbols)}",
        f"pair_coeff * * zero\npair_coeff * * irrep {path} {' '.join(words)}",
    )
    keep = case.structure.numbers != left_out
    kept = case.structure._replace(
        numbers=case.structure.numbers[keep], positions=case.structure.positions[keep]
    )
    assert 0 < keep.sum() < len(keep)
    row = row_after_step(lammps(text + MEASURES.format(name="crystal"), 3))
    wanted = model.evaluate_one(kept, "float64")
    found = found_of(case, row, tmp_path)
    assert abs(found.energy - wanted.energy) <= 1e-10 * len(keep)
    assert np.abs(found.forces[keep] - wanted.forces).max() <= 1e-9
    assert np.abs(found.forces[~keep]).max() == 0


DYNAMICS = """
velocity all create 900 4928459 loop geom
fix n all nve
timestep 0.0005
neigh_modify every 1 delay 0 check yes
thermo_style custom step etotal
thermo_modify format float %.17g
dump d all custom {steps} {name}.dump id xu yu zu
dump_modify d sort id format float %.17g
run {steps}
"""


@pytest.mark.parametrize("name", MODELS if LONG else ("nequip-small",))
def test_trajectories_do_not_depend_on_ranks(name, lammps, tmp_path):
    """Atoms cross from rank to rank. The crystal heats up to 50,000 K by the example of SchNet,
    where rounding grows from 2e-15 to 1e-8 Angstrom within the run, and its heavier atoms by
    SevenNet move little: these two move water."""
    path, model, case = small(tmp_path, name)
    before = ""
    if name in ("schnet-small", "sevennet-0"):
        case = case_of(model, "water", water(), tmp_path)
        before = "neighbor 0.5 bin\n"
    ends = []
    for ranks in (1, 2, 3, 4) if LONG else (1, 2, 4):
        text = case.text("irrep precision double", path) + before
        text += DYNAMICS.format(name=case.name, steps=100)
        said = lammps(text, ranks)
        assert int(said.partition("Neighbor list builds =")[2].split()[0]) > 2
        ends.append(
            np.loadtxt(tmp_path / f"{case.name}.dump", skiprows=9 + 9 + len(case.structure.numbers))
        )
    for end in ends[1:]:
        assert np.abs(end - ends[0]).max() <= 1e-8


@pytest.mark.parametrize("name", MODELS if LONG else ("nequip-small",))
def test_virial_is_that_of_differences(name, lammps, tmp_path):
    path, _, case = small(tmp_path, name)
    text = (
        case.text("irrep precision double", path)
        + """
fix v all numdiff/virial 1 1e-4
compute p all pressure NULL virial
thermo_style custom step c_p[*] f_v[*]
thermo_modify format float %.17g
run 0
"""
    )
    row = np.array(row_after_step(lammps(text, 2))[1:])
    voigt = row[6:][[0, 1, 2, 5, 4, 3]]
    assert np.abs(row[:6] - voigt).max() <= 1e-6 * np.abs(row[:6]).max()


def test_restart_minimize_and_pressure(lammps, tmp_path):
    path, _, case = small(tmp_path)
    text = case.text("irrep precision double", path)
    coeff = f"pair_style irrep precision double\npair_coeff * * {path} {' '.join(case.symbols)}\n"
    thermo = "thermo_style custom step pe\nthermo_modify format float %.17g\n"
    said = lammps(
        text + thermo + "minimize 0 0.1 5 20\nwrite_restart saved\n"
        "clear\natom_modify map yes\nread_restart saved\n" + coeff + thermo + "run 0\n",
        2,
    )
    energies = [
        float(line.split()[1])
        for line in said.splitlines()
        if len(line.split()) == 2 and line.split()[0].isdigit() and "." in line.split()[1]
    ]
    assert abs(energies[-1] - energies[-2]) <= 1e-9 and energies[-1] < energies[0]
    said = lammps(
        text + "velocity all create 300 1\nfix n all npt temp 300 300 0.1 iso 0 0 1\n"
        "timestep 0.0005\nrun 10\n",
        2,
    )
    assert "Loop time" in said


REFUSED = {
    "precision": ("irrep precision half", "precision half: it can be single, double or model"),
    "keyword": ("irrep colour red", "unknown keyword colour"),
    "threads": ("irrep threads 0", "threads 0: it can be 1 to 64"),
}


@pytest.mark.parametrize(("style", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_words_of_the_style(style, says, lammps, tmp_path):
    path, _, case = small(tmp_path)
    assert says in lammps(case.text(style, path) + "run 0\n", fails=True)


def test_what_is_wrong_is_said(lammps, tmp_path):
    path, _, case = small(tmp_path)
    good = case.text("irrep", path)
    symbols = " ".join(case.symbols)
    (tmp_path / "damaged").write_bytes(path.read_bytes()[:3000])
    for old, new, says in (
        (
            symbols,
            " ".join(["Og", *case.symbols[1:]]),
            "the model does not know Og; it knows H C O",
        ),
        (symbols, " ".join(["h", *case.symbols[1:]]), "the model does not know h"),
        (f" {path} ", " nowhere ", "model file nowhere cannot be opened"),
        (f" {path} ", " damaged ", "damaged: damaged model file"),
        ("units metal", "units lj", "units lj: they can be metal or real"),
        ("pair_style", "neigh_modify exclude type 1 1\npair_style", "would leave pairs out"),
        ("pair_coeff * *", "pair_coeff 1 1", "must start with * *"),
    ):
        said = lammps(good.replace(old, new) + "run 0\n", 2, fails=True)
        assert says in said, said[-800:]
    said = lammps(good + "fix n all nve\nrun_style respa 2 2 pair 1\nrun 0\n", fails=True)
    assert "no parts for the levels of run_style respa" in said
    close = (
        good + "create_atoms 1 single 0.0 0.0 0.0\ncreate_atoms 1 single 0.0 0.0 0.0005\nrun 0\n"
    )
    said = lammps(close, 2, fails=True)
    assert "atoms on top of each other (atoms " in said


def test_bonded_pairs_are_not_left_out(lammps, tmp_path):
    """LAMMPS' default of special_bonds takes the pairs of a bond from its lists."""
    path = model_path("nequip-small")
    model = Model(path)
    case = case_of(model, "molecule", system(model, "molecule", 3), tmp_path)
    text = case.text("irrep precision double", path)
    text = text.replace("atom_style atomic", "atom_style bond\nbond_style zero")
    bonds = "extra/bond/types 1 extra/bond/per/atom 4 extra/special/per/atom 8"
    text = text.replace(".data", f".data {bonds}", 1)
    lines = (tmp_path / "molecule.data").read_text().replace("Atoms # atomic", "Atoms # bond")
    before, _, atoms = lines.partition("Atoms # bond")
    rows = [f"{row.split()[0]} 1 {' '.join(row.split()[1:])}" for row in atoms.split("\n") if row]
    (tmp_path / "molecule.data").write_text(f"{before}Atoms # bond\n\n" + "\n".join(rows) + "\n")
    text += "bond_coeff 1\ncreate_bonds single/bond 1 1 2\n"
    said = lammps(text + "run 0\n", fails=True)
    assert "bonded pairs would be left out of the model: use special_bonds lj/coul 1 1 1" in said
    text += "special_bonds lj/coul 1 1 1\n" + MEASURES.format(name="molecule")
    row = row_after_step(lammps(text, 2))
    check(found_of(case, row, tmp_path), wanted_of(case, model, "float64"), 1e-10)
