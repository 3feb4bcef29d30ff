"""Bodies in gzip and zstd: bounded, refused by name where they are damaged; answers as accepted."""

from __future__ import annotations

import gzip
import json
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import zstandard
from conftest import PATIENCE, PREDICT, Answer, Daemon, Factory, check, kind, read_raw

SILICON = {
    "numbers": [14, 14],
    "positions": [[0, 0, 0], [1.36, 1.36, 1.36]],
    "cell": [[0, 2.72, 2.72], [2.72, 0, 2.72], [2.72, 2.72, 0]],
}
REQUEST = json.dumps({"structures": [SILICON], "precision": "float64"}).encode()
MANY = json.dumps({"structures": [SILICON] * 60}).encode()
LIMIT = 1 << 20  # --max-body-bytes of the daemon of these tests


def deflate(data: bytes) -> bytes:
    return gzip.compress(data, 6, mtime=0)


def zstd(data: bytes, **options: Any) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(data)


def unzstd(data: bytes) -> bytes:
    stream = zstandard.ZstdDecompressor().decompressobj()
    found = stream.decompress(data)
    assert stream.eof and not stream.unused_data
    return found


CODINGS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "gzip": (deflate, gzip.decompress),
    "zstd": (zstd, unzstd),
}
EACH = pytest.mark.parametrize("coding", CODINGS)


def post(daemon: Daemon, coding: str, data: bytes) -> Answer:
    return daemon.predict(data, {"Content-Encoding": coding})


def head(coding: str, *fields: str) -> bytes:
    lines = [f"POST {PREDICT} HTTP/1.1", "Host: x", "Content-Type: application/json"]
    lines += [f"Content-Encoding: {coding}", *fields, "", ""]
    return "\r\n".join(lines).encode()


def numbers(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return [{k: v for k, v in r.items() if k != "timing"} for r in answer.json()["results"]]


@EACH
def test_a_coded_body_is_the_body(daemon: Daemon, coding: str) -> None:
    encode, _ = CODINGS[coding]
    plain = numbers(daemon.predict(REQUEST))
    assert numbers(post(daemon, coding, encode(REQUEST))) == plain
    assert numbers(post(daemon, coding.upper(), encode(REQUEST))) == plain
    halves = encode(REQUEST[:100]) + encode(b"") + encode(REQUEST[100:])
    assert numbers(post(daemon, coding, halves)) == plain
    data = encode(REQUEST)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n"
    assert numbers(daemon.raw(head(coding, "Transfer-Encoding: chunked") + chunks)) == plain


@EACH
def test_pipelined(daemon: Daemon, coding: str) -> None:
    encode, _ = CODINGS[coding]
    plain = numbers(daemon.predict(REQUEST))
    one = head(coding, f"Content-Length: {len(encode(REQUEST))}") + encode(REQUEST)
    last = b"GET /v1/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with daemon.connect() as peer:
        peer.sendall(one * 5 + last)
        data = b"".join(iter(lambda: peer.recv(65536), b""))
    bodies = [part.split(b"\r\n\r\n", 1)[1] for part in data.split(b"HTTP/1.1 200 OK\r\n")[1:]]
    assert [json.loads(body).get("results") for body in bodies] == [plain] * 5 + [None]


@EACH
def test_truncated_at_every_byte(daemon: Daemon, coding: str) -> None:
    encode, _ = CODINGS[coding]
    data = encode(REQUEST)
    with daemon.connect() as peer:  # one that goes on after each refusal
        for n in range(1, len(data)):
            peer.sendall(head(coding, f"Content-Length: {n}") + data[:n])
            answer = check(read_raw(peer))
            assert (answer.status, kind(answer)) == (400, "malformed-encoding")
            assert coding in answer.json()["detail"] and "ends before" in answer.json()["detail"]


@EACH
def test_damaged(daemon: Daemon, coding: str) -> None:
    encode, _ = CODINGS[coding]
    data = encode(REQUEST)
    flipped = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0xFF])
    flipped += data[len(flipped) :]
    wrong_sum = data[:-5] + bytes([data[-5] ^ 1]) + data[-4:] if coding == "gzip" else data[:-1]
    other = zstd(REQUEST) if coding == "gzip" else deflate(REQUEST)
    for bad in (REQUEST, other, flipped, wrong_sum, data + b"garbage", zlib.compress(REQUEST)):
        answer = post(daemon, coding, bad)
        assert (answer.status, kind(answer)) == (400, "malformed-encoding"), bad[:20]
    detail = post(daemon, coding, data + b"garbage").json()["detail"]
    assert "bytes follow its end" in detail
    assert numbers(post(daemon, coding, data)) == numbers(daemon.predict(REQUEST))


