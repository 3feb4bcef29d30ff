"""Predict calls: what good ones get, what bad ones get, and that batches change no bits."""

from __future__ import annotations

import json
import math
import threading
from typing import Any

import pytest
from conftest import MODEL, Daemon, Factory, kind, pointer

SILICON = {
    "numbers": [14, 14],
    "positions": [[0, 0, 0], [1.3575, 1.3575, 1.3575]],
    "cell": [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]],
}
WATER = {"numbers": [8, 1, 1], "positions": [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]}


def one(structure: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {"structures": [structure], **options}


def crystal(seed: int) -> dict[str, Any]:
    """Eight atoms of silicon in a cubic cell, displaced by a rule of the seed."""
    base = [[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0], [1, 1, 1], [1, 3, 3], [3, 1, 3], [3, 3, 1]]
    positions = [
        [1.3575 * x + 0.1 * math.sin(seed + 3 * i + k) for k, x in enumerate(row)]
        for i, row in enumerate(base)
    ]
    cell = [[5.43, 0, 0], [0, 5.43, 0], [0, 0, 5.43]]
    return {"id": f"s{seed}", "numbers": [14] * 8, "positions": positions, "cell": cell}


def test_an_answer(daemon: Daemon) -> None:
    answer = daemon.predict(one({**SILICON, "id": 'é\n"1'}), {"X-Request-Id": "r1"})
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    body = answer.json()
    card = daemon.ask("GET", f"/v1/models/{MODEL}").json()
    assert (body["model"], body["model_sha256"]) == (MODEL, card["sha256"])
    assert body["request_id"] == answer.headers["x-request-id"] == "r1"
    assert body["units"] == {
        "energy": "eV",
        "forces": "eV/Angstrom",
        "stress": "eV/Angstrom^3",
    }
    (result,) = body["results"]
    assert list(result) == ["id", "status", "energy", "forces", "stress", "n_edges"]
    assert (result["id"], result["status"], result["n_edges"]) == ('é\n"1', "ok", 56)
    assert -11.5 < result["energy"] < -10
    assert len(result["forces"]) == 2 and all(len(row) == 3 for row in result["forces"])
    assert len(result["stress"]) == 3
    timing = body["timing"]
    assert timing["queue_ms"] >= 0 and timing["compute_ms"] > 0
    assert (timing["batch_structures"], timing["batch_atoms"]) == (1, 2)


def test_properties_and_precision(daemon: Daemon) -> None:
    every = ["energy", "forces", "stress", "energies"]
    (full,) = daemon.predict(one(WATER, properties=every, precision="float64")).json()["results"]
    assert full["stress"] is None
    assert len(full["energies"]) == 3
    assert math.isclose(sum(full["energies"]), full["energy"], rel_tol=1e-12)
    (short,) = daemon.predict(one(WATER, properties=["energy"])).json()["results"]
    assert set(short) <= {"id", "status", "energy", "n_edges"}
    assert math.isclose(short["energy"], full["energy"], rel_tol=1e-5)
    for axis in range(3):
        assert abs(sum(row[axis] for row in full["forces"])) < 1e-9
    (slab,) = daemon.predict(one({**SILICON, "pbc": [True, True, False]})).json()["results"]
    assert slab["stress"] is None and slab["n_edges"] < 56


def test_numbers_survive_a_round_trip(daemon: Daemon) -> None:
    text = daemon.predict(one(crystal(3), precision="float64")).body.decode()
    seen: list[str] = []
    parsed = json.loads(text, parse_float=lambda digits: seen.append(digits) or float(digits))
    assert parsed["results"][0]["status"] == "ok" and len(seen) > 20
    for digits in seen:
        assert len(digits.lstrip("-").replace(".", "").split("e")[0].lstrip("0")) <= 17
        shortest = repr(float(digits)).lstrip("-").replace(".", "").split("e")[0].strip("0")
        assert len(digits.lstrip("-").replace(".", "").split("e")[0].strip("0")) == len(shortest)


def set_at(path: str, value: Any, structure: dict[str, Any] = WATER) -> dict[str, Any]:
    """A request of one structure with the value at "numbers/1" or the like replaced."""
    request = json.loads(json.dumps(one(structure)))
    node = request["structures"][0]
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in parents:
        node = node[part]
    node[last] = value
    return request


BAD_STRUCTURES = [
    ("numbers/1", 2**53, "numbers/1"),
    ("numbers/1", 0, "numbers/1"),
    ("numbers/1", -1, "numbers/1"),
    ("numbers/1", 1.5, "numbers/1"),
    ("numbers/1", 119, "numbers/1"),
    ("numbers/1", 1e308, "numbers/1"),
    ("numbers/1", "H", "numbers/1"),
    ("numbers/1", None, "numbers/1"),
    ("numbers/1", math.nan, "numbers/1"),
    ("numbers/2", 84, "numbers/2"),
    ("numbers", [], "numbers"),
    ("numbers", "HOH", "numbers"),
    ("numbers", [8, 1], ""),
    ("positions", [], ""),
    ("positions", [[0, 0, 0]], ""),
    ("positions/1", [0, 0], "positions/1"),
    ("positions/1", [0, 0, 0, 0], "positions/1"),
    ("positions/1", 0, "positions/1"),
    ("positions/1/2", math.nan, "positions/1/2"),
    ("positions/1/2", math.inf, "positions/1/2"),
    ("positions/1/2", 1e308, "positions/1/2"),
    ("positions/1/2", -1e7, "positions/1/2"),
    ("positions/1/2", "0", "positions/1/2"),
    ("positions/1", [0, 0, 0], "positions"),
    ("positions/1", [0, 0, 1e-5], "positions"),
    ("cell", [[0, 0, 0]] * 3, "cell"),
    ("cell", [[1, 0, 0], [0, 1, 0]], "cell"),
    ("cell", [[1, 2, 3], [2, 4, 6], [0, 0, 1]], "cell"),
    ("cell", [[1e9, 0, 0], [0, 1e9, 0], [0, 0, 1e9]], "cell"),
    ("cell", [[1e308, 0, 0], [0, 1e308, 0], [0, 0, 1e308]], "cell"),
    ("cell", [[1e-9, 0, 0], [0, 1e-9, 0], [0, 0, 1e-9]], "cell"),
    ("cell", 5, "cell"),
    ("pbc", [True, False, False], "cell"),
    ("pbc", [True], "pbc"),
    ("pbc", [1, 0, 0], "pbc"),
    ("pbc", "TFF", "pbc"),
    ("id", 7, "id"),
]


@pytest.mark.parametrize(("path", "value", "where"), BAD_STRUCTURES)
def test_bad_structures_are_named_and_leave_the_others_alone(
    daemon: Daemon, path: str, value: Any, where: str
) -> None:
    request = set_at(path, value)
    alone = daemon.predict(request)
    assert alone.status == 422
    assert pointer(alone).startswith(f"#/structures/0/{where}" if where else "#/structures/0")
    good = crystal(5)
    (wanted,) = daemon.predict(one(good)).json()["results"]
    mixed = daemon.predict({"structures": [good, request["structures"][0], good]})
    assert mixed.status == 200
    first, fault, last = mixed.json()["results"]
    assert first == last == wanted
    assert fault["status"] == "error"
    assert fault["error"]["type"] == alone.json()["type"]
    assert fault["error"]["errors"][0]["pointer"].startswith("#/structures/1")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"nonsense", 400),
        (b'{"structures":[}', 400),
        (b'{"structures":[]}{}', 400),
        (b'{"structures":[]} x', 400),
        (b'{"structures":[],}', 400),
        (b"{'structures':[]}", 400),
        (b'{"structures":[{"numbers":[01],"positions":[[0,0,0]]}]}', 400),
        (b'\xef\xbb\xbf{"structures":[]}', 400),
        (b'{"structures":[{"id":"\xff","numbers":[1],"positions":[[0,0,0]]}]}', 400),
        (b'{"structures":[{"id":"\\ud800","numbers":[1],"positions":[[0,0,0]]}]}', 400),
        (b'{"structures":\x00[]}', 400),
        (b"[" * 100000, 400),
        (b'{"a":' * 100000, 400),
        (b'{"structures":[],"extra":1}', 400),
        (b'{"Structures":[]}', 400),
        (b'{"structures":[],"structures":[]}', 400),
        (b'{"structures":[{"numbers":[1],"positions":[[0,0,0]],"charge":1}]}', 400),
        (b'{"structures":[{"numbers":[1],"numbers":[1],"positions":[[0,0,0]]}]}', 400),
        (b"[]", 400),
        (b"null", 400),
        (b"{}", 422),
        (b'{"structures":[]}', 422),
        (b'{"structures":{}}', 422),
        (b'{"structures":[1]}', 422),
        (b'{"structures":[{}]}', 422),
        (b'{"structures":[{"numbers":[1]}]}', 422),
    ],
)
def test_bad_bodies(daemon: Daemon, body: bytes, status: int) -> None:
    assert daemon.predict(body).status == status
    assert daemon.predict(one(WATER)).status == 200


