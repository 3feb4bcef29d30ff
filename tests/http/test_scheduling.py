"""Turns, shares, estimates and teams: who is computed when, and that it changes no bits."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import Any

import pytest
from conftest import MODEL, Daemon, Factory, check, kind, read, read_raw
from test_inference import crystal, one
from test_life import body, busy, post, queued

ESTIMATE = f"/v1/models/{MODEL}/estimate"
JSON = {"Content-Type": "application/json"}


def estimate(daemon: Daemon, request: Any) -> Any:
    return daemon.ask("POST", ESTIMATE, json.dumps(request).encode(), JSON)


def results(daemon: Daemon, request: Any) -> str:
    answer = daemon.predict(request)
    assert answer.status == 200
    return json.dumps(answer.json()["results"])


@pytest.mark.parametrize("flags", [[], ["--exact-filters"]])
def test_same_bits_for_any_number_of_workers(start: Factory, flags: list[str]) -> None:
    large = json.loads(body(1, n=6))["structures"][0]
    large["positions"] = [[x + 0.1 * y * z / 225, y, z] for x, y, z in large["positions"]]
    requests = [
        one(large, precision=precision, properties=["energy", "forces", "stress", "energies"])
        for precision in ("float32", "float64")
    ]
    requests.append({"structures": [crystal(seed) for seed in range(12)] + [large]})
    seen = [
        [results(daemon, request) for request in requests]
        for daemon in (start("--workers", n, *flags).wait_ready() for n in "125")
    ]
    assert seen[0] == seen[1] == seen[2]
    assert json.loads(seen[0][2])[12]["energy"] == json.loads(seen[0][0])[0]["energy"]


def test_exact_filters_change_little(start: Factory) -> None:
    tabulated, exact = start().wait_ready(), start("--exact-filters").wait_ready()
    request = one(crystal(1))
    (a,), (b,) = (x.predict(request).json()["results"] for x in (tabulated, exact))
    assert a["energy"] != b["energy"]  # the tables are used
    assert abs(a["energy"] - b["energy"]) < 1e-3


def test_a_small_request_beside_a_hundred_thousand_structures(start: Factory) -> None:
    """Bulk is one request on one connection, so each batch has a turn for the small one."""
    limits = ("--max-structures", "100000", "--max-queue", "200000", "--max-batch-ms", "50")
    daemon = start("--workers", "1", "--max-body-bytes", "64M", *limits).wait_ready()
    atom = b'{"numbers":[14],"positions":[[0,0,0]]}'
    with daemon.connect() as bulk:
        post(bulk, b'{"structures":[' + b",".join([atom] * 100_000) + b"]}")
        daemon.wait_for(lambda: queued(daemon) > 1000, "the queue")
        for seed in range(20):
            before = daemon.metric("batch_structures_count")
            assert daemon.predict(one(crystal(seed))).status == 200
            # The batch under way, its own, and what ends while the metrics are asked for.
            assert daemon.metric("batch_structures_count") - before <= 4
        assert queued(daemon) > 0  # bulk has not been done first
    daemon.wait_for(lambda: queued(daemon) == 0, "the end of the bulk request")
    assert daemon.metric("requests_cancelled_total", reason="disconnect") == 1


def test_50_of_100_clients_leave(start: Factory) -> None:
    daemon = start("--workers", "1").wait_ready()
    with daemon.connect() as first, contextlib.ExitStack() as stack:
        post(first, body(10))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        before = daemon.metric("batch_structures_sum")
        peers = [stack.enter_context(daemon.connect()) for _ in range(100)]
        for peer in peers:
            post(peer, body(1, n=2))
        daemon.wait_for(lambda: queued(daemon) >= 100, "the queue")
        for peer in peers[::2]:
            peer.close()
        daemon.wait_for(lambda: daemon.metric("requests_cancelled_total") == 50, "the leaving")
        for peer in peers[1::2]:
            assert check(read_raw(peer)).status == 200
        assert check(read_raw(first)).status == 200
    assert daemon.metric("batch_structures_sum") - before == 10 + 50
    assert daemon.metric("inference_structures_total", outcome="ok") == 10 + 50
    assert daemon.metric("inference_structures_total", outcome="cancelled") == 50


def test_more_than_it_can_do(start: Factory) -> None:
    """Far beyond the queue each request gets one answer, and what was accepted its numbers."""
    daemon = start("--workers", "1", "--max-queue", "16").wait_ready()
    statuses: list[int] = []

    def client(seed: int) -> None:
        text = json.dumps({"structures": [crystal(seed)] * 4})
        with contextlib.closing(daemon.connection()) as connection:
            for _ in range(8):
                connection.request("POST", f"/v1/models/{MODEL}/predict", text, JSON)
                answer = check(read(connection.getresponse()))
                if answer.status == 200:
                    assert [x["status"] for x in answer.json()["results"]] == ["ok"] * 4
                statuses.append(answer.status)

    threads = [threading.Thread(target=client, args=(seed,)) for seed in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == 320
    assert {200} < set(statuses) <= {200, 429, 503}
    route = "/v1/models/{m}/predict"
    for status in set(statuses):
        told = daemon.metric("http_requests_total", route=route, code=str(status))
        assert told == statuses.count(status)
    assert daemon.metric("inference_structures_total", outcome="ok") == 4 * statuses.count(200)
    assert daemon.metric("queue_structures") == 0


@pytest.mark.parametrize(
    ("flag", "answer"),
    [("--max-queue", (503, "queue-full")), ("--max-queue-client", (429, "client-quota"))],
)
def test_a_full_queue(start: Factory, flag: str, answer: tuple[int, str]) -> None:
    """Of all clients, and of one client."""
    daemon = start("--workers", "1", flag, "2").wait_ready()
    with daemon.connect() as first, daemon.connect() as second:
        post(first, body(1, n=10))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        post(second, body(2, n=2))
        daemon.wait_for(lambda: queued(daemon) == 2, "the queue")
        refused = daemon.predict(body(1, n=2))
        assert (refused.status, kind(refused)) == answer
        assert check(read_raw(first)).status == 200
        assert check(read_raw(second)).status == 200
    assert daemon.predict(body(1, n=2)).status == 200


def test_retry_after_is_what_was_measured(start: Factory) -> None:
    """A queue of many seconds says so; at the bound of a minute it stops."""
    daemon = start("--workers", "1", "--max-queue", "400").wait_ready()
    assert daemon.predict(body(1)).status == 200  # measures
    alone = estimate(daemon, json.loads(body(1))).json()["total"]["compute_ms"]
    assert alone > 0
    with daemon.connect() as first, daemon.connect() as second:
        post(first, body(100))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        post(second, body(200))
        daemon.wait_for(lambda: queued(daemon) >= 200, "the queue")
        waiting = estimate(daemon, json.loads(body(1))).json()["total"]["queue_ms"]
        refused = daemon.predict(body(250))
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= min(60, max(1, round(waiting / 4000)))
        assert waiting > alone


def test_estimate(daemon: Daemon) -> None:
    request = {"structures": [crystal(1), {"numbers": [8, 8], "positions": [[0, 0, 0]] * 2}]}
    before = daemon.metric("batch_structures_count")
    answer = estimate(daemon, {**request, "precision": "float64"})
    assert answer.status == 200
    told = answer.json()
    assert told["precision"] == "float64" and told["model"] == MODEL
    good, bad = told["results"]
    assert (good["id"], good["status"], good["n_atoms"]) == ("s1", "ok", 8)
    assert bad["error"]["type"] == "urn:irrepd:atoms-overlap"
    assert told["total"]["n_edges"] == good["n_edges"] and told["total"]["bytes"] >= 1000
    assert daemon.metric("batch_structures_count") == before
    (computed, _) = daemon.predict(request).json()["results"]
    assert computed["n_edges"] == good["n_edges"]
    half = estimate(daemon, request).json()
    assert half["total"]["bytes"] < told["total"]["bytes"]
    assert half["total"]["compute_ms"] > 0 and half["total"]["queue_ms"] >= 0
    refused = estimate(daemon, one(request["structures"][1]))
    assert (refused.status, kind(refused)) == (422, "atoms-overlap")
    assert estimate(daemon, {"structures": []}).status == 422
    missing = daemon.ask("POST", "/v1/models/none/estimate", b"{}", JSON)
    assert (missing.status, kind(missing)) == (404, "unknown-model")


def test_profile(start: Factory) -> None:
    daemon = start("--profile").wait_ready()
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(daemon.predict(one(crystal(1))).status))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    profile = daemon.ask("GET", "/v1/status").json()["profile"]
    assert {"convolution", "linear", "gate", "neighbours"} <= {x["operation"] for x in profile}
    assert sum(x["share"] for x in profile) == pytest.approx(1)
    assert all(x["seconds"] >= 0 and x["model"] == MODEL for x in profile)
    stage = {"model": MODEL, "stage": "convolution adjoint"}
    batches = daemon.metric("batch_structures_count")
    assert daemon.metric("inference_compute_duration_seconds_count", **stage) == batches
    daemon.signal()
    assert daemon.wait() == 0
    logged = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert len([x for x in logged if x["message"] == "profile"]) == len(profile)
