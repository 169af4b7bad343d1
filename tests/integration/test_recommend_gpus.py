"""`foresail recommend gpus` on a real API server, with DCGM exporter's series in a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from controller.adapters.prometheus import PrometheusSource
from controller.clients.http import HttpAccess
from controller.clock import SystemClock
from controller.loop.gpus import GpuWatch, Lanes
from controller.records import PodView, TargetRef
from policies.gpus.idle import IdleRule
from tests.controller.cluster_documents import node, of_deployment
from tests.integration.servers.kube_client import MERGE, collection, request
from tests.integration.servers.process import eventually_async
from tests.integration.servers.prometheus import Series
from tests.integration.test_cost import nodes, start

if TYPE_CHECKING:
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.prometheus import Prometheus

GPU = "nvidia.com/gpu"
WINDOW_S = 300


def of_exporter(namespace: str, now_s: float) -> list[Series]:
    """Two nodes: one whose series keep the labels of pods, one scraped without honouring labels.

    In the middle of the last window the exporters were started anew.
    """
    at_s = [now_s - WINDOW_S * 6 + 15 * step for step in range(WINDOW_S * 6 // 15 + 1)]
    kept = {"Hostname": "fast", "namespace": namespace}
    moved = {
        "hostname": "plain",
        "namespace": "gpu-operator",
        "pod": "dcgm-exporter-x",
        "exported_namespace": namespace,
    }
    devices = [
        ({"UUID": "GPU-0", "pod": "llm-1", **kept}, 93.0),
        ({"UUID": "GPU-1", "pod": "llm-1", **kept}, 0.0),
        ({"uuid": "GPU-2", "exported_pod": "batch-1", **moved}, 1.0),
        ({"uuid": "GPU-3", "Hostname": "plain", "pod": "dcgm-exporter-x", "namespace": "gpu-operator"}, 0.0),
    ]
    shown = []
    for labels, percent in devices:
        for name, value in (
            ("DCGM_FI_DEV_GPU_UTIL", percent),
            ("DCGM_FI_DEV_FB_USED", 40_000.0),
            ("DCGM_FI_DEV_FB_FREE", 41_000.0),
        ):
            for exporter, times in (("old", at_s[: -WINDOW_S // 30]), ("new", at_s[-WINDOW_S // 30 :])):
                shown.append(Series(name, {**labels, "instance": exporter}, times, [value] * len(times)))
    asks = {"namespace": namespace, "resource": "nvidia_com_gpu", "unit": "integer", "container": "main"}
    for pod, on, count in (("llm-1", "fast", 2.0), ("batch-1", "plain", 1.0), ("over", "plain", 1.0)):
        labels = {**asks, "pod": pod, "node": on}
        shown.append(Series("kube_pod_container_resource_requests", labels, at_s, [count] * len(at_s)))
        lives = 0.0 if pod == "over" else 1.0
        labels = {"namespace": namespace, "pod": pod, "phase": "Running"}
        shown.append(Series("kube_pod_status_phase", labels, at_s, [lives] * len(at_s)))
    return shown


def recommend(kube_api: KubeApi, prometheus: Prometheus) -> dict[str, Any]:
    command = [str(Path(sys.executable).parent / "foresail"), "recommend", "gpus", "--kubeconfig"]
    command += [str(kube_api.kubeconfig), "--prometheus-url", prometheus.url, "--window", "5m", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def gpu_pod(kube_api: KubeApi, namespace: str, document: dict[str, Any]) -> None:
    [container] = document["spec"]["containers"]
    container["resources"]["limits"] = {GPU: container["resources"]["requests"][GPU]}
    await start(kube_api, namespace, document)
    path = f"{collection(namespace, 'pods')}/{document['metadata']['name']}"
    async with kube_api.client() as api:
        status = {"status": {"phase": "Running"}}
        await request(api, "PATCH", f"{path}/status", status, content_type=MERGE)


async def test_idle_gpus_of_pods_are_found_in_what_dcgm_tells(
    kube_api: KubeApi, namespace: str, prometheus: Prometheus
) -> None:
    has = {"cpu": "48", "memory": "192Gi", GPU: "2"}
    standing = (node("fast", "g4dn.12xlarge", has=has), node("plain", "g4dn.12xlarge", has=has))
    async with nodes(kube_api, *standing):
        for name, on, count in (("llm", "fast", "2"), ("batch", "plain", "1")):
            asks = {"cpu": "4", "memory": "16Gi", GPU: count}
            await gpu_pod(kube_api, namespace, of_deployment(f"{name}-1", name, on, asks=asks))
        prometheus.backfill(of_exporter(namespace, time.time() - 1))
        found = await asyncio.to_thread(recommend, kube_api, prometheus)
    assert {each["quantity"]: each["metric"] for each in found["readFrom"]} == {
        "activity": "DCGM_FI_DEV_GPU_UTIL",
        "memory_used_bytes": "DCGM_FI_DEV_FB_USED",
        "memory_total_bytes": "DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE",
    }
    [pool] = found["pools"]
    assert (pool["devices"], pool["allocated"], pool["asOfNow"]) == (4, 3, False)
    # The means of the nodes are 0.465 and 0.005, of which three of four are allocated.
    assert pool["activityRatio"] == pytest.approx(0.235 / 0.75)
    assert (pool["byAllocation"], pool["byActivity"]) == ("keep", "consolidate")
    idle = {each["what"]: each for each in found["findings"] if each["kind"] == "idle"}
    assert {what: each["devices"] for what, each in idle.items()} == {"Deployment llm": 1, "Deployment batch": 1}
    assert idle["Deployment llm"]["perMonth"] == pytest.approx(3.912 * 0.75 / 2 * 730)
    assert idle["Deployment llm"]["why"].endswith("1 of them with memory in use")


async def told(watch: GpuWatch, lanes: Lanes) -> bool:
    return not np.isnan(watch.use(lanes).idle).any()


async def test_the_daemon_counts_the_idle_ones_of_a_workload(prometheus: Prometheus) -> None:
    now_s = time.time() - 1
    prometheus.backfill(of_exporter("shop", now_s))
    pods = [
        PodView(name, "Running", deleted=False, ready=True, created_at_s=0, started_at_s=0, transition_at_s=0)
        for name in ("llm-1", "batch-1")
    ]
    refs = [TargetRef("apps/v1", "Deployment", "shop", name) for name in ("llm", "batch")]
    lanes = Lanes(("shop/llm", "shop/batch"), refs, [pods[:1], pods[1:]], np.array([2000, 1000]))
    async with PrometheusSource(HttpAccess(prometheus.url, timeout_s=10)) as source:
        watch = GpuWatch(source, SystemClock(), IdleRule(window_s=WINDOW_S))
        watch.look_when_due(lanes)
        await eventually_async(lambda: told(watch, lanes), 20, what="idle GPUs are told")
    assert watch.use(lanes).idle.tolist() == [1.0, 1.0]
    assert watch.use(lanes).binding["activity"] == "DCGM_FI_DEV_GPU_UTIL"
