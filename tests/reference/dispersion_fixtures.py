#!/usr/bin/env python3
"""Writes fixtures/dispersion.npz: DFT-D3 by simple-dftd3 and by torch-dftd, in float64.

    tests/reference/dispersion_fixtures.py

needs the packages of requirements-dispersion.txt. What the file holds is in test_dispersion.py,
which reads it.

torch-dftd has other values of bohr and hartree than ase.units, and radii rounded to float32: each
alone makes 1e-7 of the energy. Its constants and arrays are replaced by those that it rounds
(tools/make_dispersion.py); everything else is its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / path) for path in ("tests/support", "tools", "clients/python")]

import dftd3.interface as simple  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch_dftd.nn.dftd3_module as module  # noqa: E402
from ase import Atoms  # noqa: E402
from ase.units import Bohr, Hartree  # noqa: E402
from dispersion import functionals  # noqa: E402
from make_dispersion import tensors  # noqa: E402
from structures import FIXTURES, SUBSET, Structure, load  # noqa: E402
from torch_dftd.torch_dftd3_calculator import TorchDFTD3Calculator  # noqa: E402

CLASSES = {"d3bj": simple.RationalDampingParam, "d3zero": simple.ZeroDampingParam}
DAMPINGS = {"d3bj": "bj", "d3zero": "zero"}
HEAVIEST = 86  # simple-dftd3 has newer data for the elements behind radon
THREE_BODY = 16.0  # bohr: triples are many
CODATA_2018 = 0.529177210903  # Angstrom, a bohr: simple-dftd3's, of radii

# Name of a case: how (arguments of Dispersion.evaluate, cutoffs in bohr), and its structures.
Case = tuple[str, dict, tuple[str, ...]]
FEW = ("s22-water-dimer", "g2-thiophene", "slab-pt-co", "quartz", "si-sheared", "atom-tiny-cell")
CASES: dict[str, Case] = {
    "pairs": ("simple", {}, ()),
    "defaults": ("simple", {"cutoff": 60.0}, FEW),
    "triples": ("simple", {"three_body": True, "three_body_cutoff": THREE_BODY}, FEW),
    "widths": ("simple", {"width": 2.0, "cutoff": 20.0, "cn_cutoff": 95.0}, FEW[:2]),
    "mace": ("torch", {}, SUBSET),
    "smooth": ("torch", {"width": 1.0, "cutoff": 20.0, "cn_cutoff": 12.0}, FEW),
}


def boxed(structure: Structure) -> Structure:
    """With atoms in the cell, and periods of 300 A across open axes.

    simple-dftd3 looks at too few images of slabs in some orientations: get_lattice_points takes
    components for axes.
    """
    if not structure.pbc.any():
        return structure
    atoms = Atoms(
        structure.numbers, structure.positions, cell=structure.cell * structure.pbc[:, None]
    )
    atoms.cell = atoms.cell.complete()
    atoms.cell[~structure.pbc] *= 300.0
    atoms.pbc = structure.pbc
    atoms.wrap()
    return Structure(atoms.numbers, atoms.positions, np.array(atoms.cell), np.ones(3, bool))


Result = tuple[float, np.ndarray, np.ndarray]  # energy eV, forces eV/Angstrom, virial eV


def by_simple(structure: Structure, method: str, name: str = "pbe", **how) -> Result:
    box = boxed(structure)
    periodic = structure.pbc.any()
    model = simple.DispersionModel(
        box.numbers,
        box.positions / Bohr,
        box.cell / Bohr if periodic else None,
        box.pbc if periodic else None,
    )
    width = how.get("width", 0.0)
    model.set_realspace_cutoff(
        how.get("cutoff", 40.0),
        how.get("three_body_cutoff", 40.0),
        how.get("cn_cutoff", 40.0),
        width,
        width,
    )
    parameters = CLASSES[method](method=name, atm=how.get("three_body", False))
    found = model.get_dispersion(parameters, grad=True)
    return (
        float(found["energy"]) * Hartree,
        -found["gradient"] * Hartree / Bohr,
        -found["virial"] * Hartree,
    )


def exact(calculator: TorchDFTD3Calculator) -> TorchDFTD3Calculator:
    """With the numbers that its own are rounded from."""
    own = calculator.dftd_module
    arrays = {name: getattr(own, name).numpy() for name in ("c6ab", "rcov", "r2r4", "r0ab")}
    found = tensors(arrays)
    radii = 1 / CODATA_2018
    z = np.arange(len(found["covalent_radii"]))
    own.rcov[:] = torch.tensor(4 / 3 * found["covalent_radii"] * radii)
    own.r0ab[:] = torch.tensor(found["r0"] * radii)
    own.r2r4[:] = torch.tensor(np.sqrt(0.5 * found["r4_over_r2"] * np.sqrt(z)))
    return calculator


def by_torch(structure: Structure, method: str, **how) -> Result:
    module.d3_autoang, module.d3_autoev = Bohr, Hartree
    calculator = TorchDFTD3Calculator(
        damping=DAMPINGS[method],
        dtype=torch.float64,
        cutoff=how.get("cutoff", 40.0) * Bohr,
        cnthr=how.get("cn_cutoff", 40.0) * Bohr,
        cutoff_smoothing="poly" if how.get("width") else "none",
    )
    box = boxed(structure)
    atoms = Atoms(box.numbers, box.positions, cell=box.cell if box.pbc.any() else None, pbc=box.pbc)
    atoms.calc = exact(calculator)
    forces = atoms.get_forces()
    virial = np.full((3, 3), np.nan)
    if box.pbc.any():
        virial = -atoms.get_stress(voigt=False) * atoms.get_volume()
    return float(atoms.get_potential_energy()), forces, virial


def answers() -> Iterator[tuple[str, Result]]:
    """Keys "CASE METHOD STRUCTURE"."""
    stored = load()
    for case, (code, how, names) in CASES.items():
        for name in names or stored:
            if code == "simple" and stored[name].numbers.max() > HEAVIEST:
                continue
            for method in CLASSES:
                run = by_simple if code == "simple" else by_torch
                yield f"{case} {method} {name}", run(stored[name], method, **how)


def all_functionals() -> dict[str, float]:
    """The energy of a dimer of benzene for every entry of our table, by simple-dftd3's own."""
    dimer = load()["s22-benzene-dimer"]
    toml = tomllib.loads((Path(simple.__file__).parent / "parameters.toml").read_text())
    names = {re.sub("[-_]", "", name.lower()): name for name in toml["parameter"]}
    return {
        f"{row.method} {row.name}": by_simple(dimer, row.method, names[row.name])[0]
        for row in functionals()
    }


def main() -> None:
    arrays = {}
    for key, (energy, forces, virial) in answers():
        assert np.isfinite(energy) and np.isfinite(forces).all(), key
        arrays[key] = np.concatenate([[energy], forces.ravel(), virial.ravel()])
    energies = all_functionals()
    arrays["functionals"] = np.array(list(energies))
    arrays["functional energies"] = np.array(list(energies.values()))
    target = FIXTURES / "dispersion.npz"
    if target.exists():
        with np.load(target, allow_pickle=False) as old:
            same = set(old.files) == set(arrays) and all(
                np.array_equal(old[k], v)
                if v.dtype.kind == "U"
                else np.allclose(old[k], v, rtol=1e-10, atol=1e-12, equal_nan=True)
                for k, v in arrays.items()
            )
        if same:
            return
    np.savez_compressed(target, **arrays)


if __name__ == "__main__":
    main()
