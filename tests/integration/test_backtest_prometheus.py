"""`foresail backtest --policies` on a real Prometheus that holds the past of the policies' demand signals."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from controller.cli.exits import PARTIAL
from tests.controller.cli.shared import run
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

    from tests.integration.servers.prometheus import Prometheus

DAY_MIN = 1440


def _policy(name: str, *signals: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "WorkloadPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "replicas": {"min": 2, "max": 30},
            "signals": list(signals),
        },
    }


def _demand(name: str, query: str, capacity: float) -> dict[str, Any]:
    match = {"app": "$name"}
    return {"name": name, "kind": "demand", "query": query, "match": match, "capacityPerReplica": capacity}


def _run(prometheus: Prometheus, policies: Path, *options: str) -> Result:
    server = ("--prometheus-url", prometheus.url, "--policies", str(policies), "--policy", "hpa:0.70")
    return run("backtest", *server, "--days", "1", "-o", "json", *options)


@pytest.fixture
def policies(prometheus: Prometheus, tmp_path: Path) -> Path:
    """Two days of load: web has the larger of two demands, and a hole of two hours on the last day."""
    end_s = int(time.time()) // 60 * 60
    at_s = [end_s - 60.0 * minute for minute in range(2 * DAY_MIN, 0, -1)]
    hole = range(2 * DAY_MIN - 300, 2 * DAY_MIN - 180)
    kept = [place for place in range(len(at_s)) if place not in hole]
    requests = Series("requests", {"app": "web"}, [at_s[each] for each in kept], [40.0] * len(kept))
    tokens = Series("tokens", {"app": "web"}, [at_s[each] for each in kept], [100.0] * len(kept))
    prometheus.backfill([requests, tokens, Series("requests", {"app": "api"}, at_s, [8.0] * len(at_s))])
    documents = [
        _policy("web", _demand("requests", "requests", 10), _demand("tokens", "sum by (app) (tokens)", 100)),
        _policy("api", _demand("requests", "requests", 10)),
        _policy("gone", _demand("requests", "requests", 10)),
        _policy("queue", {"name": "queue", "kind": "pressure", "query": "queue", "target": {"averageValue": 5}}),
    ]
    (file := tmp_path / "policies.yaml").write_text(yaml.safe_dump_all(documents))
    return file


def test_loads_of_policies_are_read_and_replayed(prometheus: Prometheus, policies: Path) -> None:
    """Web asks for 40 of 10 a replica, 100 of 100: the former, 5 at the limit of 0.8; at 0.70 of it 6 replicas."""
    done = _run(prometheus, policies, "--warmup", "1h")
    assert done.exit_code == PARTIAL, done.stderr
    api, web = json.loads(done.stdout)["runs"]
    assert (api["trace"], web["trace"]) == ("shop/api", "shop/web")
    hours = (web["steps"] - web["warmup_steps"]) * 30 / 3600
    assert web["steps"] == pytest.approx(2 * DAY_MIN, abs=2)
    assert web["cost_replica_hours"] == pytest.approx(6 * hours)
    assert web["clairvoyant_replica_hours"] == pytest.approx(5 * hours)
    assert (web["late_ratio"], web["startup_s"]) == (0, 60)
    assert web["unknown_ratio"] == pytest.approx(2 / 23, abs=0.01)
    assert api["cost_replica_hours"] == pytest.approx(2 * hours, rel=0.01)
    assert api["unknown_ratio"] == 0
    assert "shop/gone: its demand queries have no series then" in done.stderr
    assert "shop/queue: it has no demand signal with capacityPerReplica" in done.stderr


def test_one_workload_and_a_budget(prometheus: Prometheus, policies: Path) -> None:
    done = _run(prometheus, policies, "--workload", "shop/api", "--startup", "300s")
    assert done.exit_code == 0, done.stderr
    (found,) = json.loads(done.stdout)["runs"]
    assert (found["trace"], found["startup_s"]) == ("shop/api", 300)
    done = _run(prometheus, policies, "--max-queries", "1")
    assert done.exit_code == 1
    assert "1 days of 2 queries take 2 requests and --max-queries allows 1" in done.stderr
    done = _run(prometheus, policies, "--workload", "shop/other")
    assert done.exit_code == 2
    assert "has no policy of shop/other; it has shop/api, shop/gone" in " ".join(done.stderr.replace("│", " ").split())


def test_a_server_that_is_away_is_an_error(prometheus: Prometheus, policies: Path) -> None:
    prometheus.stop()
    done = _run(prometheus, policies)
    assert done.exit_code == 1
    assert "prometheus" in done.stderr
