"""How long a live tick takes on a real Prometheus and a real API server, what it asks of both, and what it weighs."""

from __future__ import annotations

import asyncio
import json
import math
import os
import platform
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.daemon import Daemon
from tests.integration.servers.exporter import Exporter
from tests.integration.servers.kube_client import MERGE, STRATEGIC, Document, collection, request
from tests.integration.servers.kubernetes import KubeApi, create_namespace, deployment
from tests.integration.servers.kubernetes_build import find_or_build
from tests.integration.servers.process import eventually
from tests.integration.servers.prometheus import Prometheus, Series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from kubernetes.aio.client import ApiClient

NAMESPACES = 10
HISTORY_STEP_S = 290.0  # within the five minutes that Prometheus looks back
TICKS = 40
AT_ONCE = 32
LOAD = "bench_load"
RESOURCES = {"deployments", "pods", "nodes", "events", "horizontalpodautoscalers", "configmaps", "resourcequotas"}
NOW = "2026-01-01T00:00:00Z"

pytestmark = [
    pytest.mark.bench,
    pytest.mark.timeout(2700),
    pytest.mark.server("prometheus"),
    pytest.mark.server("kube-apiserver"),
    pytest.mark.server("etcd"),
]


@dataclass(frozen=True, slots=True)
class _Size:
    """How much there is, at which pace, and what is aimed at."""

    workloads: int
    history_days: float
    interval_s: float
    aim_s: float  # of a tick's 95th percentile
    aim_bytes: float  # of the daemon's peak; both are promises, so no slack


THOUSAND = _Size(1000, history_days=7, interval_s=3, aim_s=3.0, aim_bytes=500e6)
FIVE_THOUSAND = _Size(5000, history_days=2, interval_s=15, aim_s=5.0, aim_bytes=1500e6)  # for ten minutes


@pytest.mark.parametrize("size", [pytest.param(THOUSAND, id="1000"), pytest.param(FIVE_THOUSAND, id="5000-real-pace")])
async def test_workloads_on_real_servers(size: _Size, tmp_path: Path) -> None:
    for name in ("kubernetes", "prometheus"):
        (tmp_path / name).mkdir()
    with (
        KubeApi(tmp_path / "kubernetes", find_or_build()) as kube_api,
        Exporter() as exporter,
        Prometheus(tmp_path / "prometheus") as prometheus,
    ):
        prometheus.backfill(_history(size))
        prometheus.scrape(exporter.address, interval_s=5)
        _put_under_load(size, exporter, 0)
        pods = await _populate(size, kube_api)
        (tmp_path / "policies.yaml").write_text("\n---\n".join(json.dumps(_policy(i)) for i in range(size.workloads)))
        settings = {
            "policies": tmp_path / "policies.yaml",
            "prometheus_url": prometheus.url,
            "kubeconfig": kube_api.kubeconfig,
            "interval": f"{size.interval_s:g}s",
            "tick_deadline": f"{size.interval_s:g}s",
            "removal_ratio": 1,
        }
        with Daemon(tmp_path / "daemon", settings) as daemon:
            figures = await _measured(_Setup(size, daemon, exporter, kube_api))
            _report(size, figures, daemon, pods)
            assert daemon.stop() == 0
    assert figures.share(0.95) < size.aim_s
    assert figures.peak_bytes < size.aim_bytes


@dataclass(frozen=True, slots=True)
class _Setup:
    """The daemon and what stands around it."""

    size: _Size
    daemon: Daemon
    exporter: Exporter
    kube_api: KubeApi


@dataclass
class _Figures:
    """Durations of single ticks, and the daemon's memory."""

    ticks_s: list[float] = field(default_factory=list)
    first_s: float = 0.0  # of the first tick, which waits for nothing and reads everything
    fitted_after_s: float = math.nan
    began_bytes: int = 0
    resting_bytes: int = 0
    peak_bytes: int = 0
    worker_bytes: int = 0
    calls: Counter[str] = field(default_factory=Counter)  # of the API server by all, in the time measured
    queries: float = 0.0
    written: float = 0.0

    def share(self, share: float) -> float:
        return float(np.quantile(self.ticks_s, share))


