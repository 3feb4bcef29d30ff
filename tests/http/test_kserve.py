"""The Open Inference Protocol below /v2, by Triton's client as it comes and by plain requests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libirrep
import numpy as np
import pytest
import tritonclient.http as triton
from conftest import MODEL, MODELS, Answer, Daemon, Factory, kind
from test_auth import ADMIN, USER, bearer, keys
from test_binary import CLASH, SILICON, WATER
from test_life import body, busy
from tritonclient.utils import InferenceServerException

__all__ = ["keys"]

INFER = f"/v2/models/{MODEL}/infer"
# Of a model without dipoles, which are in test_dipoles.py.
OUTPUTS = (*(o.name for o in libirrep.OUTPUTS if o.name != "dipole"), "status")
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
    assert server["name"] == "irrepd" and set(server["extensions"]) == {
        *("binary_tensor_data", "model_configuration", "model_repository", "statistics")
    }
    model = client.get_model_metadata(MODEL)
    assert {x["name"]: x["datatype"] for x in model["inputs"]} == TYPES
    assert [x["name"] for x in model["outputs"]] == list(OUTPUTS)
    with pytest.raises(InferenceServerException, match="nobody") as caught:
        client.get_model_metadata("nobody")
    assert caught.value.status() == "404"


def test_the_one_version(daemon: Daemon, client: triton.InferenceServerClient) -> None:
    assert client.get_model_metadata(MODEL)["versions"] == ["1"]
    assert client.get_model_metadata(MODEL, "1") == client.get_model_metadata(MODEL)
    assert client.is_model_ready(MODEL, "1") and not client.is_model_ready(MODEL, "2")
    got = client.infer(MODEL, inputs([WATER]), model_version="1")
    assert got.get_response()["model_version"] == "1"
    assert got.as_numpy("energy") == client.infer(MODEL, inputs([WATER])).as_numpy("energy")
    with pytest.raises(InferenceServerException) as caught:
        client.infer(MODEL, inputs([WATER]), model_version="2")
    assert caught.value.status() == "404"
    for path in ("versions", "versions/", "versions/11", "versions/1/versions/1", "versions/1x"):
        assert daemon.ask("GET", f"/v2/models/{MODEL}/{path}").status == 404
    assert daemon.ask("POST", f"/v2/models/{MODEL}/versions/1/ready").status == 405
    assert daemon.ask("GET", f"/v1/models/{MODEL}/versions/1").status == 404


def test_configuration(client: triton.InferenceServerClient) -> None:
    model, config = client.get_model_metadata(MODEL), client.get_model_config(MODEL, "1")
    assert (config["name"], config["max_batch_size"]) == (MODEL, 0)
    for ours, theirs in ((model["inputs"], config["input"]), (model["outputs"], config["output"])):
        assert [(x["name"], f"TYPE_{x['datatype']}", x["shape"]) for x in ours] == [
            (x["name"], x["data_type"], x["dims"]) for x in theirs
        ]
    with pytest.raises(InferenceServerException, match="nobody"):
        client.get_model_config("nobody")


def test_repository(daemon: Daemon, client: triton.InferenceServerClient) -> None:
    index = {x["name"]: x for x in client.get_model_repository_index()}
    assert list(index) == [x["name"] for x in daemon.ask("GET", "/v1/models").json()["models"]]
    assert (index[MODEL]["version"], index[MODEL]["state"]) == ("1", "READY")
    client.unload_model(MODEL)
    assert daemon.ask("GET", f"/v1/models/{MODEL}").json()["state"] == "unloaded"
    client.load_model(MODEL)
    assert daemon.ask("GET", f"/v1/models/{MODEL}").json()["state"] == "ready"
    with pytest.raises(InferenceServerException, match="config") as caught:
        client.load_model(MODEL, config='{"max_batch_size": 8}')
    assert caught.value.status() == "400"
    for action in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="nobody"):
            action("nobody")

    def refused(path: str, body: bytes) -> str:
        return kind(daemon.ask("POST", f"/v2/repository/{path}", body))

    assert refused("index", b"{") == "malformed-json"
    assert refused("index", b"[]") == refused("index", b'{"ready": 1}') == "wrong-value"
    assert refused("index", b'{"color": true}') == "unknown-key"
    unload = f"models/{MODEL}/unload"
    assert refused(unload, b'{"parameters": []}') == "wrong-value"
    assert refused(unload, b'{"parameters": {"unload_dependents": "yes"}}') == "wrong-value"
    assert daemon.ask("GET", f"/v1/models/{MODEL}").json()["state"] == "ready"


def test_a_model_that_cannot_be_loaded(start: Factory, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(MODELS / f"{MODEL}.safetensors", folder / "good.safetensors")
    (folder / "bad.safetensors").write_bytes(b"no model")
    daemon = start(models=folder).wait_ready()
    daemon.wait_for(lambda: daemon.ask("GET", "/v1/models/bad").json()["state"] == "failed", "it")
    whole = daemon.ask("POST", "/v2/repository/index").json()
    assert [(x["name"], x["state"]) for x in whole] == [("bad", "UNAVAILABLE"), ("good", "READY")]
    assert whole[0]["reason"] and not whole[1]["reason"]
    ready = daemon.ask("POST", "/v2/repository/index", b'{"ready": true}').json()
    assert ready == whole[1:]


def test_statistics(start: Factory) -> None:
    daemon = start().wait_ready()
    with triton.InferenceServerClient(f"{daemon.host}:{daemon.port}") as client:
        (before,) = client.get_inference_statistics(MODEL)["model_stats"]
        assert before["inference_count"] == before["execution_count"] == 0
        client.infer(MODEL, inputs([SILICON, CLASH, WATER]))
        (after,) = client.get_inference_statistics(MODEL, "1")["model_stats"]
        everything = client.get_inference_statistics()["model_stats"]
    assert after in everything and len(everything) == len({x["name"] for x in everything})
    assert (after["name"], after["version"], after["inference_count"]) == (MODEL, "1", 2)
    assert 1 <= after["execution_count"] <= 2
    stats = after["inference_stats"]
    assert (stats["success"]["count"], stats["fail"]["count"], stats["queue"]["count"]) == (2, 1, 2)
    parts = ("queue", "compute_input", "compute_infer", "compute_output")
    assert stats["compute_infer"]["ns"] > 0
    assert abs(stats["success"]["ns"] - sum(stats[part]["ns"] for part in parts)) < len(parts)


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
        client.infer(MODEL, inputs([WATER]), request_compression_algorithm="deflate")


def test_compressed_calls(client: triton.InferenceServerClient) -> None:
    many = inputs([SILICON, WATER] * 30)
    plain = client.infer(MODEL, many)
    for answer in (None, "gzip", "deflate"):
        found = client.infer(
            MODEL,
            many,
            request_compression_algorithm="gzip",
            response_compression_algorithm=answer,
        )
        for name in ("energy", "forces"):
            assert np.array_equal(found.as_numpy(name), plain.as_numpy(name))


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
    load = f"/v2/repository/models/{MODEL}/load"
    assert [daemon.ask("POST", load, b"", bearer(k)).status for k in (USER, ADMIN)] == [403, 200]
    assert daemon.ask("POST", "/v2/repository/index").status == 401
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
