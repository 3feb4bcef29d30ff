"""Structures are planned in turns of bounded work, whatever their cells: counts, not times."""

from __future__ import annotations

import json
from typing import Any

from conftest import MODEL, Daemon, Factory, check, kind, read_raw
from test_inference import crystal, one
from test_life import body

ESTIMATE = f"/v1/models/{MODEL}/estimate"
JSON = {"Content-Type": "application/json"}
PAIR = {"numbers": [14, 14], "positions": [[0, 0, 0], [2, 2, 2]]}
SKEWED = [[7, 0, 0], [5600, 7, 0], [5600, 5600, 7]]  # the cubic lattice of 7 A
CUBIC = [[7, 0, 0], [0, 7, 0], [0, 0, 7]]
MANY = 400  # structures of 216 atoms: some 14 turns


def status(daemon: Daemon) -> Any:
    return daemon.ask("GET", "/v1/status").json()


def planning(daemon: Daemon) -> Any:
    return status(daemon)["planning"]


def post(peer: Any, path: str, text: bytes) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    peer.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)


def test_skewed_cells(start: Factory) -> None:
    """4,096 of them have taken 7 minutes; now they are a few turns, and small requests none."""
    daemon = start("--workers", "1").wait_ready()
    many = json.dumps({"structures": [{**PAIR, "cell": SKEWED}] * 4096}).encode()
    before = planning(daemon)["turns"]
    with daemon.connect() as peer:
        post(peer, ESTIMATE, many)
        assert daemon.predict(one(crystal(1))).status == 200
        answer = check(read_raw(peer))
    assert answer.status == 200
    assert 2 <= planning(daemon)["turns"] - before <= 8
    told = answer.json()["results"]
    straight = daemon.ask("POST", ESTIMATE, json.dumps(one({**PAIR, "cell": CUBIC})).encode(), JSON)
    assert {x["n_edges"] for x in told} == {straight.json()["results"][0]["n_edges"]} != {0}


def test_same_numbers_in_a_skewed_cell(daemon: Daemon) -> None:
    request = {"structures": [{**PAIR, "cell": SKEWED}, {**PAIR, "cell": CUBIC}]}
    skewed, cubic = daemon.predict({**request, "precision": "float64"}).json()["results"]
    assert skewed["n_edges"] == cubic["n_edges"] > 0
    assert abs(skewed["energy"] - cubic["energy"]) < 1e-9
    for got, want in zip(skewed["forces"], cubic["forces"], strict=True):
        assert max(abs(a - b) for a, b in zip(got, want, strict=True)) < 1e-9


def test_a_crowd_is_refused_by_name(daemon: Daemon) -> None:
    """An edge for each pair of images: billions, which are not looked for."""
    points = [[0.12 * x, 0.12 * y, 0] for x in range(60) for y in range(60)]
    cell = [[7.2, 0, 0], [720, 7.2, 0], [0, 0, 0.12]]
    crowd = {"numbers": [14] * len(points), "positions": points, "cell": cell}
    answer = daemon.predict({"structures": [crystal(1), crowd]})
    assert answer.status == 200
    good, bad = answer.json()["results"]
    assert (good["status"], bad["status"]) == ("ok", "error")
    assert bad["error"]["type"] == "urn:irrepd:too-large"
    assert bad["error"]["errors"][0]["pointer"] == "#/structures/1"
    assert "3600 atoms with at least" in bad["error"]["detail"]
    assert "the memory budget is" in bad["error"]["detail"]


def test_small_requests_between_turns(start: Factory) -> None:
    """The status says what is being planned, and who has little to plan comes between."""
    daemon = start("--workers", "1", "--max-body-bytes", "64M").wait_ready()
    large = body(MANY)
    peers = [daemon.connect() for _ in range(5)]
    for peer in peers:
        post(peer, ESTIMATE, large)
    daemon.wait_for(lambda: planning(daemon)["structures"] >= 2 * MANY, "the planning")
    seen = planning(daemon)
    assert seen["requests"] >= 1 and seen["structures"] == seen["requests"] * MANY
    assert daemon.metric("planning_structures") % MANY == 0
    turns = []
    for seed in range(6):
        before = planning(daemon)["turns"]
        assert daemon.predict(one(crystal(seed))).status == 200
        turns.append(planning(daemon)["turns"] - before)
    # The turn under way, and what goes on while this asks.
    assert min(turns) <= 4
    assert planning(daemon)["requests"] > 0  # it has not been done first
    for peer in peers:
        with peer:
            assert check(read_raw(peer)).status == 200
    assert planning(daemon)["structures"] == 0
    assert daemon.metric("planning_turns_total") == planning(daemon)["turns"] >= 5 * 8


def test_a_deadline_passes_while_structures_are_planned(start: Factory) -> None:
    daemon = start("--workers", "1", "--max-body-bytes", "64M").wait_ready()
    large = body(MANY)
    late = b'{"deadline_ms":30,' + large[1:]  # a third of what a fast machine takes
    with daemon.connect() as peer, daemon.connect() as gone, daemon.connect() as bulk:
        for waiting in (bulk, gone):
            post(waiting, ESTIMATE, large)
        post(peer, f"/v1/models/{MODEL}/predict", late)
        daemon.wait_for(lambda: planning(daemon)["structures"] > 0, "the planning")
        gone.close()
        answer = check(read_raw(peer))
        assert (answer.status, kind(answer)) == (504, "deadline-passed")
        assert check(read_raw(bulk)).status == 200
    daemon.wait_for(lambda: planning(daemon)["requests"] == 0, "the end")
    assert daemon.metric("requests_cancelled_total", reason="deadline") == 1
    assert daemon.metric("batch_structures_count") == 0  # nothing of it was computed
