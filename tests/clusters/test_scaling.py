"""More replicas compute more at a time, as far as there are cores (`make test-clusters`)."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest
from conftest import Fleet

import irrepd
import irrepd.dask

N = 48
GAIN_MIN = 1.2  # of two replicas over one, on a busy machine; 2 less what clients and Dask take


def crystals() -> list[dict[str, Any]]:
    """64 atoms of silicon each."""
    a = 5.43
    cells = np.stack(np.meshgrid(*[range(2)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    face_centred = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]]) / 4
    sites = (cells + np.concatenate([face_centred, face_centred + 0.25])).reshape(-1, 3) * a
    random, box = np.random.default_rng(1), 2 * a * np.eye(3)
    moved = (sites + random.normal(0, 0.05, sites.shape) for _ in range(N))
    return [irrepd.structure([14] * len(sites), positions, box) for positions in moved]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
@pytest.mark.skipif("IRREPD_TEST_TIMES" not in os.environ, reason="measures: make test-clusters")
def test_two_replicas_compute_more_than_one(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, 2)
    structures = crystals()
    seconds = {}
    options = {"n_workers": 1, "threads_per_worker": 4, "dashboard_address": None}
    with distributed.LocalCluster(**options) as made, distributed.Client(made) as client:
        for urls in (fleet.urls[:1], fleet.urls):
            run = irrepd.dask.evaluate(structures[:8], urls=urls, cluster=client)
            assert all(result.ok for result in run)
            begun = time.perf_counter()
            run = irrepd.dask.evaluate(structures, urls=urls, cluster=client, batch_structures=4)
            energies = [result["energy"] for result in run]
            seconds[len(urls)] = time.perf_counter() - begun
            assert len(energies) == N
    for daemon in fleet.daemons:
        daemon.end()
    print(f"\n{N} x 64 atoms: {seconds[1]:.2f} s by one replica, {seconds[2]:.2f} s by two")
    assert seconds[1] > GAIN_MIN * seconds[2]
