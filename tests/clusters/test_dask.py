"""irrepd.dask over replicas, with a cluster of Dask's on this machine."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import dask.bag
import distributed
import numpy as np
import pytest
from conftest import ROOT, Fleet

import irrepd
import irrepd.dask

N = 3000


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.Client]:
    options = {"n_workers": 2, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**options) as made, distributed.Client(made) as client:
        yield client


def dimers(n: int = N) -> Iterator[dict[str, Any]]:
    for i in range(n):
        yield irrepd.structure([8, 1], [[0, 0, 0], [0, 0, 0.8 + 1e-3 * i]])


def expected(fleet: Fleet, model: str, n: int = N) -> list[float]:
    return [result["energy"] for result in irrepd.evaluate(dimers(n), model, fleet.urls[0])]


def test_iterable(fleet: Fleet, model: str, cluster: distributed.Client) -> None:
    wanted, before = expected(fleet, model), fleet.n_computed()
    options = {"cluster": cluster, "batch_structures": 200}
    found = list(irrepd.dask.evaluate(dimers(), model, fleet.urls, **options))
    assert [result["energy"] for result in found] == wanted
    assert found[7]["forces"].shape == (2, 3)
    shares = np.subtract(fleet.n_computed(), before)
    assert shares.sum() == N and shares.tolist() == [1000.0] * 3


def test_bag(fleet: Fleet, model: str, cluster: distributed.Client) -> None:
    wanted = expected(fleet, model)
    bag = dask.bag.from_sequence(dimers(), npartitions=8)
    results = irrepd.dask.map_bag(bag, model, fleet.urls, batch_structures=100)
    assert results.pluck("energy").compute(scheduler=cluster) == wanted
    assert results.pluck("energy").min().compute(scheduler=cluster) == min(wanted)
    assert all(share > 0 for share in fleet.n_computed())


def test_iterables_are_read_as_they_are_needed(
    fleet: Fleet, model: str, cluster: distributed.Client
) -> None:
    taken = itertools.count()
    endless = (next(dimers(1)) for _ in taken)
    options = {"cluster": cluster, "batch_structures": 10, "ahead": 3}
    run = irrepd.dask.evaluate(endless, model, fleet.urls, **options)
    assert len(list(itertools.islice(run, 50))) == 50
    run.close()
    assert next(taken) <= 50 + 10 * 4


def test_refusals_are_results(fleet: Fleet, model: str, cluster: distributed.Client) -> None:
    entries = [next(dimers(1)), irrepd.structure([118], [[0, 0, 0]]), next(dimers(1))]
    run = irrepd.dask.evaluate(entries, model, fleet.urls, cluster=cluster)
    assert [result.ok for result in run] == [True, False, True]
    with pytest.raises(irrepd.ServerError, match="absent"):
        list(irrepd.dask.evaluate(entries, "absent", fleet.urls, cluster=cluster))


def test_recipe(fleet: Fleet) -> None:
    """That of docs/clients.md, as it is pasted."""
    page = (ROOT / "docs" / "clients.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (text,) = [block for block in blocks if "irrepd.dask" in block]
    text = text.replace('"http://127.0.0.1:8421"', repr(fleet.urls)[1:-1])
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert -11 < float(done.stdout) < -8
    assert fleet.n_computed() == [1000, 1000, 0]


def test_replicas_and_workers_that_die(
    fleet: Fleet, model: str, cluster: distributed.Client
) -> None:
    wanted = expected(fleet, model)
    options = {"cluster": cluster, "batch_structures": 100}
    run = irrepd.dask.evaluate(dimers(), model, fleet.urls, **options)
    found = [next(run)["energy"] for _ in range(300)]
    fleet.daemons[1].process.kill()
    worker = min(cluster.run(os.getpid).values())
    os.kill(worker, signal.SIGKILL)
    found += [result["energy"] for result in run]
    assert found == wanted