@pytest.mark.parametrize(
    "options",
    [
        {"precision": "float16"},
        {"precision": 32},
        {"properties": "energy"},
        {"properties": ["colour"]},
        {"properties": [1]},
        {"deadline_ms": -1},
        {"deadline_ms": "soon"},
        {"deadline_ms": math.nan},
        {"priority": "urgent"},
    ],
)
def test_bad_options(daemon: Daemon, options: dict[str, Any]) -> None:
    answer = daemon.predict(one(WATER, **options))
    assert answer.status == 422
    assert pointer(answer).startswith(f"#/{next(iter(options))}")


def test_one_bad_structure_among_63_good_ones(daemon: Daemon) -> None:
    good = [crystal(seed) for seed in range(63)]
    alone = [daemon.predict(one(structure)).json()["results"][0] for structure in good]
    bad = {"numbers": [8, 8], "positions": [[0, 0, 0], [0, 0, 0]]}
    answer = daemon.predict({"structures": [*good[:40], bad, *good[40:]]})
    assert answer.status == 200
    results = answer.json()["results"]
    fault = results.pop(40)
    assert results == alone
    assert (fault["status"], fault["error"]["status"]) == ("error", 422)
    assert fault["error"]["errors"][0]["pointer"].startswith("#/structures/40")


