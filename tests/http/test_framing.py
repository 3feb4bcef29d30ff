"""Requests that are no good HTTP, too large, or too slow; several on one connection."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from http.client import RemoteDisconnected
from pathlib import Path

import pytest
from conftest import PATIENCE, PREDICT, Answer, Daemon, Factory, check, kind, read_raw

ATOM = json.dumps({"structures": [{"numbers": [14], "positions": [[0, 0, 0]]}]}).encode()
LIVE = b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\n"


def test_connections_of_one_address(start: Factory) -> None:
    daemon = start("--max-connections-address", "2").wait_ready()
    with daemon.connect() as first, daemon.connect() as second:
        for peer in (first, second):
            peer.sendall(LIVE + b"\r\n")
            assert check(read_raw(peer)).status == 200
        with daemon.connect() as third:
            assert is_closed(third)
        second.sendall(LIVE + b"\r\n")
        assert check(read_raw(second)).status == 200
    daemon.wait_for(lambda: answers(daemon), "room for another connection")


def answers(daemon: Daemon) -> bool:
    try:
        return daemon.raw(LIVE + b"\r\n").status == 200
    except (RemoteDisconnected, ConnectionError):
        return False


def post(*fields: bytes, body: bytes = ATOM) -> bytes:
    head = [
        b"POST " + PREDICT.encode() + b" HTTP/1.1",
        b"Host: x",
        b"Content-Type: application/json",
    ]
    return b"\r\n".join([*head, *fields, b"", body])


def length(body: bytes = ATOM) -> bytes:
    return b"Content-Length: %d" % len(body)


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


CHUNKED = b"Transfer-Encoding: chunked"
WHOLE = chunked(ATOM) + b"0\r\n\r\n"


def statuses(peer: socket.socket) -> list[int]:
    """Of all answers until the connection ends."""
    text = b""
    while received := peer.recv(65536):
        text += received
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", text)]


def is_closed(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post(length(), length()), id="two equal lengths"),
        pytest.param(post(length(), b"Content-Length: 3"), id="two lengths"),
        pytest.param(post(b"content-length: 0", length()), id="lengths in other case"),
        pytest.param(post(length(), CHUNKED, body=WHOLE), id="length and chunked"),
        pytest.param(post(CHUNKED, length(), body=WHOLE), id="chunked and length"),
        pytest.param(post(CHUNKED, CHUNKED, body=WHOLE), id="chunked twice"),
        pytest.param(post(b"Transfer-Encoding: gzip"), id="another encoding"),
        pytest.param(post(b"Transfer-Encoding: gzip, chunked", body=WHOLE), id="two encodings"),
        pytest.param(post(b"Transfer-Encoding: identity", length()), id="identity"),
        pytest.param(post(b"Transfer-Encoding: \tchunked ", body=WHOLE), id="blank after encoding"),
        pytest.param(post(b"Transfer-Encoding : chunked", length()), id="blank before colon"),
        pytest.param(post(b"Content-Length : 3", length()), id="length, blank before colon"),
        pytest.param(post(b"Transfer-Encoding:\r\n chunked", length()), id="folded encoding"),
        pytest.param(post(b"X: a\r\n Content-Length: 3", length()), id="folded field"),
        pytest.param(post(b"X: a\nContent-Length: 3", length()), id="bare LF"),
        pytest.param(post(b"X: a\rContent-Length: 3", length()), id="bare CR"),
        pytest.param(post(b"X: a\x00b", length()), id="NUL"),
        pytest.param(post(b"X: a\x01b", length()), id="control character"),
        pytest.param(post(b"X y: 1", length()), id="name with a blank"),
        pytest.param(post(b": 1", length()), id="no name"),
        pytest.param(LIVE + b": 1\r\nX: 2\r\n\r\n", id="no name in a GET"),
        pytest.param(b"GET /v1/health/live HTTP/1.0\r\n: 1\r\n\r\n", id="no name, first line"),
        pytest.param(post(b"Host: y", length()), id="two hosts"),
        pytest.param(LIVE.replace(b"Host: x\r\n", b"") + b"\r\n", id="no host"),
        pytest.param(LIVE.replace(b"Host: x", b"Host: x y") + b"\r\n", id="two words as host"),
        pytest.param(b"GET /v1/health/live HTTP/1.1\nHost: x\r\n\r\n", id="line ended by LF"),
        pytest.param(b"GET /v1/ health HTTP/1.1\r\nHost: x\r\n\r\n", id="blank in path"),
        pytest.param(b"GET /v1/health/live\0/x HTTP/1.1\r\nHost: x\r\n\r\n", id="NUL in path"),
        pytest.param(b"GET /v1/health/live?a b HTTP/1.1\r\nHost: x\r\n\r\n", id="blank in query"),
        pytest.param(b"GET /v1/health/live?\1 HTTP/1.1\r\nHost: x\r\n\r\n", id="control in query"),
        pytest.param(b"GET  /v1/health/live HTTP/1.1\r\nHost: x\r\n\r\n", id="two blanks"),
        pytest.param(b"GET v1 HTTP/1.1\r\nHost: x\r\n\r\n", id="relative path"),
        pytest.param(
            post(CHUNKED, body=WHOLE).replace(b"HTTP/1.1", b"HTTP/1.0"), id="chunked in HTTP/1.0"
        ),
    ],
)
def test_ambiguous_requests_are_refused_and_end_the_connection(
    daemon: Daemon, request_bytes: bytes
) -> None:
    with daemon.connect() as peer:
        peer.sendall(request_bytes)
        peer.sendall(LIVE + b"\r\n")  # smuggled: must never be answered
        answer = check(read_raw(peer))
        assert answer.status == 400
        assert answer.headers["connection"] == "close"
        assert is_closed(peer)
    assert daemon.ask("GET", "/v1/health/live").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post(b"Content-Length: -1"), id="negative length"),
        pytest.param(post(b"Content-Length: +5"), id="signed length"),
        pytest.param(post(b"Content-Length: 0x10"), id="hexadecimal length"),
        pytest.param(post(b"Content-Length: 5 5"), id="two numbers"),
        pytest.param(post(b"Content-Length: 5, 5"), id="a list of lengths"),
        pytest.param(post(b"Content-Length: "), id="empty length"),
        pytest.param(post(b"Content-Length:"), id="no length"),
        pytest.param(post(b"Content-Length: 18446744073709551616"), id="length of 2^64"),
        pytest.param(post(CHUNKED, body=b"zz\r\n{}\r\n0\r\n\r\n"), id="chunk size no number"),
        pytest.param(post(CHUNKED, body=b"\r\n{}\r\n0\r\n\r\n"), id="no chunk size"),
        pytest.param(post(CHUNKED, body=b"-2\r\n{}\r\n0\r\n\r\n"), id="negative chunk"),
        pytest.param(post(CHUNKED, body=b"+2\r\n{}\r\n0\r\n\r\n"), id="signed chunk"),
        pytest.param(post(CHUNKED, body=b"0x2\r\n{}\r\n0\r\n\r\n"), id="prefixed chunk"),
        pytest.param(post(CHUNKED, body=b"2\r\n{}XX0\r\n\r\n"), id="chunk without its end"),
        pytest.param(post(CHUNKED, body=b"2\n{}\r\n0\r\n\r\n"), id="chunk size ended by LF"),
        pytest.param(post(CHUNKED, body=b"2\r\n{}\n0\r\n\r\n"), id="chunk ended by LF"),
        pytest.param(post(CHUNKED, body=b"f" * 17 + b"\r\n{}\r\n"), id="endless chunk"),
        pytest.param(post(CHUNKED, body=b"2;" + b"x" * 9000 + b"\r\n{}"), id="endless extension"),
        pytest.param(post(CHUNKED, body=b"0\r\nno colon\r\n\r\n"), id="trailer without a colon"),
        pytest.param(
            post(CHUNKED, body=b"0\r\n" + b"X: y\r\n" * 2000 + b"\r\n"), id="endless trailers"
        ),
        pytest.param(b"GARBAGE\r\n\r\n", id="no request line"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(LIVE.replace(b"HTTP/1.1", b"HTTP/x.y") + b"\r\n", id="version"),
        pytest.param(LIVE.replace(b" HTTP/1.1", b"") + b"\r\n", id="no version"),
        pytest.param(LIVE + b"no colon\r\n\r\n", id="no colon"),
        pytest.param(LIVE + b"X: a\0\n\r\n", id="NUL before LF"),
        pytest.param(LIVE + b"X: a\r\0\n\r\n", id="CR and NUL before LF"),
    ],
)
def test_what_no_parser_should_take(daemon: Daemon, request_bytes: bytes) -> None:
    """One answer, ours, and the end of the connection."""
    with daemon.connect() as peer:
        peer.sendall(request_bytes)
        answer = check(read_raw(peer))
        assert (answer.status, kind(answer)) == (400, "malformed-request")
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-request-id"]
        assert is_closed(peer)
    assert daemon.ask("GET", "/v1/health/live").status == 200


def test_other_versions(daemon: Daemon) -> None:
    for version in (b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2"):
        answer = check(daemon.raw(LIVE.replace(b"HTTP/1.1", version) + b"\r\n"))
        assert (answer.status, kind(answer)) == (505, "http-version")


def test_refused_heads_are_counted_and_keep_their_id(daemon: Daemon) -> None:
    before = daemon.metric("http_rejected_total", reason="framing")
    answer = daemon.raw(post(b"X-Request-Id: mine", b"Content-Length: +5"))
    assert answer.headers["x-request-id"] == "mine"
    assert daemon.metric("http_rejected_total", reason="framing") == before + 1


def test_a_bad_request_behind_a_good_one_is_answered_after_it(daemon: Daemon) -> None:
    with daemon.connect() as peer:
        peer.sendall(post(length()) + LIVE + b"X: a\n\r\n" + LIVE + b"\r\n")
        assert statuses(peer) == [200, 400]


def test_heads_that_come_byte_by_byte(daemon: Daemon) -> None:
    request = post(CHUNKED, body=b"") + chunked(ATOM[:5], ATOM[5:]) + b"0\r\nX: y\r\n\r\n"
    with daemon.connect() as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\n" + request + LIVE + b"Connection: close\r\n\r\n":
            peer.sendall(bytes([byte]))
        assert statuses(peer) == [200, 200]


def test_chunked_bodies(daemon: Daemon) -> None:
    parts = [ATOM[i : i + 7] for i in range(0, len(ATOM), 7)]
    body = chunked(*parts) + b"0\r\nX-Trailer: 1\r\n\r\n"
    assert daemon.raw(post(CHUNKED, body=body)).status == 200
    extended = b"%x;ext=1\r\n%s\r\n0\r\n\r\n" % (len(ATOM), ATOM)
    assert daemon.raw(post(CHUNKED, body=extended)).status == 200
    lengthy = daemon.raw(post(length()))
    assert lengthy.status == 200


def test_expect_continue(daemon: Daemon) -> None:
    with daemon.connect() as peer:
        peer.sendall(post(length(), b"Expect: 100-continue", body=b""))
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(ATOM)
        assert check(read_raw(peer)).status == 200


@pytest.mark.parametrize("count", [1, 200])
def test_too_large_headers(daemon: Daemon, count: int) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (i, b"a" * (20000 // count)) for i in range(count))
    answer = daemon.raw(LIVE + fields + b"\r\n")
    assert (answer.status, kind(answer)) == (431, "headers-too-large")


def test_endless_headers(daemon: Daemon) -> None:
    with daemon.connect() as peer:
        peer.sendall(LIVE)
        try:
            for _ in range(1000):
                peer.sendall(b"X: " + b"a" * 1000 + b"\r\n")
        except OSError:
            return
        assert read_raw(peer).status == 431


def test_too_long_paths(daemon: Daemon) -> None:
    answer = daemon.raw(b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.status == 400
    with daemon.connect() as peer:
        peer.sendall(b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = read_raw(peer)
        assert (answer.status, kind(answer)) == (414, "target-too-long")


def test_announced_body_too_large(daemon: Daemon) -> None:
    answer = daemon.raw(post(b"Content-Length: 1048577", body=b"{"))
    assert (answer.status, kind(answer)) == (413, "body-too-large")
    assert answer.headers["connection"] == "close"
    answer = daemon.raw(post(b"Content-Length: 9223372036854775807", body=b"{"))
    assert (answer.status, kind(answer)) == (413, "body-too-large")
    answer = daemon.raw(post(b"Content-Length: 999999999999", b"Expect: 100-continue", body=b""))
    assert (answer.status, kind(answer)) == (413, "body-too-large")


def test_whole_body_too_large_still_sees_the_answer(daemon: Daemon) -> None:
    answer = daemon.predict(b" " * (3 << 20))
    assert (answer.status, kind(answer)) == (413, "body-too-large")


def test_chunked_body_too_large(daemon: Daemon) -> None:
    answer = daemon.raw(post(CHUNKED, body=chunked(*[b" " * 65536] * 17)))
    assert (answer.status, kind(answer)) == (413, "body-too-large")


def taken(daemon: Daemon, kind: str) -> int:
    """Bytes of one kind that the daemon's account of its memory tells."""
    return int(daemon.ask("GET", "/v1/status").json()["memory"]["taken_bytes"][kind])


