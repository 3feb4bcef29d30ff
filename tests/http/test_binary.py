"""Bodies of application/x-safetensors: the numbers of JSON, to the bit, and its faults."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from conftest import MODEL, PREDICT, Answer, Daemon, kind, pointer

from irrepd import Client, ServerError, binary, safetensors

TYPE = {"Content-Type": binary.MEDIA_TYPE}
ALL = ("energy", "forces", "stress", "energies")
SILICON: dict[str, Any] = {
    "numbers": [14, 14],
    "positions": [[0.0, 0.1, 0.0], [1.3575, 1.3575, 1.3575]],
    "cell": [[0.0, 2.715, 2.715], [2.715, 0.0, 2.715], [2.715, 2.715, 0.0]],
}
WATER: dict[str, Any] = {
    "numbers": [8, 1, 1],
    "positions": [[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]],
}
CLASH: dict[str, Any] = {"numbers": [1, 1], "positions": [[0.0, 0.0, 0.0]] * 2}


def ask(daemon: Daemon, body: bytes, **headers: str) -> Answer:
    return daemon.ask("POST", PREDICT, body, {**TYPE, **headers})


def tensors(structures: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    return dict(safetensors.loads(binary.encode(structures, None, None))[0])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_bits_of_json(daemon: Daemon, precision: str) -> None:
    structures = [SILICON, WATER, SILICON]
    request = {"structures": structures, "properties": ALL, "precision": precision}
    expected = daemon.predict(request).json()
    answer = ask(daemon, binary.encode(structures, ALL, precision))
    assert (answer.status, answer.headers["content-type"]) == (200, binary.MEDIA_TYPE)
    got, metadata = safetensors.loads(answer.body)
    assert set(got) == {*ALL, "status"} and got["status"].tolist() == [0, 0, 0]
    assert metadata["model"] == MODEL and metadata["model_sha256"] == expected["model_sha256"]
    assert metadata["request_id"] == answer.headers["x-request-id"]
    results = expected["results"]
    assert got["energy"].tolist() == [x["energy"] for x in results]
    assert got["forces"].tolist() == [row for x in results for row in x["forces"]]
    assert got["energies"].tolist() == [e for x in results for e in x["energies"]]
    assert got["stress"][0].tolist() == results[0]["stress"] == got["stress"][2].tolist()
    assert results[1]["stress"] is None and np.isnan(got["stress"][1]).all()


def test_properties_asked_for(daemon: Daemon) -> None:
    default, _ = safetensors.loads(ask(daemon, binary.encode([SILICON], None, None)).body)
    assert set(default) == {"energy", "forces", "stress", "status"}
    for name in ALL:
        got, _ = safetensors.loads(ask(daemon, binary.encode([SILICON], [name], None)).body)
        assert set(got) == {name, "status"}
        assert name == "energies" or np.array_equal(got[name], default[name])


def test_one_fault_among_several(daemon: Daemon) -> None:
    answer = ask(daemon, binary.encode([SILICON, CLASH, WATER], ALL, None))
    got, _ = safetensors.loads(answer.body)
    alone, _ = safetensors.loads(ask(daemon, binary.encode([WATER], ALL, None)).body)
    assert (answer.status, got["status"].tolist()) == (200, [0, 422, 0])
    assert np.isnan(got["energy"][1]) and np.isnan(got["forces"][2:4]).all()
    assert got["energy"][2] == alone["energy"][0]
    assert np.array_equal(got["forces"][4:], alone["forces"])


def test_one_fault_alone(daemon: Daemon) -> None:
    as_json = daemon.predict({"structures": [CLASH]})
    answer = ask(daemon, binary.encode([CLASH], None, None))
    assert answer.status == as_json.status == 422
    assert (kind(answer), pointer(answer)) == (kind(as_json), pointer(as_json))


def test_what_is_accepted_decides(daemon: Daemon) -> None:
    body = binary.encode([SILICON], None, None)
    for accept in ("*/*", "application/*", f"{binary.MEDIA_TYPE}, application/json;q=0.5"):
        assert ask(daemon, body, Accept=accept).headers["content-type"] == binary.MEDIA_TYPE
    answer = ask(daemon, body, Accept="application/json")
    assert answer.json()["results"][0]["status"] == "ok"
    assert kind(ask(daemon, body, Accept="text/html")) == "not-acceptable"
    text = {"structures": [SILICON]}
    assert daemon.predict(text, {"Accept": "*/*"}).json()["results"][0]["status"] == "ok"
    assert daemon.predict(text, {"Accept": binary.MEDIA_TYPE}).status == 406


def test_estimates_take_both(daemon: Daemon) -> None:
    path = PREDICT.replace("/predict", "/estimate")
    body = binary.encode([SILICON, WATER], None, None)
    text = json.dumps({"structures": [SILICON, WATER]}).encode()
    got = daemon.ask("POST", path, body, TYPE).json()
    expected = daemon.ask("POST", path, text, {"Content-Type": "application/json"}).json()
    assert [x["n_edges"] for x in got["results"]] == [x["n_edges"] for x in expected["results"]]


def test_only_predict_and_estimate_take_it(daemon: Daemon) -> None:
    for path in (f"/v1/models/{MODEL}/load", "/v1/sockets"):
        assert daemon.ask("POST", path, b"", TYPE).status == 415


def test_bodies_that_are_no_containers(daemon: Daemon) -> None:
    good = binary.encode([SILICON], None, None)
    for body in (b"", b"{}", good[:-1], good + b"x", struct.pack("<Q", 1 << 63) + good[8:]):
        answer = ask(daemon, body)
        assert (answer.status, kind(answer)) == (400, "malformed-safetensors")
    deep = b"[" * 60000
    assert ask(daemon, struct.pack("<Q", len(deep)) + deep).status == 400


def test_tensors_that_are_wrong(daemon: Daemon) -> None:
    def change(name: str, value: Any, options: dict[str, str] | None = None) -> Answer:
        given = tensors([SILICON, WATER])
        if value is None:
            del given[name]
        else:
            given[name] = value
        return ask(daemon, safetensors.dumps(given, options or {}))

    assert kind(change("numbers", None)) == "missing-key"
    assert kind(change("numbers", np.ones(5, "<i8"))) == "wrong-type"
    assert kind(change("positions", np.ones((5, 3), "<f4"))) == "wrong-type"
    assert kind(change("positions", np.ones((4, 3)))) == "wrong-shape"
    assert kind(change("n_atoms", np.array([2, 2], "<i4"))) == "wrong-shape"
    assert kind(change("n_atoms", np.array([6, -1], "<i4"))) == "wrong-value"
    assert kind(change("forces", np.ones((5, 3)))) == "unknown-key"
    count = np.array([2, 3], "<i4")
    assert kind(change("n_atoms", count, {"color": "red"})) == "unknown-key"
    assert pointer(change("n_atoms", count, {"precision": "f8"})) == "#/__metadata__/precision"
    assert change("n_atoms", count, {"deadline_ms": "0"}).body.find(b"status") > 0


def test_limits_hold(daemon: Daemon) -> None:
    many = ask(daemon, binary.encode([WATER] * 65, None, None))
    assert kind(many) == "too-many-structures"
    atoms = {"numbers": [1] * 5001, "positions": np.arange(15003.0).reshape(-1, 3)}
    large = ask(daemon, binary.encode([atoms], None, None))
    assert (kind(large), pointer(large)) == ("too-large", "#/structures/0/numbers")


def test_the_client_uses_it(daemon: Daemon) -> None:
    """From 1,000 atoms on, bodies are binary; a fault comes back in words."""
    before = daemon.metric("http_requests_total", route="/v1/models/{m}/predict", code="200")
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(10.0)] * 3), -1).reshape(-1, 3) * 2.5
    atoms = {"numbers": [14] * 1000, "positions": (grid + rng.normal(0, 0.1, grid.shape)).tolist()}
    with Client(daemon.url) as client:
        results = client.predict(MODEL, [atoms, WATER, CLASH])
        asked = daemon.metric("http_requests_total", route="/v1/models/{m}/predict", code="200")
        assert asked == before + 1
        assert [result.ok for result in results] == [True, True, False]
        assert results[2]["error"]["detail"]
        alone = client.predict(MODEL, [WATER])[0]
        assert np.array_equal(results[1]["forces"], alone["forces"])
        with pytest.raises(ServerError) as caught:
            client.predict(MODEL, [{**atoms, "numbers": [200] * 1000}])
        assert caught.value.status == 422
