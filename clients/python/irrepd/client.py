"""The daemon's HTTP interface over one kept-alive connection."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from irrepd.errors import ConnectionFailed, ServerError

DEFAULT_URL = "http://127.0.0.1:8421"
PROPERTIES = ("energy", "forces", "stress", "energies")
_PAUSE = 1.0  # seconds between attempts where the server names none


def structure(
    numbers: Iterable[int],
    positions: Any,
    cell: Any = None,
    pbc: Sequence[bool] | None = None,
    id: str | None = None,
) -> dict[str, Any]:
    """One entry of a request's "structures": positions [N][3] and cell [3][3] in Angstrom.

    A cell of zeros counts as none, as in ASE.
    """
    result: dict[str, Any] = {
        "numbers": [int(number) for number in numbers],
        "positions": np.asarray(positions, dtype=float).tolist(),
    }
    if cell is not None and np.any(cell):
        result["cell"] = np.asarray(cell, dtype=float).tolist()
    if pbc is not None:
        result["pbc"] = [bool(periodic) for periodic in pbc]
    if id is not None:
        result["id"] = id
    return result


def structure_of(atoms: Any, id: str | None = None) -> dict[str, Any]:
    """`structure` of an ase.Atoms."""
    return structure(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, id)


class Client:
    """Talks to one daemon. Thread-safe; may be pickled, copied and carried across a fork.

    timeout: seconds that a call may take in all, waiting for a busy daemon included.
    """

    def __init__(self, url: str = DEFAULT_URL, timeout: float = 600.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"'{url}' is no URL like {DEFAULT_URL}")
        self.url = url
        self.timeout = timeout
        self._host, self._port, self._prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self._is_secure = parts.scheme == "https"
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "timeout": self.timeout}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        self._connection: http.client.HTTPConnection | None = None
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def close(self) -> None:
        """Closes the connection; the next call opens a new one."""
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def models(self) -> list[dict[str, Any]]:
        """The cards of the daemon's models."""
        return self.call("GET", "/v1/models")["models"]

    def model(self, name: str) -> dict[str, Any]:
        """The card of one model."""
        return self.call("GET", f"/v1/models/{urllib.parse.quote(name, safe='')}")

    def predict(
        self,
        model: str,
        structures: Sequence[dict[str, Any]],
        properties: Sequence[str] | None = None,
        precision: str | None = None,
    ) -> list[dict[str, Any]]:
        """Results of structures, in their order; a faulty one among several has status "error".

        In a request of one a fault is a ServerError.
        """
        body: dict[str, Any] = {"structures": list(structures)}
        if properties is not None:
            body["properties"] = list(properties)
        if precision is not None:
            body["precision"] = precision
        path = f"/v1/models/{urllib.parse.quote(model, safe='')}/predict"
        answer = self.call("POST", path, body)
        results = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(results, list) or len(results) != len(structures):
            raise ConnectionFailed(f"{self.url} answered with other results than were asked for")
        return results

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call and its JSON answer; waits and repeats while the daemon is busy (429, 503).

        ServerError: the daemon refused. ConnectionFailed: it cannot be reached.
        """
        try:
            data = None if body is None else json.dumps(body, allow_nan=False).encode()
        except ValueError:
            raise ValueError("positions and cell must be finite numbers") from None
        deadline = time.monotonic() + self.timeout
        while True:
            status, answer, retry_after = self._exchange(method, path, data, deadline)
            if status < 300:
                return answer
            problem = answer if isinstance(answer, dict) else {"detail": str(answer)[:500]}
            error = ServerError(status, problem, retry_after)
            pause = _PAUSE if retry_after is None else retry_after
            is_busy = status in (429, 503) and error.retryable
            if not is_busy or time.monotonic() + pause >= deadline:
                raise error
            time.sleep(pause)

    def _exchange(
        self, method: str, path: str, data: bytes | None, deadline: float
    ) -> tuple[int, Any, float | None]:
        """Status, decoded body and Retry-After; reconnects once when a kept connection is dead."""
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            for is_last in (self._connection is None, True):
                try:
                    return self._exchange_once(method, path, data, deadline)
                except (TimeoutError, socket.timeout):
                    self._drop()
                    raise ConnectionFailed(f"{self.url} did not answer in time") from None
                except (OSError, http.client.HTTPException) as error:
                    self._drop()
                    if is_last:
                        reason = str(error) or type(error).__name__
                        raise ConnectionFailed(f"{self.url}: {reason}") from error
                except BaseException:
                    self._drop()
                    raise
        raise AssertionError("unreachable")

    def _exchange_once(
        self, method: str, path: str, data: bytes | None, deadline: float
    ) -> tuple[int, Any, float | None]:
        left = max(deadline - time.monotonic(), 0.001)
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=left)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(left)
        headers = {"Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, self._prefix + path, data, headers)
        response = self._connection.getresponse()
        text = response.read()
        retry_after = _seconds(response.getheader("Retry-After"))
        if response.will_close:
            self._drop()
        return response.status, _decoded(text), retry_after


def _seconds(header: str | None) -> float | None:
    try:
        return None if header is None else min(max(float(header), 0.0), 3600.0)
    except ValueError:
        return None


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
