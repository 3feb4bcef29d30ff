"""Bodies of relax and md, and streams of their events."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from daemon import Answer, Daemon

SMALL = "mace-small"  # of H, C and O: quick
JSON = {"Content-Type": "application/json"}
NDJSON = {**JSON, "Accept": "application/x-ndjson"}
A = 3.57
FCC = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
SITES = FCC + [[x + 0.25 for x in site] for site in FCC]
WATER = [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]


def diamond(seed: int, rattle: float = 0.05, n: int = 8) -> dict[str, Any]:
    """A rattled cell of diamond, of which at most n atoms are there."""
    noise = random.Random(seed)
    return {
        "numbers": [6] * n,
        "positions": [[A * x + noise.gauss(0, rattle) for x in site] for site in SITES[:n]],
        "cell": [[A, 0, 0], [0, A, 0], [0, 0, A]],
    }


def water(seed: int) -> dict[str, Any]:
    noise = random.Random(seed)
    return {
        "numbers": [8, 1, 1],
        "positions": [[x + noise.gauss(0, 0.05) for x in row] for row in WATER],
    }


def relax(structures: list[Any], precision: str = "float64", **options: Any) -> dict[str, Any]:
    return {"structures": structures, "relax": options, "precision": precision}


def md(structures: list[Any], precision: str = "float64", **options: Any) -> dict[str, Any]:
    usual = {"ensemble": "nvt", "temperature": 300, "timestep": 1.0, "steps": 20, "seed": 7}
    return {"structures": structures, "md": {**usual, **options}, "precision": precision}


def kind_of(body: dict[str, Any]) -> str:
    return "md" if "md" in body else "relax"


def move(
    daemon: Daemon, body: dict[str, Any], headers: dict[str, str] = JSON, model: str = SMALL
) -> Answer:
    path = f"/v1/models/{model}/{kind_of(body)}"
    return daemon.ask("POST", path, json.dumps(body).encode(), headers)


def begin(daemon: Daemon, body: dict[str, Any], headers: dict[str, str] = JSON) -> Any:
    """A connection on which a body has been sent."""
    connection = daemon.connection()
    connection.request("POST", f"/v1/models/{SMALL}/{kind_of(body)}", json.dumps(body), headers)
    return connection


def leave(connection: Any) -> None:
    connection.sock.close()
    connection.close()


def results(daemon: Daemon, body: dict[str, Any]) -> list[Any]:
    answer = move(daemon, body)
    assert answer.status == 200, answer.body
    return answer.json()["results"]


def lines(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert not answer.body or answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.splitlines()]


def events(daemon: Daemon, body: dict[str, Any]) -> list[dict[str, Any]]:
    return lines(move(daemon, body, NDJSON))


def of_structure(told: list[dict[str, Any]], structure: int) -> list[dict[str, Any]]:
    """A structure's own events, as a stream of it alone would tell them."""
    return [{**event, "structure": 0} for event in told if event.get("structure") == structure]


def follow(response: Any) -> Iterator[dict[str, Any]]:
    """The lines of a response that is still coming."""
    while line := response.readline():
        if line.strip():
            yield json.loads(line)
