"""Pages of other origins: --cors-origins, and the browser's question before they ask."""

from __future__ import annotations

import json
import subprocess

import pytest
from conftest import DAEMON, MODEL, MODELS, PREDICT, Answer, Daemon, Factory
from test_binary import SILICON

LAB, OTHER = "https://lab.example", "https://lab.example.evil"
BODY = json.dumps({"structures": [SILICON]}).encode()


def shared(answer: Answer) -> tuple[str | None, str | None]:
    return answer.headers.get("access-control-allow-origin"), answer.headers.get("vary")


def preflight(daemon: Daemon, path: str, origin: str) -> Answer:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x"}
    return daemon.ask("OPTIONS", path, headers={"Origin": origin, **asked})


def test_named_origins(start: Factory) -> None:
    daemon = start("--cors-origins", f"http://127.0.0.1:1,{LAB}").wait_ready()
    plain = {"Content-Type": "application/json"}
    answer = daemon.ask("POST", PREDICT, BODY, {**plain, "Origin": LAB})
    assert answer.status == 200 and shared(answer) == (LAB, "Origin")
    assert "x-request-id" in answer.headers["access-control-expose-headers"].lower()
    wrong = daemon.ask("POST", PREDICT, b"{", {**plain, "Origin": LAB})
    assert wrong.status == 400 and shared(wrong) == (LAB, "Origin")
    for headers in ({"Origin": OTHER}, {"Origin": "null"}, {}):
        answer = daemon.ask("POST", PREDICT, BODY, {**plain, **headers})
        assert answer.status == 200 and shared(answer) == (None, "Origin")


def test_before_a_page_asks(start: Factory) -> None:
    daemon = start("--cors-origins", LAB).wait_ready()
    answer = preflight(daemon, PREDICT, LAB)
    assert (answer.status, answer.body) == (204, b"") and shared(answer) == (LAB, "Origin")
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    jobs = preflight(daemon, "/v1/jobs/x", LAB)
    assert jobs.headers["access-control-allow-methods"] == "GET, HEAD, POST, DELETE"
    assert preflight(daemon, PREDICT, OTHER).status == 405
    assert preflight(daemon, "/nowhere", LAB).status == 404
    # A page does not administer without a key, wherever it comes from.
    plain = {"Content-Type": "application/json"}
    load = daemon.ask("POST", f"/v1/models/{MODEL}/load", b"{}", {**plain, "Origin": LAB})
    assert load.status == 403 and shared(load) == (LAB, "Origin")  # before its body is read


def test_nobody_by_default(daemon: Daemon) -> None:
    answer = daemon.ask("GET", "/v1/models", headers={"Origin": LAB})
    assert answer.status == 200 and shared(answer) == (None, None)
    assert preflight(daemon, PREDICT, LAB).status == 405


@pytest.mark.parametrize("origins", ["*", "lab.example", "https://lab.example/", "https://A"])
def test_what_is_no_origin(origins: str) -> None:
    command = [DAEMON, "--models", MODELS, "--cors-origins", origins, "--check-config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--cors-origins takes origins" in done.stderr