@EACH
def test_bounds(daemon: Daemon, coding: str) -> None:
    """A body may be as large as it may be without a coding, to the byte."""
    encode, _ = CODINGS[coding]
    padded = REQUEST + b" " * (LIMIT - len(REQUEST))
    assert numbers(post(daemon, coding, encode(padded))) == numbers(daemon.predict(REQUEST))
    answer = post(daemon, coding, encode(padded + b" "))
    assert (answer.status, kind(answer)) == (413, "body-too-large")


def bomb(coding: str) -> bytes:
    """About half a megabyte that becomes half a gigabyte or more."""
    if coding == "gzip":
        return gzip.compress(bytes(1 << 29), 9)
    frame = zstd(bytes(1 << 27), level=1)
    return frame * min(500_000 // len(frame), 64)


@EACH
def test_bombs(daemon: Daemon, coding: str) -> None:
    """Refused at the bound, and others are answered meanwhile."""
    data = bomb(coding)
    before = daemon.metric("process_cpu_seconds_total")
    answers: list[Answer] = []

    def explode() -> None:
        answers.append(post(daemon, coding, data))

    threads = [threading.Thread(target=explode) for _ in range(8)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        begun = time.monotonic()
        assert daemon.ask("GET", "/v1/health/live").status == 200
        slowest = max(slowest, time.monotonic() - begun)
    for thread in threads:
        thread.join(PATIENCE)
    assert [(a.status, kind(a)) for a in answers] == [(413, "body-too-large")] * 8
    assert slowest < PATIENCE / 10
    # Eight that were decoded to their end would be 4 GB.
    assert daemon.metric("process_cpu_seconds_total") - before < PATIENCE / 10
    assert daemon.metric("memory_bytes", part="bodies") == 0


def test_a_window_that_is_too_large(daemon: Daemon) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24, write_content_size=False)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    answer = post(daemon, "zstd", stream.compress(REQUEST) + stream.flush())
    assert (answer.status, kind(answer)) == (400, "malformed-encoding")
    assert "memory" in answer.json()["detail"]


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, zstd", "gzip, gzip", "*", "compress"])
def test_unknown_codings(daemon: Daemon, coding: str) -> None:
    answer = post(daemon, coding, REQUEST)
    assert (answer.status, kind(answer)) == (415, "unsupported-content-encoding")
    assert answer.headers["accept-encoding"] == "gzip, zstd"
    plain = daemon.predict(REQUEST, {"Content-Type": "text/plain"})
    assert plain.status == 415 and "accept-encoding" not in plain.headers


def test_an_empty_body(daemon: Daemon) -> None:
    assert kind(post(daemon, "gzip", b"")) == "malformed-json"
    chunked = daemon.raw(head("gzip", "Transfer-Encoding: chunked") + b"0\r\n\r\n")
    assert kind(chunked) == "malformed-encoding"
    assert kind(post(daemon, "gzip", deflate(b""))) == "malformed-json"


@EACH
def test_answers(daemon: Daemon, coding: str) -> None:
    _, decode = CODINGS[coding]
    plain = daemon.predict(MANY)
    assert len(plain.body) > 16384 and "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    answer = daemon.predict(MANY, {"Accept-Encoding": coding})
    assert answer.headers["content-encoding"] == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.body) < len(plain.body) * 0.6
    assert json.loads(decode(answer.body))["results"] == plain.json()["results"]
    small = daemon.predict(REQUEST, {"Accept-Encoding": coding})
    assert "content-encoding" not in small.headers and "vary" not in small.headers


def test_http_1_0(daemon: Daemon) -> None:
    """It knows no chunks: the answer ends with the connection."""
    fields = ["Accept-Encoding: gzip", f"Content-Length: {len(MANY)}"]
    request = head("identity", *fields).replace(b"HTTP/1.1", b"HTTP/1.0") + MANY
    with daemon.connect() as peer:
        peer.sendall(request)
        data = b"".join(iter(lambda: peer.recv(65536), b""))
    top, body = data.split(b"\r\n\r\n", 1)
    assert b"Content-Encoding: gzip" in top and b"chunked" not in top
    assert len(json.loads(gzip.decompress(body))["results"]) == 60