def test_bodies_together_too_large(start: Factory) -> None:
    daemon = start("--max-body-bytes", "1M", "--max-receiving-bytes", "1M").wait_ready()
    blank = b" " * 800_000
    with daemon.connect() as first, daemon.connect() as second:
        first.sendall(post(length(blank), body=blank[1:]))
        daemon.wait_for(lambda: taken(daemon, "bodies") > 700_000, "most of the first body")
        threading.Thread(target=second.sendall, args=(post(length(blank), body=blank),)).start()
        assert daemon.predict(ATOM).status == 200  # short ones do not wait
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.recv(1, socket.MSG_PEEK)
        first.sendall(b" ")
        assert check(read_raw(first)).status == 400
        second.settimeout(PATIENCE)
        assert check(read_raw(second)).status == 400
    daemon.wait_for(lambda: taken(daemon, "bodies") == 0, "the bodies to be forgotten")


def test_answers_that_are_not_read(start: Factory) -> None:
    daemon = start("--max-body-bytes", "32M", "--max-receiving-bytes", "32M").wait_ready()
    size = 28 << 20
    structures = [{"id": "x" * size}, {"numbers": [14], "positions": [[0, 0, 0]]}]
    body = json.dumps({"structures": structures}).encode()
    request = post(length(body), body=body)
    with contextlib.ExitStack() as stack:
        for n in range(1, 3):
            stack.enter_context(daemon.connect()).sendall(request)
            daemon.wait_for(lambda n=n: taken(daemon, "answers") >= n * size, "an answer")
        assert daemon.predict(ATOM).status == 200
        last = stack.enter_context(daemon.connect())
        last.sendall(request)
        daemon.wait_for(lambda: taken(daemon, "bodies") >= size, "a body that waits")
        assert daemon.predict(ATOM).status == 200 and taken(daemon, "bodies") >= size
        stack.pop_all().close()
    daemon.wait_for(lambda: taken(daemon, "answers") == 0, "the answers to be forgotten")


