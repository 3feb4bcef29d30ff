"""`pair_style irrep dispersion` gives the DFT-D3 of the whole structure on any number of ranks."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from dispersion import DATA, Dispersion
from libirrep import Model
from models import model_path
from setups import MEASURES, Found, case_of, found_of, row_after_step, wanted_of
from systems import System, system
from test_pair import check, sheared

SKIN = 2.0
FAR = {"d3_cutoff": 21.2, "cn_cutoff": 21.2}
NEAR = {"d3_cutoff": 9.0, "cn_cutoff": 7.0}

# The whole matrix is a part of `make test-lammps`.
EVERY = [(ranks, "d3bj", FAR) for ranks in (1, 2, 3, 4)] + [(2, "d3zero", FAR)]
SOME = [(2, "d3bj", FAR), (3, "d3zero", NEAR)]
RUNS = EVERY if os.environ.get("IRREPD_TEST_LONG") else SOME


def structures(model: Model) -> dict[str, System]:
    crystal = system(model, "crystal", 1).repeated((2, 2, 2))
    layer = system(model, "layer", 2)
    return {
        "sheared": sheared(crystal),
        "slab": layer._replace(cell=np.diag(np.diag(layer.cell))),
        "molecule": system(model, "molecule", 3),
    }


def with_dispersion(case, found: Found, method: str, cutoffs: dict[str, float]) -> Found:
    part = Dispersion().evaluate(
        case.structure, method=method, cutoff=cutoffs["d3_cutoff"], cn_cutoff=cutoffs["cn_cutoff"]
    )
    periodic = np.all(case.structure.pbc)
    volume = abs(np.linalg.det(case.structure.cell)) if periodic else 1.0
    virials = part.stresses * (-volume if periodic else 1.0)
    six = [0, 4, 8, 1, 2, 5]
    assert np.abs(part.forces).max() > 1e-6
    return Found(
        found.energy + part.energy,
        found.virial + part.virial.reshape(9)[six],
        found.forces + part.forces,
        found.energies + part.energies,
        found.virials + virials.reshape(-1, 9)[:, six],
    )


def text_of(case, path, method: str, cutoffs: dict[str, float], more: str = "") -> str:
    words = " ".join(f"{key} {value}" for key, value in cutoffs.items())
    style = f"irrep precision double dispersion {method} functional pbe {words} {more}"
    ghosts = max(cutoffs.values()) + SKIN
    return case.text(style, path).replace(
        "pair_style", f"neighbor {SKIN} bin\ncomm_modify cutoff {ghosts}\npair_style"
    )


@pytest.mark.parametrize(("ranks", "method", "cutoffs"), RUNS)
def test_numbers(ranks, method, cutoffs, lammps, tmp_path):
    path = model_path("nequip-small")
    model = Model(path)
    cases = [case_of(model, k, s, tmp_path) for k, s in structures(model).items()]
    text = "".join(
        text_of(case, path, method, cutoffs, f"d3_data {DATA}") + MEASURES.format(name=case.name)
        for case in cases
    )
    rows = row_after_step(lammps(text, ranks))
    for i, case in enumerate(cases):
        wanted = with_dispersion(case, wanted_of(case, model, "float64"), method, cutoffs)
        check(found_of(case, rows[8 * i : 8 * i + 8], tmp_path), wanted, 1e-10)


def test_data_beside_the_model_and_newton_off(lammps, tmp_path):
    """The cutoff is 40 bohr unless the input says something else."""
    path = tmp_path / "model.safetensors"
    shutil.copy(model_path("nequip-small"), path)
    shutil.copy(DATA, tmp_path / DATA.name)
    model = Model(path)
    case = case_of(model, "molecule", system(model, "molecule", 3), tmp_path)
    text = case.text("irrep precision double dispersion d3bj threads 2", path)
    text = text.replace("clear\n", "clear\nnewton off\n")
    text = text.replace("pair_style", "comm_modify cutoff 23.2\npair_style")
    rows = row_after_step(lammps(text + MEASURES.format(name="molecule"), 2))
    bohr = 0.5291772105638411
    cutoffs = {"d3_cutoff": 40 * bohr, "cn_cutoff": 40 * bohr}
    wanted = with_dispersion(case, wanted_of(case, model, "float64"), "d3bj", cutoffs)
    check(found_of(case, rows, tmp_path), wanted, 1e-10)


def test_what_is_wrong_is_said(lammps, tmp_path):
    path = model_path("nequip-small")
    model = Model(path)
    case = case_of(model, "molecule", system(model, "molecule", 3), tmp_path)
    (tmp_path / "damaged").write_bytes(DATA.read_bytes()[:1000])
    for style, says in (
        ("irrep dispersion d4", "dispersion d4: it can be d3bj or d3zero"),
        ("irrep dispersion d3bj functional nothing", "no parameters of this dispersion"),
        ("irrep functional pbe", "belong to dispersion, which is not asked for"),
        ("irrep dispersion d3bj d3_cutoff x", "d3_cutoff x: a length in Angstrom is due"),
        ("irrep dispersion d3bj d3_cutoff -1", "cutoff is -1; above 0"),
        ("irrep dispersion", "a value is missing after dispersion"),
        ("irrep head pbe", "the model has no head pbe; it has none by name"),
        ("irrep dispersion d3bj d3_data nowhere", "reference data nowhere cannot be opened"),
        ("irrep dispersion d3bj d3_data damaged", "damaged: damaged model file"),
        (f"irrep dispersion d3bj d3_data {DATA}", "use comm_modify cutoff 23.17"),
    ):
        said = lammps(case.text(style, path) + "run 0\n", 2, fails=True)
        assert says in said, said[-800:]
