"""ASE's SocketIOCalculator, unmodified, with the daemon as its engine; and peers that misbehave."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111, molecule
from ase.calculators.calculator import PropertyNotImplementedError
from ase.calculators.socketio import SocketIOCalculator
from ase.optimize import BFGS
from conftest import Daemon

from irrepd import Client, IrrepCalculator, ServerError, ase_socket

MODEL = "sevennet-0"
PATIENCE = 60.0
BOHR, HARTREE = 0.5291772105638411, 27.211386024367243


class Server:
    """A daemon with its log."""

    def __init__(self, folder: Path):
        self.log = folder / "log"
        self.daemon = Daemon(self.log, "--request-timeout-ms", "500")
        self.url = self.daemon.url
        self.client = Client(self.url)

    def reasons(self) -> list[str]:
        """Why sockets were closed, as the log says."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]
        return [line["reason"] for line in lines if line["message"] == "socket closed"]

    def sockets(self) -> list[dict[str, Any]]:
        return self.client.call("GET", "/v1/sockets")["sockets"]

    def wait_for_end(self, number: int) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while True:
            (found,) = [entry for entry in self.sockets() if entry["id"] == number]
            if found["state"] == "closed":
                return found["connections"][0]
            assert time.monotonic() < deadline, found
            time.sleep(0.02)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("sockets"))
    yield made
    assert made.daemon.stop() == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def endpoint(kind: str) -> dict[str, Any]:
    if kind == "inet":
        return {"port": free_port()}
    return {"unixsocket": f"irrepd-{os.getpid()}-{free_port()}"}


def connected(server: Server, kind: str = "unix") -> SocketIOCalculator:
    launch = ase_socket(server.url, MODEL, precision="float64")
    return SocketIOCalculator(launch_client=launch, timeout=PATIENCE, **endpoint(kind))


def triclinic() -> Atoms:
    atoms = bulk("NaCl", "rocksalt", a=5.6)
    shear = np.array([[0.1, 0.05, 0.2], [0, -0.1, 0.3], [0.05, 0.2, 0]])
    atoms.set_cell(atoms.cell.array + shear, scale_atoms=True)
    atoms.rattle(0.1, seed=2)
    return atoms


def reference(server: Server, atoms: Atoms) -> Atoms:
    atoms = atoms.copy()
    atoms.calc = IrrepCalculator(server.url, MODEL, precision="float64")
    return atoms


