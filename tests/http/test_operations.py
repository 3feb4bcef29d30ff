"""What an operator sees and does: metrics that add up, logs, status, reloads, systemd."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from conftest import MODEL, Daemon, Factory
from test_inference import SILICON, WATER, crystal, one
from test_life import limits_of

NAMES = """
http_requests_total http_request_duration_seconds http_rejected_total inference_structures_total
inference_atoms_total inference_edges_total inference_queue_duration_seconds
inference_compute_duration_seconds batch_structures batch_atoms batch_flush_total queue_structures
queue_atoms requests_cancelled_total model_state model_resident_bytes model_loads_total
model_evictions_total memory_planned_bytes memory_budget_bytes socket_clients draining build_info
log_lines_lost_total process_resident_memory_bytes process_open_fds process_cpu_seconds_total
""".split()


def test_every_metric_of_the_contract(daemon: Daemon) -> None:
    text = daemon.ask("GET", "/metrics").body.decode()
    assert re.findall(r"^# TYPE irrepd_(\w+) ", text, re.M) == re.findall(
        r"^# HELP irrepd_(\w+) ", text, re.M
    )
    assert set(NAMES) <= set(re.findall(r"^# TYPE irrepd_(\w+) ", text, re.M))


def test_metrics_add_up_to_what_was_sent(start: Factory) -> None:
    daemon = start("--workers", "2").wait_ready()
    edges = atoms = 0
    good = [one(SILICON), {"structures": [crystal(1), crystal(2), WATER]}, one(WATER)]
    for request in good:
        for item, sent in zip(daemon.predict(request).json()["results"], request["structures"]):
            edges += item["n_edges"]
            atoms += len(sent["numbers"])
    bad = {"numbers": [14, 14], "positions": [[0, 0, 0], [0, 0, 0]]}
    assert daemon.predict({"structures": [bad, SILICON, bad]}).status == 200
    edges, atoms = edges + 56, atoms + 2
    assert daemon.predict(one(bad)).status == 422
    assert daemon.predict(b"{").status == 400
    assert daemon.predict(one(SILICON, deadline_ms=0)).status == 504
    assert daemon.ask("GET", "/v1/models/none").status == 404
    assert daemon.raw(b"GET / HTTP/1.1\r\n\r\n").status == 400

    route = "/v1/models/{m}/predict"
    count = daemon.metric
    assert count("http_requests_total", route=route) == 7
    assert count("http_requests_total", route=route, code="200") == 4
    assert count("http_request_duration_seconds_count", route=route) == 7
    assert count("http_requests_total", route="/v1/models/{m}", code="404") == 1
    assert count("http_rejected_total", reason="framing") == 1
    assert count("inference_structures_total", model=MODEL, outcome="ok") == 6
    assert count("inference_structures_total", model=MODEL, outcome="error") == 3
    assert count("inference_structures_total", model=MODEL, outcome="expired") == 1
    assert count("requests_cancelled_total", reason="deadline") == 1
    assert count("inference_atoms_total", model=MODEL) == atoms
    assert count("inference_edges_total", model=MODEL) == edges
    assert count("inference_queue_duration_seconds_count", model=MODEL) == 6
    assert count("batch_structures_sum", model=MODEL) == 6
    assert count("batch_atoms_sum", model=MODEL) == atoms
    batches = count("batch_structures_count", model=MODEL)
    assert 0 < batches <= 6
    assert count("batch_flush_total", model=MODEL) == batches
    for stage in ("evaluate", "encode"):
        assert (
            count("inference_compute_duration_seconds_count", model=MODEL, stage=stage) == batches
        )
    assert count("queue_structures") == count("queue_atoms") == 0
    assert count("memory_planned_bytes") == 0 and count("memory_budget_bytes") == 2 << 30
    ready = {"model": MODEL, "state": "ready"}
    assert (
        count("model_loads_total", model=MODEL, outcome="ok") == count("model_state", **ready) == 1
    )
    assert count("model_resident_bytes", model=MODEL) > 1e6
    assert count("draining") == 0 and count("build_info") == 1
    assert count("process_resident_memory_bytes") > 1e6
    assert count("process_open_fds") > 3 and count("process_cpu_seconds_total") > 0


def test_status(daemon: Daemon) -> None:
    status: dict[str, Any] = daemon.ask("GET", "/v1/status").json()
    (model,) = [x for x in status["models"] if x["name"] == MODEL]
    assert (model["state"], model["pinned"]) == ("ready", False)
    assert model["requests"] == 0 and model["idle_s"] >= 0 and model["bytes"] > 1e6
    assert status["workers"]["count"] == 2
    assert status["queue"] == {"structures": 0, "atoms": 0, "seconds": 0}
    assert status["memory"]["model_bytes"] >= model["bytes"]
    assert "profile" not in status


def test_who_multiplies_matrices(start: Factory, tmp_path: Path) -> None:
    """OpenBLAS; or plain loops, where it ends a process or computes wrong, and the log says so."""
    daemon = start().wait_ready()
    name = daemon.ask("GET", "/v1/status").json()["blas"]
    assert re.fullmatch(r"OpenBLAS \d+\.\d+\.\d+\S* \w+", name)
    assert daemon.metric("build_info", blas=name) == 1
    right = daemon.predict(one(SILICON, precision="float64")).json()["results"][0]
    for body in ("raise(SIGILL);", "(void)0;"):
        daemon = start(environment={"LD_PRELOAD": str(failing_blas(tmp_path, body))}).wait_ready()
        assert daemon.ask("GET", "/v1/status").json()["blas"] == "own"
        assert daemon.metric("build_info", blas="own") == 1
        assert "OpenBLAS fails on this processor" in daemon.log.read_text()
        found = daemon.predict(one(SILICON, precision="float64")).json()["results"][0]
        assert found["energy"] == pytest.approx(right["energy"], abs=1e-9)


def failing_blas(folder: Path, body: str) -> Path:
    """A library whose product of matrices does something else."""
    source, library = folder / "blas.c", folder / "blas.so"
    source.write_text(f"#include <signal.h>\nvoid cblas_dgemm(void) {{ {body} }}\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def entries(daemon: Daemon) -> list[dict[str, Any]]:
    return [json.loads(line) for line in daemon.log.read_text().splitlines() if line[:1] == "{"]


def test_traces_are_passed_to_the_log(start: Factory) -> None:
    daemon = start("--log-requests").wait_ready()
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for number, value in enumerate([trace, "00-nonsense", ""]):
        headers = {"X-Request-Id": f"r{number}", "traceparent": value}
        answer = daemon.predict(one(SILICON), headers)
        assert answer.json()["request_id"] == answer.headers["x-request-id"] == f"r{number}"
    daemon.wait_for(lambda: "r2" in [x.get("request_id") for x in entries(daemon)], "the log")
    logged = {x["request_id"]: x for x in entries(daemon) if "request_id" in x}
    assert logged["r0"]["traceparent"] == trace
    assert "traceparent" not in logged["r1"] and "traceparent" not in logged["r2"]


def test_hang_up_reads_the_limits_again(start: Factory, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"max-queue": 11, "max-atoms": 12, "max-body-bytes": 2000}')
    daemon = start("--config", str(file), "--max-atoms", "13", "--workers", "1")
    daemon.wait_ready()
    file.write_text('{"max-queue": 21, "max-atoms": 22, "max-body-bytes": "3000", "workers": 2}')
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(lambda: limits_of(daemon)["max_queue"] == 21, "the reload")
    assert (limits_of(daemon)["max_atoms"], limits_of(daemon)["max_body_bytes"]) == (13, 3000)
    assert daemon.ask("GET", "/v1/status").json()["workers"]["count"] == 1
    assert daemon.predict(b" " * 2500).status == 400
    assert daemon.predict(b" " * 3500).status == 413
    file.write_text('{"max-queue": 31, "no-such": 1}')
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(
        lambda: any("not read again" in x["message"] for x in entries(daemon)), "the complaint"
    )
    assert limits_of(daemon)["max_queue"] == 21
    assert daemon.predict(one(SILICON)).status == 200


def test_the_service_manager_is_told(
    start: Factory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        daemon = start()

        def told() -> str:
            """The next state that is not a sign of life."""
            while True:
                text = manager.recv(1000).decode()
                if text != "WATCHDOG=1":
                    return text

        assert told() == "READY=1"
        assert daemon.ask("GET", "/v1/health/ready").status == 200
        assert [manager.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        daemon.signal(signal.SIGHUP)
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", told())
        assert told() == "READY=1"
        daemon.signal(signal.SIGTERM)
        assert told() == "STOPPING=1"
        assert daemon.wait() == 0
