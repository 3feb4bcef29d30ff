"""Answers to an agent: dictionaries of bounded size, which say in words what they leave out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from irrepd.trajectories import Moved

ANSWER_MAX = 24_000  # characters
ARRAY_MAX = 120  # numbers; of longer ones the first rows are told
_ROWS = 3
_DIGITS = 6
_SHOWN_FRAMES = 16
_ROWS_KEPT = 256
UNITS = {
    "energy": "eV",
    "forces": "eV/Angstrom",
    "stress": "eV/Angstrom^3",
    "length": "Angstrom",
    "time": "fs",
    "temperature": "K",
    "pressure": "GPa",
}
_ARRAYS = (
    "forces",
    "forces_std",
    "stress",
    "stress_std",
    "energies",
    "virial",
    "stresses",
    "positions",
    "cell",
)
_NUMBERS = (
    *("energy", "energy_std", "dispersion_energy", "n_steps", "converged", "fmax", "steps", "time"),
    *("max_forces_std", "stopped"),
)
_OF_CARDS = (
    *("id", "kind", "model", "state", "reason", "created", "ended", "structures"),
    *("structures_ended", "converged", "failed", "steps", "steps_wanted"),
)
_OF_FRAMES = ("step", "time", "energy", "temperature", "pressure")


def bounded(head: dict[str, Any], name: str, entries: list[dict[str, Any]], where: str) -> str:
    """An answer with its entries, as JSON of at most ANSWER_MAX characters.

    where: what the answer says of arrays that are left out: where they are.
    """
    for rows in (None, _ROWS, 0):
        shown, n_short = [], 0
        for entry in entries:
            short, is_short = _shortened(entry, rows)
            shown.append(short)
            n_short += is_short
        notes = [f"Long arrays are cut. {where}"] if n_short else []
        text = _text(head, name, shown, notes)
        if len(text) <= ANSWER_MAX:
            return text
    n = len(shown)
    while n > 0 and len(text) > ANSWER_MAX:
        n = n * 3 // 4
        notes = [f"The first {n} of {len(entries)} are shown: ask for fewer at a time. {where}"]
        text = _text(head, name, shown[:n], notes)
    return text if len(text) <= ANSWER_MAX else text[:ANSWER_MAX]


def _text(head: dict[str, Any], name: str, entries: list[Any], notes: list[str]) -> str:
    answer = {**head, name: entries}
    told = [*head.get("notes", []), *notes]
    if told:
        answer["notes"] = told
    return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)


def _shortened(entry: dict[str, Any], rows: int | None) -> tuple[dict[str, Any], bool]:
    """With arrays as lists; rows: of each, None for all of those that are not too long."""
    shown, is_short = {}, False
    for name, value in entry.items():
        if not isinstance(value, np.ndarray):
            shown[name] = value
        elif value.shape == (3, 3) or (rows is None and value.size <= ARRAY_MAX):
            shown[name] = _plain(value)
        else:
            first = value[: _ROWS if rows is None else rows]
            shown[name] = {"shape": list(value.shape), "first": _plain(first)}
            is_short = True
    return shown, is_short


def _plain(values: np.ndarray) -> Any:
    """As lists, rounded, without minus zeros."""
    return (np.round(values, _DIGITS) + 0.0).tolist()


def of_result(moved: Moved) -> dict[str, Any]:
    """What is told of a structure: numbers, then arrays."""
    told: dict[str, Any] = {"structure": moved["structure"]}
    if moved.get("id") is not None:
        told["id"] = moved["id"]
    if not moved.ok:
        told.update({"status": "error", "reason": moved.problem[:500]})
        if "step" in moved:
            told["step"] = moved["step"]
        return told
    told["status"] = "ok"
    if moved.given is not None:
        told["formula"], told["atoms"] = formula_of(moved.given["numbers"]), len(moved["positions"])
    told.update({name: moved[name] for name in _NUMBERS if moved.get(name) is not None})
    if moved.get("energy") is not None and moved.get("positions") is not None:
        told["energy_per_atom"] = moved["energy"] / len(moved["positions"])
    if moved.max_force is not None:
        told["max_force"] = moved.max_force
    for name in ("temperature", "pressure"):
        if moved.get(name) is not None:
            told[name] = moved[name]
    if "pressure" not in told and moved.pressure is not None:
        told["pressure"] = moved.pressure
    if moved.get("cell") is not None:
        cell = np.asarray(moved["cell"], dtype=float)
        told["volume"] = abs(float(np.linalg.det(cell)))
        told["cell_lengths"] = [round(float(x), _DIGITS) for x in np.linalg.norm(cell, axis=1)]
    arrays = {name: moved.get(name) for name in _ARRAYS}
    told.update({name: np.asarray(x) for name, x in arrays.items() if x is not None})
    return told


def of_predicted(moved: Moved) -> dict[str, Any]:
    """As `of_result`, without the positions and the cell, which were given."""
    told = of_result(moved)
    for name in ("positions", "cell", "volume", "cell_lengths"):
        told.pop(name, None)
    return told


def of_modes(entry: dict[str, Any], place: int, found: dict[str, Any]) -> dict[str, Any]:
    """Of a structure's second derivatives: the frequencies, and no more."""
    if found.get("status") != "ok":
        return of_result(Moved({**found, "structure": place}))
    frequencies = np.asarray(found["frequencies"], dtype=float)
    return {
        "structure": place,
        "status": "ok",
        "formula": formula_of(entry["numbers"]),
        "atoms": len(entry["numbers"]),
        "n_imaginary": int((frequencies < 0).sum()),
        "zero_point_energy": found["zero_point_energy"],
        "frequencies": frequencies,
    }