def memory(daemon: Daemon) -> int:
    """Its largest resident memory so far, in bytes."""
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)
    assert found
    return 1024 * int(found[1])


def test_promises_cost_no_memory(start: Factory) -> None:
    daemon = start("--max-body-bytes", "1G", "--max-receiving-bytes", "1G").wait_ready()
    assert daemon.predict(ATOM).status == 200
    before = memory(daemon)
    declared = [daemon.connect() for _ in range(50)]
    for peer in declared:
        peer.sendall(post(b"Content-Length: 1000000000", body=b"{"))
    assert daemon.ask("GET", "/v1/health/ready").status == 200
    for peer in declared:
        peer.close()
    assert memory(daemon) - before < 32 << 20
    zeros = b'{"structures":[{"numbers":[' + b"0," * 10_000_000 + b"0]}]}"
    answer = daemon.predict(zeros)
    assert (answer.status, kind(answer)) == (413, "too-many-values")
    assert memory(daemon) - before < 200 << 20


def test_endless_chunks(start: Factory) -> None:
    daemon = start("--max-body-bytes", "4M").wait_ready()
    before = memory(daemon)
    with daemon.connect() as peer:
        peer.sendall(post(CHUNKED, body=b""))
        with contextlib.suppress(OSError):
            for _ in range(1000):
                peer.sendall(chunked(b" " * 65536))
        with contextlib.suppress(OSError, RemoteDisconnected):
            assert read_raw(peer).status == 413
    assert memory(daemon) - before < 32 << 20
    assert daemon.ask("GET", "/v1/health/ready").status == 200


