"""Evaluates streams of structures: in batches, many under way, in order, in bounded memory."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, Union

from irrepd.client import (
    DEFAULT_URL,
    PROPERTIES,
    Client,
    Dispersion,
    wanted_committee,
    wanted_dispersion,
)
from irrepd.errors import ServerError, StructureError
from irrepd.journal import with_journal
from irrepd.progress import Progress
from irrepd.results import Result
from irrepd.structures import Entry, Intake

BATCH_ATOMS = 2000
BATCH_STRUCTURES = 256
IN_FLIGHT = 4
_PAUSE = 0.2  # seconds before a structure that found the daemon busy is asked again

_FOR_ALL = (  # fields of a request
    *("/properties", "/precision", "/priority"),
    *("/dispersion", "/head", "/committee"),
)


Path = Union[str, "os.PathLike[str]"]
_Task = tuple["Future[list[Result]]", list[Entry]]


def evaluate(
    structures: Iterable[Any],
    model: str = "sevennet-0",
    client: Client | str = DEFAULT_URL,
    *,
    properties: Sequence[str] = PROPERTIES[:3],
    precision: str | None = None,
    priority: str | None = None,
    dispersion: Dispersion = None,
    head: str | None = None,
    committee: Sequence[str] | None = None,
    batch_atoms: int = BATCH_ATOMS,
    batch_structures: int = BATCH_STRUCTURES,
    in_flight: int = IN_FLIGHT,
    output: Path | None = None,
    progress: bool | int = False,
    strict: bool = False,
    model_sha256: str | None = None,
) -> Iterator[Result]:
    """The results of an iterable's structures, in their order, as they come.

    structures: what `irrepd.structure` gives, ase.Atoms, or pymatgen structures. client: or its
    URL. properties, precision, priority, dispersion, head, committee: as for `Client.predict`.
    batch_atoms, batch_structures: what a request holds at most. in_flight: requests under way. A
    refused structure has status "error", be it refused by the daemon or before it is sent; what
    concerns all, such as an unknown model, is a ServerError. strict: as for `Client`.
    model_sha256: of the model file, as its card has it; ValueError when an answer is of another
    one, as after the daemon was given a new file.

    output: a file that takes a line of JSON for each result. Where a run was cut off, the same call
    again yields what the file has and evaluates the rest; ValueError when the file is of another
    model, of other structures or of another kind. progress: a bar on standard error; a number: of
    the structures, where the iterable has no length.

    Memory holds about in_flight + 1 requests, however long the iterable is. Closing the iterator
    early leaves the requests that are under way to end unread.
    """
    if min(batch_atoms, batch_structures, in_flight) < 1:
        raise ValueError("batch_atoms, batch_structures and in_flight must be at least 1")
    total = None if progress is True or not progress else int(progress)
    if total is None and hasattr(structures, "__len__"):
        total = len(structures)  # type: ignore[arg-type]
    bar = Progress(total) if progress else None
    own = Client(client) if isinstance(client, str) else None
    asked = own or client
    if not isinstance(asked, Client):
        raise TypeError(f"client must be an irrepd.Client or a URL, not a {type(asked).__name__}")
    options: dict[str, Any] = {"precision": precision, "priority": priority, "head": head}
    options.update({"dispersion": dispersion, "committee": wanted_committee(committee)})
    ask = _Question(asked, model, tuple(properties), options, model_sha256)

    def run(entries: Iterator[Entry]) -> Iterator[Result]:
        return _stream(batches_of(entries, batch_atoms, batch_structures), ask, in_flight)

    entries = map(Intake(strict or asked.strict), structures)
    return _results(entries, ask, run, output, bar, own)


def _results(
    entries: Iterator[Entry],
    ask: _Question,
    run: Callable[[Iterator[Entry]], Iterator[Result]],
    output: Path | None,
    bar: Progress | None,
    own: Client | None,
) -> Iterator[Result]:
    try:
        results = (
            run(entries) if output is None else with_journal(output, entries, ask.heading(), run)
        )
        for result in results:
            if bar is not None:
                bar.step(len(result.get("forces", ())))
            yield result
    finally:
        if bar is not None:
            bar.close()
        if own is not None:
            own.close()


class _Question:
    """What is asked of every structure."""

    def __init__(
        self,
        client: Client,
        model: str,
        properties: tuple[str, ...],
        options: dict[str, Any],
        model_sha256: str | None,
    ):
        self.client, self.model, self.model_sha256 = client, model, model_sha256
        self.properties, self.options = properties, options

    def heading(self) -> dict[str, Any]:
        """What a file of answers begins with; from now on all are of the model that it names."""
        named = self.client.label(self.model, self.options["precision"], self.options["head"])
        dispersion = wanted_dispersion(self.options["dispersion"])
        self.model_sha256 = self.model_sha256 or named["model_sha256"]
        heading = {**named, "properties": list(self.properties)}
        if dispersion is not None:
            heading["dispersion"] = dispersion
        if self.options["committee"] is not None:
            heading["committee"] = self.client.labels(self.options["committee"])
        return heading

    def __call__(self, items: list[Entry]) -> list[Result]:
        """Results; in halves where a request is too large, a refusal of one as its result.

        A structure that finds the daemon busy as long as a request may take is a ServerError.
        """
        entries = [item for item in items if not isinstance(item, StructureError)]
        answered = iter(self._answers(entries) if entries else ())
        return [
            Result.refused(item) if isinstance(item, StructureError) else next(answered)
            for item in items
        ]

    def _answers(self, entries: list[dict[str, Any]]) -> list[Result]:
        deadline = time.monotonic() + self.client.timeout
        results = self._ask(entries)
        while True:
            busy = [i for i, result in enumerate(results) if _is_busy(result)]
            if not busy:
                return results
            if time.monotonic() > deadline:
                problem = results[busy[0]]["error"]
                raise ServerError(problem["status"], problem)
            time.sleep(_PAUSE)
            again = self._ask([entries[i] for i in busy])
            for i, result in zip(busy, again):
                results[i] = result

    def _ask(self, entries: list[dict[str, Any]]) -> list[Result]:
        try:
            results = self.client.predict(self.model, entries, self.properties, **self.options)
        except ServerError as error:
            if error.status not in (413, 422) or error.concerns(*_FOR_ALL):
                raise
            if len(entries) == 1:
                return [Result.refused(error, entries[0])]
        else:
            found, due = results.model_sha256, self.model_sha256
            if due is not None and found not in (None, due):
                raise ValueError(
                    f"the daemon's model {self.model} is another one now: its sha256 is {found}, "
                    f"and {due} is asked for"
                )
            return results
        middle = len(entries) // 2
        return [*self._ask(entries[:middle]), *self._ask(entries[middle:])]


def _is_busy(result: Result) -> bool:
    error = result.get("error")
    return isinstance(error, dict) and error.get("status") in (429, 503)


def _stream(batches: Iterator[list[Entry]], ask: _Question, in_flight: int) -> Iterator[Result]:
    under_way: deque[Future[list[Result]]] = deque()
    tasks: SimpleQueue[_Task | None] = SimpleQueue()
    for _ in range(in_flight):  # threads that do not keep the program from ending
        threading.Thread(target=_work, args=(tasks, ask), name="irrepd", daemon=True).start()
    try:
        for batch in batches:
            under_way.append(Future())
            tasks.put((under_way[-1], batch))
            while under_way and (len(under_way) > in_flight or under_way[0].done()):
                yield from under_way.popleft().result()
        while under_way:
            yield from under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()
        for _ in range(in_flight):
            tasks.put(None)


def _work(tasks: SimpleQueue[_Task | None], ask: _Question) -> None:
    while True:
        task = tasks.get()
        if task is None:
            return
        future, batch = task
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(ask(batch))
            except BaseException as error:
                future.set_exception(error)


def batches_of(
    entries: Iterator[Entry], most_atoms: int, most_structures: int
) -> Iterator[list[Entry]]:
    """Entries as lists with at most so many atoms (unless one has more) and structures."""
    batch: list[Entry] = []
    n_atoms = 0
    for entry in entries:
        count = 0 if isinstance(entry, StructureError) else len(entry["numbers"])
        if batch and (n_atoms + count > most_atoms or len(batch) == most_structures):
            yield batch
            batch, n_atoms = [], 0
        batch.append(entry)
        n_atoms += count
    if batch:
        yield batch
