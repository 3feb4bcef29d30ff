"""irrepd.Job and `python3 -m irrepd jobs`, against the real daemon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from daemon import DAEMON, MODELS, PATIENCE, Daemon
from fake_server import FakeServer, hang_up

import irrepd
from irrepd.__main__ import main
from irrepd.calculator import keep_results
from irrepd.convert import convert
from irrepd.errors import ConnectionFailed, ServerError, StructureError

MODEL = "mace-small"
ENDLESS = {"steps": 10_000_000, "ensemble": "nve", "timestep": 0.5}


def shaken(seed: int, name: str = "CH3OH") -> Atoms:
    atoms = molecule(name)
    atoms.rattle(0.05, seed=seed)
    return atoms


def numbers_of(told: list[Any]) -> list[int]:
    """Of the frames."""
    return [moved["number"] for moved in told if moved["event"] == "frame"]


def test_relaxed_by_a_job_as_by_a_stream(daemon: Daemon) -> None:
    given = [shaken(1), shaken(2, "H2O"), shaken(3)]
    job = irrepd.Job.relax(given, MODEL, daemon.url, fmax=0.02, trajectory=1)
    assert job.wait()["state"] == "done" == job.state
    found = job.results()
    for ours, theirs in zip(found, irrepd.relax(given, MODEL, daemon.url, fmax=0.02)):
        assert ours["structure"] == theirs["structure"] and ours["n_steps"] == theirs["n_steps"]
        assert np.array_equal(ours["positions"], theirs["positions"])
        assert ours.atoms.get_potential_energy() == theirs["energy"]
    told = list(job.frames())
    n_frames = sum(r["n_steps"] + 1 for r in found)
    assert numbers_of(told) == list(range(n_frames))
    assert sum(moved["event"] != "frame" for moved in told) == 3
    rest = list(job.frames(3))
    assert numbers_of(rest) == list(range(3, n_frames))
    assert np.array_equal(rest[0]["positions"], told[3]["positions"])
    behind = list(job.frames(n_frames))  # where the last ones end
    assert behind and all(moved["event"] == "converged" for moved in behind)
    assert {moved["number"] for moved in behind} == {n_frames}
    job.forget()
    with pytest.raises(ServerError) as gone:
        job.card()
    assert gone.value.status == 404


def test_a_job_is_found_again(daemon: Daemon) -> None:
    atoms = shaken(4)
    atoms.set_masses(2 * atoms.get_masses())
    begun = irrepd.Job.md(
        atoms, MODEL, daemon.url, steps=20, every=10, temperature=300, seed=3, timestep=0.5
    )
    begun.wait()
    (found,) = [job for job in irrepd.jobs(daemon.url) if job.id == begun.id]
    assert "md mace-small done" in repr(found)
    *frames, end = found.frames()
    assert [frame["step"] for frame in frames] == [0, 10, 20] and end["event"] == "end"
    with pytest.raises(ValueError, match="elements are not known"):
        _ = end.atoms
    known = irrepd.Job(begun.id, daemon.url, [atoms])
    *_, end = known.frames()
    assert end.atoms.get_masses() == pytest.approx(atoms.get_masses())
    assert end.atoms.get_velocities().any()
    begun.forget()


def test_pausing_following_cancelling(daemon: Daemon) -> None:
    job = irrepd.Job.md([shaken(5), shaken(6)], MODEL, daemon.url, every=1, **ENDLESS)
    following = job.frames()
    first = [next(following) for _ in range(20)]
    assert {moved["structure"] for moved in first} == {0, 1}
    assert job.pause()["state"] == "paused"
    assert job.wait()["state"] == "paused" and job.pause()["state"] == "paused"
    assert job.resume()["state"] == "running"
    assert job.checkpoint()["state"] == "running"
    assert job.wait(0)["state"] == "running"
    numbers = [next(following)["number"] for _ in range(20)]
    assert numbers == list(range(20, 40))
    job.cancel()
    assert job.state == "cancelled"
    assert all(moved["event"] == "frame" for moved in following)  # and so it ends
    with pytest.raises(ServerError, match=f"job {job.id} is cancelled"):
        job.results()
    told = len(list(job.frames()))
    job.cancel()  # nothing, once it has ended
    assert len(list(job.frames())) == told > 0
    with pytest.raises(ServerError) as refused:
        job.resume()
    assert refused.value.status == 409
    job.forget()


def test_faults(daemon: Daemon) -> None:
    with pytest.raises(StructureError, match="structure 1: atom 0: 0 is no atomic number"):
        irrepd.Job.relax([shaken(1), Atoms("X", [[0, 0, 0]])], MODEL, daemon.url)
    with pytest.raises(ServerError, match="fmax"):
        irrepd.Job.relax(shaken(1), MODEL, daemon.url, fmax=-1)
    with pytest.raises(ServerError, match="404"):
        irrepd.Job.relax(shaken(1), "nothing", daemon.url)
    with pytest.raises(ValueError, match="from 0"):
        next(irrepd.Job("0" * 32, daemon.url).frames(-1))
    with pytest.raises(TypeError, match="or a URL"):
        irrepd.Job("0" * 32, 8421)  # type: ignore[arg-type]
    job = irrepd.Job.relax([shaken(1), Atoms("Si", [[0, 0, 0]])], MODEL, daemon.url)
    good, bad = job.results()  # the fault of one is its own
    assert good.ok and not bad.ok and "14" in bad.problem
    job.forget()


def test_dispersion_goes_along(daemon: Daemon, tmp_path: Path) -> None:
    """To where ASE keeps what its calculators do not know; by jobs, by streams, by the shell."""
    job = irrepd.Job.relax([shaken(1)], MODEL, daemon.url, dispersion=True, fmax=0.05)
    (found,) = job.results()
    assert found["dispersion_energy"] < 0
    assert found.atoms.info["dispersion_energy"] == found["dispersion_energy"]
    assert found.atoms.get_potential_energy() == found["energy"]
    job.forget()
    source, out = tmp_path / "in.xyz", tmp_path / "out.extxyz"
    ase.io.write(source, shaken(1))
    for command in (["relax", source], [source]):
        words = [*command, "--model", MODEL, "--dispersion", "pbe", "--output", out, "--quiet"]
        assert main([str(word) for word in (*words, "--url", daemon.url)]) == 0
        assert ase.io.read(out).info["dispersion_energy"] < 0
        out.unlink()


def test_priority_and_deadline(daemon: Daemon) -> None:
    soon = {"priority": "interactive", "deadline_ms": 300.0}
    for priority in ("interactive", "bulk"):
        job = irrepd.Job.relax([shaken(1)], MODEL, daemon.url, priority=priority)
        (found,) = irrepd.relax([shaken(1)], MODEL, daemon.url, priority=priority)
        (kept,) = job.results()
        assert np.array_equal(kept["positions"], found["positions"])
    with pytest.raises(ServerError, match="priority"):
        irrepd.Job.relax([shaken(1)], MODEL, daemon.url, priority="soon")
    with pytest.raises(ServerError, match="deadline_ms"):
        irrepd.Job.md([shaken(1)], MODEL, daemon.url, deadline_ms=-1, **ENDLESS)
    given = [shaken(1), shaken(2)]
    job = irrepd.Job.md(given, MODEL, daemon.url, **ENDLESS, **soon)
    streamed = irrepd.md(given, MODEL, daemon.url, **ENDLESS, **soon)
    relaxed = irrepd.relax(given, MODEL, daemon.url, deadline_ms=0.001)
    for told in (job.results(), [m for m in streamed if m["event"] != "frame"], relaxed):
        assert [moved["error"]["status"] for moved in told] == [504, 504]
        assert all("deadline" in moved.problem for moved in told)
    job.forget()


def test_what_ase_has_no_name_for() -> None:
    atoms = shaken(1, "H2O")
    more = {"dispersion_energy": -0.1, "energy_std": 0.2, "stress_std": np.eye(3)}
    by_atom = {"forces_std": np.ones(3), "descriptors": np.ones((3, 5))}
    keep_results(atoms, {"energy": -1.0, "forces": np.zeros((3, 3)), **more, **by_atom})
    assert atoms.get_potential_energy() == -1.0
    assert {"dispersion_energy", "energy_std", "stress_std"} <= set(atoms.info)
    assert atoms.arrays["forces_std"].shape == (3,) and atoms.arrays["descriptors"].shape == (3, 5)
    file = StringIO()
    ase.io.write(file, atoms, format="extxyz")
    file.seek(0)
    assert ase.io.read(file, format="extxyz").info["energy_std"] == 0.2


def test_heads(tmp_path: Path, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
    """A model of three, of which none is the default: jobs, and the shell, name one."""
    convert(Path(__file__).parent / "fixtures" / "modal.pth", tmp_path / "three.safetensors")
    served = Daemon(tmp_path, "--workers", "1", models=tmp_path).wait_ready()
    water = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    url, source = served.url, tmp_path / "in.xyz"
    ase.io.write(source, water)
    (refused,) = irrepd.Job.relax(water, "three", url).results()
    assert not refused.ok and "first, second, third" in refused.problem
    client = irrepd.Client(url)
    energies = set()
    for head in ("first", "second"):
        job = irrepd.Job.md(water, "three", url, steps=0, every=1, temperature=0, head=head)
        (expected,) = client.predict("three", [water], head=head)
        frame, _ = job.frames()
        energies.add(frame["energy"])
        assert frame["energy"] == pytest.approx(expected["energy"], abs=1e-6)
    assert len(energies) == 2
    words = ["relax", source, "--model", "three", "--head", "third", "--job", "--url", url]
    assert main([str(word) for word in words]) == 0
    assert irrepd.Job(capsys.readouterr().out.strip(), url).wait()["state"] == "done"
    served.end()


def test_it_is_begun_once(server: FakeServer) -> None:
    """Where no answer comes nobody knows whether there is a job: it is not asked for again."""
    client = irrepd.Client(server.url)
    assert client.models()  # on a connection that is kept
    server.faults = [hang_up]
    with pytest.raises(ConnectionFailed):
        irrepd.Job.relax([shaken(1)], "springs", client)
    assert len(server.requests) == 1
    with pytest.raises(ServerError, match="no model at /v1/models/springs/relax"):
        irrepd.Job.relax([shaken(1)], "springs", client)
    assert server.headers[-1]["Prefer"] == "respond-async"


class Kept:
    """A daemon on a socket of its own, which keeps jobs in a folder, and may be killed."""

    def __init__(self, folder: Path):
        self.folder, self.url = folder, f"unix:{folder}/socket"
        self.start()

    def start(self) -> None:
        command = [DAEMON, "--models", MODELS, "--listen", self.url, "--workers", "1"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in (*command, "--jobs", self.folder / "jobs")],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("irrepd: ready"):
                return
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    def end(self, is_killed: bool) -> None:
        (self.process.kill if is_killed else self.process.terminate)()
        self.process.wait(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        (self.folder / "socket").unlink(missing_ok=True)


@pytest.fixture
def kept(daemon: Daemon, tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.end(False)


@pytest.mark.parametrize("is_killed", [True, False])
def test_following_over_a_restart(kept: Kept, is_killed: bool) -> None:
    """Killed or stopped in order: who follows misses nothing, and sees nothing twice."""
    options = {"steps": 3000, "every": 10, "ensemble": "nve", "timestep": 0.5, "seed": 1}
    job = irrepd.Job.md([shaken(1), shaken(2)], MODEL, kept.url, temperature=300, **options)
    following = job.frames()
    told = [next(following) for _ in range(20)]
    kept.end(is_killed)
    kept.start()
    told += following
    assert numbers_of(told) == list(range(2 * 301)) and len(told) == 2 * 302
    whole = list(irrepd.md([shaken(1), shaken(2)], MODEL, kept.url, temperature=300, **options))
    for i in range(2):
        ours, theirs = ([m for m in x if m["structure"] == i] for x in (told, whole))
        assert [m.get("step") for m in ours] == [m.get("step") for m in theirs]
        for a, b in zip(ours, theirs):
            assert np.array_equal(a["positions"], b["positions"])


def test_commands(daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.xyz", tmp_path / "out.extxyz"
    ase.io.write(source, [shaken(1), shaken(2, "H2O")])
    common = ["--url", daemon.url]

    def said(*words: object, code: int = 0) -> str:
        assert main([str(word) for word in words] + common) == code
        return capsys.readouterr().out

    options = ["--steps", 20, "--every", 10, "--timestep", 0.5, "--model", MODEL]
    job = said("md", source, *options, "--job").strip()
    lines = said("jobs", job, "--follow", "--output", out, "--structures", source).splitlines()
    assert len(lines) == 7 and "T/K" in lines[0]
    frames = ase.io.read(out, ":")
    assert len(frames) == 6 and {frame.info["irrepd_model"] for frame in frames} == {MODEL}
    assert {frame.get_chemical_formula() for frame in frames} == {"CH4O", "H2O"}
    assert len(said("jobs", job, "--follow", "--from", 3).splitlines()) == 4
    assert json.loads(said("jobs", job))["state"] == "done"
    assert job in said("jobs")
    assert said("jobs", job, "--forget") == "" and job not in said("jobs")

    job = said("md", source, "--steps", 10**6, "--model", MODEL, "--job").strip()
    assert json.loads(said("jobs", job, "--pause"))["state"] == "paused"
    assert json.loads(said("jobs", job, "--resume"))["state"] == "running"
    assert json.loads(said("jobs", job, "--cancel"))["state"] == "cancelled"
    said("jobs", job, "--follow", code=1)
    said("jobs", job, "--forget")

    job = said("relax", source, "--fmax", 0.1, "--model", MODEL, "--job").strip()
    lines = said("jobs", job, "--follow").splitlines()
    assert len(lines) == 3 and "fmax" in lines[0]
    said("jobs", job, "--forget")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["jobs", "--pause"], "which job?"),
        (["jobs", "0" * 32], "There is no such job"),
        (["jobs", "x", "--from", "2"], "go with --follow"),
        (["jobs", "x", "--follow", "--output", "y.xyz"], "needs --structures"),
        (["jobs", "x", "--follow", "--from", "-2"], "counts frames from 0"),
        (["relax", "x", "--job", "--output", "y.xyz"], "not with --job"),
    ],
)
def test_words_of_commands(
    daemon: Daemon, words: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--url", daemon.url]) == 2
    assert reason in capsys.readouterr().err


def test_another_file_than_it_was_begun_with(
    daemon: Daemon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.xyz"
    ase.io.write(source, [shaken(1), shaken(2)])
    job = irrepd.Job.relax([shaken(1)], MODEL, daemon.url)
    words = ["jobs", job.id, "--follow", "--output", tmp_path / "out.xyz", "--structures", source]
    assert main([str(word) for word in (*words, "--url", daemon.url)]) == 2
    assert "has 2 frames, and the job 1 structures" in capsys.readouterr().err
    job.forget()