def compare(atoms: Atoms, other: Atoms) -> None:
    assert atoms.get_potential_energy() == pytest.approx(other.get_potential_energy(), rel=1e-12)
    forces = other.get_forces()
    assert np.allclose(atoms.get_forces(), forces, rtol=1e-10, atol=1e-12)
    if all(atoms.pbc):
        stress = other.get_stress()
        assert np.allclose(atoms.get_stress(), stress, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", ["unix", "inet"])
def test_triclinic(server: Server, kind: str) -> None:
    atoms = triclinic()
    with connected(server, kind) as calculator:
        atoms.calc = calculator
        for step in range(4):
            assert np.abs(atoms.get_stress()).min() > 1e-5
            compare(atoms, reference(server, atoms))
            atoms.rattle(0.02, seed=step)
            atoms.set_cell(atoms.cell.array * 1.01, scale_atoms=True)
        assert server.sockets()[-1]["connections"][0]["structures"] == 4
        assert server.sockets()[-1]["state"] == "connected"
    end = server.wait_for_end(server.sockets()[-1]["id"])
    assert not end["failed"] and end["reason"] == "the driver has closed the connection"


def test_stock_calculator_without_launch(server: Server) -> None:
    """ASE listens, and somebody else has told the daemon to connect."""
    atoms, port = bulk("Si"), free_port()
    atoms.rattle(0.1, seed=1)
    body = {"protocol": "ipi", "address": f"localhost:{port}", "model": MODEL}
    body |= {"numbers": [14, 14], "precision": "float64"}
    server.client.call("POST", "/v1/sockets", body)  # before anybody listens
    with SocketIOCalculator(port=port, timeout=PATIENCE) as calculator:
        atoms.calc = calculator
        compare(atoms, reference(server, atoms))


def test_partial_periodicity(server: Server) -> None:
    for atoms in (molecule("H2O"), fcc111("Cu", (1, 1, 2), vacuum=4.0)):
        atoms.rattle(0.05, seed=4)
        with connected(server) as calculator:
            atoms.calc = calculator
            compare(atoms, reference(server, atoms))


def test_relaxation(server: Server) -> None:
    atoms = bulk("Si")
    atoms.rattle(0.1, seed=7)
    other = reference(server, atoms)
    with connected(server) as calculator:
        atoms.calc = calculator
        BFGS(atoms, logfile=None).run(fmax=0.01, steps=20)
    BFGS(other, logfile=None).run(fmax=0.01, steps=20)
    assert np.allclose(atoms.positions, other.positions, rtol=0, atol=1e-8)


def seconds_per_step(atoms: Atoms, n_steps: int = 30) -> float:
    times = []
    for _ in range(n_steps):
        atoms.positions[0, 0] += 1e-4
        begun = time.perf_counter()
        atoms.get_potential_energy()
        times.append(time.perf_counter() - begun)
    return min(times)


def test_acknowledged_at_once(server: Server) -> None:
    """ASE writes in small pieces without TCP_NODELAY: a delayed acknowledgement takes 40 ms."""
    atoms = bulk("Si")
    other = reference(server, atoms)
    with connected(server, "inet") as calculator:
        atoms.calc = calculator
        assert seconds_per_step(atoms) < seconds_per_step(other) + 0.005


@pytest.mark.parametrize("change", ["numbers", "pbc"])
def test_other_species_are_refused(server: Server, change: str) -> None:
    atoms = bulk("Si")
    with connected(server) as calculator:
        atoms.calc = calculator
        atoms.get_potential_energy()
        if change == "numbers":
            atoms.numbers[0] = 6
        else:
            atoms.pbc = [True, True, False]
        with pytest.raises(PropertyNotImplementedError, match="cannot change in a socket"):
            atoms.get_potential_energy()


def test_unknown_element(server: Server) -> None:
    atoms = Atoms("SiOg", [[0, 0, 0], [0, 0, 2]])
    with connected(server) as calculator:
        atoms.calc = calculator
        for _ in range(2):
            with pytest.raises(ServerError, match="#/numbers/1"):
                atoms.get_potential_energy()


def test_refused_structure(server: Server) -> None:
    atoms = bulk("Si")
    with connected(server) as calculator:
        atoms.calc = calculator
        atoms.get_potential_energy()
        atoms.positions[1] = atoms.positions[0]
        with pytest.raises(OSError, match="Atoms 0 and 1"):
            atoms.get_potential_energy()
        with pytest.warns(UserWarning, match="Atoms 0 and 1"):
            calculator.close()


def metric(server: Server, name: str) -> float:
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        text = answer.read().decode()
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line[:1] != "#"]
    return sum(float(value) for key, value in lines if key.split("{")[0] == f"irrepd_{name}")


def test_structures_are_counted(server: Server) -> None:
    """In the same metrics as those of HTTP requests, whose scheduler they share."""
    names = ("inference_structures_total", "inference_atoms_total", "batch_structures_count")
    before = [metric(server, name) for name in names]
    atoms = bulk("Si")
    with connected(server) as calculator:
        atoms.calc = calculator
        for step in range(3):
            atoms.rattle(0.05, seed=step)
            atoms.get_potential_energy()
        assert metric(server, "socket_clients") == 1
    added = [metric(server, name) - old for name, old in zip(names, before)]
    assert added == [3, 6, 3]


def test_limits_hold(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "log", "--max-atoms", "2", "--memory-budget", "1M")
    client = Client(daemon.url)
    body = {"protocol": "ipi", "address": f"127.0.0.1:{free_port()}", "model": MODEL}
    with pytest.raises(ServerError, match="--max-atoms"):
        client.call("POST", "/v1/sockets", {**body, "numbers": [14] * 3})
    atoms = bulk("Si")
    launch = ase_socket(daemon.url, MODEL)
    with SocketIOCalculator(launch_client=launch, **endpoint("unix")) as atoms.calc:
        with pytest.raises(OSError, match="memory"):
            atoms.get_potential_energy()
        with pytest.warns(UserWarning, match="memory"):
            atoms.calc.close()
    assert daemon.stop() == 0


# --- a driver in the raw ------------------------------------------------------------------------


