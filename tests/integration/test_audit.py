"""`foresail audit` on a real Prometheus that holds the past of three workloads, without access to any cluster."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.policy_text import load_policies
from tests.integration.servers.audited import DAY_STEPS, Past

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from tests.integration.servers.prometheus import Prometheus

DAYS = 2


def waves(base: float, height: float, *, seed: int, days: int = DAYS) -> FloatArray:
    """A load with a day's shape and noise, `[minute]`."""
    minute = np.arange(days * DAY_STEPS)
    shape = base + height * (1 - np.cos(2 * np.pi * minute / DAY_STEPS)) / 2
    return np.asarray(shape * np.random.default_rng(seed).normal(1, 0.03, minute.size), np.float64)


def test_three_workloads_are_audited_from_prometheus_alone(prometheus: Prometheus, tmp_path: Path) -> None:
    surge = waves(20, 60, seed=1)
    surge[-300:-240] *= 2.5  # an hour on the last day
    pasts = [
        Past("chat", surge, 10.0, 300, requests=True, least=2),
        Past("web", waves(4, 10, seed=2), 1.0, 60, least=1),
        Past("batch", waves(3, 1, seed=3), 1.0, 60, least=1, most=5),
    ]
    end_s = int(time.time()) // 60 * 60
    series = [one for past in pasts for one in past.series(end_s)]
    prometheus.backfill(series)
    page, policies = tmp_path / "audit.html", tmp_path / "policies.yaml"

    command = [str(Path(sys.executable).parent / "foresail"), "audit", "--prometheus-url", prometheus.url]
    command += ["--no-cluster", "--days", str(DAYS), "--query-pause", "0", "--price", "0.5", "-o", "json"]
    command += ["--html", str(page), "--policies-out", str(policies)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [each["name"] for each in report["workloads"]] == ["serving/batch", "serving/chat", "serving/web"]
    for workload, past in zip(report["workloads"], (pasts[2], pasts[0], pasts[1]), strict=True):
        paid, ready = (column[DAY_STEPS:] for column in past.replicas())
        load = past.load[DAY_STEPS:]
        late = load[load > ready * past.capacity * 0.8].sum() / load.sum()
        # What was paid and missed is known beforehand; rates over two minutes smear the edges of a load by as much.
        assert workload["incumbent"]["replicaHours"] == pytest.approx(paid.sum() / 60, rel=0.01)
        assert workload["incumbent"]["late"]["value"] == pytest.approx(late, abs=0.05)
        assert workload["incumbent"]["money"] == pytest.approx(workload["incumbent"]["replicaHours"] / 2)
        assert workload["assumed"]["capacityPerReplica"] == pytest.approx(past.capacity)
        assert workload["assumed"]["startupSeconds"] == pytest.approx(past.startup_s, abs=1)
        assert workload["foresail"]["replicaHours"] >= workload["leastReplicaHours"] * 0.95
    assert {each["about"] for each in report["workloads"][0]["findings"]} >= {"capacity", "censored load", "history"}
    assert report["spent"]["queries"] <= report["spent"]["maxQueries"]
    assert [policy.uid for policy in load_policies(policies)] == ["serving/batch", "serving/chat", "serving/web"]
    assert page.read_text().count("<svg") >= 12
