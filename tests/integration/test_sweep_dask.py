"""Sweeps on a real Dask scheduler with two workers on loopback."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from distributed import Client
from typer.testing import CliRunner

from controller.cli import app
from simulations.sweep.spread import Cluster, Cores, spread
from tests.simulations.sweep.scenarios import document
from tests.simulations.sweep.works import Job, drawn, killed_once, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.servers.dask import DaskCluster

LOAD = np.random.default_rng(0).normal(size=100_000)


@pytest.fixture
def client(dask_cluster: DaskCluster) -> Iterator[Client]:
    with Client(dask_cluster.address, set_as_default=False) as opened:
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


def test_a_killed_worker_does_not_lose_the_sweep(client: Client, dask_cluster: DaskCluster, tmp_path: Path) -> None:
    done = dict(spread(killed_once, jobs(20, str(tmp_path)), Cluster(client)))
    assert (tmp_path / "killed").exists()
    assert [worker.running for worker in dask_cluster.workers].count(True) == 1
    alone = dict(spread(drawn, jobs(20), Cores(1)))
    assert sorted(done) == list(range(20))
    assert all(done[number].drawn.tobytes() == alone[number].drawn.tobytes() for number in done)


def test_a_sweep_is_the_same_on_a_cluster_and_goes_on_after_a_killed_worker(
    dask_cluster: DaskCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, kept = tmp_path / "small.yaml", tmp_path / "kept"
    scenario.write_text(yaml.safe_dump(document()))
    vary = ["--vary", "policies[0].replicas=hpa:0.60,hpa:0.70,kpa", "--vary", "seed=1,2"]

    def swept(*options: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["sweep", str(scenario), *vary, *options, "-o", "json"])
        assert done.exit_code == 0, done.stderr
        read: dict[str, Any] = json.loads(done.stdout)
        return read

    alone = swept("--jobs", "1")
    assert len(alone["rows"]) == 12
    assert swept("--cluster", dask_cluster.address, "--out", str(kept)) == alone
    stored = sorted(kept.iterdir())
    assert len(stored) == 6
    for path in stored[:4]:
        path.unlink()
    dask_cluster.workers[0].kill()
    assert swept("--cluster", dask_cluster.address, "--out", str(kept)) == alone
    for server in (*dask_cluster.workers, dask_cluster.scheduler):
        server.kill()
    assert swept("--jobs", "1", "--out", str(kept)) == alone  # from what is stored
    stored[0].unlink()
    monkeypatch.setattr("controller.cli.sweep.CONNECT_S", 0.5)
    failed = CliRunner().invoke(app, ["sweep", str(scenario), *vary, "--cluster", dask_cluster.address])
    assert failed.exit_code == 1
    assert "with --out DIR, what is done is kept" in failed.stderr


def test_what_a_task_raises_on_a_worker_arrives(client: Client) -> None:
    with pytest.raises(ValueError, match="no answer for seed"):
        list(spread(refused, jobs(4), Cluster(client)))
