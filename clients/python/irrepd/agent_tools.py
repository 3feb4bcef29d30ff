"""The tools of `python3 -m irrepd mcp`, without the protocol: arguments in, a text out."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from irrepd import agent_answers as answers
from irrepd.agent_schemas import ARRAYS, MD, RELAX, SAVED, TEXT, WAIT, schemas
from irrepd.agent_structures import (
    Shelf,
    Unknown,
    entry_of_item,
    entry_of_moved,
    moved_at,
    text_of,
)
from irrepd.client import Client
from irrepd.errors import ConnectionFailed, ServerError, StructureError
from irrepd.job import ENDED, Job
from irrepd.results import Result
from irrepd.trajectories import Moved, moved_of, path_of

_TOLD_MAX = 100  # answers to ended jobs that are kept
_BEGUN_MAX = 1000
_FRAMES_MAX = 100_000_000  # bytes of a job that is not one's own
_LOOKS = 0.1  # seconds from one look at a job to the next
_TELLS = 0.5  # seconds from one word of progress to the next, at least
_REASON_MAX = 2000

Tell = Callable[[float, float, str], None]  # steps, how many at most, and words of the job


def _silent(steps: float, wanted: float, words: str) -> None:
    """Nobody wants to hear of progress."""


class Refused(ValueError):
    """What an agent is told in the place of an answer."""


class _Begun:
    """A job of this server, and its structures."""

    def __init__(self, job: Job, entries: list[dict[str, Any]], notes: list[str], every: int):
        self.job, self.entries, self.notes, self.every = job, entries, notes, every


class Tools:
    """What the tools do. Thread-safe. model: that is asked where none is named.

    writer: takes every structure and frame with all its numbers; where: says where that is.
    """

    def __init__(
        self,
        client: Client,
        model: str,
        write: Callable[[Moved, str, dict[str, Any]], None] | None = None,
        where: str = "",
    ):
        self.client, self.model = client, model
        self.schemas = schemas(model)
        self._write = write
        self._where = where or (
            "show gives a structure by the name in saved; all numbers go to a file where the "
            "server of these tools is started with --output."
        )
        self._shelf = Shelf()
        self._lock = threading.Lock()
        self._begun: OrderedDict[str, _Begun] = OrderedDict()
        self._told: OrderedDict[str, str] = OrderedDict()
        self._stop = threading.Event()
        self._tools: dict[str, Callable[[dict[str, Any], Tell], str]] = {
            "list_models": self._list_models,
            "predict": self._predict,
            "hessian": self._hessian,
            "relax": self._relax,
            "md": self._md,
            "list_jobs": self._list_jobs,
            "follow": self._follow,
            "cancel": self._cancel,
            "show": self._show,
        }

    def stop(self) -> None:
        """Whoever waits for a job stops to."""
        self._stop.set()

    def call(self, name: str, arguments: dict[str, Any], tell: Tell = _silent) -> str:
        """The answer, as JSON. Refused: why there is none, in words.

        tell: hears how many steps of how many a job that is waited for has taken, and of which.
        """
        if name not in self._tools:
            raise Refused(f"there is no tool {name[:80]}: {', '.join(self._tools)}")
        self._check(name, arguments)
        try:
            return self._tools[name](arguments, tell)
        except StructureError as error:
            raise Refused(error.problem["detail"][:_REASON_MAX]) from None
        except ServerError as error:
            raise Refused(_words_of(error)) from None
        except (ConnectionFailed, Unknown) as error:
            raise Refused(str(error)[:_REASON_MAX]) from None

    def _check(self, name: str, arguments: dict[str, Any]) -> None:
        """Structures one by one, so that the fault is named and not all that they might be."""
        given = dict(arguments)
        for i, item in enumerate(given.get("structures") or ()):
            if isinstance(item, dict):
                schema = TEXT if "text" in item else SAVED if "saved" in item else ARRAYS
                _validate(item, schema, f"structures/{i}/")
        if isinstance(given.get("structures"), list):
            if all(isinstance(item, dict) for item in given["structures"]):
                given["structures"] = [{"saved": ""} for _ in given["structures"]]
        _validate(given, self.schemas[name], "")

    # What is asked of the daemon

    def _list_models(self, _: dict[str, Any], __: Tell) -> str:
        cards = [answers.of_model(card) for card in self.client.models()]
        return answers.bounded({"default": self.model}, "models", cards, "")

    def _entries(
        self, items: list[dict[str, Any]], kind: str
    ) -> tuple[list[dict[str, Any]], list[str]]:
        """StructureError: of one that cannot be sent, with its place."""
        entries, notes = [], []
        for i, item in enumerate(items):
            try:
                entry, ignored = entry_of_item(item, kind, self._shelf)
            except StructureError as error:
                raise error.named(i) from None
            entries.append(entry)
            if ignored:
                notes.append(f"structure {i}: {ignored}No model takes that.")
        return entries, notes

    def _predict(self, given: dict[str, Any], _: Tell) -> str:
        entries, notes = self._entries(given["structures"], "predict")
        model = given.get("model", self.model)
        names = ("properties", "precision", "dispersion", "head", "committee")
        options = {name: given[name] for name in names if name in given}
        results = self.client.predict(model, entries, **options)
        told = []
        for i, (entry, result) in enumerate(zip(entries, results)):
            moved = Moved(result)
            moved["structure"] = i
            if moved.ok:
                moved_at(entry, moved)
            told.append(self._keep(moved, model, answers.of_predicted(moved)))
        head = {"model": model, "model_sha256": results.model_sha256, "units": answers.UNITS}
        return answers.bounded({**head, "notes": notes}, "results", told, self._where)

    def _hessian(self, given: dict[str, Any], _: Tell) -> str:
        entries, notes = self._entries(given["structures"], "hessian")
        model = given.get("model", self.model)
        body: dict[str, Any] = {"structures": entries}
        body.update({name: given[name] for name in ("dispersion", "head") if name in given})
        answer = self.client.call("POST", path_of(model, "hessian"), body)
        found = zip(entries, answer["results"])
        told = [answers.of_modes(entry, i, one) for i, (entry, one) in enumerate(found)]
        units = {"frequencies": "1/cm", "zero_point_energy": "eV"}
        head = {"model": model, "model_sha256": answer["model_sha256"], "units": units}
        return answers.bounded({**head, "notes": notes}, "results", told, "Ask for fewer atoms.")

    def _keep(self, moved: Moved, model: str, told: dict[str, Any]) -> dict[str, Any]:
        """What is told of a result, with the name that its structure has from now on."""
        if not moved.ok or moved.given is None:
            return told
        name = self._shelf.put(entry_of_moved(moved))
        if self._write:
            self._write(moved, name, {"model": model})
        return {**told, "saved": name}

    def _relax(self, given: dict[str, Any], tell: Tell) -> str:
        options = {name: given[name] for name in RELAX if name in given}
        return self._begin("relax", given, options, tell)

    def _md(self, given: dict[str, Any], tell: Tell) -> str:
        options = {name: given[name] for name in MD if name in given}
        options["every"] = given.get("every", max(1, given["steps"] // 100))
        options["properties"] = ["positions", "velocities", "forces"] if self._write else []
        return self._begin("md", given, options, tell)

    def _begin(self, kind: str, given: dict[str, Any], options: dict[str, Any], tell: Tell) -> str:
        entries, notes = self._entries(given["structures"], kind)
        body: dict[str, Any] = {"structures": entries, kind: options}
        names = ("precision", "dispersion", "head", "committee")
        body.update({name: given[name] for name in names if name in given})
        card = self.client.begin(path_of(given.get("model", self.model), kind), body)
        begun = _Begun(Job(card["id"], self.client), entries, notes, options.get("every", 0))
        with self._lock:
            self._begun[card["id"]] = begun
            while len(self._begun) > _BEGUN_MAX:
                self._begun.popitem(last=False)
        return self._await(card["id"], given.get("wait", WAIT), tell)

    # Jobs

    def _list_jobs(self, _: dict[str, Any], __: Tell) -> str:
        cards = self.client.call("GET", "/v1/jobs")["jobs"]
        cards.sort(key=lambda card: card.get("created") or "", reverse=True)
        return answers.bounded({}, "jobs", [answers.of_card(card) for card in cards], "")

    def _follow(self, given: dict[str, Any], tell: Tell) -> str:
        return self._await(given["job"], given.get("wait", WAIT), tell)

    def _cancel(self, given: dict[str, Any], tell: Tell) -> str:
        with self._lock:
            is_told = given["job"] in self._told
        if not is_told:
            Job(given["job"], self.client).cancel()
        return self._await(given["job"], 0, tell)

    def _await(self, id: str, seconds: float, tell: Tell) -> str:
        """What is to be told of a job once it has ended, stands still, or the time is over."""
        with self._lock:
            if id in self._told:
                return self._told[id]
            begun = self._begun.get(id)
        job = begun.job if begun else Job(id, self.client)
        deadline = time.monotonic() + seconds
        last, next_tell = 0, time.monotonic()
        while True:
            card = job.card()
            if card["steps"] > last and time.monotonic() >= next_tell:
                last, next_tell = card["steps"], time.monotonic() + _TELLS
                tell(last, card["steps_wanted"], answers.progress_of(card))
            if card["state"] in ENDED:
                return self._end_of(job, begun, card)
            if card["state"] == "paused" or time.monotonic() >= deadline:
                break
            if self._stop.wait(min(_LOOKS, max(deadline - time.monotonic(), 0.001))):
                break
        told = answers.of_card(card)
        what = "it is paused" if card["state"] == "paused" else "it goes on by itself"
        notes = [f"Not ended: {what}; follow waits for it, cancel ends it."]
        return answers.bounded({"job": told, "notes": notes}, "results", [], "")

    def _end_of(self, job: Job, begun: _Begun | None, card: dict[str, Any]) -> str:
        """Reads what an ended job has told. One that began here is forgotten by the daemon."""
        if begun is None and card["bytes"] > _FRAMES_MAX:
            note = f"It has told {card['bytes']} bytes, more than are read here: as a user, "
            notes = [note + f"`python3 -m irrepd jobs {job.id} --follow` does."]
            return answers.bounded(
                {"job": answers.of_card(card), "notes": notes}, "results", [], ""
            )
        courses: dict[int, answers.Course] = {}
        ends: dict[int, Moved] = {}
        for moved in job.frames():
            moved = self._with_structure(moved, begun)
            if moved["event"] != "frame":
                ends[moved["structure"]] = moved
                continue
            courses.setdefault(moved["structure"], answers.Course()).add(moved)
            if self._write and begun:
                self._write(moved, f"job {job.id}", {"model": card["model"]})
        told = []
        for i in sorted({*courses, *ends}):
            end = ends.get(i)
            entry = {"structure": i, "status": "not ended"}
            if end is not None:
                entry = self._keep(end, card["model"], answers.of_result(end))
            told.append({**entry, **(courses[i].told() if i in courses else {})})
        notes = list(begun.notes) if begun else ["It was begun elsewhere: elements are not known."]
        head = {"job": answers.of_card(card), "units": answers.UNITS, "notes": notes}
        text = answers.bounded(head, "results", told, self._where)
        if begun:
            self._forget(job, text)
        return text

    def _with_structure(self, moved: Moved, begun: _Begun | None) -> Moved:
        if begun is None:
            return moved
        return moved_of(Result(moved), begun.entries[moved["structure"]], moved["structure"])

    def _forget(self, job: Job, text: str) -> None:
        with self._lock:
            self._begun.pop(job.id, None)
            self._told[job.id] = text
            while len(self._told) > _TOLD_MAX:
                self._told.popitem(last=False)
        job.forget()

    def _show(self, given: dict[str, Any], _: Tell) -> str:
        text = text_of(self._shelf.get(given["saved"]), given.get("format", "extxyz"))
        if len(text) > answers.ANSWER_MAX:
            raise Refused(
                f"as text it has {len(text)} characters, and an answer {answers.ANSWER_MAX} at "
                f"most. {self._where}"
            )
        return text


def _words_of(error: ServerError) -> str:
    """What the daemon said, and where in the request."""
    text = str(error.problem.get("detail") or error.problem.get("title") or error)
    where = f" (at {', '.join(error.pointers[:5])})" if error.pointers else ""
    return f"{text[:_REASON_MAX]}{where}"


def _validate(given: Any, schema: dict[str, Any], where: str) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    fault = best_match(Draft202012Validator(schema).iter_errors(given))
    if fault is not None:
        at = where + "/".join(map(str, fault.absolute_path))
        raise Refused(f"{at.rstrip('/') or 'arguments'}: {fault.message[:500]}")
