"""irrepd.hessian, irrepd.vibrations and irrepd.phonons against ASE and phonopy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.vibrations import Vibrations

import irrepd
from irrepd import IrrepCalculator, ServerError

MODEL = "sevennet-0"


def test_vibrations_are_those_of_ase(server_url: str, tmp_path: Path) -> None:
    atoms = molecule("H2O")
    atoms.set_masses([15.999, 2.014, 1.008])
    ours = irrepd.vibrations(atoms, MODEL, server_url)
    atoms.calc = IrrepCalculator(server_url, MODEL, precision="float64")
    theirs = Vibrations(atoms, name=tmp_path / "vib", delta=1e-3, nfree=4)
    theirs.run()
    expected = theirs.get_vibrations()
    assert np.abs(ours.get_hessian() - expected.get_hessian()).max() < 5e-5
    found = ours.get_frequencies().real[-3:]
    assert found.min() > 1000
    assert np.allclose(found, expected.get_frequencies().real[-3:], rtol=0, atol=0.05)
    result = irrepd.hessian(atoms, MODEL, server_url)
    assert np.allclose(result["frequencies"][-3:], found, rtol=1e-3)


def test_phonons_are_the_hessian_of_the_supercell(server_url: str) -> None:
    pytest.importorskip("phonopy")
    crystal = bulk("NaCl", "rocksalt", a=5.6)
    phonon = irrepd.phonons(crystal, (2, 2, 1), MODEL, server_url, displacement=1e-3)
    cell = phonon.supercell
    n = len(cell.numbers)
    entry = irrepd.structure(cell.numbers, cell.positions, cell.cell, pbc=True)
    whole = irrepd.hessian(entry, MODEL, server_url)["hessian"].transpose(0, 2, 1, 3)
    found = phonon.force_constants
    assert found.shape == (n, n, 3, 3) == whole.shape
    assert np.abs(whole).max() > 0.5
    assert np.abs(found - whole).max() < 2e-4
    assert np.abs(found.sum(axis=1)).max() < 1e-10
    phonon.run_mesh([3, 3, 3])
    assert np.isfinite(phonon.mesh.frequencies).all()


def test_refusals(server_url: str) -> None:
    near = irrepd.structure([8, 8], [[0, 0, 0], [0, 0, 0.01]])
    with pytest.raises(ServerError, match="Angstrom apart"):
        irrepd.hessian(near, MODEL, server_url)
    with pytest.raises(ServerError) as caught:
        irrepd.hessian(molecule("H2O"), "no-such-model", server_url)
    assert caught.value.status == 404
