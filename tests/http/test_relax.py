"""POST /v1/models/{m}/relax: results, streams, faults, and the same bits whatever else runs."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from conftest import Daemon, Factory, kind, pointer
from trajectories import (
    JSON,
    NDJSON,
    SMALL,
    begin,
    diamond,
    events,
    leave,
    md,
    move,
    of_structure,
    relax,
    results,
    water,
)


def longest(forces: list[list[float]]) -> float:
    return max(sum(x * x for x in row) ** 0.5 for row in forces)


@pytest.mark.parametrize("optimizer", ["fire", "fire2", "lbfgs", "bfgs"])
def test_a_crystal_finds_its_minimum(daemon: Daemon, optimizer: str) -> None:
    (found,) = results(daemon, relax([diamond(1)], optimizer=optimizer, fmax=0.01))
    assert found["status"] == "ok" and found["converged"] is True
    assert 3 < found["n_steps"] < 200
    assert longest(found["forces"]) <= 0.01 and found["fmax"] <= 0.01
    assert found["cell"] == diamond(1)["cell"]
    body = {
        "structures": [{**diamond(1), "positions": found["positions"]}],
        "precision": "float64",
    }
    text = json.dumps(body).encode()
    there = daemon.ask("POST", f"/v1/models/{SMALL}/predict", text, JSON).json()["results"][0]
    for name in ("energy", "forces", "stress"):
        assert there[name] == found[name]  # the same bits as predict's


def test_a_cell_too(daemon: Daemon) -> None:
    (found,) = results(daemon, relax([diamond(2)], cell="full", fmax=0.005, pressure=1.0))
    assert found["converged"] is True and found["cell"] != diamond(2)["cell"]
    pressure = -sum(found["stress"][i][i] for i in range(3)) / 3 / 0.006241509125883258
    assert pressure == pytest.approx(1.0, abs=0.1)


def test_steps_run_out(daemon: Daemon) -> None:
    (found,) = results(daemon, relax([diamond(1)], max_steps=2, fmax=1e-6))
    assert found["converged"] is False and found["n_steps"] == 2 and found["status"] == "ok"


def test_fixed_atoms_stay(daemon: Daemon) -> None:
    given = {**diamond(3), "fixed": [0, 5]}
    (found,) = results(daemon, relax([given], fmax=0.05))
    moved = [a != b for a, b in zip(found["positions"], given["positions"])]
    assert moved == [i not in (0, 5) for i in range(8)]


def test_frames_in_the_answer(daemon: Daemon) -> None:
    (found,) = results(daemon, relax([diamond(1)], fmax=0.05, trajectory=3))
    steps = [frame["step"] for frame in found["frames"]]
    assert steps == list(range(0, found["n_steps"] + 1, 3))
    assert found["frames"][0]["positions"] == diamond(1)["positions"]
    assert found["frames"][0]["energy"] > found["energy"]
    assert "event" not in found["frames"][0]


def test_a_stream(daemon: Daemon) -> None:
    told = events(daemon, relax([diamond(1), diamond(2)], fmax=0.05, trajectory=1))
    ended = {"event": "end", "state": "done", "structures": 2, "converged": 2, "failed": 0}
    assert told[-1] == ended
    plain = results(daemon, relax([diamond(1), diamond(2)], fmax=0.05, trajectory=1))
    for i in range(2):
        *frames, last = of_structure(told, i)
        assert last.pop("event") == "converged"
        for event in [*frames, last]:
            event.pop("structure")
            event.pop("event", None)
        assert {**last, "frames": frames} == plain[i]


def test_equal_bits(start: Factory) -> None:
    """Alone, among 63 others, streamed, with 1 and 2 workers, in both precisions."""
    structures = [water(i) if i % 3 else diamond(i, n=4 + i % 5) for i in range(64)]
    options: dict[str, Any] = {"fmax": 0.05, "max_steps": 25, "trajectory": 5}
    for precision in ("float64", "float32"):
        one, two = (start("--workers", n).wait_ready() for n in "12")
        among = results(two, relax(structures, precision, **options))
        streamed = events(one, relax(structures, precision, **options))
        for i in (0, 17, 63):
            (alone,) = results(one, relax([structures[i]], precision, **options))
            assert alone == among[i]
            *frames, last = of_structure(streamed, i)
            assert [frame["positions"] for frame in frames] == [
                frame["positions"] for frame in alone["frames"]
            ]
            assert last["positions"] == alone["positions"]


def test_a_fault_of_one_is_its_own(daemon: Daemon) -> None:
    structures = [
        diamond(1),
        {"numbers": [6, 6], "positions": [[0, 0, 0], [0, 0, 1e-9]]},
        {"numbers": [118], "positions": [[0, 0, 0]]},
        {"numbers": [6], "positions": [[0, 0]]},
        {**diamond(1), "fixed": [8]},
    ]
    found = results(daemon, relax(structures, fmax=0.1))
    assert [x["status"] for x in found] == ["ok"] + 4 * ["error"]
    assert [x["error"]["errors"][0]["pointer"] for x in found[1:]] == [
        "#/structures/1/positions/1",
        "#/structures/2/numbers/0",
        "#/structures/3/positions/0",
        "#/structures/4/fixed/0",
    ]
    told = events(daemon, relax(structures, fmax=0.1))
    assert [x["event"] for x in told].count("error") == 4
    assert told[-1]["failed"] == 4
    answer = move(daemon, relax([structures[2]]))  # of one it is the HTTP status
    assert answer.status == 422 and kind(answer) == "unknown-element"


@pytest.mark.parametrize(
    ("options", "status", "where"),
    [
        ({"fmax": 0}, 422, "#/relax/fmax"),
        ({"fmax": "x"}, 422, "#/relax/fmax"),
        ({"fmx": 1}, 400, "#/relax/fmx"),
        ({"optimizer": "cg"}, 422, "#/relax/optimizer"),
        ({"max_steps": 1e9}, 422, "#/relax/max_steps"),
        ({"cell": "bent"}, 422, "#/relax/cell"),
        ({"mask": [[True]]}, 422, "#/relax/mask"),
        ({"pressure": 5}, 422, "#/relax/pressure"),
        ({"max_step": 0}, 422, "#/relax/max_step"),
        ({"memory": 0}, 422, "#/relax/memory"),
    ],
)
def test_bad_options(daemon: Daemon, options: dict[str, Any], status: int, where: str) -> None:
    for headers in (JSON, NDJSON):
        answer = move(daemon, relax([diamond(1)], **options), headers)
        assert (answer.status, pointer(answer)) == (status, where)


def test_bad_bodies(daemon: Daemon) -> None:
    for body, status in (
        ({"structures": [diamond(1)]}, 422),
        ({"structures": [diamond(1)], "relax": {}, "md": {}}, 400),
        ({"structures": [diamond(1)], "relax": {}, "priority": "high"}, 422),
        ({"structures": [diamond(1)], "relax": {}, "deadline_ms": "5"}, 422),
        ({"structures": [], "relax": {}}, 422),
    ):
        path = f"/v1/models/{SMALL}/relax"
        assert daemon.ask("POST", path, json.dumps(body).encode(), JSON).status == status
    assert move(daemon, relax([diamond(1)]), model="nobody").status == 404
    assert move(daemon, relax([diamond(1)]), {**JSON, "Accept": "text/html"}).status == 406
    assert daemon.ask("GET", f"/v1/models/{SMALL}/relax").status == 405
    bad = {"structures": [{**diamond(1), "velocities": 8 * [[0, 0, 0]]}]}
    assert daemon.predict(bad).status == 400  # predict knows no velocities


def test_too_many_frames_for_one_answer(start: Factory) -> None:
    daemon = start("--max-receiving-bytes", "2M", "--max-body-bytes", "1M").wait_ready()
    body = relax([diamond(1)], trajectory=1, max_steps=5000, fmax=0.01)
    answer = move(daemon, body)
    assert answer.status == 422 and kind(answer) == "too-many-frames"
    assert events(daemon, body)[-1]["converged"] == 1


ENDLESS = {"steps": 10_000_000, "ensemble": "nve"}


def test_deadline(start: Factory) -> None:
    """What has not ended then has failed, each structure with the steps that are complete."""
    daemon = start("--workers", "1").wait_ready()
    body = {**md([diamond(1), water(2)], every=100, **ENDLESS), "deadline_ms": 400}
    found = results(daemon, {**body, "md": {**body["md"], "every": 0}})
    for result in found:
        assert result["status"] == "error" and result["error"]["status"] == 504
        assert result["error"]["type"] == "urn:irrepd:deadline-passed"
        assert f"when {result['step']} steps were complete" in result["error"]["detail"]
    told = events(daemon, body)
    assert [x["event"] for x in told if x["event"] != "frame"] == ["error", "error", "end"]
    ended = {"event": "end", "state": "done", "structures": 2, "converged": 0, "failed": 2}
    assert told[-1] == ended
    alone = {**md([water(1)], **ENDLESS), "deadline_ms": 100}
    answer = move(daemon, alone)  # of one it is the HTTP status
    assert answer.status == 504 and pointer(answer) == "#/deadline_ms"
    found = results(daemon, {**relax([water(1)], fmax=0.1), "deadline_ms": 1e8})
    assert found[0]["converged"] is True


def test_interactive_ones_go_with_predictions(daemon: Daemon) -> None:
    body = relax([diamond(1), water(1)], fmax=0.05)
    assert results(daemon, {**body, "priority": "interactive"}) == results(daemon, body)


def test_a_slow_reader_slows_nobody_else(start: Factory) -> None:
    """A stream that nobody reads stands still; others go on, and so does it when it is read."""
    daemon = start("--workers", "1").wait_ready()
    peer = daemon.connect(receive_buffer=65536)
    all_of_it = ["positions", "velocities", "forces"]
    structures = [water(i) for i in range(64)]
    body = json.dumps(md(structures, every=1, properties=all_of_it, **ENDLESS)).encode()
    head = f"POST /v1/models/{SMALL}/md HTTP/1.1\r\nHost: localhost\r\n"
    head += "Content-Type: application/json\r\nAccept: application/x-ndjson\r\n"
    peer.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def stands_still() -> bool:
        before = daemon.metric("trajectory_steps_total")
        (found,) = results(daemon, relax([diamond(9)], fmax=0.1))
        assert found["converged"] is True
        return daemon.metric("trajectory_steps_total") - before == found["n_steps"]

    daemon.wait_for(stands_still, "a stream that nobody reads to stand still")
    before = daemon.metric("trajectory_steps_total")
    taken = 0
    while daemon.metric("trajectory_steps_total") == before:
        for _ in range(100):
            taken += len(peer.recv(1 << 20))
        assert taken < 64 << 20
    peer.close()
    daemon.wait_for(
        lambda: daemon.metric("requests_cancelled_total", reason="disconnect") >= 1, "its end"
    )


def test_clients_that_leave(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    for headers in (JSON, NDJSON):
        peer = begin(daemon, md([diamond(i) for i in range(40)], **ENDLESS), headers)
        before = daemon.metric("trajectory_steps_total")
        daemon.wait_for(
            lambda before=before: daemon.metric("trajectory_steps_total") > before, "steps"
        )
        leave(peer)
    daemon.wait_for(
        lambda: daemon.metric("requests_cancelled_total", reason="disconnect") >= 2, "both ends"
    )
    daemon.wait_for(lambda: daemon.metric("queue_structures") == 0, "an empty queue")


def test_predictions_go_first(start: Factory) -> None:
    """However many trajectories there are, a prediction waits for a batch or two."""
    daemon = start("--workers", "1").wait_ready()
    peers = [begin(daemon, md([diamond(i) for i in range(64)], **ENDLESS)) for _ in range(4)]
    daemon.wait_for(lambda: daemon.metric("trajectory_steps_total") > 500, "steps")
    body = json.dumps({"structures": [diamond(1)]}).encode()
    for _ in range(10):
        before = daemon.metric("batch_structures_count")
        assert daemon.ask("POST", f"/v1/models/{SMALL}/predict", body, JSON).status == 200
        # The batch under way, its own, and what ends while the metrics are asked for.
        assert daemon.metric("batch_structures_count") - before <= 5
    for peer in peers:
        leave(peer)


def test_draining_ends_what_runs(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    body = json.dumps(md([diamond(1)], every=100000, **ENDLESS))
    answers: list[Any] = []

    def ask(headers: dict[str, str]) -> None:
        answers.append(daemon.ask("POST", f"/v1/models/{SMALL}/md", body.encode(), headers))

    threads = [threading.Thread(target=ask, args=(headers,)) for headers in (JSON, NDJSON)]
    for thread in threads:
        thread.start()
    daemon.wait_for(lambda: daemon.metric("trajectory_steps_total") > 10, "steps")
    daemon.signal()
    for thread in threads:
        thread.join()
    assert daemon.wait() == 0
    answers.sort(key=lambda answer: answer.status)
    assert [answer.status for answer in answers] == [200, 503]
    last = json.loads(answers[0].body.splitlines()[-1])
    assert last["event"] == "error" and last["error"]["type"] == "urn:irrepd:draining"
