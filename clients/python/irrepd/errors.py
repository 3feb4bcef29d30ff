"""Exceptions of the package; each says in one sentence what is wrong."""

from __future__ import annotations

from typing import Any


class FormatError(ValueError):
    """A file that is damaged, hostile or of a kind that is not supported."""


class ServerError(RuntimeError):
    """A problem object that the daemon answered with (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any], retry_after: float | None = None):
        self.status = status
        self.problem = problem
        self.retry_after = retry_after
        text = str(problem.get("detail") or problem.get("title") or "no detail")
        where = f" ({', '.join(self.pointers)})" if self.pointers else ""
        super().__init__(f"irrepd answered {status}: {text}{where}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.problem, self.retry_after)

    @property
    def pointers(self) -> list[str]:
        """Where in the request the fault is, as in "#/structures/0/numbers/3"."""
        errors = self.problem.get("errors") or []
        found = [error.get("pointer") for error in errors if isinstance(error, dict)]
        return [str(pointer) for pointer in found if pointer]

    def concerns(self, *fields: str) -> bool:
        """Whether the fault is in one of these fields of the request, such as "/precision"."""
        return any(pointer.startswith(f"#{field}") for pointer in self.pointers for field in fields)

    @property
    def retryable(self) -> bool:
        return bool(self.problem.get("retryable", self.status in (429, 503)))


class StructureError(ServerError, ValueError):
    """A structure that no daemon would take, refused before it is sent.

    `problem` is what a daemon would answer with. detail: which atom, and why. field: of the
    structure, such as "positions/3".
    """

    def __init__(self, detail: str, field: str = "", kind: str = "wrong-value", index: int = 0):
        self._given = (detail, field, kind, index)
        self.status = 422
        self.retry_after = None
        self.problem = {
            "type": f"urn:irrepd:{kind}",
            "title": _TITLES[kind],
            "status": 422,
            "detail": detail,
            "errors": [{"pointer": f"#/structures/{index}" + (f"/{field}" if field else "")}],
            "retryable": False,
        }
        ValueError.__init__(self, detail)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._given

    def at(self, index: int) -> StructureError:
        """The same of the structure at this place in a request."""
        return StructureError(*self._given[:3], index)

    def named(self, index: int) -> StructureError:
        """The same, with the place among several structures in its words."""
        detail, field, kind, _ = self._given
        return StructureError(f"structure {index}: {detail}", field, kind, index)


# The kinds and titles that the daemon has for the same faults.
_TITLES = {
    "wrong-value": "value out of its range",
    "not-finite": "number that is not finite or too large",
    "atoms-overlap": "atoms on top of each other",
}


class ConnectionFailed(RuntimeError):
    """The daemon could not be reached, or went away in the middle of an answer."""
