"""A plug-in of pytest that runs ASE's own tests with irrepd in the place of ASE's calculator EMT.

    IRREPD_URL=http://... python -m pytest -p ase_suite --pyargs ase.test.md.test_md

The daemon is also what ASE's tests of sockets connect to as a client.
"""

from __future__ import annotations

import os
from typing import Any

import ase.calculators.emt
import ase.calculators.socketio

from irrepd import IrrepCalculator, ase_socket

URL = os.environ["IRREPD_URL"]
OPTIONS = {"url": URL, "model": "sevennet-0", "precision": "float64"}


class EMT(IrrepCalculator):
    def __init__(self) -> None:
        super().__init__(**OPTIONS)


class SocketClient:
    """Has the daemon connect, and waits until it has been let go."""

    def __init__(self, port: int | None, unixsocket: str | None, timeout: float, log: Any):
        self.port, self.unixsocket, self.timeout = port, unixsocket, timeout

    def run(self, atoms: Any, use_stress: bool) -> None:
        engine = ase_socket(**OPTIONS)(atoms, None, self.port, self.unixsocket)
        assert engine.wait(self.timeout) == 0


ase.calculators.emt.EMT = EMT
ase.calculators.socketio.SocketClient = SocketClient
ase.calculators.socketio.PySocketIOClient = lambda _: ase_socket(URL, "sevennet-0")
