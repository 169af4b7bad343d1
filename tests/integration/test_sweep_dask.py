"""Sweeps on a real Dask scheduler with two workers on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from distributed import Client

from simulations.sweep.spread import Cluster, Cores, spread
from tests.integration.servers.dask import DaskCluster
from tests.simulations.sweep.works import Job, drawn, killed_once, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOAD = np.random.default_rng(0).normal(size=100_000)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    with DaskCluster(tmp_path / "dask") as found:
        yield found


@pytest.fixture
def client(cluster: DaskCluster) -> Iterator[Client]:
    with Client(cluster.address, set_as_default=False) as opened:
        opened.wait_for_workers(2, timeout=60)
        yield opened


def jobs(number: int, marks: str = "") -> list[Job]:
    return [Job(seed, LOAD, marks) for seed in range(number)]


def test_two_workers_give_the_same_bits_as_this_process(client: Client) -> None:
    alone = dict(spread(drawn, jobs(12), Cores(1)))
    spread_out = dict(spread(drawn, jobs(12), Cluster(client)))
    assert [spread_out[n].drawn.tobytes() for n in range(12)] == [alone[n].drawn.tobytes() for n in range(12)]
    assert len({each.process for each in spread_out.values()} - {alone[0].process}) == 2
    assert all(each.writable for each in spread_out.values())


def test_a_killed_worker_does_not_lose_the_sweep(client: Client, cluster: DaskCluster, tmp_path: Path) -> None:
    done = dict(spread(killed_once, jobs(20, str(tmp_path)), Cluster(client)))
    assert (tmp_path / "killed").exists()
    assert [worker.running for worker in cluster.workers].count(True) == 1
    alone = dict(spread(drawn, jobs(20), Cores(1)))
    assert sorted(done) == list(range(20))
    assert all(done[number].drawn.tobytes() == alone[number].drawn.tobytes() for number in done)


def test_what_a_task_raises_on_a_worker_arrives(client: Client) -> None:
    with pytest.raises(ValueError, match="no answer for seed"):
        list(spread(refused, jobs(4), Cluster(client)))
