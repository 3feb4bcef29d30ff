"""Bodies in gzip and zstd, both ways."""

from __future__ import annotations

import pickle

import pytest
from fake_server import FakeServer
from test_client import ATOM, energy

from irrepd import codings
from irrepd.calculator import IrrepCalculator
from irrepd.client import Client
from irrepd.errors import ConnectionFailed

DATA = b'{"structures": []}' * 1000


@pytest.mark.parametrize("coding", codings.CODINGS)
def test_both_ways(coding: str) -> None:
    data = codings.encoded(coding, DATA)
    assert len(data) < len(DATA) / 10
    assert codings.decoded(coding, data) == DATA
    for wrong in (data[:-1], data + b"x", DATA, b""):
        with pytest.raises(ConnectionFailed):
            codings.decoded(coding, wrong)
    assert codings.decoded(None, DATA) == codings.decoded("identity", DATA) == DATA
    with pytest.raises(ConnectionFailed, match="nobody has asked"):
        codings.decoded("br", DATA)


@pytest.mark.parametrize("coding", codings.CODINGS)
@pytest.mark.parametrize("answered", [None, *codings.CODINGS])
def test_a_client_that_compresses(server: FakeServer, coding: str, answered: str | None) -> None:
    client = Client(server.url, compress=coding)
    server.coding = answered
    assert energy(client) == energy(Client(server.url))
    sent = server.headers[0]
    assert sent["Content-Encoding"] == coding
    assert sent["Accept-Encoding"] == codings.accepted(coding)
    assert "Content-Encoding" not in server.headers[1]
    assert server.headers[1]["Accept-Encoding"] == "identity"
    assert pickle.loads(pickle.dumps(client)).compress == coding


def test_large_bodies(server: FakeServer) -> None:
    found = Client(server.url, compress="gzip").predict("springs", [ATOM] * 1000)
    assert server.requests[0]["binary"] and server.headers[0]["Content-Encoding"] == "gzip"
    assert len(found) == 1000


def test_what_is_no_coding(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="gzip, zstd"):
        Client(compress="br")
    monkeypatch.setattr(codings, "_ZSTD_MODULES", ("no_such_module",))
    with pytest.raises(ImportError, match="pip install zstandard"):
        Client(compress="zstd")


def test_a_calculator_that_compresses(server: FakeServer) -> None:
    calculator = IrrepCalculator(server.url, "springs", compress="gzip")
    assert calculator.client.compress == "gzip"
    calculator.set(compress=None)
    assert calculator.client.compress is None
