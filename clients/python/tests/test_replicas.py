from __future__ import annotations

import pytest
from fake_server import FakeServer

import irrepd
from irrepd.errors import ConnectionFailed
from irrepd.replicas import batches, evaluate_batch

ENTRIES = [irrepd.structure([1], [[float(i), 0, 0]]) for i in range(6)]
NOBODY = "http://127.0.0.1:9"


def n_asked(server: FakeServer) -> int:
    return sum(len(request["structures"]) for request in server.requests)


def test_batches() -> None:
    assert [len(batch) for batch in batches(ENTRIES, 4, 100)] == [4, 2]
    assert [len(batch) for batch in batches(ENTRIES, 100, 2)] == [2, 2, 2]


def test_one_url(server: FakeServer) -> None:
    assert len(evaluate_batch(ENTRIES, "springs", server.url, 3)) == 6


def test_replicas_take_turns(server: FakeServer) -> None:
    with FakeServer() as other:
        for first in range(4):
            results = evaluate_batch(ENTRIES, "springs", (server.url, other.url), first)
            assert [result["energy"] for result in results] == [i * i / 2 for i in range(6)]
        assert n_asked(server) == n_asked(other) == 12
        other.shutdown()


def test_replicas_that_are_gone_are_passed_over(server: FakeServer) -> None:
    for first in range(2):
        assert len(evaluate_batch(ENTRIES, "springs", (NOBODY, server.url), first)) == 6
    with pytest.raises(ConnectionFailed):
        evaluate_batch(ENTRIES, "springs", (NOBODY, NOBODY))
    with pytest.raises(ValueError, match="urls"):
        evaluate_batch(ENTRIES, "springs", ())
