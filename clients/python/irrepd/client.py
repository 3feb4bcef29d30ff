"""The daemon's HTTP interface."""

from __future__ import annotations

import json
import math
import os
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

import numpy as np

from irrepd import binary, codings
from irrepd.checks import faults_of
from irrepd.errors import ConnectionFailed, FormatError, ServerError, StructureError
from irrepd.results import Result, Results
from irrepd.structures import Intake, structure
from irrepd.transport import Answer, Transport, Verify

__all__ = ["Client", "structure"]

DEFAULT_URL = "http://127.0.0.1:8421"
PROPERTIES = ("energy", "forces", "stress", "energies")  # for ASE; the first three by default
BINARY_FROM = 1000  # atoms in a request
_ACCEPT_BINARY = f"{binary.MEDIA_TYPE}, application/json;q=0.5, application/problem+json;q=0.5"
_PAUSE = 1.0  # seconds between attempts where the server names none
_MOVED = (301, 302, 307, 308)
_MOVES_MAX = 5


Dispersion = Union[bool, Mapping[str, Any], None]


def parsed_dispersion(given: str | None) -> dict[str, Any] | None:
    """From the command line: the name of a functional, or a JSON object."""
    if given is None or not given.lstrip().startswith("{"):
        return None if given is None else {"functional": given}
    try:
        return dict(json.loads(given))
    except ValueError as error:
        raise ValueError(f"--dispersion is no functional and no JSON object: {error}") from None


def wanted_dispersion(dispersion: Dispersion) -> dict[str, Any] | None:
    """What a request says of it; None: nothing."""
    if dispersion is None or dispersion is False:
        return None
    if dispersion is True:
        return {}
    if isinstance(dispersion, Mapping):
        return dict(dispersion)
    raise TypeError(f"dispersion must be True, False or a mapping, not {dispersion!r}")


def wanted_committee(committee: Sequence[str] | None) -> list[str] | None:
    """What a request says of it."""
    if isinstance(committee, str):
        raise TypeError(f"committee must be a list of models, not {committee!r}")
    return None if committee is None else list(committee)