async def _measured(setup: _Setup) -> _Figures:
    """Watch ticks one by one, the load moving all the while, from when the forecast knows the history."""
    daemon, figures, began_s = setup.daemon, _Figures(), time.monotonic()
    eventually(lambda: daemon.ticks() >= 1, 180, what="a first tick")
    figures.first_s = _ticks_s(daemon)
    eventually(lambda: _moving(setup, figures) and _fitted(daemon), 900, what="a forecast")
    figures.fitted_after_s = time.monotonic() - began_s
    figures.ticks_s.clear()
    figures.began_bytes = _memory(daemon.process.pid, "VmRSS")
    before, queries, written = await _calls(setup.kube_api), _queries(daemon), _written(daemon)
    seen = [0, 0.0]

    def enough() -> bool:
        count, total_s = daemon.ticks(), _ticks_s(daemon)
        if count == seen[0] + 1:
            figures.ticks_s.append(total_s - seen[1])
        seen[:] = [count, total_s]
        _moving(setup, figures)
        return len(figures.ticks_s) >= TICKS

    eventually(enough, 900, what=f"{TICKS} ticks")
    figures.resting_bytes = _memory(daemon.process.pid, "VmRSS")
    figures.calls = await _calls(setup.kube_api) - before
    figures.queries, figures.written = _queries(daemon) - queries, _written(daemon) - written
    return figures


def _ticks_s(daemon: Daemon) -> float:
    return daemon.metric("foresail_loop_duration_seconds_sum", phase="tick") or 0.0


def _queries(daemon: Daemon) -> float:
    return daemon.metric("foresail_source_queries_total", source="prometheus", result="success") or 0.0


def _written(daemon: Daemon) -> float:
    return daemon.metric("foresail_actuations_total", kind="scale", result="applied") or 0.0


async def _calls(kube_api: KubeApi) -> Counter[str]:
    """Requests that the API server has answered about what Foresail reads and writes, by verb and resource."""
    async with kube_api.client() as api:
        parts = await api.param_serialize("GET", "/metrics", auth_settings=["BearerToken"])
        answer = await api.call_api("GET", parts[1], parts[2])
        text = (await answer.response.read()).decode()
    counted: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "apiserver_request_total" and sample.labels["resource"] in RESOURCES:
                resource = "/".join(filter(None, (sample.labels["resource"], sample.labels["subresource"])))
                counted[f"{sample.labels['verb']} {resource}"] += int(sample.value)
    return counted


def _moving(setup: _Setup, figures: _Figures) -> bool:
    daemon = setup.daemon
    _put_under_load(setup.size, setup.exporter, time.monotonic())
    figures.peak_bytes = _memory(daemon.process.pid, "VmHWM")
    figures.worker_bytes = max(figures.worker_bytes, sum(_memory(pid, "VmRSS") for pid in _children(daemon)))
    return True


def _fitted(daemon: Daemon) -> bool:
    workload = daemon.api("workloads?limit=1")["items"][0]
    return workload["forecast"] is not None


def _report(size: _Size, figures: _Figures, daemon: Daemon, pods: int) -> None:
    ticks = daemon.ticks()
    phases = {
        phase: (daemon.metric("foresail_loop_duration_seconds_sum", phase=phase) or 0) / ticks
        for phase in ("observe", "decide", "record", "act")
    }
    calls = sum(figures.calls.values())
    print(  # noqa: T201 - a benchmark states its figures
        f"\nlive tick every {size.interval_s:g} s, {size.workloads} workloads, {pods} pods, {NAMESPACES} namespaces, "
        f"{size.history_days:g} days of history: "
        f"p50 {figures.share(0.5):.2f} s, p95 {figures.share(0.95):.2f} s (aim {size.aim_s:g} s), "
        f"longest {max(figures.ticks_s):.2f} s of {len(figures.ticks_s)}; "
        f"first {figures.first_s:.2f} s; forecast after {figures.fitted_after_s:.0f} s; "
        f"means: {', '.join(f'{phase} {seconds:.2f} s' for phase, seconds in phases.items())}; "
        f"{figures.queries / TICKS:.1f} queries and {figures.written / TICKS:.0f} changes of scale a tick; "
        f"{calls / max(figures.written, 1):.2f} calls of the API server a change ({dict(figures.calls)}); "
        f"daemon {figures.began_bytes / 1e6:.0f} MB then {figures.resting_bytes / 1e6:.0f} MB, "
        f"at most {figures.peak_bytes / 1e6:.0f} MB (aim {size.aim_bytes / 1e6:.0f} MB), "
        f"refit worker at most {figures.worker_bytes / 1e6:.0f} MB "
        f"({platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()})"
    )