@EACH
def test_files_of_the_page(start: Factory, coding: str) -> None:
    _, decode = CODINGS[coding]
    daemon = start("--compress-above", "1000").wait_ready()
    path = "/page/space_groups.js"
    accept = {"Accept-Encoding": coding}
    plain, coded = daemon.ask("GET", path), daemon.ask("GET", path, headers=accept)
    assert decode(coded.body) == plain.body
    # One weak validator for all codings.
    assert coded.headers["etag"] == plain.headers["etag"] and plain.headers["etag"][:2] == "W/"
    same = daemon.ask("GET", path, headers={**accept, "If-None-Match": plain.headers["etag"]})
    assert (same.status, same.body) == (304, b"")
    assert "content-encoding" not in same.headers and same.headers["vary"] == "Accept-Encoding"
    without = daemon.ask("HEAD", path, headers=accept)
    assert (without.status, without.body) == (200, b"")
    for name in ("content-encoding", "vary", "etag", "content-type"):
        assert without.headers[name] == coded.headers[name]
    assert "content-length" not in without.headers
    assert daemon.ask("HEAD", path).headers["content-length"] == str(len(plain.body))


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, zstd", "zstd"),
        ("gzip;q=0.9, zstd;q=0.8", "gzip"),
        ("br, gzip;q=0.1", "gzip"),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("br, deflate", None),
        ("*", "zstd"),
    ],
)
def test_negotiation(daemon: Daemon, accepted: str, coding: str | None) -> None:
    answer = daemon.predict(MANY, {"Accept-Encoding": accepted})
    assert answer.headers.get("content-encoding") == coding


@pytest.mark.parametrize("accepted", ["identity;q=0", "*;q=0", "br, identity;q=0", "br, *;q=0"])
def test_nothing_acceptable(daemon: Daemon, accepted: str) -> None:
    for path in ("/v1/health/live", "/v1/models", "/metrics"):
        answer = daemon.ask("GET", path, headers={"Accept-Encoding": accepted})
        assert (answer.status, kind(answer)) == (406, "not-acceptable")


def test_identity_refused(daemon: Daemon) -> None:
    """Then small answers are coded too, and binary ones."""
    accept = {"Accept-Encoding": "gzip, identity;q=0"}
    answer = daemon.ask("GET", "/v1/health/live", headers=accept)
    assert json.loads(gzip.decompress(answer.body)) == {"status": "live"}


@EACH
def test_streams(daemon: Daemon, coding: str) -> None:
    """Each event can be decoded when it is told, and the whole is what it is without a coding."""
    _, decode = CODINGS[coding]
    md = {"ensemble": "nve", "timestep": 1.0, "steps": 40, "every": 1, "seed": 3}
    body = json.dumps({"structures": [SILICON], "md": md}).encode()
    path = PREDICT.replace("predict", "md")
    headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
    plain = daemon.ask("POST", path, body, headers)
    coded = daemon.ask("POST", path, body, {**headers, "Accept-Encoding": coding})
    assert coded.headers["content-encoding"] == coding
    assert decode(coded.body) == plain.body
    assert len(plain.body.splitlines()) > 40


def test_the_events_of_a_stream_come_at_once(daemon: Daemon) -> None:
    md = {"ensemble": "nve", "timestep": 1.0, "steps": 1_000_000, "every": 1, "seed": 3}
    body = json.dumps({"structures": [SILICON], "md": md}).encode()
    fields = ["Accept: application/x-ndjson", "Accept-Encoding: gzip"]
    request = head("identity", *fields, f"Content-Length: {len(body)}").replace(b"predict", b"md")
    stream = zlib.decompressobj(31)
    with daemon.connect() as peer:
        peer.sendall(request + body)
        data, found = b"", b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(65536)
        data = data.split(b"\r\n\r\n", 1)[1]
        while found.count(b'"event":"frame"') < 3:  # it would be minutes to its end
            while b"\r\n" in data:
                size, rest = data.split(b"\r\n", 1)
                if len(rest) < int(size, 16) + 2:
                    break
                found += stream.decompress(rest[: int(size, 16)])
                data = rest[int(size, 16) + 2 :]
            data += peer.recv(65536)
    assert all(json.loads(line)["event"] for line in found.splitlines()[:3])