def test_a_long_answer_is_in_order(daemon: Daemon) -> None:
    """It is sent from where each batch and each problem was written."""
    good = {"numbers": [1] * 60, "positions": [[0, 0, 1.1 * i + i % 3 / 7] for i in range(60)]}
    bad = {"numbers": [1, 1], "positions": [[0, 0, 0]]}
    structures = [{**(bad if i % 9 == 0 else good), "id": f"s{i}"} for i in range(64)]
    structures[3] = {**good, "numbers": [1] * 59 + [8], "id": "s3"}
    answer = daemon.predict({"structures": structures})
    assert answer.status == 200 and len(answer.body) > 1 << 16
    results = answer.json()["results"]
    assert [x["id"] for x in results] == [f"s{i}" for i in range(64)]
    assert [x["status"] for x in results] == ["error" if i % 9 == 0 else "ok" for i in range(64)]
    alone = daemon.predict(one(good)).json()["results"][0]
    assert all(x["forces"] == alone["forces"] for i, x in enumerate(results) if i % 9 and i != 3)
    assert results[3]["energy"] != alone["energy"]


def test_limits(daemon: Daemon) -> None:
    atom = {"numbers": [14], "positions": [[0, 0, 0]]}
    assert daemon.predict({"structures": [atom] * 64}).status == 200
    answer = daemon.predict({"structures": [atom] * 65})
    assert answer.status == 422 and "64" in answer.json()["detail"]
    many = {"numbers": [14] * 5001, "positions": [[0, 0, 0]] * 5001}
    answer = daemon.predict(one(many))
    assert answer.status == 422 and "5000" in answer.json()["detail"]


def test_a_structure_beyond_the_memory_budget(start: Factory) -> None:
    daemon = start("--memory-budget", "16M", "--max-body-bytes", "64M").wait_ready()
    points = [[2.4 * (i % 20), 2.4 * (i // 20 % 20), 2.4 * (i // 400)] for i in range(8000)]
    answer = daemon.predict(one({"numbers": [14] * 8000, "positions": points}))
    assert (answer.status, kind(answer)) == (422, "too-large")
    assert str(16 << 20) in answer.json()["detail"].replace(",", "")
    assert daemon.predict(one(SILICON)).status == 200


@pytest.mark.parametrize("row", [b"[0,0,0],", b"[12.34,56.78,90.12],"])
def test_a_million_atoms(start: Factory, row: bytes) -> None:
    daemon = start("--max-body-bytes", "64M", "--memory-budget", "256M").wait_ready()
    numbers, positions = b"[" + b"14," * 1_000_000 + b"14]", row * 1_000_000 + row[:-1]
    body = b'{"structures":[{"numbers":' + numbers + b',"positions":[' + positions + b"]}]}"
    answer = daemon.predict(body)
    assert answer.status in (400, 413, 422)
    assert "1000000" in answer.body.decode() or "more values" in answer.body.decode()
    assert daemon.predict(one(SILICON)).status == 200


def test_a_deadline_that_has_passed(daemon: Daemon) -> None:
    answer = daemon.predict(one(crystal(1), deadline_ms=0))
    assert (answer.status, kind(answer)) == (504, "deadline-passed")
    assert daemon.predict(one(crystal(1), deadline_ms=60000)).status == 200


def comparable(answer: Any) -> Any:
    """The results without what depends on the moment."""
    return json.dumps(answer.json()["results"])


def test_64_clients_share_batches_and_get_the_same_bits(start: Factory) -> None:
    daemon = start("--workers", "2", "--max-batch-ms", "10000").wait_ready()
    structures = [crystal(seed) for seed in range(64)]
    alone = [comparable(daemon.predict(one(structure))) for structure in structures]
    labels = {"model": MODEL}
    batches = daemon.metric("batch_structures_count", **labels)
    total = daemon.metric("batch_structures_sum", **labels)
    assert batches == total == 64
    failures: list[str] = []
    gate = threading.Barrier(64)

    def client(index: int) -> None:
        try:
            connection = daemon.connection()
            connection.connect()
            gate.wait()
            for turn in range(10):
                which = (index + turn) % 64
                body = json.dumps(one(structures[which]))
                path = f"/v1/models/{MODEL}/predict"
                connection.request("POST", path, body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                got = json.dumps(json.loads(response.read())["results"])
                if response.status != 200 or got != alone[which]:
                    failures.append(f"client {index}, structure {which}: {got[:200]}")
            connection.close()
        except Exception as error:
            failures.append(f"client {index}: {error!r}")
            raise

    threads = [threading.Thread(target=client, args=(index,)) for index in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    batches = daemon.metric("batch_structures_count", **labels) - batches
    total = daemon.metric("batch_structures_sum", **labels) - total
    assert total == 640
    assert total / batches > 4
    assert daemon.metric("inference_structures_total", model=MODEL, outcome="ok") == 704