class Driver:
    """Listens as i-PI does, and says what it likes to the engine that comes."""

    def __init__(self, server: Server, numbers: list[int]):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(PATIENCE)
        address = f"127.0.0.1:{self.listening.getsockname()[1]}"
        body = {"protocol": "ipi", "address": address, "model": MODEL, "numbers": numbers}
        self.number = server.client.call("POST", "/v1/sockets", body)["id"]
        self.peer, _ = self.listening.accept()
        self.peer.settimeout(PATIENCE)

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.peer.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def close(self) -> None:
        self.peer.close()
        self.listening.close()


def posdata(positions: np.ndarray, count: int | None = None) -> bytes:
    n_atoms = len(positions) if count is None else count
    data = b"POSDATA     " + np.zeros(18).tobytes() + struct.pack("i", n_atoms)
    return data + (positions / BOHR).tobytes()


PAIR = np.array([[0, 0, 0], [0, 0, 2.2]])


def test_one_byte_at_a_time(server: Server) -> None:
    with contextlib.closing(Driver(server, [14, 14])) as driver:
        for byte in b"INIT        " + struct.pack("ii", 0, 1) + b"\0" + posdata(PAIR):
            driver.peer.sendall(bytes([byte]))
        driver.peer.sendall(b"GETFORCE    ")
        answer = driver.receive(12 + 8 + 4 + 48 + 72 + 4 + 1)
        energy = struct.unpack_from("d", answer, 12)[0] * HARTREE
    atoms = Atoms("Si2", PAIR, calculator=IrrepCalculator(server.url, MODEL))
    assert energy == pytest.approx(atoms.get_potential_energy(), rel=1e-12)


BAD = {
    "unknown header": (b"HELLO       ", "unknown header"),
    "web page": (b"GET / HTTP/1.1\r\n\r\n", "unknown header"),
    "no number of atoms": (posdata(PAIR, count=-1), "POSDATA of -1 atoms"),
    "absurd number of atoms": (posdata(PAIR, count=2**31 - 1), "POSDATA of 2147483647 atoms"),
    "negative text": (b"INIT        " + struct.pack("ii", 0, -5), "INIT with a text of -5 bytes"),
    "absurd text": (b"INIT        " + struct.pack("ii", 0, 2**30), "INIT with a text of"),
    "not a number": (posdata(PAIR * np.nan), "finite"),
    "infinite": (posdata(PAIR + np.inf), "finite"),
    "on top of each other": (posdata(PAIR * 0), "Atoms 0 and 1"),
    "forces before positions": (b"GETFORCE    ", "GETFORCE before POSDATA"),
    "other species": (b"INIT        " + struct.pack("ii", 0, 12) + b"species : Cu", "registered"),
    "silence": (b"POSDATA     ", "silent in the middle of a message"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_peers(server: Server, case: str) -> None:
    data, reason = BAD[case]
    before = Atoms("Si2", PAIR, calculator=IrrepCalculator(server.url, MODEL))
    energy = before.get_potential_energy()
    with contextlib.closing(Driver(server, [14, 14])) as driver:
        driver.peer.sendall(data)
        with pytest.raises((EOFError, ConnectionResetError)):
            driver.receive(1)
        end = server.wait_for_end(driver.number)
        assert end["failed"] and reason in end["reason"]
        deadline = time.monotonic() + PATIENCE
        while end["reason"] not in server.reasons():  # the log is written by another thread
            assert time.monotonic() < deadline
            time.sleep(0.02)
    after = Atoms("Si2", PAIR, calculator=IrrepCalculator(server.url, MODEL))
    assert after.get_potential_energy() == energy


@pytest.mark.parametrize("sent", [b"", b"POSD", posdata(PAIR)])
def test_dying_peers(server: Server, sent: bytes) -> None:
    driver = Driver(server, [14, 14])
    driver.peer.sendall(sent)
    driver.close()
    end = server.wait_for_end(driver.number)
    assert end["failed"] == (sent != b"")


def test_addresses_of_others(server: Server) -> None:
    for address in ("10.0.0.1:31415", "example.org:31415", "unix:/run/other"):
        body = {"protocol": "ipi", "address": address, "model": MODEL}
        with pytest.raises(ServerError) as caught:
            server.client.call("POST", "/v1/sockets", body)
        assert caught.value.status == 403
