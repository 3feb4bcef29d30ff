"""HTTPS: the clients, answers past the HTTP library, and certificates that are read again."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authority import Authority, flags
from conftest import DAEMON, MODEL, MODELS, PATIENCE, ROOT, Daemon, Factory, check, kind, read_raw
from test_framing import ATOM, CHUNKED, LIVE, chunked, is_closed, length, post, read_all
from test_life import body, busy

from irrepd import Client, ConnectionFailed, IrrepCalculator

STRUCTURES = json.loads(ATOM)["structures"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    made = Daemon(
        tmp_path_factory.mktemp("secure"),
        *flags(authority.issue("first")),
        *("--max-body-bytes", "1M", "--workers", "2"),
        tls=authority.context(),
    )
    made.wait_ready()
    yield made
    made.signal()
    assert made.wait() == 0, made.log.read_text()[-4000:]
    made.check_log()


def test_predictions(secure: Daemon) -> None:
    assert secure.url.startswith("https://")
    assert secure.predict(ATOM).status == 200
    with secure.connect() as peer:  # several on one connection, bodies in pieces
        for _ in range(3):
            peer.sendall(post(length(), body=b""))
            peer.sendall(ATOM)
            assert check(read_raw(peer)).status == 200
        peer.sendall(post(CHUNKED, body=chunked(ATOM[:9], ATOM[9:]) + b"0\r\n\r\n"))
        assert check(read_raw(peer)).status == 200
    requests = [LIVE + b"\r\n", post(length())] * 3
    with secure.connect() as peer:
        peer.sendall(b"".join(requests))
        assert [status for status, _ in read_all(peer, 6)] == [200] * 6


def test_large_bodies_and_answers(secure: Daemon) -> None:
    """Records hold 16 KiB; these take many, and the socket's buffer more than once."""
    request = json.dumps({"structures": STRUCTURES * 4000}).encode()
    answer = secure.predict(request)
    assert len(answer.json()["results"]) == 4000 and len(answer.body) > 300_000


