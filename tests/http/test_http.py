"""Every path of the daemon, and what requests get that do not fit it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import MODEL, MODELS, PREDICT, Answer, Daemon, Factory, kind
from models import served_names

GETS = [
    "/v1/health/live",
    "/v1/health/ready",
    "/v1/status",
    "/metrics",
    "/openapi.json",
    "/v1/models",
    f"/v1/models/{MODEL}",
]


@pytest.mark.parametrize("path", GETS)
def test_get_and_head(daemon: Daemon, path: str) -> None:
    get, head = daemon.ask("GET", path), daemon.ask("HEAD", path)
    assert (get.status, head.status) == (200, 200)
    assert head.body == b"" and int(head.headers["content-length"]) > 0
    wanted = (
        "text/plain; version=0.0.4; charset=utf-8" if path == "/metrics" else "application/json"
    )
    assert get.headers["content-type"] == head.headers["content-type"] == wanted
    assert int(get.headers["content-length"]) == len(get.body)


OTHERS = ["DELETE", "PUT", "PATCH", "OPTIONS", "BREW"]
NOT_ALLOWED = [(path, "GET, HEAD", method) for path in GETS for method in [*OTHERS, "POST"]]
NOT_ALLOWED += [(PREDICT, "POST", method) for method in [*OTHERS, "GET", "HEAD"]]


@pytest.mark.parametrize(("path", "allowed", "method"), NOT_ALLOWED)
def test_other_methods(daemon: Daemon, path: str, allowed: str, method: str) -> None:
    answer = daemon.ask(method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1",
        "/v1/models/",
        "/v1/models//predict",
        f"/v1/models/{MODEL}/",
        f"/v1/models/{MODEL}/predict/",
        f"/v1/models/{MODEL}/other",
        "/v1/models/no-such-model",
        "/v1/models/..",
        "/v1/models/%2e%2e",
        "/v1/models/%C3%A9",
        "/v1/models/%ff",
        f"/v1/models/{MODEL}.safetensors",
        "/v1/models/" + "m" * 200,
        "/V1/MODELS",
        "//v1/models",
    ],
)
def test_unknown_paths(daemon: Daemon, path: str) -> None:
    assert daemon.ask("GET", path).status == 404


def test_unknown_model_cannot_predict(daemon: Daemon) -> None:
    answer = daemon.ask(
        "POST", "/v1/models/nobody/predict", b"{}", {"Content-Type": "application/json"}
    )
    assert (answer.status, kind(answer)) == (404, "unknown-model")
    assert "nobody" in answer.json()["detail"] and "did you mean" not in answer.json()["detail"]
    near = daemon.ask("GET", f"/v1/models/{MODEL[:-1]}")
    assert near.status == 404 and f'did you mean "{MODEL}"?' in near.json()["detail"]


@pytest.mark.parametrize("path", ["/%", "/%4", "/%zz", "/%00", "/a%2Fb", "/a%0d%0aX:1", "/%7f"])
def test_malformed_paths(daemon: Daemon, path: str) -> None:
    assert daemon.ask("GET", path).status == 400


def test_escapes_and_queries(daemon: Daemon) -> None:
    assert daemon.ask("GET", "/v1/%6dodels").status == 200
    assert daemon.ask("GET", "/v1/models?verbose=1&x=%zz").status == 200
    absolute = f"GET {daemon.url}/v1/models HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert daemon.raw(absolute).status == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json", 200),
        ("application/*;q=0.1, text/html", 200),
        ("text/html, */*;q=0.1", 200),
        ("text/html", 406),
        ("application/json;q=0, */*", 406),
        ("application/x-safetensors", 406),
    ],
)
def test_accept(daemon: Daemon, accept: str, status: int) -> None:
    assert daemon.ask("GET", "/v1/models", headers={"Accept": accept}).status == status
    metrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    assert daemon.ask("GET", "/metrics", headers={"Accept": metrics}).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/jsonx"},
        {"Content-Type": "application/safetensors"},
    ],
)
def test_media_types_of_bodies(daemon: Daemon, headers: dict[str, str]) -> None:
    answer = daemon.ask("POST", PREDICT, b"{}", headers)
    assert (answer.status, kind(answer)) == (415, "unsupported-media-type")


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding"])
def test_two_types_of_a_body(daemon: Daemon, name: str) -> None:
    is_type = name == "Content-Type"
    values = ["text/plain", "application/json"] if is_type else ["identity"] * 2
    fields = [f"{name}: {value}" for value in values]
    if not is_type:
        fields.append("Content-Type: application/json")
    head = [f"POST {PREDICT} HTTP/1.1", "Host: x", "Content-Length: 2", *fields, "", "{}"]
    assert daemon.raw("\r\n".join(head).encode()).status == 415


def test_request_ids(daemon: Daemon) -> None:
    given = daemon.ask("GET", "/v1/health/live", headers={"X-Request-Id": "job-7/a.b:c"})
    assert given.headers["x-request-id"] == "job-7/a.b:c"
    made = {daemon.ask("GET", "/v1/health/live").headers["x-request-id"] for _ in range(4)}
    assert len(made) == 4
    for bad in ("a b", "é", "x" * 129, "<script>"):
        answer = daemon.ask("GET", "/v1/health/live", headers={"X-Request-Id": bad.encode()})  # type: ignore[dict-item]
        assert answer.headers["x-request-id"] != bad


def test_models(daemon: Daemon) -> None:
    cards = daemon.ask("GET", "/v1/models").json()["models"]
    assert [card["name"] for card in cards] == served_names(MODELS)
    card = daemon.ask("GET", f"/v1/models/{MODEL}").json()
    assert card in cards
    assert card["state"] == "ready"
    assert (card["architecture"], card["variant"]) == ("nequip", "sevennet")
    assert len(card["elements"]) == len(card["atomic_numbers"]) == 89
    assert dict(zip(card["elements"], card["atomic_numbers"]))["Si"] == 14
    assert card["r_max"] == 5.0 and card["precision"] in ("float32", "float64")
    assert card["bytes"] > 1_000_000
    assert re.fullmatch("[0-9a-f]{64}", card["sha256"])
    assert card["source"] and card["license"]


def test_status(daemon: Daemon) -> None:
    status = daemon.ask("GET", "/v1/status").json()
    assert status["state"] == "ready"
    assert {x["state"] for x in status["models"] if x["name"] == MODEL} == {"ready"}
    assert status["queue"] == {"structures": 0, "atoms": 0, "seconds": 0}
    assert status["limits"]["max_body_bytes"] == 1 << 20
    assert status["connections"] >= 1 and status["uptime_s"] > 0


def test_requests_are_counted(daemon: Daemon) -> None:
    labels = {"route": "/v1/models/{m}", "method": "GET", "code": "404"}
    before = daemon.metric("http_requests_total", **labels)
    daemon.ask("GET", "/v1/models/nobody")
    daemon.ask("GET", "/v1/models/nobody-else")
    assert daemon.metric("http_requests_total", **labels) == before + 2
    text = daemon.ask("GET", "/metrics").body.decode()
    assert "nobody" not in text
    for name in ("http_request_duration_seconds", "model_state", "memory_budget_bytes", "draining"):
        assert f"irrepd_{name}" in text


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_openapi_describes_what_is_served(daemon: Daemon) -> None:
    document = daemon.ask("GET", "/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for reference in references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    for template, item in document["paths"].items():
        path = re.sub(r"\{\w+\}", MODEL, template)
        for method in ("get", "head", "post", "put"):
            status = daemon.ask(method.upper(), path).status
            assert (status != 405) is (method in item), (method, path)
            if method in item:
                assert str(status) in item[method]["responses"]
    example = document["paths"]["/v1/models/{m}/predict"]["post"]["requestBody"]["content"]
    for one in example["application/json"]["examples"].values():
        assert daemon.predict(one["value"]).status == 200


def keys(schema: dict[str, Any]) -> set[str]:
    return set(schema["properties"])


def test_openapi_names_every_field(daemon: Daemon) -> None:
    schemas = daemon.ask("GET", "/openapi.json").json()["components"]["schemas"]
    assert set(daemon.ask("GET", f"/v1/models/{MODEL}").json()) <= keys(schemas["Model"])
    assert set(daemon.ask("GET", "/v1/status").json()) <= keys(schemas["Status"])
    assert set(daemon.ask("GET", "/nothing").json()) <= keys(schemas["Problem"])
    atom = {"id": "a", "numbers": [14], "positions": [[0, 0, 0]]}
    wanted = ["energy", "forces", "stress", "energies"]
    answer = daemon.predict({"structures": [atom, {**atom, "numbers": []}], "properties": wanted})
    assert set(answer.json()) == keys(schemas["PredictResponse"])
    for result in answer.json()["results"]:
        assert set(result) <= keys(schemas["Result"])


def test_openapi_names_every_field_of_sockets(start: Factory) -> None:
    daemon = start()
    schemas = daemon.ask("GET", "/openapi.json").json()["components"]["schemas"]
    body = {"protocol": "ipi", "address": "unix:none", "model": MODEL, "precision": "float32"}
    headers = {"Content-Type": "application/json"}
    opened = daemon.ask("POST", "/v1/sockets", json.dumps(body).encode(), headers)
    named = keys(schemas["Socket"]) - {"head"}  # which is there where one was asked for
    assert opened.status == 201 and set(opened.json()) == named
    (connection,) = opened.json()["connections"]
    assert set(connection) == keys(schemas["Socket"]["properties"]["connections"]["items"])


def problem_of_loading(answer: Answer) -> bool:
    return answer.status == 503 and kind(answer) in ("model-loading", "model-not-ready")


def test_damaged_models_are_listed_as_failed(start: Factory, tmp_path: Any) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "broken.safetensors").write_bytes(b"\xff" * 100)
    (folder / "empty.safetensors").write_bytes(b"")
    whole = (MODELS / f"{MODEL}.safetensors").read_bytes()
    (folder / "truncated.safetensors").write_bytes(whole[: len(whole) // 2])
    edited = bytearray(whole)
    edited[20:40] = b'"' * 20
    (folder / "edited.safetensors").write_bytes(bytes(edited))
    daemon = start(models=folder)

    def cards() -> list[dict[str, Any]]:
        return daemon.ask("GET", "/v1/models").json()["models"]

    daemon.wait_for(lambda: all(c["state"] == "failed" for c in cards()), "the failures")
    assert {card["name"] for card in cards()} == {"broken", "empty", "truncated", "edited"}
    assert all(card["error"]["detail"] for card in cards())
    assert problem_of_loading(daemon.ask("GET", "/v1/health/ready"))
    assert daemon.ask("GET", "/v1/status").json()["state"] == "failed"
    body = json.dumps({"structures": [{"numbers": [1], "positions": [[0, 0, 0]]}]}).encode()
    answer = daemon.ask(
        "POST", "/v1/models/broken/predict", body, {"Content-Type": "application/json"}
    )
    assert problem_of_loading(answer)
    assert daemon.ask("GET", "/v1/health/live").status == 200
