"""i-PI with the daemon as its force engine: dynamics, beads in every manner, and interruptions."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from conftest import DAEMON, MODELS, ROOT, Daemon

from irrepd import IrrepCalculator

MODEL = "sevennet-0"
PACKAGE = ROOT / "clients" / "python"
N_STEPS = 4
PATIENCE = 120.0
I_PI = Path(sys.executable).parent / "i-pi"

# Of ipi/utils/units.py
BOHR, HARTREE = 1 / 1.8897261, 1 / 0.036749326

INPUT = """
<simulation verbosity='low' floatformat='%24.16e'>
 <output prefix='out'>
  <properties stride='1' filename='properties' flush='1'>
   [ step, conserved, potential, virial_cv ] </properties>
  <trajectory stride='1' filename='positions' flush='1' format='bin'> positions </trajectory>
  <trajectory stride='1' filename='forces' flush='1' format='bin'> forces </trajectory>
 </output>
 <total_steps>{steps}</total_steps>
 <prng><seed>7</seed></prng>
 {forcefield}
 <system>
  <initialize nbeads='{beads}'>
   <file mode='xyz'>init.xyz</file><velocities mode='thermal' units='kelvin'>300</velocities>
  </initialize>
  <forces><force forcefield='irrepd'/></forces>
  <ensemble><temperature units='kelvin'>300</temperature></ensemble>
  <motion mode='dynamics'><dynamics mode='nve'>
   <timestep units='femtosecond'>0.5</timestep></dynamics></motion>
 </system>
</simulation>
"""

SOCKET = """<ffsocket name='irrepd' mode='{mode}' pbc='False'>
 <address>{address}</address><port>{port}</port>{more}
 <parameters>{{model: sevennet-0, species: Cu4, precision: {precision}}}</parameters></ffsocket>"""

DIRECT = """<ffdirect name='irrepd' pbc='False'><pes>custom</pes><pes_path>pes.py</pes_path>
 <parameters>{template: template.xyz}</parameters></ffdirect>"""

# In the place of the daemon's own engine: our Python client inside i-PI.
PES = """
import sys
sys.path.insert(0, {package!r})
from ipi.pes._ase import ASEDriver
from irrepd import IrrepCalculator
__DRIVER_NAME__, __DRIVER_CLASS__ = "custom", "Driver"
class Driver(ASEDriver):
    def check_parameters(self):
        super().check_parameters()
        self.ase_calculator = IrrepCalculator({url!r}, {model!r}, precision="float64")
"""


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=3)
    return atoms


@dataclass
class Run:
    """A simulation in a folder of its own."""

    folder: Path
    beads: int = 1
    steps: int = N_STEPS
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, forcefield: str) -> Run:
        self.folder.mkdir()
        atoms = copper()
        ase.io.write(self.folder / "template.xyz", atoms, format="extxyz")
        h = " ".join(repr(float(x)) for x in atoms.cell.array.T.ravel())
        lines = [f"{len(atoms)}", f"# CELL(H): {h} cell{{angstrom}} positions{{angstrom}}"]
        lines += ["Cu " + " ".join(repr(float(x)) for x in row) for row in atoms.positions]
        (self.folder / "init.xyz").write_text("\n".join(lines) + "\n")
        text = INPUT.format(steps=self.steps, beads=self.beads, forcefield=forcefield)
        (self.folder / "input.xml").write_text(text)
        with (self.folder / "log").open("wb") as log:
            self.processes.append(
                subprocess.Popen([str(I_PI), "input.xml"], cwd=self.folder, stdout=log, stderr=log)
            )
        return self

    def finish(self) -> Run:
        process = self.processes[-1]
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        log = (self.folder / "log").read_text()
        assert status == 0 and "I-PI reports success" in log, log[-3000:]
        return self

    def properties(self) -> np.ndarray:
        """Rows: step, conserved, potential, and the virial by the volume: xx yy zz xy xz yz."""
        return np.loadtxt(self.folder / "out.properties")

    def frames(self, what: str, bead: int) -> np.ndarray:
        """[steps + 1][N][3] in i-PI's atomic units; the other formats have too few digits."""
        data = (self.folder / f"out.{what}_{bead}.bin").read_bytes()
        size, rest = divmod(len(data), self.steps + 1)
        assert rest == 0
        frames = []
        for at in range(0, len(data), size):  # cell [9], N, 3 N numbers, texts
            (n_atoms,) = np.frombuffer(data, int, 1, at + 72)
            frames.append(np.frombuffer(data, float, 3 * n_atoms, at + 80).reshape(-1, 3))
        return np.array(frames)

    def n_written(self) -> int:
        path = self.folder / "out.properties"
        text = path.read_text() if path.exists() else ""
        return sum(line[:1] not in ("#", "") for line in text.splitlines())

    def wait_for_steps(self, n: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.n_written() < n:
            assert self.processes[-1].poll() is None, (self.folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.01)


class Names:
    """Names of Unix sockets, and free ports, that nobody else uses."""

    _numbers = itertools.count()

    def unix(self) -> str:
        return f"irrepd-test-{os.getpid()}-{next(self._numbers)}"

    def port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]


