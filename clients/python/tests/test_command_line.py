from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from fake_server import STRESS, FakeServer, hang_up

import irrepd
from irrepd.__main__ import main


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    path = tmp_path / "frames.extxyz"
    ase.io.write(path, [molecule("H2O"), bulk("Si", cubic=True), molecule("CH4")])
    return path


def run(server: FakeServer, *arguments: object) -> int:
    return main([*map(str, arguments), "--url", server.url, "--model", "springs"])


def test_table(server: FakeServer, frames: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(server, frames) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    index, formula, n_atoms, energy, force, pressure = lines[2].split()
    silicon = bulk("Si", cubic=True)
    assert (index, formula, n_atoms) == ("1", "Si8", "8")
    assert float(energy) == pytest.approx((silicon.positions**2 @ [0.5, 1, 1.5]).sum(), abs=1e-5)
    expected = np.linalg.norm(silicon.positions * [1, 2, 3], axis=1).max()
    assert float(force) == pytest.approx(expected, abs=1e-5)
    assert float(pressure) == pytest.approx(-2 * 160.21766208)
    assert len(lines[1].split()) == 5
    assert len(server.requests) == 1


def test_output_and_batches(server: FakeServer, frames: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.extxyz"
    options = ["--batch", 2, "--in-flight", 1, "--precision", "float64"]
    assert run(server, frames, "--output", output, *options) == 0
    assert [len(request["structures"]) for request in server.requests] == [2, 1]
    assert server.requests[0]["precision"] == "float64"
    water, silicon, _ = ase.io.read(output, ":")
    assert np.allclose(water.get_forces(), -water.positions * [1, 2, 3], atol=1e-7)
    assert silicon.get_stress().tolist() == [1, 2, 3, 4, 5, 6]


def test_other_properties_are_columns_and_info(
    server: FakeServer, frames: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out.extxyz"
    options = ["--properties", "virial,stresses", "--quiet", "--output", output]
    assert run(server, frames, *options) == 0
    asked = {"energy", "forces", "stress", "virial", "stresses"}
    assert [set(request["properties"]) for request in server.requests] == [asked]
    water, silicon, _ = ase.io.read(output, ":")
    assert np.allclose(silicon.get_stresses().sum(axis=0), [1, 2, 3, 4, 5, 6])
    assert np.allclose(water.info["virial"], -8 * STRESS)
    assert np.allclose(water.arrays["virials"].sum(axis=0).reshape(3, 3), -8 * STRESS)
    assert "virials" not in silicon.arrays and "energies" not in silicon.calc.results


def test_index_picks_frames(
    server: FakeServer, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, frames, "--index", "-1") == 0
    assert "CH4" in capsys.readouterr().out.splitlines()[1]


@pytest.mark.parametrize("batch", [1, 32])
def test_refused_frames_are_named(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], batch: int
) -> None:
    path, output = tmp_path / "in.traj", tmp_path / "out.traj"
    ase.io.write(path, [molecule("H2O"), Atoms("Og"), molecule("CH4")])
    assert run(server, path, "--batch", batch, "--output", output) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "unknown element Og" in lines[2]
    assert len(lines) == 4
    good, bad, _ = ase.io.read(output, ":")
    assert good.calc is not None and bad.calc is None


def test_too_large_requests_are_halved(server: FakeServer, frames: Path) -> None:
    server.most_structures = 1
    assert run(server, frames) == 0
    assert [len(request["structures"]) for request in server.requests] == [3, 1, 2, 1, 1]


def test_failures_are_one_line(
    server: FakeServer, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.xyz"
    broken.write_text("nonsense\n")
    server.faults = [hang_up]
    cases = [
        ([frames, "--url", server.url, "--model", "springs"], "irrepd: http"),
        ([frames, "--url", server.url, "--model", "absent"], "irrepd answered 404"),
        ([tmp_path / "absent.xyz", "--url", server.url], "absent.xyz"),
        ([broken, "--url", server.url], "cannot be read"),
        ([frames, "--url", server.url, "--batch", "0"], "--batch"),
        ([frames, "--url", "gopher://x"], "gopher"),
        ([frames, "--url", "https://x", "--ca-file", tmp_path / "absent.pem"], "absent.pem"),
    ]
    for arguments, expected in cases:
        assert main(list(map(str, arguments))) == 2
        error = capsys.readouterr().err
        assert expected in error and error.count("\n") == 1


def chopped(path: Path, count: int) -> None:
    """Leaves some whole frames and a piece of one more, as a killed run would."""
    frames = ase.io.read(path, ":", format="extxyz")
    ase.io.write(path, frames[:count], format="extxyz")
    with path.open("a") as file:
        file.write("3\nProperties=species:S:1:pos:R:3\nH 0.0 0.0")


def test_interrupted_output_goes_on(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "in.extxyz", tmp_path / "out.extxyz"
    frames = [Atoms("H", [[float(i), 0, 0]]) for i in range(40)]
    ase.io.write(path, frames)
    assert run(server, path, "--output", output, "--quiet") == 0
    whole = output.read_bytes()
    part = tmp_path / "out.extxyz.part"
    output.rename(part)
    chopped(part, 15)
    assert run(server, path, "--output", output) == 2
    assert "--resume" in capsys.readouterr().err
    server.requests.clear()
    assert run(server, path, "--output", output, "--resume", "--batch", 10) == 0
    assert sum(len(request["structures"]) for request in server.requests) == 25
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 26 and lines[1].split()[0] == "15"
    assert output.read_bytes() == whole and not part.exists()

    output.rename(part)
    chopped(part, 3)
    ase.io.write(path, frames[::-1])
    assert run(server, path, "--output", output, "--resume") == 2
    assert "other frames" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.nothing", "out", "absent/out.traj", "exists.jsonl"])
def test_outputs_that_cannot_be_are_refused_at_once(
    server: FakeServer, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "exists.jsonl").write_text("results of an hour\n")
    assert run(server, frames, "--output", tmp_path / name) == 2
    assert name in capsys.readouterr().err
    assert not server.requests
    assert (tmp_path / "exists.jsonl").read_text() == "results of an hour\n"


def test_formats_of_one_frame(
    server: FakeServer, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, frames, "--output", tmp_path / "POSCAR", "--index", "1") == 0
    assert len(ase.io.read(tmp_path / "POSCAR")) == 8
    assert run(server, frames, "--output", tmp_path / "POSCAR") == 2
    assert "one frame" in capsys.readouterr().err


def test_a_reader_of_lines_may_leave(server: FakeServer, frames: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "irrepd", frames, "--url", server.url, "--model", "springs"]
    environment = {**os.environ, "PYTHONPATH": str(Path(irrepd.__file__).parents[1])}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environment)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_interrupt_ends_it_at_once(frames: Path) -> None:
    """Also where the daemon is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "irrepd", frames, "--url", url]
        environment = {**os.environ, "PYTHONPATH": str(Path(irrepd.__file__).parents[1])}
        with (
            subprocess.Popen(
                command,
                env=environment,
                preexec_fn=lambda: signal.signal(
                    signal.SIGINT, signal.SIG_DFL
                ),  # not in a shell's &
            ) as program,
            silent.accept()[0],
        ):
            program.send_signal(signal.SIGINT)
            try:
                assert program.wait(30) == 130
            finally:
                program.kill()


def test_results_alone(server: FakeServer, frames: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    assert run(server, frames, "--output", output, "--quiet") == 0
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert lines[0]["model"] == "springs" and len(lines) == 4
    output.write_text("\n".join(map(json.dumps, lines[:2])) + "\n")
    server.requests.clear()
    assert run(server, frames, "--output", output, "--quiet", "--resume") == 0
    assert [len(request["structures"]) for request in server.requests] == [2]
    assert [json.loads(line) for line in output.read_text().splitlines()] == lines
