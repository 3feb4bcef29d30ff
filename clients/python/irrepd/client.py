"""The daemon's HTTP interface."""

from __future__ import annotations

import json
import os
import time
import urllib.parse
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from irrepd import binary
from irrepd.errors import ConnectionFailed, FormatError, ServerError
from irrepd.results import Result, Results
from irrepd.transport import Answer, Transport, Verify

DEFAULT_URL = "http://127.0.0.1:8421"
PROPERTIES = ("energy", "forces", "stress", "energies")
BINARY_FROM = 1000  # atoms in a request
_ACCEPT_BINARY = f"{binary.MEDIA_TYPE}, application/json;q=0.5, application/problem+json;q=0.5"
_PAUSE = 1.0  # seconds between attempts where the server names none


def structure(
    numbers: Iterable[int],
    positions: Any,
    cell: Any = None,
    pbc: bool | Sequence[bool] | None = None,
    id: str | None = None,
) -> dict[str, Any]:
    """One entry of a request's "structures": atomic numbers [N], positions [N][3] in Angstrom.

    cell: [3][3] in Angstrom, rows are lattice vectors; zeros count as none, as in ASE. pbc: which
    axes are periodic, three or one for all; by default all with a cell and none without. id: comes
    back with the result.
    """
    result: dict[str, Any] = {
        "numbers": [_whole(number) for number in numbers],
        "positions": np.asarray(positions, dtype=float).tolist(),
    }
    if cell is not None and np.any(cell):
        result["cell"] = np.asarray(cell, dtype=float).tolist()
    if pbc is not None:
        result["pbc"] = [bool(periodic) for periodic in np.broadcast_to(pbc, 3)]
    if id is not None:
        result["id"] = id
    return result


def structure_of(atoms: Any, id: str | None = None) -> dict[str, Any]:
    """`structure` of an ase.Atoms."""
    return structure(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, id)


def entry_of(given: Any) -> dict[str, Any]:
    """`structure` of an ase.Atoms or a pymatgen structure; a dictionary as it is."""
    if isinstance(given, dict):
        return given
    if hasattr(given, "get_positions"):
        return structure_of(given)
    if hasattr(given, "cart_coords") and hasattr(given, "atomic_numbers"):
        lattice = getattr(given, "lattice", None)
        if lattice is None:
            return structure(given.atomic_numbers, given.cart_coords)
        return structure(given.atomic_numbers, given.cart_coords, lattice.matrix, lattice.pbc)
    raise TypeError(
        f"{type(given).__name__} is no structure: give a sequence of irrepd.structure(...), "
        "ase.Atoms or pymatgen structures"
    )


def _whole(number: Any) -> int:
    try:
        whole = int(number)
    except (TypeError, ValueError):
        whole = 0
    if not whole or whole != number:
        raise ValueError(f"{number!r} is no atomic number, as 8 is for oxygen")
    return whole