def test_a_client_that_has_ended_its_side(secure: Daemon, authority: Authority) -> None:
    """It says goodbye, ends its side of the connection, and reads the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = authority.context().wrap_bio(incoming, outgoing, server_hostname=secure.host)
    with socket.create_connection((secure.host, secure.port), timeout=PATIENCE) as peer:

        def until_done(step: Callable[[], object]) -> object:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    if outgoing.pending:
                        peer.sendall(outgoing.read())
                    received = peer.recv(65536)
                    incoming.write(received) if received else incoming.write_eof()

        until_done(session.do_handshake)
        text = body(1, n=5)
        session.write(post(length(text), body=text))
        with contextlib.suppress(ssl.SSLWantReadError):
            session.unwrap()  # writes its goodbye, and does not wait for the other's
        peer.sendall(outgoing.read())
        peer.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLSyscallError):
            while part := until_done(lambda: session.read(65536)):
                assert isinstance(part, bytes)
                got += part
    assert got.startswith(b"HTTP/1.1 200 OK\r\n") and b'"status":"ok"' in got


def test_the_python_client(secure: Daemon, authority: Authority, tmp_path: Path) -> None:
    with Client(secure.url, verify=str(authority.ca)) as client:
        assert client.predict(MODEL, STRUCTURES)[0].ok and client.predict(MODEL, STRUCTURES)[0].ok
    with Client(secure.url, verify=False) as client:
        assert client.models()
    with Client(secure.url, timeout=20) as client, pytest.raises(ConnectionFailed, match="certif"):
        client.models()
    plain = secure.url.replace("https", "http")
    with Client(plain, timeout=20) as client, pytest.raises(ConnectionFailed):
        client.models()
    calculator = IrrepCalculator(url=secure.url, model=MODEL, verify=str(authority.ca))
    assert calculator.parameters["verify"] == str(authority.ca)
    frames = tmp_path / "atom.xyz"
    frames.write_text("1\n\nSi 0 0 0\n")
    command = [sys.executable, "-m", "irrepd", str(frames), "--url", secure.url, "--model", MODEL]
    done = subprocess.run(
        [*command, "--ca-file", str(authority.ca), "--quiet", "--output", str(tmp_path / "o.xyz")],
        env={"PYTHONPATH": str(ROOT / "clients/python"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "energy=" in (tmp_path / "o.xyz").read_text()


def test_the_c_client_and_curl(secure: Daemon, authority: Authority, tmp_path: Path) -> None:
    package = ["pkg-config", "--cflags", "--libs", "libcurl", "libcjson"]
    libraries = subprocess.run(package, capture_output=True, text=True, check=True).stdout.split()
    sources = [str(ROOT / "clients/c" / name) for name in ("example.c", "irrepd_client.c")]
    program = str(tmp_path / "example")
    subprocess.run(["cc", "-o", program, *sources, *libraries, "-lm"], check=True)
    command = [program, secure.url, MODEL]
    done = subprocess.run([*command, authority.ca], capture_output=True, text=True)
    assert done.returncode == 0 and "silicon energy -1" in done.stdout, done.stderr
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 1 and "certificate" in refused.stderr
    pasted = subprocess.run(["sh", "-c", secure.lines[-1]], capture_output=True, timeout=PATIENCE)
    assert json.loads(pasted.stdout)["results"][0]["status"] == "ok"


def test_the_health_check(secure: Daemon) -> None:
    command = [str(DAEMON), "--healthcheck"]
    assert subprocess.run([*command, secure.url], timeout=PATIENCE).returncode == 0
    for url in (f"{secure.url}/nothing", secure.url.replace("https", "http")):
        bad = subprocess.run([*command, url], capture_output=True, text=True, timeout=PATIENCE)
        assert bad.returncode == 1 and "--healthcheck" in bad.stderr


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        pytest.param(post(length(), length()), 400, id="framing"),
        pytest.param(post(b"Content-Length: 1048577", body=b"{"), 413, id="announced"),
        pytest.param(post(CHUNKED, body=chunked(*[b" " * 65536] * 17)), 413, id="chunked"),
        pytest.param(LIVE + b"X: " + b"a" * 20000 + b"\r\n\r\n", 431, id="headers"),
    ],
)
def test_refusals_are_encrypted_too(secure: Daemon, request_bytes: bytes, status: int) -> None:
    with secure.connect() as peer:
        peer.sendall(request_bytes)
        answer = check(read_raw(peer))
        assert (answer.status, answer.headers["connection"]) == (status, "close")
        assert is_closed(peer)


def test_what_is_not_encrypted_is_not_answered(secure: Daemon) -> None:
    for text in (LIVE + b"\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 600, b""):
        with socket.create_connection((secure.host, secure.port), timeout=PATIENCE) as peer:
            got = b""
            with contextlib.suppress(OSError):
                peer.sendall(text)
                peer.shutdown(socket.SHUT_WR)
                while part := peer.recv(4096):
                    got += part
            assert not got.startswith(b"HTTP/")
    assert secure.ask("GET", "/v1/health/live").status == 200


def shake_hands(daemon: Daemon, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((daemon.host, daemon.port), timeout=PATIENCE)
    with contextlib.ExitStack() as stack:
        stack.callback(plain.close)
        peer = context.wrap_socket(plain, server_hostname=daemon.host)
        stack.pop_all()
        return peer


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure: Daemon, authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    with shake_hands(secure, context) as peer:
        assert peer.version() == version.name.replace("_", ".")
        assert "GCM" in peer.cipher()[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(secure: Daemon, authority: Authority) -> None:
    old = authority.context()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    weak = authority.context()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
    for context in (old, weak):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            shake_hands(secure, context).close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_slow_clients(start: Factory, authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    daemon = start(
        *flags(authority.issue("slow")), "--request-timeout-ms", "300", tls=context
    ).wait_ready()
    whole = LIVE + b"\r\n"
    for request in (LIVE[:9], LIVE + b"X-Half", post(b"Content-Length: 1000", body=b"{")):
        with daemon.connect() as peer:
            peer.sendall(request)
            answer = read_raw(peer)
            assert (answer.status, kind(answer)) == (408, "request-timeout")
        with daemon.connect() as peer:
            peer.sendall(whole)
            assert read_raw(peer).status == 200
            peer.sendall(request)
            assert read_raw(peer).status == 408
    assert daemon.metric("http_rejected_total", reason="timeout") == 6
    with daemon.connect() as silent:
        assert is_closed(silent)  # nothing was asked, nothing is answered
    with daemon.connect() as satisfied:
        satisfied.sendall(whole)
        assert read_raw(satisfied).status == 200
        assert is_closed(satisfied)
    with socket.create_connection((daemon.host, daemon.port), timeout=PATIENCE) as mute:
        assert mute.recv(100)[:1] in (b"", b"\x15")  # no handshake: an alert at most
    assert daemon.ask("GET", "/v1/health/live").status == 200


def test_clients_that_leave_and_the_drain(start: Factory, authority: Authority) -> None:
    daemon = start(
        *flags(authority.issue("leave")), "--workers", "1", tls=authority.context()
    ).wait_ready()
    leaving, first, idle = (daemon.connect() for _ in range(3))
    leaving.sendall(post(length(body(24)), body=body(24)))
    daemon.wait_for(lambda: busy(daemon), "the computation")
    leaving.close()
    daemon.wait_for(lambda: daemon.metric("requests_cancelled_total") == 1, "the leaving")
    daemon.wait_for(lambda: not busy(daemon), "the end of what nobody wants")
    idle.sendall(LIVE + b"\r\n")
    assert check(read_raw(idle)).status == 200
    first.sendall(post(length(body(4)), body=body(4)))
    daemon.wait_for(lambda: busy(daemon), "the computation")
    daemon.signal()
    assert check(read_raw(first)).status == 200
    assert is_closed(idle) and daemon.wait() == 0
    for peer in (first, idle):
        peer.close()


def serial(daemon: Daemon) -> int:
    with daemon.connect() as peer:
        assert isinstance(peer, ssl.SSLSocket)
        return int(peer.getpeercert()["serialNumber"], 16)


def test_certificates_are_read_again(start: Factory, authority: Authority, tmp_path: Path) -> None:
    def install(pair: tuple[Path, Path]) -> None:
        for source, place in zip(pair, live):
            shutil.copy(source, f"{place}.new")
            Path(f"{place}.new").rename(place)

    live = (tmp_path / "live.pem", tmp_path / "live.key")
    old, new = authority.issue("old"), authority.issue("new")
    install(old)
    daemon = start(*flags(live), "--workers", "1", tls=authority.context()).wait_ready()
    before = serial(daemon)
    with daemon.connect() as kept, daemon.connect() as waiting:
        kept.sendall(LIVE + b"\r\n")
        assert check(read_raw(kept)).status == 200
        waiting.sendall(post(length(body(6)), body=body(6)))
        daemon.wait_for(lambda: busy(daemon), "the computation")
        install(new)
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(lambda: serial(daemon) != before, "the new certificate")
        assert check(read_raw(waiting)).status == 200
        kept.sendall(LIVE + b"\r\n")
        assert check(read_raw(kept)).status == 200
    after = serial(daemon)
    for damage in ("nonsense\n", old[0].read_text()):  # the latter's key is another
        live[0].write_text(damage)
        count = daemon.log.read_text().count("the certificate stays as it was")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(
            lambda n=count: daemon.log.read_text().count("the certificate stays as it was") > n,
            "a complaint",
        )
        assert serial(daemon) == after


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(DAEMON), "--models", str(MODELS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)


def test_wrong_files(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("wrong")
    assert run("--check-config", *flags(pair)).returncode == 0
    only = run("--check-config", *flags(pair)[:2])
    assert only.returncode == 2 and "--tls-key" in only.stderr
    opened = tmp_path / "open.key"
    shutil.copy(pair[1], opened)
    opened.chmod(0o644)
    strange = authority.issue("strange")[1]
    for key, words in ((opened, "chmod"), (strange, "not the key"), (pair[0], "--tls-key")):
        for more in (("--check-config",), ("--listen", "127.0.0.1:0")):
            refused = run(*more, *flags((pair[0], key)))
            assert refused.returncode == 1 and words in refused.stderr
    for more in (("--check-config",), ()):
        refused = run(*more, "--listen", f"unix:{tmp_path}/socket", *flags(pair))
        assert refused.returncode == 1 and "not encrypted" in refused.stderr
    assert not (tmp_path / "socket").exists()
