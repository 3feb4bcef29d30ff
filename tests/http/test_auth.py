"""API keys: who may do what, keys read again, and what is told to those without."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import DAEMON, MODEL, MODELS, PREDICT, ROOT, Daemon, Factory, check, kind, read_raw

from irrepd import Client, ServerError

ATOM = json.dumps({"structures": [{"numbers": [14], "positions": [[0, 0, 0]]}]}).encode()
JSON = {"Content-Type": "application/json"}
USER, ADMIN, BOTH = "user-key-1", "admin-key-2", "both-key-3"


def line(name: str, scopes: str, key: str) -> str:
    return f"{name} {scopes} {hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.write_text(
        line("user", "predict", USER)
        + line("root", "admin", ADMIN)
        + line("b", "predict,admin", BOTH)
    )
    return path


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def status(daemon: Daemon, method: str, path: str, key: str | None) -> int:
    headers = {**JSON, **({} if key is None else bearer(key))}
    body = None if method == "GET" else b"{}" if path.endswith("load") else ATOM
    answer = daemon.ask(method, path, body, headers)
    assert (answer.headers.get("www-authenticate") == "Bearer") == (answer.status == 401)
    expected = {401: "unauthorized", 403: "forbidden"}.get(answer.status)
    assert expected is None or kind(answer) == expected
    return answer.status


def test_scopes(start: Factory, keys: Path) -> None:
    daemon = start("--keys", str(keys), "--log-requests").wait_ready()
    for path in ("/v1/health/live", "/v1/health/ready", "/openapi.json", "/", "/page/main.js"):
        assert status(daemon, "GET", path, None) == 200
    for path in ("/v1/models", f"/v1/models/{MODEL}", "/v1/status", "/metrics"):
        assert status(daemon, "GET", path, None) == 401
        assert status(daemon, "GET", path, "wrong") == 401
        for key in (USER, ADMIN, BOTH):
            assert status(daemon, "GET", path, key) == 200
    for path in (PREDICT, PREDICT.replace("/predict", "/estimate")):
        assert [status(daemon, "POST", path, key) for key in (None, "x", ADMIN)] == [401, 401, 403]
        assert [status(daemon, "POST", path, key) for key in (USER, BOTH)] == [200, 200]
    assert [status(daemon, "GET", "/v1/sockets", key) for key in (None, USER)] == [401, 403]
    assert [status(daemon, "GET", "/v1/sockets", key) for key in (ADMIN, BOTH)] == [200, 200]
    load = f"/v1/models/{MODEL}/load"
    assert [status(daemon, "POST", load, key) for key in (None, USER)] == [401, 403]
    assert status(daemon, "POST", load, ADMIN) < 300
    load_line = f'"path":"{load}","status":200'
    daemon.wait_for(lambda: load_line in daemon.log.read_text(), "the last line of the log")
    text = daemon.log.read_text()
    assert '"message":"request"' in text
    for secret in (USER, ADMIN, BOTH, hashlib.sha256(USER.encode()).hexdigest()):
        assert secret not in text


def test_what_is_no_key(start: Factory, keys: Path) -> None:
    daemon = start("--keys", str(keys)).wait_ready()
    for value in (USER, f"Basic {USER}", "Bearer", f"Bearer {USER} {USER}", f"Bearer {USER}x"):
        assert daemon.ask("GET", "/v1/models", headers={"Authorization": value}).status == 401
    assert (
        daemon.ask("GET", "/v1/models", headers={"Authorization": f"bEaReR {USER}"}).status == 200
    )
    field = f"Authorization: Bearer {USER}\r\n"
    once = f"GET /v1/models HTTP/1.1\r\nHost: x\r\n{field}"
    assert daemon.raw(f"{once}\r\n".encode()).status == 200
    assert daemon.raw(f"{once}{field}\r\n".encode()).status == 401


def test_no_body_is_read_without_a_key(start: Factory, keys: Path) -> None:
    """401 and 403 come before the body, of which memory is never held."""
    daemon = start("--keys", str(keys), "--max-body-bytes", "1G").wait_ready()
    for key, expected in (("wrong", 401), (ADMIN, 403)):
        for framing in ("Content-Length: 900000000", "Transfer-Encoding: chunked"):
            head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{framing}"
            with daemon.connect() as peer:
                peer.sendall(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode())
                answer = check(read_raw(peer))
                assert (answer.status, answer.headers["connection"]) == (expected, "close")
                assert peer.recv(1) == b""
    large = b" " * (32 << 20)
    assert daemon.ask("POST", PREDICT, large, {**JSON, **bearer("wrong")}).status == 401
    answer = daemon.ask("GET", "/metrics", headers=bearer(USER))
    assert b'irrepd_http_rejected_total{reason="key"} 5\n' in answer.body
    assert daemon.ask("POST", PREDICT, ATOM, {**JSON, **bearer(USER)}).status == 200


def test_the_client(start: Factory, keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IRREPD_KEY", raising=False)
    daemon = start("--keys", str(keys)).wait_ready()
    structures = json.loads(ATOM)["structures"]
    with Client(daemon.url, key=USER) as client:
        assert client.predict(MODEL, structures)[0].ok
    with Client(daemon.url) as client:
        with pytest.raises(ServerError) as caught:
            client.models()
        assert caught.value.status == 401
        monkeypatch.setenv("IRREPD_KEY", ADMIN)
        assert client.models()
        with pytest.raises(ServerError) as caught:
            client.predict(MODEL, structures)
        assert caught.value.status == 403


def test_the_printed_command(start: Factory, keys: Path) -> None:
    daemon = start("--keys", str(keys)).wait_ready()
    command = ["bash", "-c", daemon.lines[-1]]
    for key, member in ((USER, "results"), ("wrong", "detail")):
        environment = {**os.environ, "IRREPD_KEY": key}
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        assert json.loads(done.stdout)[member]


def test_keys_are_read_again(start: Factory, keys: Path) -> None:
    daemon = start("--keys", str(keys)).wait_ready()
    keys.write_text(line("new", "predict", "new-key"))
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(lambda: status(daemon, "GET", "/v1/models", "new-key") == 200, "the new key")
    assert status(daemon, "GET", "/v1/models", USER) == 401
    keys.write_text("nonsense\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(lambda: "the keys stay as they were" in daemon.log.read_text(), "a complaint")
    assert status(daemon, "GET", "/v1/models", "new-key") == 200


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [str(DAEMON), "--models", str(MODELS), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


UNLOAD = f"/v1/models/{MODEL}/unload"


@pytest.mark.parametrize(
    "field",
    [
        {"Origin": "http://127.0.0.1:8421"},
        {"Origin": "null"},
        {"Forwarded": "for=192.0.2.1"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"X-Forwarded-Proto": "https"},
        {"Via": "1.1 proxy"},
    ],
)
def test_admin_without_keys(start: Factory, field: dict[str, str]) -> None:
    """From this machine, but neither by pages in browsers nor through a proxy."""
    daemon = start().wait_ready()
    for path, body in ((UNLOAD, b"{}"), ("/v1/sockets", b"{}")):
        answer = check(daemon.ask("POST", path, body, {**JSON, **field}))
        assert (answer.status, kind(answer)) == (403, "forbidden")
    assert daemon.predict(ATOM).status == 200
    assert daemon.ask("GET", "/v1/models", None, field).status == 200
    assert daemon.ask("POST", UNLOAD, b"{}", JSON).status == 200


def test_proxies_with_a_key(start: Factory, keys: Path) -> None:
    daemon = start("--keys", str(keys)).wait_ready()
    proxied = {**JSON, **bearer(ADMIN), "Via": "1.1 proxy", "X-Forwarded-For": "192.0.2.1"}
    assert daemon.ask("POST", UNLOAD, b"{}", proxied).status == 200
    named = {**bearer(USER), "Host": "irrepd.example.org"}
    assert daemon.ask("GET", "/v1/models", None, named).status == 200


@pytest.mark.parametrize("host", ["rebound.example", "rebound.example:8421", "127.0.0.1.x.y"])
def test_names_that_were_made_to_mean_this_machine(daemon: Daemon, host: str) -> None:
    """DNS rebinding: a page of a browser would read whatever it likes under them."""
    requests = [("GET", "/"), ("GET", "/v1/models"), ("GET", "/metrics"), ("POST", PREDICT)]
    for method, path in requests:
        body = ATOM if method == "POST" else None
        answer = check(daemon.ask(method, path, body, {**JSON, "Host": host}))
        assert (answer.status, kind(answer)) == (421, "misdirected-request")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "a.localhost:8421", "127.0.0.1", "[::1]:80", "irrepd", ""]
)
def test_names_of_this_machine(daemon: Daemon, host: str) -> None:
    assert daemon.ask("GET", "/v1/models", None, {"Host": host}).status == 200


def test_start_without_good_keys(keys: Path, tmp_path: Path) -> None:
    """No daemon begins to listen with keys that it cannot read, or beyond loopback without any."""
    check = ("--check-config", "--listen", "0.0.0.0:0")
    refused = run(*check)
    assert refused.returncode != 0 and "--keys or --allow-remote" in refused.stderr
    assert run(*check, "--keys", str(keys)).returncode == 0
    bad = tmp_path / "bad"
    bad.write_text(line("user", "everything", USER))
    for path in (bad, tmp_path / "none"):
        for flags in (check, ("--listen", "127.0.0.1:0")):
            refused = run(*flags, "--keys", str(path))
            assert refused.returncode != 0 and "--keys" in refused.stderr


def test_made_keys(start: Factory, tmp_path: Path) -> None:
    path = tmp_path / "made"
    tool = [sys.executable, str(ROOT / "tools" / "make_key.py")]
    made = [
        subprocess.run(
            [*tool, name, "predict", str(path)],
            capture_output=True,
            text=True,
            check=True,
            umask=0o002,
        )
        for name in ("one", "two")
    ]
    first, second = (one.stdout.strip() for one in made)
    assert first != second and first not in path.read_text()
    daemon = start("--keys", str(path)).wait_ready()
    assert [status(daemon, "GET", "/v1/models", key) for key in (first, second)] == [200, 200]
    for wrong in (["a b", "predict"], ["a", "all"], []):
        assert subprocess.run([*tool, *wrong], capture_output=True, check=False).returncode == 2