class Client:
    """Talks to one daemon. Thread-safe; may be pickled, copied and carried across a fork.

    url: http, https, or unix:/PATH of a socket. timeout: seconds that a call may take in all,
    waiting for a busy daemon included. key: an API key, by default IRREPD_KEY of the environment.
    verify: of https, see `Transport`. patience: seconds to ask again while a daemon that has
    answered before cannot be reached, as when it is started anew. A pickle holds the key that was
    given.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        timeout: float = 600.0,
        key: str | None = None,
        verify: Verify = True,
        patience: float = 60.0,
    ):
        self.url, self.timeout, self.verify, self.patience = url, timeout, verify, patience
        self._key = key
        self._has_answered = False
        self._transport = Transport(url, verify)
        self._takes_binary = True

    def __getstate__(self) -> dict[str, Any]:
        names = ("url", "timeout", "verify", "patience")
        return {**{name: getattr(self, name) for name in names}, "key": self._key}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections; the next call opens a new one."""
        self._transport.close()

    def models(self) -> list[dict[str, Any]]:
        """The cards of the daemon's models."""
        return self.call("GET", "/v1/models")["models"]

    def model(self, name: str) -> dict[str, Any]:
        """The card of one model."""
        return self.call("GET", _path_of(name))

    def predict(
        self,
        model: str,
        structures: Iterable[Any],
        properties: Sequence[str] | None = None,
        precision: str | None = None,
        priority: str | None = None,
    ) -> Results:
        """Results of structures, in their order; a faulty one among several has status "error".

        structures: of one request, what `irrepd.structure` gives, ase.Atoms or pymatgen structures.
        properties: of "energy", "forces", "stress" (these by default) and "energies".
        precision: "float32", "float64" or None for the model's own. priority: "interactive" (the
        default) or "bulk", which lets the interactive go first.

        In a request of one a fault is a ServerError. From BINARY_FROM atoms on the bodies are
        binary, if the daemon takes that; the numbers are the same.
        """
        entries = [entry_of(given) for given in structures]
        path = _path_of(model) + "/predict"
        given = {"properties": properties, "precision": precision, "priority": priority}
        options = {name: value for name, value in given.items() if value is not None}
        n_atoms = sum(len(entry.get("numbers", ())) for entry in entries)
        if self._takes_binary and n_atoms >= BINARY_FROM:
            results = self._predict_binary(path, entries, options)
            if results is not None:
                return results
        return self._predict_json(path, entries, options)

    def _predict_json(
        self, path: str, entries: list[dict[str, Any]], options: dict[str, Any]
    ) -> Results:
        answer = self.call("POST", path, {"structures": entries, **options})
        found = answer.get("results") if isinstance(answer, dict) else None
        results = Results(map(Result.of, found if isinstance(found, list) else ()))
        if len(results) != len(entries) or not all(map(Result.is_of, results, entries)):
            raise ConnectionFailed(f"{self.url} answered with other results than were asked for")
        return results

    def _predict_binary(
        self,
        path: str,
        entries: list[dict[str, Any]],
        options: dict[str, Any],
    ) -> Results | None:
        """None: to be asked as JSON, which the daemon takes or in which it says what is wrong."""
        wanted = options.get("properties", PROPERTIES[:3])
        try:
            data = binary.encode(entries, **{"properties": None, "precision": None, **options})
        except (KeyError, TypeError, ValueError):
            return None
        headers = {"Accept": _ACCEPT_BINARY, "Content-Type": binary.MEDIA_TYPE}
        try:
            answer = self._repeat("POST", path, data, headers)
            if answer.kind != binary.MEDIA_TYPE:
                raise FormatError(f"an answer of type '{answer.kind}'")
            results = binary.decode(answer.body, entries, wanted)
        except FormatError:
            self._takes_binary = False
            return None
        except ServerError as error:
            if error.status not in (400, 406, 415, 422):
                raise
            self._takes_binary = error.status == 422
            return None
        faults = [i for i, result in enumerate(results) if not result.ok]
        for i in faults:
            results[i] = self._in_words(path, entries[i], options)
        return results

    def _in_words(
        self,
        path: str,
        entry: dict[str, Any],
        options: dict[str, Any],
    ) -> Result:
        """A structure again, as JSON: the binary answer gives only the number of its fault."""
        try:
            return self._predict_json(path, [entry], options)[0]
        except ServerError as error:
            named = {} if entry.get("id") is None else {"id": entry["id"]}
            return Result(**named, status="error", error=error.problem)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call and its JSON answer; waits and repeats while the daemon is busy (429, 503).

        ServerError: the daemon refused. ConnectionFailed: it cannot be reached.
        """
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            try:
                data = json.dumps(body, allow_nan=False, default=_plain).encode()
            except ValueError:
                raise ValueError("positions and cell must be finite numbers") from None
        return _decoded(self._repeat(method, path, data, headers).body)

    def _repeat(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> Answer:
        key = self._key or os.environ.get("IRREPD_KEY")
        if key:
            headers = {**headers, "Authorization": f"Bearer {key}"}
        deadline = time.monotonic() + self.timeout
        while True:
            answer = self._exchange(method, path, data, headers, deadline)
            if answer.status < 300:
                return answer
            problem = _decoded(answer.body)
            if not isinstance(problem, dict):
                problem = {"detail": str(problem)[:500]}
            error = ServerError(answer.status, problem, answer.retry_after)
            pause = _PAUSE if answer.retry_after is None else answer.retry_after
            is_busy = answer.status in (429, 503) and error.retryable
            if not is_busy or time.monotonic() + pause >= deadline:
                raise error
            time.sleep(pause)

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str], deadline: float
    ) -> Answer:
        """One answer, from a daemon that may go and come back; asking twice does no harm."""
        last, pause = deadline, _PAUSE / 16
        while True:
            try:
                answer = self._transport.exchange(method, path, data, headers, deadline)
            except ConnectionFailed:
                last = min(last, time.monotonic() + self.patience)
                if not self._has_answered or time.monotonic() + pause >= last:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _PAUSE)
            else:
                self._has_answered = True
                return answer


def _path_of(model: str) -> str:
    return f"/v1/models/{urllib.parse.quote(model, safe='')}"


def _plain(value: Any) -> Any:
    """Arrays and numbers of numpy as JSON has them."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} has no place in a request")


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode(errors="replace")