def formula_of(numbers: Any) -> str:
    from ase.symbols import Symbols

    text = str(Symbols(np.asarray(numbers, dtype=int)).get_chemical_formula())
    return text if len(text) <= 60 else text[:57] + "..."


class Course:
    """The course of a trajectory: a few of its frames, and means over all. Memory is bounded."""

    def __init__(self) -> None:
        self.n = 0
        self._every = 1
        self._rows: list[dict[str, float]] = []
        self._last: dict[str, float] = {}
        self._sums: dict[str, float] = {}
        self._conserved: list[float] = []

    def add(self, frame: Moved) -> None:
        row = {name: frame[name] for name in _OF_FRAMES if frame.get(name) is not None}
        self._last = row
        if self.n % self._every == 0:
            self._rows.append(row)
        if len(self._rows) > _ROWS_KEPT:
            del self._rows[1::2]
            self._every *= 2
        self.n += 1
        for name in ("energy", "temperature", "pressure"):
            if name in row:
                self._sums[name] = self._sums.get(name, 0.0) + row[name]
        if frame.get("conserved") is not None:
            self._conserved = [*self._conserved[:1], frame["conserved"]]

    def told(self) -> dict[str, Any]:
        if self.n == 0:
            return {}
        step = -(-len(self._rows) // _SHOWN_FRAMES)
        shown = [*self._rows[::step]]
        if shown[-1] is not self._last:
            shown.append(self._last)
        told: dict[str, Any] = {
            "n_frames": self.n,
            "means_of_frames": {name: value / self.n for name, value in self._sums.items()},
            "some_frames": [dict(_rounded(row)) for row in shown],
        }
        if len(self._conserved) == 2:
            told["conserved_energy_change"] = self._conserved[1] - self._conserved[0]
        return told


def _rounded(row: dict[str, float]) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        yield name, round(value, _DIGITS) if isinstance(value, float) else value


def of_card(card: dict[str, Any]) -> dict[str, Any]:
    """Of a job."""
    told = {name: card[name] for name in _OF_CARDS if card.get(name) not in (None, "")}
    told["steps_per_second"] = round(card.get("steps_per_second") or 0.0, 1)
    for name in ("energies", "temperatures"):
        known = [x for x in card.get(name) or () if x is not None]
        if known:
            told[f"last_{name}"] = [round(x, _DIGITS) for x in known[:8]]
    return told


def progress_of(card: dict[str, Any]) -> str:
    """A line of words on a job that goes on."""
    words = f"{card['structures_ended']} of {card['structures']} structures have ended"
    energies = [x for x in card.get("energies") or () if x is not None]
    return f"{words}, energy {energies[0]:.6f} eV" if len(energies) == 1 else words


def of_model(card: dict[str, Any]) -> dict[str, Any]:
    names = (
        "name",
        "variant",
        "architecture",
        "state",
        "r_max",
        "precision",
        "description",
        "heads",
        "default_head",
    )
    told = {name: card[name] for name in (*names, "licence", "license") if card.get(name)}
    elements = card.get("elements") or []
    told["elements"] = " ".join(elements) if len(elements) < 110 else f"all up to {elements[-1]}"
    return told
