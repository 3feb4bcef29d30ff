"""A small stand-in for the daemon: springs to the origin, real HTTP, and faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from irrepd import codings, safetensors

STIFFNESS = np.array([1.0, 2.0, 3.0])
SHA256 = "ab" * 32
STRESS = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
BY_ATOM = ("forces", "energies", "stresses")

# A fault takes the handler's place for one request; it returns False to let the handler go on.
Fault = Callable[["Handler"], bool]


def springs(entry: dict[str, Any], properties: list[str]) -> dict[str, Any]:
    """E = sum over atoms of k.x^2/2, with a stress that shows the order of its components."""
    x = np.array(entry["positions"])
    energies = (STIFFNESS * x**2 / 2).sum(axis=1)
    is_periodic = all(entry.get("pbc", [entry.get("cell") is not None] * 3))
    values = {
        "energy": float(energies.sum()),
        "forces": (-STIFFNESS * x).tolist(),
        "energies": energies.tolist(),
        "stress": STRESS.tolist() if is_periodic else None,
        "virial": (-8 * STRESS).tolist(),
        "stresses": [((STRESS if is_periodic else -8 * STRESS) / len(x)).tolist()] * len(x),
    }
    return {"status": "ok", "n_edges": 0, **{name: values[name] for name in properties}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for each answer
    server: FakeServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        if self.fault():
            return
        if self.path == "/v1/models":
            self.answer(200, {"models": [{"name": "springs"}]})
        elif self.path == "/v1/models/springs":
            card = {"sha256": self.server.sha256, "precision": "float32"}
            self.answer(200, {"name": "springs", "state": "ready", **card})
        else:
            self.problem(404, "no such path")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = codings.decoded(self.headers["Content-Encoding"], body)
        self.server.headers.append(dict(self.headers.items()))
        is_binary = self.headers["Content-Type"] == "application/x-safetensors"
        if is_binary and not self.server.takes_binary:
            self.problem(415, "media type not supported")
            return
        request = request_of(body) if is_binary else json.loads(body)
        self.server.requests.append(request)
        if self.fault():
            return
        if self.path != "/v1/models/springs/predict":
            self.problem(404, f"no model at {self.path}")
            return
        if len(request["structures"]) > self.server.most_structures:
            self.problem(413, "too many structures")
            return
        results = [self.result(i, entry, request) for i, entry in enumerate(request["structures"])]
        if is_binary:
            data = binary_of(results, self.server.sha256)
            self.send(200, data, "application/x-safetensors")
        elif len(results) == 1 and results[0]["status"] == "error":
            self.answer(422, results[0]["error"], "application/problem+json")
        else:
            named = {"model": "springs", "model_sha256": self.server.sha256}
            self.answer(200, {**named, "results": results})

    def result(self, i: int, entry: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
        named = {"id": entry["id"]} if "id" in entry else {}
        if 118 in entry["numbers"]:
            where = f"#/structures/{i}/numbers/{entry['numbers'].index(118)}"
            problem = problem_of(422, "unknown element Og", where)
            return {**named, "status": "error", "error": problem}
        properties = request.get("properties", ["energy", "forces", "stress"])
        return {**named, **springs(entry, properties)}

    def fault(self) -> bool:
        return bool(self.server.faults) and self.server.faults.pop(0)(self)

    def problem(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        self.answer(status, problem_of(status, detail), "application/problem+json", headers)

    def answer(
        self,
        status: int,
        body: Any,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send(status, json.dumps(body).encode(), kind, headers)

    def send(
        self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        coding = self.server.coding
        data = codings.encoded(coding, data) if coding else data
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if coding:
            self.send_header("Content-Encoding", coding)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Keeps the test's output quiet."""


def request_of(body: bytes) -> dict[str, Any]:
    """A binary request as the JSON one that asks the same."""
    tensors, options = safetensors.loads(body)
    ends = np.cumsum(tensors["n_atoms"])[:-1]
    rows = zip(
        np.split(tensors["numbers"], ends),
        np.split(tensors["positions"], ends),
        tensors["cell"],
        tensors["pbc"],
    )
    structures = [
        {"numbers": z.tolist(), "positions": x.tolist(), "cell": c.tolist(), "pbc": p.tolist()}
        for z, x, c, p in rows
    ]
    properties = options.get("properties", "energy,forces,stress").split(",")
    return {**options, "binary": True, "structures": structures, "properties": properties}


def binary_of(results: list[dict[str, Any]], sha256: str) -> bytes:
    """The first result is a good one; a refused structure has one atom in these tests."""
    ok = [result["status"] == "ok" for result in results]
    tensors = {"status": np.array([0 if good else 422 for good in ok], dtype="i4")}
    for name in results[0].keys() - {"id", "status", "n_edges"}:
        stored = [np.array(r[name], dtype=float) for r in results if r.get(name) is not None]
        shape = stored[0].shape[name in BY_ATOM :] if stored else (3, 3)
        nothing = np.full((1, *shape) if name in BY_ATOM else shape, np.nan)
        parts = [nothing if (x := r.get(name)) is None else np.array(x) for r in results]
        tensors[name] = np.concatenate(parts) if name in BY_ATOM else np.stack(parts)
    by_atom = ",".join(name for name in BY_ATOM if name in tensors)
    return safetensors.dumps(tensors, {"model_sha256": sha256, "by_atom": by_atom})


def problem_of(status: int, detail: str, pointer: str | None = None) -> dict[str, Any]:
    return {
        "type": "urn:irrepd:test",
        "title": "a test's problem",
        "status": status,
        "detail": detail,
        "errors": [{"pointer": pointer}] if pointer else [],
        "retryable": status in (429, 503),
    }


class FakeServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.headers: list[dict[str, str]] = []
        self.takes_binary = True
        self.sha256 = SHA256
        self.coding: str | None = None  # of answers
        self.most_structures = 1000
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


def busy(retry_after: str) -> Fault:
    def answer(handler: Handler) -> bool:
        handler.problem(503, "queue full", {"Retry-After": retry_after})
        return True

    return answer


def hang_up(handler: Handler) -> bool:
    """Closes the connection without an answer."""
    handler.close_connection = True
    return True


def answer_and_close(handler: Handler) -> bool:
    """Lets the answer go out, then closes without having said so."""
    handler.close_connection = True
    return False
