"""`foresail recommend resources` on a real API server and a Prometheus that holds two days of use."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.controller.cluster_documents import node, of_deployment
from tests.integration.servers.kube_client import MERGE, STRATEGIC, request
from tests.integration.servers.kubernetes import create_workload, deployment, read_deployment
from tests.integration.servers.prometheus import Prometheus, Series
from tests.integration.test_cost import nodes, start
from tests.integration.watched_cluster import send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.servers.kubernetes import KubeApi

MIB = 2**20
STEP_S = 60
HOURS = 49
PODS = ("chat-abc12-aaaaa", "chat-abc12-bbbbb", "front-abc12-ccccc", "front-abc12-ddddd")


def used(namespace: str, pod: str, cores: float, mib: float, end_s: int) -> Iterator[Series]:
    """Even use of the only container of a pod until now."""
    at_s = end_s - STEP_S * np.arange(HOURS * 60)[::-1]
    labels = {"namespace": namespace, "pod": pod, "container": "main"}
    seconds = cores * (at_s - at_s[0])
    yield Series("container_cpu_usage_seconds_total", labels, at_s.tolist(), seconds.tolist())
    yield Series("container_memory_working_set_bytes", labels, at_s.tolist(), np.full(at_s.size, mib * MIB).tolist())


def requests_told(namespace: str, pod: str, end_s: int) -> Iterator[Series]:
    """What kube-state-metrics tells of the same pod."""
    at_s = (end_s - STEP_S * np.arange(10)[::-1]).tolist()
    for resource, amount in (("cpu", 1.0), ("memory", 4.0 * 1024 * MIB)):
        labels = {"namespace": namespace, "pod": pod, "container": "main", "resource": resource}
        yield Series("kube_pod_container_resource_requests", labels, at_s, [amount] * len(at_s))


@pytest.fixture
def history(prometheus: Prometheus, namespace: str) -> Prometheus:
    """Chat uses 0.2 cores and 700 MiB a replica, of 1 core and 4 GiB; so does the front, that an HPA scales on CPU."""
    end_s = int(time.time())
    prometheus.backfill(each for pod in PODS for each in used(namespace, pod, 0.2, 700, end_s))
    prometheus.backfill(each for pod in PODS for each in requests_told(namespace, pod, end_s))
    return prometheus


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "foresail"), "recommend", "resources", "--days", "2", *options]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, env=environment)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_size_count_and_money_of_workloads_in_every_form(
    kube_api: KubeApi, namespace: str, history: Prometheus
) -> None:
    hpa = {
        "metadata": {"name": "front"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "front"},
            "minReplicas": 1,
            "maxReplicas": 10,
            "targetCPUUtilizationPercentage": 70,
        },
    }
    await send(kube_api, "POST", f"/apis/autoscaling/v1/namespaces/{namespace}/horizontalpodautoscalers", hpa)
    options = ["--kubeconfig", str(kube_api.kubeconfig), "--prometheus-url", history.url, "-n", namespace]
    async with nodes(kube_api, node("big", "m5.2xlarge", has={"cpu": "8", "memory": "32Gi"})):
        for pod in PODS:
            await start(kube_api, namespace, of_deployment(pod, pod.split("-")[0], "big"))
            status = {"status": {"phase": "Running"}}
            await send(kube_api, "PATCH", f"/api/v1/namespaces/{namespace}/pods/{pod}/status", status, MERGE)
        own = told(await asyncio.to_thread(run, *options, "-o", "json"))
        options += ["--method", "vpa"]
        found = told(await asyncio.to_thread(run, *options, "-o", "json"))
        forms = {form: await asyncio.to_thread(run, *options, "-o", form) for form in ("table", "csv", "html", "patch")}
    assert {form: done.returncode for form, done in forms.items()} == dict.fromkeys(forms, 0), forms

    [of_chat] = [each["containers"][0] for each in own["workloads"] if each["name"] == "chat"]
    assert (
        195 <= int(of_chat["recommended"]["cpu"].removesuffix("m")) <= 230
    )  # steady use, and what a step of codes adds
    assert 720 <= int(of_chat["recommended"]["memory"].removesuffix("Mi")) <= 740  # 4.2 % more than 700 MiB

    chat, front = sorted(found["workloads"], key=lambda each: str(each["name"]))
    # 0.2 cores end their bucket at 0.2066: x 1.15 is 237 m; 700 MiB at 757 million bytes: x 1.15 is 831 MiB.
    [main] = chat["containers"]
    assert main["current"] == {"cpu": "1000m", "memory": "4096Mi"}
    assert 230 <= int(main["recommended"]["cpu"].removesuffix("m")) <= 253
    assert 805 <= int(main["recommended"]["memory"].removesuffix("Mi")) <= 846
    assert chat["replicas"] == {"now": 2, "planned": 2}
    assert chat["finding"] is None
    # m5.2xlarge costs 0.384: 9 x 8 of 9 x 8 + 32 parts is CPU, so a core is 0.0332 and a GiB 0.00369 an hour.
    assert chat["perMonth"]["before"] == pytest.approx(730 * 2 * (0.0332 + 4 * 0.00369), rel=0.01)
    assert chat["perMonth"]["after"] == pytest.approx(730 * 2 * (0.24 * 0.0332 + 0.81 * 0.00369), rel=0.05)

    assert front["containers"][0]["recommended"]["cpu"] == "1000m"  # fewer cores a replica would be more replicas
    assert front["containers"][0]["target"]["cpu"] == main["target"]["cpu"]
    assert front["containers"][0]["recommended"]["memory"] == main["recommended"]["memory"]
    assert "capacityPerReplica" in front["finding"]
    assert found["perMonth"]["saved"] == pytest.approx(chat["perMonth"]["saved"] + front["perMonth"]["saved"])

    assert "Deployment/chat" in forms["table"].stdout
    rows = list(csv.DictReader(io.StringIO(forms["csv"].stdout)))
    assert [row["workload"] for row in rows] == ["chat", "front"]
    assert rows[0]["cpu_plan"] == main["recommended"]["cpu"]
    assert forms["html"].stdout.startswith("<!doctype html>")
    await apply(kube_api, namespace, forms["patch"].stdout, main["recommended"])


async def apply(kube_api: KubeApi, namespace: str, patches: str, expected: dict[str, str]) -> None:
    """Carry out the command for chat on a Deployment of that name, and read what became of it."""
    made = deployment("chat", replicas=0)
    made["spec"]["template"]["spec"]["containers"][0]["name"] = "main"
    await create_workload(kube_api, namespace, made)
    (line,) = [each for each in patches.splitlines() if each.startswith("kubectl") and "deployment/chat" in each]
    words = shlex.split(line)
    patch = json.loads(words[words.index("--patch") + 1])
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/chat"
    async with kube_api.client() as api:
        await request(api, "PATCH", path, patch, content_type=STRATEGIC)
    found = await read_deployment(kube_api, namespace, "chat")
    by_name = {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}
    asked = by_name["main"]["resources"]["requests"]
    assert asked["cpu"] == expected["cpu"]
    assert asked["memory"] == expected["memory"]


def test_without_a_cluster_prometheus_tells_the_workloads(history: Prometheus, namespace: str) -> None:
    options = ("--no-cluster", "--prometheus-url", history.url, "-n", namespace, "-o", "json")
    found = told(run(*options))
    assert [(each["kind"], each["name"]) for each in found["workloads"]] == [
        ("DaemonSet", "chat-abc12"),
        ("DaemonSet", "front-abc12"),
    ]
    assert found["perMonth"]["saved"] is None
    assert "--no-cluster" in found["warnings"][0]


def test_a_reading_that_is_too_much_is_refused_before_it_begins(history: Prometheus, namespace: str) -> None:
    done = run("--no-cluster", "--prometheus-url", history.url, "-n", namespace, "--max-queries", "7")
    assert done.returncode == 1
    assert "raise --max-queries" in done.stderr
