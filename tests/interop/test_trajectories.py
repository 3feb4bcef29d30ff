"""irrepd.relax, irrepd.md and irrepd.Relax, and the two commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.constraints import FixAtoms, FixBondLength
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE

import irrepd
from irrepd import IrrepCalculator
from irrepd.errors import ServerError

MODEL = "sevennet-0"
CLIENTS = Path(__file__).resolve().parents[2] / "clients"


def silicon(seed: int) -> Atoms:
    atoms = bulk("Si", cubic=True)
    atoms.rattle(0.1, seed=seed)
    return atoms


def test_relax_keeps_the_order(server_url: str) -> None:
    dimer = Atoms("Si2", [[0, 0, 0], [0, 0, 0]])
    given = [silicon(0), dimer, silicon(1), silicon(2)]
    found = list(irrepd.relax(given, MODEL, server_url, fmax=0.02, batch_structures=2))
    assert [result["structure"] for result in found] == [0, 1, 2, 3]
    assert [result.ok for result in found] == [True, False, True, True]
    assert "0.1" in found[1].problem
    for atoms, result in zip(given, found):
        if result.ok:
            relaxed = result.atoms
            assert result["converged"] and result.max_force < 0.02
            assert relaxed.get_potential_energy() == result["energy"]
            assert np.array_equal(relaxed.cell, atoms.cell) and relaxed.pbc.all()


def test_relax_ends_where_ase_does(server_url: str) -> None:
    ours, theirs = silicon(3), silicon(3)
    relaxation = irrepd.Relax(
        ours, MODEL, server_url, optimizer="fire", cell="full", precision="float64"
    )
    assert relaxation.run(fmax=0.01, steps=300)
    theirs.calc = IrrepCalculator(server_url, MODEL, precision="float64")
    fire = FIRE(FrechetCellFilter(theirs), logfile=None)
    assert fire.run(fmax=0.01, steps=300)
    assert relaxation.nsteps == fire.nsteps
    assert np.abs(ours.positions - theirs.positions).max() < 1e-8
    assert np.abs(ours.cell - theirs.cell).max() < 1e-8
    assert ours.get_potential_energy() == pytest.approx(theirs.get_potential_energy(), abs=1e-10)


def test_constraints(server_url: str) -> None:
    atoms = silicon(4)
    atoms.set_constraint(FixAtoms([0, 3]))
    (found,) = irrepd.relax([atoms], MODEL, server_url)
    moved = np.abs(found["positions"] - atoms.positions).max(axis=1) > 0
    assert moved.tolist() == [i not in (0, 3) for i in range(8)]
    atoms.set_constraint(FixBondLength(0, 1))
    (found,) = irrepd.relax([atoms], MODEL, server_url)
    assert not found.ok and "FixBondLength" in found.problem
    with pytest.raises(ServerError, match="FixBondLength"):
        irrepd.Relax(atoms, MODEL, server_url).run()


def test_md_goes_on_with_velocities_and_masses(server_url: str) -> None:
    atoms = silicon(5)
    atoms.set_masses(2 * atoms.get_masses())
    options = {"steps": 10, "every": 5, "ensemble": "nve", "precision": "float64"}
    *frames, end = irrepd.md(atoms, MODEL, server_url, temperature=500, **options)
    assert [frame["step"] for frame in frames] == [0, 5, 10]
    assert [frame["time"] for frame in frames] == [0, 5, 10]
    assert end["event"] == "end" and end["steps"] == 10
    last = frames[-1].atoms
    assert last.get_masses() == pytest.approx(atoms.get_masses())
    assert last.get_kinetic_energy() == pytest.approx(frames[-1]["kinetic_energy"])
    *_, again = irrepd.md(last, MODEL, server_url, temperature=None, **options)
    whole = {**options, "steps": 20}
    *_, straight = irrepd.md(atoms, MODEL, server_url, temperature=500, **whole)
    assert np.abs(again["positions"] - straight["positions"]).max() < 1e-9


def test_md_of_several_and_an_early_end(server_url: str) -> None:
    run = irrepd.md([silicon(6), silicon(7)], MODEL, server_url, steps=10**6, every=1)
    seen = {next(run)["structure"] for _ in range(12)}
    assert seen == {0, 1}
    run.close()
    with pytest.raises(ServerError) as refused:
        list(irrepd.md([silicon(6), silicon(7)], MODEL, server_url, steps=10, timestep=-1))
    assert "/md/timestep" in str(refused.value.problem["errors"])


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "irrepd", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CLIENTS / "python")},
        timeout=300,
        check=False,
    )


def test_command_relax(server_url: str, tmp_path: Path) -> None:
    source, out = tmp_path / "in.xyz", tmp_path / "out.extxyz"
    ase.io.write(source, [silicon(8), Atoms("Og", cell=[6, 6, 6], pbc=True), silicon(9)])
    done = command("relax", source, "--output", out, "--url", server_url, "--cell", "volume")
    assert done.returncode == 1 and "structure 1: " in done.stderr and "118" in done.stderr, (
        done.stderr
    )
    frames = ase.io.read(out, ":")
    assert [frame.info["irrepd_structure"] for frame in frames] == [0, 2]
    assert all(frame.info["irrepd_model"] == MODEL for frame in frames)
    assert len(done.stdout.splitlines()) == 3
    again = command("relax", source, "--output", out, "--url", server_url)
    assert again.returncode == 2 and "is there already" in again.stderr


def test_command_md(server_url: str, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    source = tmp_path / "in.xyz"
    ase.io.write(source, [silicon(8), silicon(9)])
    words = ["md", source, "--url", server_url, "--steps", 10, "--every", 5, "--seed", 3]
    done = command(*words, "--output", tmp_path / "out.h5", "--ensemble", "npt", "--pressure", 1)
    assert done.returncode == 0, done.stderr
    with h5py.File(tmp_path / "out.h5") as file:
        assert file["h5md"].attrs["version"].tolist() == [1, 1]
        assert file["h5md"].attrs["irrepd_model"] == MODEL
        for name in ("structure_0", "structure_1"):
            positions = file[f"particles/{name}/position"]
            assert positions["value"].shape == (3, 8, 3)
            assert positions["step"][:].tolist() == [0, 5, 10]
            assert positions["time"][:].tolist() == [0, 5, 10]
            assert file[f"particles/{name}/box/edges/value"].shape == (3, 3, 3)
            assert file[f"particles/{name}/species"][:].tolist() == [14] * 8
            assert file[f"observables/{name}/energy/value"].shape == (3,)
    done = command(*words, "--output", tmp_path / "out.traj", "--quiet")
    assert done.returncode == 0 and done.stdout == ""
    frames = ase.io.read(tmp_path / "out.traj", ":")
    assert len(frames) == 6 and frames[0].get_velocities().any()
    for atoms in frames:
        freedom = 3 * 8  # Langevin's thermostat holds no momentum
        kinetic = freedom / 2 * units.kB * atoms.info["temperature"]
        assert atoms.get_kinetic_energy() == pytest.approx(kinetic)


def test_command_words() -> None:
    done = command("md", "nowhere.xyz", "--steps", "5")
    assert done.returncode == 2 and "nowhere.xyz" in done.stderr
    assert "--thermostat" in command("md", "--help").stdout
    assert "irrepd relax --help" in command("--help").stdout
