"""Jobs: relaxations and dynamics that go on in the daemon by themselves, and outlive their clients.

What is asked of them is `GET /v1/jobs`, see docs/trajectories.md.
"""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from irrepd.client import DEFAULT_URL, Client, Dispersion
from irrepd.errors import ConnectionFailed, ServerError, StructureError
from irrepd.results import Result
from irrepd.trajectories import (
    Moved,
    entries_of,
    moved_of,
    options_of_md,
    path_of,
    wanted_of_all,
)

ENDED = ("done", "cancelled", "failed")
_PAUSES = (0.05, 1.0)  # seconds from one look at a card to the next, and where that ends
_BREAKS_MAX = 20  # of a stream, one after the other, that tell nothing new


def jobs(client: Client | str = DEFAULT_URL) -> list[Job]:
    """The jobs that the daemon has; with keys, those of one's own."""
    asked = _client_of(client)
    return [Job(card["id"], asked, card=card) for card in asked.call("GET", "/v1/jobs")["jobs"]]


class Job:
    """A relaxation or dynamics that goes on in the daemon, whoever looks at it.

    `Job.relax` and `Job.md` begin one, `irrepd.jobs` lists them, and `Job(id)` is one that somebody
    has begun. id: as the daemon gave it. structures: those that it was begun with, which
    `frame.atoms` needs; the daemon does not tell them. ServerError: there is no such job (404), or
    it is in no state for what is asked (409).
    """

    def __init__(
        self,
        id: str,
        client: Client | str = DEFAULT_URL,
        structures: Iterable[Any] | None = None,
        card: dict[str, Any] | None = None,
    ):
        self.id, self.client = id, _client_of(client)
        self._path = f"/v1/jobs/{urllib.parse.quote(id, safe='')}"
        self.last_card = card
        kind = (card or {}).get("kind", "md")
        self._entries = None if structures is None else _sendable(structures, kind, self.client)

    def __repr__(self) -> str:
        known = self.last_card or {}
        words = [str(known[name]) for name in ("kind", "model", "state") if name in known]
        return f"<irrepd.Job {' '.join([self.id, *words])}>"

    @classmethod
    def relax(
        cls,
        structures: Iterable[Any] | Any,
        model: str = "sevennet-0",
        client: Client | str = DEFAULT_URL,
        *,
        precision: str | None = None,
        dispersion: Dispersion = None,
        head: str | None = None,
        committee: Sequence[str] | None = None,
        priority: str | None = None,
        deadline_ms: float | None = None,
        **options: Any,
    ) -> Job:
        """Begins to relax structures.

        options: optimizer, fmax, cell and so on as of `irrepd.relax`, and trajectory, the steps
        from one frame to the next (0: none). deadline_ms counts from the call, be the daemon
        started again meanwhile. StructureError: a structure cannot be sent.
        """
        of_all: dict[str, Any] = {"precision": precision, "head": head}
        of_all.update(wanted_of_all(dispersion, committee, priority, deadline_ms))
        return cls._begin(structures, model, client, "relax", options, of_all)

    @classmethod
    def md(
        cls,
        structures: Iterable[Any] | Any,
        model: str = "sevennet-0",
        client: Client | str = DEFAULT_URL,
        *,
        steps: int,
        timestep: float = 1.0,
        ensemble: str = "nvt",
        temperature: float | Sequence[float] | None = 300.0,
        every: int = 100,
        properties: Sequence[str] = ("positions", "velocities", "forces"),
        seed: int = 0,
        precision: str | None = None,
        dispersion: Dispersion = None,
        head: str | None = None,
        committee: Sequence[str] | None = None,
        priority: str | None = None,
        deadline_ms: float | None = None,
        **options: Any,
    ) -> Job:
        """Begins molecular dynamics; everything as of `irrepd.md`."""
        given = options_of_md(
            steps, timestep, ensemble, temperature, every, properties, seed, options
        )
        of_all: dict[str, Any] = {"precision": precision, "head": head}
        of_all.update(wanted_of_all(dispersion, committee, priority, deadline_ms))
        return cls._begin(structures, model, client, "md", given, of_all)

    @classmethod
    def _begin(
        cls,
        structures: Any,
        model: str,
        client: Client | str,
        kind: str,
        options: dict[str, Any],
        of_all: dict[str, Any],
    ) -> Job:
        asked = _client_of(client)
        entries = _sendable(structures, kind, asked)
        given = {name: value for name, value in options.items() if value is not None}
        body: dict[str, Any] = {"structures": entries, kind: given}
        body.update((name, value) for name, value in of_all.items() if value is not None)
        card = asked.begin(path_of(model, kind), body)
        job = cls(card["id"], asked, card=card)
        job._entries = entries
        return job

    @property
    def n_structures(self) -> int | None:
        """How many structures it was begun with, where that has been told here."""
        return None if self._entries is None else len(self._entries)

    def card(self) -> dict[str, Any]:
        """What the daemon says of it now: "state", "steps", "energies" and so on."""
        self.last_card = self.client.call("GET", self._path)
        return self.last_card

    @property
    def state(self) -> str:
        """queued, running, paused, done, cancelled or failed; asks the daemon."""
        return str(self.card()["state"])

    def wait(self, timeout: float | None = None) -> dict[str, Any]:
        """The card, once it has ended, is paused, or `timeout` seconds have gone by."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause, most = _PAUSES
        while True:
            card = self.card()
            left = most if deadline is None else deadline - time.monotonic()
            if card["state"] in ENDED or card["state"] == "paused" or left <= 0:
                return card
            time.sleep(min(pause, left))
            pause = min(2 * pause, most)

    def frames(self, first: int = 0) -> Iterator[Moved]:
        """What it has told and tells, from its first-th frame on, until it ends.

        Frames, and where each structure ends ("event" is "converged" or "end", or "error" with
        status "error"), as of `irrepd.md`. "number" is the place of a frame among those of all
        structures, and of an end how many frames came before: frames(frame["number"] + 1) goes on
        behind a frame that is known, and tells the ends behind it again. A daemon that is started
        again is waited for (`Client.patience`), and nothing comes twice. ServerError 404: it has
        forgotten the job.
        """
        if first < 0:
            raise ValueError(f"first counts frames from 0, not {first}")
        n, n_breaks = first, 0
        ended: set[int] = set()  # structures, of which the stream tells again behind a frame
        while True:
            try:
                for event in self.client.follow(f"{self._path}/frames?from={n}"):
                    if "structure" not in event:
                        return
                    is_frame = event["event"] == "frame"
                    if not is_frame and event["structure"] in ended:
                        continue
                    n_breaks = 0
                    yield self._moved(event, n)
                    n += is_frame
                    if not is_frame:
                        ended.add(event["structure"])
            except ConnectionFailed:
                if n_breaks == _BREAKS_MAX:
                    raise
            self.card()
            if n_breaks == _BREAKS_MAX:
                raise ConnectionFailed(f"{self.client.url} breaks off what job {self.id} tells")
            n_breaks += 1
            time.sleep(_PAUSES[0])

    def _moved(self, event: dict[str, Any], number: int) -> Moved:
        place = event["structure"]
        entry = None if self._entries is None else self._entries[place]
        moved = moved_of(Result.of({"status": "ok", **event}), entry, place)
        moved["number"] = number
        return moved

    def results(self) -> list[Moved]:
        """Waits for its end, and gives where each structure has gone, in their order.

        One that has failed has status "error". ServerError 409: the job as a whole has failed or
        was cancelled; `frames` has what it told until then.
        """
        ends = [moved for moved in self.frames() if moved["event"] != "frame"]
        card = self.card()
        if card["state"] != "done":
            detail = f"job {self.id} is {card['state']}" + f": {card['reason']}".rstrip(": ")
            raise ServerError(409, {"title": "no results", "status": 409, "detail": detail})
        return sorted(ends, key=lambda moved: moved["structure"])

    def pause(self) -> dict[str, Any]:
        """Lets it stand still, with a checkpoint where the daemon keeps jobs; its card."""
        return self._act("pause")

    def resume(self) -> dict[str, Any]:
        """Lets it go on; its card."""
        return self._act("resume")

    def checkpoint(self) -> dict[str, Any]:
        """Has a checkpoint written, where the daemon keeps jobs; its card."""
        return self._act("checkpoint")

    def _act(self, action: str) -> dict[str, Any]:
        self.last_card = self.client.call("POST", self._path, {"action": action})
        return self.last_card

    def cancel(self) -> None:
        """Ends it; what it has told stays until it is forgotten. Of one that has ended: nothing.

        It is paused first, for the call that cancels would forget one that ends meanwhile; what is
        being computed then may still be its end.
        """
        try:
            self.pause()
        except ServerError as error:
            if error.status != 409:
                raise
        else:
            if self.card()["state"] not in ENDED:
                self.last_card = self.client.call("DELETE", self._path)

    def forget(self) -> None:
        """Ends it, and has the daemon forget it with its frames."""
        self.cancel()
        try:
            self.client.call("DELETE", self._path)
        except ServerError as error:
            if error.status != 404:  # what was under way has been its end, and it is gone already
                raise


def _client_of(client: Client | str) -> Client:
    if isinstance(client, (str, Client)):
        return Client(client) if isinstance(client, str) else client
    raise TypeError(f"client must be an irrepd.Client or a URL, not a {type(client).__name__}")


def _sendable(structures: Any, kind: str, client: Client) -> list[dict[str, Any]]:
    """Entries of a request. StructureError: one of them cannot be sent, and which."""
    entries: list[dict[str, Any]] = []
    for i, entry in enumerate(entries_of(structures, kind, client.strict)):
        if isinstance(entry, StructureError):
            raise entry.named(i)
        entries.append(entry)
    return entries
