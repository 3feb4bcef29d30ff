"""The side of i-PI that listens: sends positions to an engine and reads its forces."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

HEADER = 12
BOHR = 1 / 1.8897261  # Angstrom, of ipi/utils/units.py


class Driver:
    """A listening socket on loopback; `accept` waits for an engine to connect."""

    def __init__(self, timeout: float = 60.0):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(timeout)
        self.timeout = timeout

    @property
    def address(self) -> str:
        host, port = self.listener.getsockname()
        return f"{host}:{port}"

    def accept(self) -> Session:
        peer, _ = self.listener.accept()
        peer.settimeout(self.timeout)
        return Session(peer)

    def close(self) -> None:
        self.listener.close()


class Session:
    """One engine."""

    def __init__(self, peer: socket.socket):
        self.peer = peer

    def _send(self, name: str, data: bytes = b"") -> None:
        self.peer.sendall(name.ljust(HEADER).encode() + data)

    def _read(self, n: int) -> bytes:
        data = b""
        while len(data) < n:
            more = self.peer.recv(n - len(data))
            if not more:
                raise ConnectionError("the engine has closed the connection")
            data += more
        return data

    def _status(self) -> str:
        self._send("STATUS")
        return self._read(HEADER).decode().strip()

    def evaluate(self, positions: Sequence[Sequence[float]], edge: float) -> list[float]:
        """Forces, flat and in atomic units, of atoms (Angstrom) in a cube with this edge."""
        state = self._status()
        if state == "NEEDINIT":
            self._send("INIT", struct.pack("<ii1s", 0, 1, b" "))
            state = self._status()
        if state != "READY":
            raise ConnectionError(f"the engine's state is {state}")
        cell = [edge / BOHR if i % 4 == 0 else 0.0 for i in range(9)]
        inverse = [BOHR / edge if i % 4 == 0 else 0.0 for i in range(9)]
        flat = [x / BOHR for row in positions for x in row]
        numbers = struct.pack(f"<18di{len(flat)}d", *cell, *inverse, len(positions), *flat)
        self._send("POSDATA", numbers)
        state = self._status()
        if state != "HAVEDATA":
            raise ConnectionError(f"the engine's state is {state}")
        self._send("GETFORCE")
        if self._read(HEADER).decode().strip() != "FORCEREADY":
            raise ConnectionError("the engine has no forces")
        _, n = struct.unpack("<di", self._read(12))
        forces = struct.unpack(f"<{3 * n}d", self._read(24 * n))
        self._read(72)
        (n_extra,) = struct.unpack("<i", self._read(4))
        self._read(n_extra)
        return list(forces)

    def close(self) -> None:
        self.peer.close()