def test_slow_clients(start: Factory) -> None:
    daemon = start("--request-timeout-ms", "300")
    daemon.wait_ready()
    slow_header = LIVE + b"X-Half"
    slow_line = b"GET /v1/hea"
    slow_body = post(b"Content-Length: 1000", body=b"{")
    slow_chunk = post(CHUNKED, body=b"100\r\n{")
    for request in (slow_header, slow_line, slow_body, slow_chunk):
        answer = daemon.raw(request)
        assert (answer.status, kind(answer)) == (408, "request-timeout")
    with daemon.connect() as dripping:
        dripping.sendall(post(b"Content-Length: 1000", body=b""))
        started = time.monotonic()
        dripping.settimeout(0.05)
        answer: Answer | None = None
        while answer is None and time.monotonic() - started < 30:
            try:
                answer = check(read_raw(dripping))
            except TimeoutError:
                dripping.sendall(b" ")
        assert answer is not None and answer.status == 408
    with daemon.connect() as silent:
        assert silent.recv(1) == b""  # nothing was asked, nothing is answered
    with daemon.connect() as idle:
        idle.sendall(LIVE + b"\r\n")
        assert read_raw(idle).status == 200
        assert idle.recv(1) == b""
    assert daemon.metric("http_rejected_total", reason="timeout") == 5


