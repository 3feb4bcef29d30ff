"""What a daemon answers: dictionaries that show themselves well in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

import numpy as np

from irrepd.errors import ServerError

_ROWS = 20  # shown in a notebook
GPA = 160.21766208  # GPa in one eV/Angstrom^3


class Result(dict[str, Any]):
    """One structure's answer: "status", "energy" (eV) and so on as in the HTTP interface.

    Lists are arrays: "forces" [N][3] (eV/Angstrom), "stress" [3][3] (eV/Angstrom^3, or None),
    "energies" [N] (eV) and what else was asked for. With status "error" there is a problem object
    at "error" instead.
    """

    @classmethod
    def of(cls, entry: dict[str, Any]) -> Result:
        """From an entry of "results" in an answer."""
        result = cls(entry)
        for name, value in entry.items():
            if isinstance(value, list):
                result[name] = np.asarray(value, dtype=float)
        if result.get("forces") is not None:
            result["forces"] = result["forces"].reshape(-1, 3)
        return result

    @classmethod
    def refused(cls, error: ServerError, entry: Any = None) -> Result:
        """What stands in the place of a result; entry: of the request, where there is one."""
        named = {"id": entry["id"]} if isinstance(entry, dict) and "id" in entry else {}
        return cls(**named, status="error", error=error.problem)

    def is_of(self, entry: dict[str, Any]) -> bool:
        """Whether it can be an answer to this entry of a request."""
        forces = self.get("forces")
        has_size = forces is None or len(forces) == len(entry["numbers"])
        return has_size and self.get("id") == entry.get("id")

    @property
    def ok(self) -> bool:
        return self.get("status") == "ok"

    @property
    def problem(self) -> str:
        """Why there is no result, in words; empty when there is one."""
        error = self.get("error") or {}
        return "" if self.ok else str(error.get("detail") or error.get("title") or "refused")

    @property
    def max_force(self) -> float | None:
        """The length of the longest force, eV/Angstrom."""
        forces = self.get("forces")
        if forces is None:
            return None
        return float(np.sqrt((forces**2).sum(axis=1)).max(initial=0.0))

    @property
    def pressure(self) -> float | None:
        """Minus a third of the stress' trace, in GPa."""
        stress = self.get("stress")
        return None if stress is None else float(-np.trace(stress) / 3 * GPA)

    def _repr_html_(self) -> str:
        return _table([self])


class Results(list["Result"]):
    """Results in the order of the structures, and of which model file they are (None: not told)."""

    model_sha256: str | None = None

    def _repr_html_(self) -> str:
        return _table(self)


def _table(results: Iterable[Result]) -> str:
    rows = list(results)
    heads = ("", "atoms", "energy (eV)", "max. force (eV/Å)", "pressure (GPa)")
    lines = ["".join(f"<th>{head}</th>" for head in heads)]
    for i, result in enumerate(rows[:_ROWS]):
        name = html.escape(str(result.get("id") or i))
        if not result.ok:
            problem = html.escape(result.problem)
            lines.append(f'<td>{name}</td><td colspan="4" style="text-align:left">{problem}</td>')
            continue
        forces = result.get("forces")
        cells = [
            name,
            "" if forces is None else str(len(forces)),
            _number(result.get("energy"), ".6f"),
            _number(result.max_force, ".4f"),
            _number(result.pressure, ".4f"),
        ]
        lines.append("".join(f"<td>{cell}</td>" for cell in cells))
    if len(rows) > _ROWS:
        lines.append(f'<td colspan="5">… and {len(rows) - _ROWS} more</td>')
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
