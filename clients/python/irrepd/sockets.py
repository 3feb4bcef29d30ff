"""An irrepd daemon as the engine of ASE's SocketIOCalculator."""

from __future__ import annotations

import inspect
import time
import urllib.parse
from typing import Any

import numpy as np

from irrepd.client import DEFAULT_URL, Client
from irrepd.errors import ConnectionFailed, ServerError
from irrepd.transport import Verify

_ASE_PORT = 31415
_END_SECONDS = 5.0


class ase_socket:
    """A `launch_client` for SocketIOCalculator: the daemon connects, and knows the species.

        SocketIOCalculator(launch_client=irrepd.ase_socket(model="sevennet-0"), unixsocket="x")

    url, key, verify: of the daemon, see `irrepd.Client`; it runs on this machine, unless host says
    by which name it reaches this one (and its --socket-allow permits that). precision: "float32",
    "float64" or None for the model's own. Atoms that change their numbers or pbc afterwards are
    refused, since the protocol carries neither. ServerError: the daemon refuses, for instance an
    element that the model does not know.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        model: str = "sevennet-0",
        precision: str | None = None,
        host: str = "127.0.0.1",
        key: str | None = None,
        verify: Verify = True,
    ):
        self.model, self.precision, self.host = model, precision, host
        self.client = Client(url, key=key, verify=verify, patience=0.0)

    def __call__(
        self,
        atoms: Any,
        properties: Any = None,
        port: int | None = None,
        unixsocket: str | None = None,
    ) -> Engine:
        """Has the daemon connect to an ASE that listens; called by SocketIOCalculator."""
        calculator = _caller()
        address = f"{self.host}:{port or _ASE_PORT}" if unixsocket is None else f"unix:{unixsocket}"
        body = {
            "protocol": "ipi",
            "address": address,
            "model": self.model,
            "numbers": [int(number) for number in atoms.numbers],
            "pbc": [bool(periodic) for periodic in atoms.pbc],
        }
        if self.precision is not None:
            body["precision"] = self.precision
        try:
            engine = Engine(self.client, self.client.call("POST", "/v1/sockets", body)["id"])
        except BaseException:
            if calculator is not None:  # or else its next call would wait for a client for ever
                calculator.server.close()
                calculator.server = None
            raise
        if calculator is not None:
            _guard(calculator.server, atoms, engine)
        return engine


class Status(int):
    """An exit status that says in words what it stands for."""

    reason: str

    def __new__(cls, number: int, reason: str) -> Status:
        status = super().__new__(cls, number)
        status.reason = reason
        return status

    def __str__(self) -> str:
        return f"{int(self)} ({self.reason})"


class Engine:
    """The daemon's end of a socket, in the place of a process that ASE would have started."""

    def __init__(self, client: Client, number: int):
        self.client, self.number = client, number

    def poll(self) -> Status | None:
        """None while it is at work or about to connect; 0 once ASE has closed the socket."""
        try:
            listed = self.client.call("GET", "/v1/sockets")["sockets"]
        except (ConnectionFailed, ServerError) as error:
            return Status(1, str(error))
        for entry in listed:
            if entry["id"] == self.number:
                connection = entry["connections"][0]
                is_closed = connection["state"] == "closed"
                return Status(connection["failed"], connection["reason"]) if is_closed else None
        return Status(1, "the daemon knows nothing of the socket any more")

    def wait(self, timeout: float = _END_SECONDS) -> Status:
        """Waits until the daemon has seen the end of the socket."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.poll()
            if status is not None:
                return status
            if time.monotonic() >= deadline:
                return Status(1, "the daemon has not closed the socket")
            time.sleep(0.01)


def _caller() -> Any:
    """The SocketIOCalculator that calls the launch_client, which is not told; None if another."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame is not None and frame.f_back is not None else None
    found = None if caller is None else caller.f_locals.get("self")
    return found if callable(getattr(getattr(found, "server", None), "calculate", None)) else None


def _guard(server: Any, atoms: Any, engine: Engine) -> None:
    """Has ASE's server refuse other species, and say why the daemon has gone."""
    calculate, numbers, pbc = server.calculate, atoms.numbers.copy(), atoms.pbc.copy()

    def guarded(changed: Any) -> Any:
        if not (np.array_equal(changed.numbers, numbers) and np.array_equal(changed.pbc, pbc)):
            from ase.calculators.calculator import PropertyNotImplementedError

            raise PropertyNotImplementedError(
                "numbers and pbc cannot change in a socket; make a new SocketIOCalculator"
            )
        try:
            return calculate(changed)
        except OSError as error:
            status = engine.wait()
            host = urllib.parse.urlsplit(engine.client.url).netloc or engine.client.url
            raise OSError(f"irrepd at {host} has closed the socket: {status.reason}") from error

    server.calculate = guarded