def _place(each: int) -> tuple[str, str]:
    return f"ns{each % NAMESPACES}", f"w{each}"


def _policy(each: int) -> Document:
    namespace, name = _place(each)
    match = {"namespace": "$namespace", "app": "$name"}
    query = f"sum by (namespace, app) ({LOAD})"
    return {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "WorkloadPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "mode": "active",
            "replicas": {"min": 1, "max": 50},
            "signals": [{"name": "load", "kind": "demand", "query": query, "match": match, "capacityPerReplica": 10}],
        },
    }


def _put_under_load(size: _Size, exporter: Exporter, at_s: float) -> None:
    for each in range(size.workloads):
        namespace, name = _place(each)
        exporter.set(LOAD, 14 + 6 * math.sin(at_s / 60 + each), namespace=namespace, app=name)


def _history(size: _Size) -> Iterable[Series]:
    until_s = time.time() - 60
    at_s = until_s - np.arange(size.history_days * 86_400.0, 0, -HISTORY_STEP_S)
    day = 14 + 6 * np.sin(at_s * 2 * math.pi / 86_400)
    for each in range(size.workloads):
        namespace, name = _place(each)
        yield Series(LOAD, {"namespace": namespace, "app": name}, at_s.tolist(), (day + each % 5).round(2).tolist())


async def _populate(size: _Size, kube_api: KubeApi) -> int:
    """Make the Deployments with two or three ready pods each; returns how many pods."""
    for number in range(NAMESPACES):
        await create_namespace(kube_api, f"ns{number}")
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(work: Awaitable[None]) -> None:
        async with gate:
            await work

    async with kube_api.client() as api:
        await asyncio.gather(*(one(_workload(api, each)) for each in range(size.workloads)))
    return sum(_replicas(each) for each in range(size.workloads))


def _replicas(each: int) -> int:
    return 2 + each % 2


async def _workload(api: ApiClient, each: int) -> None:
    namespace, name = _place(each)
    count = _replicas(each)
    manifest = deployment(name, replicas=count)
    await request(api, "POST", collection(namespace, "deployments"), manifest)
    status = {"replicas": count, "readyReplicas": count, "updatedReplicas": count, "availableReplicas": count}
    path = f"{collection(namespace, 'deployments')}/{name}/status"
    await request(api, "PATCH", path, {"status": status}, content_type=MERGE)
    template = manifest["spec"]["template"]
    kinds = ("Initialized", "ContainersReady", "Ready", "PodScheduled")
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": NOW} for kind in kinds]
    ready = {"status": {"phase": "Running", "startTime": NOW, "conditions": conditions}}
    for number in range(count):
        pod = {"metadata": {"name": f"{name}-{number}", **template["metadata"]}, "spec": template["spec"]}
        await request(api, "POST", collection(namespace, "pods"), pod)
        path = f"{collection(namespace, 'pods')}/{name}-{number}/status"
        await request(api, "PATCH", path, ready, content_type=STRATEGIC)


def _memory(pid: int, field_name: str) -> int:
    """A figure of /proc/PID/status in bytes, 0 when the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field_name}:")), 0)


def _children(daemon: Daemon) -> list[int]:
    pid = daemon.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