names = Names()


def start_daemon(folder: Path, *sockets: str) -> Daemon:
    flags = [flag for options in sockets for flag in ("--ipi", f"{options},model={MODEL}")]
    return Daemon(folder, *flags)


def unix(name: str, more: str = "", precision: str = "float64") -> str:
    return SOCKET.format(mode="unix", address=name, port=31415, more=more, precision=precision)


@dataclass
class Beads:
    url: str
    runs: dict[str, Run]


@pytest.fixture(scope="module")
def beads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beads]:
    """Path integrals of 4 beads: one and four connections, batches of 4, and our client inside."""
    folder = tmp_path_factory.mktemp("beads")
    socket_names = {"one": names.unix(), "four": names.unix(), "batch": names.unix()}
    daemon = start_daemon(
        folder / "daemon-log",
        f"unix:{socket_names['one']}",
        f"unix:{socket_names['four']},connections=4",
        f"unix:{socket_names['batch']},species=Cu4",
    )
    runs = {name: Run(folder / name, beads=4) for name in (*socket_names, "direct")}
    runs["one"].start(unix(socket_names["one"]))
    runs["four"].start(unix(socket_names["four"]))
    runs["batch"].start(unix(socket_names["batch"], "<batch_size>4</batch_size>"))
    pes = PES.format(package=str(PACKAGE), url=daemon.url, model=MODEL)
    (folder / "pes.py").write_text(pes)
    direct = DIRECT.replace("pes.py", str(folder / "pes.py"))
    runs["direct"].start(direct)
    for run in runs.values():
        run.finish()
    yield Beads(daemon.url, runs)
    assert daemon.stop() == 0