def read_all(peer: socket.socket, count: int) -> list[tuple[int, bytes]]:
    """Reads answers that come one behind the other."""
    got, answers = b"", []
    while len(answers) < count:
        head, end, rest = got.partition(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        if end and len(rest) >= size:
            answers.append((int(head.split()[1]), rest[:size]))
            got = rest[size:]
            continue
        part = peer.recv(65536)
        assert part, "the connection ended early"
        got += part
    assert got == b""
    return answers


def test_keep_alive(daemon: Daemon) -> None:
    with daemon.connect() as peer:
        for _ in range(5):
            peer.sendall(LIVE + b"\r\n")
            assert read_all(peer, 1)[0][0] == 200
            peer.sendall(post(length()))
            assert read_all(peer, 1)[0][0] == 200
            peer.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_all(peer, 1)[0][0] == 404
        peer.sendall(LIVE + b"Connection: close\r\n\r\n")
        assert read_all(peer, 1)[0][0] == 200
        assert is_closed(peer)


def test_http_1_0(daemon: Daemon) -> None:
    with daemon.connect() as peer:
        peer.sendall(b"GET /v1/health/live HTTP/1.0\r\n\r\n")
        assert read_all(peer, 1)[0] == (200, b'{"status":"live"}\n')
        assert is_closed(peer)


def test_clients_that_close_their_side_early(daemon: Daemon) -> None:
    """A GET is answered still; of half a request nothing is heard, and the connection is freed."""
    with daemon.connect() as peer:
        peer.sendall(LIVE + b"\r\n")
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer, 1)[0][0] == 200
        assert is_closed(peer)
    for part in (b"", b"GET /v1", LIVE, post(b"Content-Length: 9", body=b"{")):
        with daemon.connect() as peer:
            peer.settimeout(PATIENCE / 3)
            peer.sendall(part)
            peer.shutdown(socket.SHUT_WR)
            while not is_closed(peer):
                pass


def test_pipelining_keeps_the_order(daemon: Daemon) -> None:
    requests = [LIVE + b"\r\n", post(length()), b"GET /v1/models/x HTTP/1.1\r\nHost: x\r\n\r\n"] * 4
    with daemon.connect() as peer:
        peer.sendall(b"".join(requests))
        answers = read_all(peer, len(requests))
    assert [status for status, _ in answers] == [200, 200, 404] * 4
    assert json.loads(answers[1][1])["results"][0]["status"] == "ok"