class Client:
    """Talks to one daemon. Thread-safe; may be pickled, copied and carried across a fork.

    url: http, https, or unix:/PATH of a socket. timeout: seconds that a call may take in all,
    waiting for a busy daemon included; None: for ever. key: an API key, by default IRREPD_KEY of
    the environment. verify: of https, see `Transport`. patience: seconds to ask again while a
    daemon that has answered before cannot be reached, as when it is started anew. strict: a charge,
    spin or magnetic moment of a structure, which no model takes, is a StructureError; without, a
    warning says once that it is ignored. compress: "gzip" or "zstd" (with zstandard, or Python
    3.14's own) sends bodies so, and takes answers so; for slow networks. A redirection to another
    address of the same machine is followed. A pickle holds the key that was given.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        timeout: float | None = 600.0,
        key: str | None = None,
        verify: Verify = True,
        patience: float | None = 60.0,
        strict: bool = False,
        compress: str | None = None,
    ):
        self.url, self.verify, self.strict = url, verify, strict
        self.compress = codings.checked(compress)
        self.timeout = _seconds_of("timeout", timeout)
        self.patience = _seconds_of("patience", patience)
        self._key = key
        self._has_answered = False
        self._transport = Transport(url, verify)
        self._takes_binary = True
        self._intake = Intake(strict)

    def __getstate__(self) -> dict[str, Any]:
        names = ("url", "timeout", "verify", "patience", "strict", "compress")
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

    def label(
        self, model: str, precision: str | None = None, head: str | None = None
    ) -> dict[str, Any]:
        """What results depend on, to be kept beside them.

        "model", "model_sha256", "precision", and "head" of a model with several.
        """
        card = self.model(model)
        label = {
            "model": model,
            "model_sha256": card.get("sha256"),
            "precision": precision or card.get("precision"),
        }
        if "heads" in card:
            label["head"] = head or card.get("default_head", card["heads"][0])
        return label

    def labels(self, committee: Sequence[str]) -> list[str]:
        """The members of a committee with the first digits of their models' sha256."""
        cards = [self.model(member.partition(":")[0]) for member in committee]
        return [f"{m} {str(card.get('sha256'))[:16]}" for m, card in zip(committee, cards)]

    def predict(
        self,
        model: str,
        structures: Iterable[Any],
        properties: Sequence[str] | None = None,
        precision: str | None = None,
        priority: str | None = None,
        dispersion: Dispersion = None,
        head: str | None = None,
        committee: Sequence[str] | None = None,
    ) -> Results:
        """Results of structures, in their order; a faulty one among several has status "error".

        structures: of one request, what `irrepd.structure` gives, ase.Atoms or pymatgen structures.
        properties: of "energy", "forces", "stress" (these by default), "energies", "virial",
        "stresses", "descriptors" (features of atoms, [N][D]), "descriptors_l", "dipole" ([3], e
        Angstrom, where the card has it). precision: "float32", "float64" or None for the model's
        own. priority: "interactive" (the default) or "bulk", which lets the interactive go first.
        dispersion: True for DFT-D3 with PBE's parameters, or a mapping as the HTTP interface has
        it, such as {"functional": "scan"}: it is part of energy, forces and stress, and
        "dispersion_energy" says how much it is. head: which of a model's "heads", where its card
        has several; None: the card's "default_head", and without one a ServerError lists them.
        committee: names of more models, or "MODEL:HEAD", that structures are evaluated with:
        results are the means, and have "energy_std", "forces_std" [N] and "stress_std".

        In a request of one a fault is a ServerError. What no daemon takes (an atom that is no
        element, is at no finite place, or closer than 0.1 Angstrom to another one) is not sent: it
        is a StructureError, which is a ServerError. From BINARY_FROM atoms on the bodies are
        binary, if the daemon takes that; the numbers are the same.
        """
        given: dict[str, Any] = {
            "properties": properties,
            "precision": precision,
            "priority": priority,
            "head": head,
        }
        options = {name: value for name, value in given.items() if value is not None}
        if committee is not None:
            options["committee"] = wanted_committee(committee)
        if wanted_dispersion(dispersion) is not None:
            options["dispersion"] = wanted_dispersion(dispersion)
        entries = [self._intake(item) for item in structures]
        faults = faults_of(entries)
        rest = [
            item
            for item, fault in zip(entries, faults)
            if fault is None and not isinstance(item, StructureError)
        ]
        if len(rest) == len(entries):
            return self._predict(model, rest, options)
        if len(entries) == 1 and faults[0] is not None:
            raise faults[0]
        found = self._predict(model, rest, options) if rest else Results()
        answered = iter(found)
        results = Results(
            next(answered) if fault is None else Result.refused(fault, item)
            for item, fault in zip(entries, faults)
        )
        results.model_sha256 = found.model_sha256
        return results

    def _predict(
        self, model: str, entries: list[dict[str, Any]], options: dict[str, Any]
    ) -> Results:
        path = _path_of(model) + "/predict"
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
        results.model_sha256 = answer.get("model_sha256")
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
            return Result.refused(error, entry)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call and its JSON answer; waits and repeats while the daemon is busy (429, 503).

        ServerError: the daemon refused. ConnectionFailed: it cannot be reached.
        """
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = _encoded(body, "positions and cell must be finite numbers")
        return _decoded(self._repeat(method, path, data, headers).body)

    def arrays(self, method: str, path: str, data: bytes) -> bytes | None:
        """One call with a binary body and answer. None: the daemon gives or takes none."""
        headers = {"Accept": _ACCEPT_BINARY, "Content-Type": binary.MEDIA_TYPE}
        try:
            answer = self._repeat(method, path, data, headers)
        except ServerError as error:
            if error.status not in (406, 415):
                raise
            return None
        return answer.body if answer.kind == binary.MEDIA_TYPE else None

    def events(self, path: str, body: Any) -> Iterator[dict[str, Any]]:
        """The events of a relaxation or of dynamics as they come; path: "/v1/models/NAME/relax".

        Closing the iterator early ends them in the daemon too. Errors as of `call`;
        ConnectionFailed also where the answer breaks off.
        """
        data = _encoded(body, "numbers of a request must be finite")
        yield from self._lines("POST", path, data, {"Content-Type": "application/json"})

    def follow(self, path: str) -> Iterator[dict[str, Any]]:
        """The events of a job as they come; path: "/v1/jobs/ID/frames?from=K". As `events`."""
        yield from self._lines("GET", path, None, {})

    def begin(self, path: str, body: Any) -> dict[str, Any]:
        """The card of a job that a relaxation or dynamics has become; path as of `events`.

        It is asked for once: where no answer comes (ConnectionFailed), a job may have begun, and
        GET /v1/jobs tells. Otherwise errors as of `call`.
        """
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Prefer": "respond-async",
        }
        data = _encoded(body, "numbers of a request must be finite")
        card = _decoded(self._repeat("POST", path, data, headers, is_repeatable=False).body)
        if not isinstance(card, dict) or not isinstance(card.get("id"), str):
            raise ConnectionFailed(f"{self.url} has begun no job: does a proxy drop 'Prefer'?")
        return card

    def _lines(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> Iterator[dict[str, Any]]:
        headers = {"Accept": "application/x-ndjson", **headers}
        lines = self._repeat(method, path, data, headers, as_it_comes=True).lines
        assert lines is not None
        try:
            for line in lines:
                if line.strip():
                    yield json.loads(line)
        finally:
            lines.close()  # type: ignore[attr-defined]

    def _repeat(
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: dict[str, str],
        as_it_comes: bool = False,
        is_repeatable: bool = True,
    ) -> Answer:
        key = self._key or os.environ.get("IRREPD_KEY")
        if key:
            headers = {**headers, "Authorization": f"Bearer {key}"}
        if self.compress and not as_it_comes:
            headers = {**headers, "Accept-Encoding": codings.accepted(self.compress)}
        if self.compress and data:
            headers = {**headers, "Content-Encoding": self.compress}
            data = codings.encoded(self.compress, data)
        deadline = time.monotonic() + self.timeout
        n_moves = 0
        while True:
            answer = self._exchange(
                method, path, data, headers, deadline, as_it_comes, is_repeatable
            )
            if answer.status < 300:
                return answer
            if answer.status in _MOVED and answer.location and n_moves < _MOVES_MAX:
                self._transport = self._transport.moved(path, answer.location)
                n_moves += 1
                continue
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
        self,
        method: str,
        path: str,
        data: bytes | None,
        headers: dict[str, str],
        deadline: float,
        as_it_comes: bool,
        is_repeatable: bool,
    ) -> Answer:
        """One answer, from a daemon that may go and come back, where asking twice does no harm."""
        last, pause = deadline, _PAUSE / 16
        while True:
            try:
                answer = self._transport.exchange(
                    method, path, data, headers, deadline, as_it_comes, is_repeatable
                )
            except ConnectionFailed:
                last = min(last, time.monotonic() + self.patience)
                is_hopeless = not self._has_answered or time.monotonic() + pause >= last
                if is_hopeless or not is_repeatable:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _PAUSE)
            else:
                self._has_answered = True
                return answer


def _seconds_of(name: str, value: float | None) -> float:
    """A number of seconds; infinite for None."""
    seconds = math.inf if value is None else float(value)
    if not seconds >= 0 or (name == "timeout" and seconds == 0):
        raise ValueError(f"{name} must be a number of seconds, or None for no end, not {value!r}")
    return seconds


def _path_of(model: str) -> str:
    return f"/v1/models/{urllib.parse.quote(model, safe='')}"


def _encoded(body: Any, reason: str) -> bytes:
    """ValueError: a number in it is not finite, with the reason."""
    try:
        return json.dumps(body, allow_nan=False, default=_plain).encode()
    except ValueError:
        raise ValueError(reason) from None


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
