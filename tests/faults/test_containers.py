"""A daemon in a container that holds less than it is asked for: `make containers`, in short."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from control_group import ControlGroup, Unavailable
from daemon import Factory
from storm import Storm, requests, widest

LIMIT = 128 << 20
BODY = 1_000_000  # of some 16,000 atoms, whose answer takes five times as much
SECONDS = 3.0
CLIENTS = {"slow": 26, "small": 2}


@pytest.fixture
def group() -> Iterator[ControlGroup]:
    try:
        made = ControlGroup("irrepd-test", LIMIT)
    except Unavailable as error:
        pytest.skip(str(error))
    yield made
    made.remove()


def test_a_storm_in_128_megabytes(group: ControlGroup, start: Factory) -> None:
    daemon = start("--request-timeout-ms", "8000", inside=group.command).wait_ready()
    storm = Storm(daemon, requests(BODY, widest(daemon, LIMIT // 8)))
    storm.blow(SECONDS, CLIENTS)
    figures = f"{storm}\npeak {group.peak() >> 20} MiB"
    print(figures)
    assert group.kills() == 0 and daemon.process.poll() is None, figures
    assert not storm.wrong, figures
    assert storm.count("small", 200) > 0 and storm.count("slow", 200) > 0, figures
    assert group.peak() < LIMIT, figures
    daemon.end()
