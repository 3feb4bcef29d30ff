"""The Open Inference Protocol below /v2, by Triton's client as it comes and by plain requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import libirrep
import numpy as np
import pytest
import tritonclient.http as triton
from conftest import MODEL, Answer, Daemon, Factory, kind
from test_auth import ADMIN, USER, bearer, keys
from test_binary import CLASH, SILICON, WATER
from test_life import body, busy
from tritonclient.utils import InferenceServerException

__all__ = ["keys"]

INFER = f"/v2/models/{MODEL}/infer"
OUTPUTS = (*(output.name for output in libirrep.OUTPUTS), "status")
TYPES = {"n_atoms": "INT32", "numbers": "INT32", "positions": "FP64", "cell": "FP64", "pbc": "BOOL"}


@pytest.fixture
def client(daemon: Daemon) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(f"{daemon.host}:{daemon.port}") as made:
        yield made


def arrays(structures: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    cells = [s.get("cell", np.zeros((3, 3))) for s in structures]
    return {
        "n_atoms": np.array([len(s["numbers"]) for s in structures], np.int32),
        "numbers": np.array([z for s in structures for z in s["numbers"]], np.int32),
        "positions": np.array([x for s in structures for x in s["positions"]], float),
        "cell": np.array(cells, float),
        "pbc": np.array([[bool(np.any(cell))] * 3 for cell in cells]),
    }


def inputs(structures: list[dict[str, Any]], binary: bool = True) -> list[triton.InferInput]:
    made = []
    for name, array in arrays(structures).items():
        made.append(triton.InferInput(name, list(array.shape), TYPES[name]))
        made[-1].set_data_from_numpy(array, binary_data=binary)
    return made


def plain(structures: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    given = [
        {"name": k, "datatype": TYPES[k], "shape": list(a.shape), "data": a.tolist()}
        for k, a in arrays(structures).items()
    ]
    return {"inputs": given, **more}


def ask(daemon: Daemon, request: Any, **headers: str) -> Answer:
    text = request if isinstance(request, bytes) else json.dumps(request).encode()
    return daemon.ask("POST", INFER, text, {"Content-Type": "application/json", **headers})


def test_health_and_metadata(daemon: Daemon, client: triton.InferenceServerClient) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and not client.is_model_ready("nobody")
    server = client.get_server_metadata()
    assert server["name"] == "irrepd" and "binary_tensor_data" in server["extensions"]
    model = client.get_model_metadata(MODEL)
    assert {x["name"]: x["datatype"] for x in model["inputs"]} == TYPES
    assert [x["name"] for x in model["outputs"]] == list(OUTPUTS)
    with pytest.raises(InferenceServerException, match="nobody") as caught:
        client.get_model_metadata("nobody")
    assert caught.value.status() == "404"


@pytest.mark.parametrize("given", [True, False], ids=["bytes", "lists"])
@pytest.mark.parametrize("wanted", [True, False], ids=["to bytes", "to lists"])
def test_the_bits_of_predict(
    daemon: Daemon, client: triton.InferenceServerClient, given: bool, wanted: bool
) -> None:
    structures = [SILICON, WATER, SILICON]
    request = {"structures": structures, "properties": OUTPUTS[:-1], "precision": "float64"}
    expected = daemon.predict(request).json()
    outputs = [triton.InferRequestedOutput(name, binary_data=wanted) for name in OUTPUTS]
    got = client.infer(
        MODEL,
        inputs(structures, given),
        outputs=outputs,
        request_id="mine",
        parameters={"precision": "float64"},
    )
    response = got.get_response()
    assert (response["model_name"], response["id"]) == (MODEL, "mine")
    assert response["parameters"]["model_sha256"] == expected["model_sha256"]
    results = expected["results"]
    assert got.as_numpy("energy").tolist() == [x["energy"] for x in results]
    assert got.as_numpy("forces").tolist() == [row for x in results for row in x["forces"]]
    assert got.as_numpy("energies").tolist() == [e for x in results for e in x["energies"]]
    assert got.as_numpy("stress")[0].tolist() == results[0]["stress"]
    assert np.isnan(got.as_numpy("stress")[1]).all()
    assert got.as_numpy("status").tolist() == [0, 0, 0]


def test_default_outputs(client: triton.InferenceServerClient) -> None:
    got = client.infer(MODEL, inputs([WATER]), priority=2, timeout=60_000_000)
    assert [x["name"] for x in got.get_response()["outputs"]] == [*OUTPUTS[:3], "status"]
    assert got.as_numpy("energies") is None


def test_one_fault_among_several(client: triton.InferenceServerClient) -> None:
    got = client.infer(MODEL, inputs([SILICON, CLASH, WATER]))
    alone = client.infer(MODEL, inputs([WATER]))
    assert got.as_numpy("status").tolist() == [0, 422, 0]
    assert np.isnan(got.as_numpy("energy")[1]) and np.isnan(got.as_numpy("forces")[2:4]).all()
    assert np.array_equal(got.as_numpy("forces")[4:], alone.as_numpy("forces"))


def test_what_the_client_is_told(client: triton.InferenceServerClient) -> None:
    for given, status, word in [
        (inputs([CLASH]), "422", "apart"),
        (inputs([WATER])[:2], "422", "positions"),
        (inputs([{**WATER, "numbers": [8, 1, 200]}]), "422", "200"),
    ]:
        with pytest.raises(InferenceServerException, match=word) as caught:
            client.infer(MODEL, given)
        assert caught.value.status() == status
    with pytest.raises(InferenceServerException, match="nobody"):
        client.infer("nobody", inputs([WATER]))
    with pytest.raises(InferenceServerException, match="Content-Encoding"):
        client.infer(MODEL, inputs([WATER]), request_compression_algorithm="gzip")


def test_asynchronous_calls(client: triton.InferenceServerClient) -> None:
    calls = [client.async_infer(MODEL, inputs([SILICON, WATER])) for _ in range(8)]
    energies = [call.get_result().as_numpy("energy").tolist() for call in calls]
    assert energies == energies[:1] * 8


def test_plain_requests(daemon: Daemon) -> None:
    flat = plain([SILICON])
    flat["inputs"][2]["data"] = np.ravel(flat["inputs"][2]["data"]).tolist()
    first, second = ask(daemon, plain([SILICON])), ask(daemon, flat)
    assert first.headers["content-type"] == "application/json"
    assert first.json()["outputs"] == second.json()["outputs"]
    assert "inference-header-content-length" not in first.headers
    typeless = daemon.ask("POST", INFER, json.dumps(flat).encode())
    assert typeless.json()["outputs"] == first.json()["outputs"]
    mixed = ask(daemon, plain([SILICON], outputs=[{"name": "energy"}]))
    assert [x["name"] for x in mixed.json()["outputs"]] == ["energy"]


def test_refusals(daemon: Daemon) -> None:
    late = ask(daemon, plain([SILICON], parameters={"timeout": 0}))
    assert late.status == 504 and late.json()["error"] == late.json()["detail"]
    assert kind(ask(daemon, plain([SILICON], color="red"))) == "unknown-key"
    assert kind(ask(daemon, b"{")) == "malformed-json"
    text = json.dumps(plain([SILICON])).encode()
    for size in ("-1", "x", str(len(text) + 1)):
        answer = ask(daemon, text, **{"Inference-Header-Content-Length": size})
        assert kind(answer) == "malformed-tensors"
    answer = ask(daemon, text + b"more", **{"Inference-Header-Content-Length": str(len(text))})
    assert kind(answer) == "malformed-tensors"
    assert kind(ask(daemon, plain([WATER] * 65))) == "too-many-structures"
    assert daemon.ask("POST", INFER, text, {"Content-Type": "text/plain"}).status == 415
    assert kind(ask(daemon, b" " * (2 << 20))) == "body-too-large"


def test_it_is_one_of_the_predict_calls(start: Factory, keys: Any) -> None:
    """Keys, cancellation and metrics are those of predict."""
    daemon = start("--keys", str(keys), "--workers", "1").wait_ready()
    text = json.dumps(plain([SILICON])).encode()

    def status(key: str) -> int:
        return daemon.ask("POST", INFER, text, bearer(key)).status

    assert [status(key) for key in ("wrong", ADMIN, USER)] == [401, 403, 200]
    assert daemon.ask("GET", f"/v2/models/{MODEL}").status == 401
    assert daemon.ask("GET", "/v2/health/ready").status == 200
    scrape = daemon.ask("GET", "/metrics", headers=bearer(USER)).body.decode()
    assert f'irrepd_inference_structures_total{{model="{MODEL}",outcome="ok"}} 1\n' in scrape
    assert 'route="/v2/models/{m}/infer",method="POST",code="200"} 1\n' in scrape


def test_clients_that_leave(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    long = json.loads(body(24))["structures"]
    text = json.dumps(plain(long, parameters={"precision": "float64"}))
    with daemon.connect() as leaving:
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}"
        leaving.sendall(f"{head}\r\n\r\n{text}".encode())
        daemon.wait_for(lambda: busy(daemon), "the computation")
    daemon.wait_for(lambda: daemon.metric("requests_cancelled_total") == 1, "the leaving")