def compare_with_http(url: str, run: Run, bead: int) -> None:
    """Energies and forces of every step are those of the HTTP answer."""
    calculator = IrrepCalculator(url, MODEL, precision="float64")
    positions, forces = run.frames("positions", bead), run.frames("forces", bead)
    assert len(positions) == run.steps + 1
    for x, f in zip(positions, forces):
        atoms = Atoms("Cu4", x * BOHR, cell=copper().cell, pbc=True, calculator=calculator)
        assert np.allclose(f * HARTREE / BOHR, atoms.get_forces(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["one", "four", "batch"])
def test_beads_are_those_of_http(beads: Beads, name: str) -> None:
    for bead in range(4):
        compare_with_http(beads.url, beads.runs[name], bead)


def test_beads_are_the_same_in_every_manner(beads: Beads) -> None:
    one = beads.runs["one"].properties()
    assert np.ptp(one[:, 2]) > 1e-6
    for name in ("four", "batch"):
        assert np.array_equal(beads.runs[name].properties(), one)
    direct = beads.runs["direct"].properties()
    # i-PI's eV/Angstrom is not its eV by its Angstrom: 1e-7 of every force of ffdirect.
    assert np.allclose(direct, one, rtol=1e-6, atol=1e-9)
    assert np.allclose(direct[0, 2:4], one[0, 2:4], rtol=1e-10)


def test_dynamics_over_tcp(tmp_path: Path) -> None:
    """NVE, whose energies, forces and stresses are those of the HTTP answer."""
    port = names.port()
    daemon = start_daemon(tmp_path / "daemon-log", f"127.0.0.1:{port}")
    run = Run(tmp_path / "run", steps=10)
    where = {"mode": "inet", "address": "127.0.0.1", "port": port}
    run.start(SOCKET.format(**where, more="", precision="float64")).finish()
    compare_with_http(daemon.url, run, 0)
    rows = run.properties()
    assert np.ptp(rows[:, 1]) < 0.02 * np.ptp(rows[:, 2])
    calculator = IrrepCalculator(daemon.url, MODEL, precision="float64")
    for row, x in zip(rows, run.frames("positions", 0)):
        atoms = Atoms("Cu4", x * BOHR, cell=copper().cell, pbc=True, calculator=calculator)
        assert row[2] * HARTREE == pytest.approx(atoms.get_potential_energy(), rel=1e-10)
        stress = -row[[3, 4, 5, 8, 7, 6]] * HARTREE / BOHR**3
        assert np.allclose(stress, atoms.get_stress(), rtol=1e-10, atol=1e-12)
    assert daemon.stop() == 0


@pytest.mark.skipif(
    "IRREPD_TEST_DAEMON" in os.environ, reason="long, and nothing new to a sanitizer"
)
def test_a_picosecond_conserves_energy(tmp_path: Path) -> None:
    name = names.unix()
    daemon = start_daemon(tmp_path / "daemon-log", f"unix:{name}")
    run = Run(tmp_path / "run", steps=2000).start(unix(name, precision="float32")).finish()
    rows = run.properties() * HARTREE
    assert len(rows) == 2001
    assert np.ptp(rows[:, 2]) > 1e-3 * 4 and np.ptp(rows[:, 1]) < 1e-5 * 4
    assert daemon.stop() == 0


def test_daemon_is_killed_and_another_comes(tmp_path: Path) -> None:
    """i-PI queues the structure again, and ends as if nothing had happened."""
    name = names.unix()
    whole = Run(tmp_path / "whole", steps=30)
    daemon = start_daemon(tmp_path / "log-1", f"unix:{name}")
    whole.start(unix(name)).finish()
    broken = Run(tmp_path / "broken", steps=30).start(unix(name))
    broken.wait_for_steps(5)
    # i-PI 3.3.1 does not survive an engine that dies on unread bytes, so these are read first.
    broken.processes[-1].send_signal(signal.SIGSTOP)
    time.sleep(0.5)
    daemon.process.send_signal(signal.SIGKILL)
    daemon.process.wait()
    broken.processes[-1].send_signal(signal.SIGCONT)
    assert broken.n_written() < 31
    daemon = start_daemon(tmp_path / "log-2", f"unix:{name}")
    broken.finish()
    assert np.array_equal(broken.properties(), whole.properties())
    assert daemon.stop() == 0


def test_ipi_is_killed_and_comes_again(tmp_path: Path) -> None:
    """The daemon waits for the next server at the same address."""
    name = names.unix()
    daemon = start_daemon(tmp_path / "daemon-log", f"unix:{name}")
    first = Run(tmp_path / "first", steps=100000).start(unix(name))
    first.wait_for_steps(3)
    first.processes[-1].kill()
    first.processes[-1].wait()
    os.unlink(f"/tmp/ipi_{name}")
    Run(tmp_path / "second").start(unix(name)).finish()
    assert daemon.stop() == 0


def test_example(tmp_path: Path) -> None:
    """clients/ipi/silicon.xml, at an address of its own."""
    name, folder = names.unix(), tmp_path / "example"
    shutil.copytree(ROOT / "clients" / "ipi", folder)
    text = (folder / "silicon.xml").read_text()
    assert text.count("<address>silicon</address>") == 1
    text = text.replace("<address>silicon<", f"<address>{name}<")
    (folder / "silicon.xml").write_text(text.replace("<total_steps>20<", "<total_steps>3<"))
    daemon = start_daemon(tmp_path / "daemon-log", f"unix:{name},connections=4")
    done = subprocess.run(
        [str(I_PI), "silicon.xml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "I-PI reports success" in done.stdout + done.stderr
    assert len(np.loadtxt(folder / "silicon.md")) == 4
    assert daemon.stop() == 0


def test_flags_are_checked() -> None:
    command = [DAEMON, "--models", MODELS, "--listen", "127.0.0.1:0", "--check-config", "--ipi"]
    for value, words in (
        ("unix:x", "model=NAME is missing"),
        ("nowhere,model=m", "is no address"),
        ("unix:x,model=m,structure=missing.xyz", "missing.xyz: No such file"),
    ):
        done = subprocess.run(
            [*map(str, command), value], capture_output=True, text=True, check=False
        )
        assert done.returncode != 0 and words in done.stderr
