"""`foresail cost` on a real API server, with the prices of an exporter of OpenCost's and Karpenter's metrics."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.controller.cluster_documents import node, of_deployment
from tests.integration.servers.kube_client import MERGE, collection, request
from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.prometheus import Prometheus

JOB = "test"
PRICE = "karpenter_cloudprovider_instance_type_offering_price_estimate"


@asynccontextmanager
async def nodes(kube_api: KubeApi, *documents: dict[str, Any]) -> AsyncIterator[None]:
    """Nodes that stand while the block lasts; their status is written as a kubelet would."""
    async with kube_api.client() as api:
        for each in documents:
            name = each["metadata"]["name"]
            await request(
                api, "POST", "/api/v1/nodes", {**each, "metadata": {"name": name, "labels": each["metadata"]["labels"]}}
            )
            await request(api, "PATCH", f"/api/v1/nodes/{name}/status", {"status": each["status"]}, content_type=MERGE)
        yield
        for each in documents:
            await request(api, "DELETE", f"/api/v1/nodes/{each['metadata']['name']}")


async def start(kube_api: KubeApi, namespace: str, document: dict[str, Any]) -> None:
    """Put a pod on its node."""
    [container] = document["spec"]["containers"]
    body = {
        "metadata": {key: document["metadata"][key] for key in ("name", "labels")},
        "spec": {**document["spec"], "containers": [{**container, "image": "registry.invalid/server:1"}]},
    }
    owners = [{**each, "uid": each["name"]} for each in document["metadata"]["ownerReferences"]]
    body["metadata"]["ownerReferences"] = owners
    async with kube_api.client() as api:
        await request(api, "POST", collection(namespace, "pods"), body)


def cost(kube_api: KubeApi, prometheus: Prometheus) -> dict[str, Any]:
    command = [str(Path(sys.executable).parent / "foresail"), "cost", "--kubeconfig", str(kube_api.kubeconfig)]
    command += ["--prometheus-url", prometheus.url, "--opencost-job", JOB, "--karpenter-job", JOB, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode in (0, 4), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_every_node_has_the_price_of_the_first_source_that_knows_it(
    kube_api: KubeApi, namespace: str, scraped: tuple[Prometheus, Exporter]
) -> None:
    prometheus, exporter = scraped
    exporter.set("node_total_hourly_cost", 0.5, node="billed", instance_type="m5.large")
    exporter.set("kubecost_node_is_spot", 1, node="billed")
    exporter.set(PRICE, 1.25, instance_type="g5.xlarge", capacity_type="on-demand", zone="us-east-1a")
    exporter.set(PRICE, 9.0, instance_type="g5.xlarge", capacity_type="on-demand", zone="us-east-1b")
    eventually(lambda: prometheus.query(f'{PRICE}{{job="{JOB}"}}'), 20, what="the exporter is scraped")

    gpu = node("launched", "g5.xlarge", has={"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"})
    standing = (
        node("billed"),
        gpu,
        node("listed", "m5.xlarge", has={"cpu": "4", "memory": "16Gi"}),
        node("odd", "x1.none"),
    )
    async with nodes(kube_api, *standing):
        await start(kube_api, namespace, of_deployment("chat-1", "chat", "billed"))
        asks = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
        limits = {"nvidia.com/gpu": "1"}
        whole = of_deployment("llm-1", "llm", "launched", asks=asks)
        whole["spec"]["containers"][0]["resources"]["limits"] = limits
        await start(kube_api, namespace, whole)
        found = await asyncio.to_thread(cost, kube_api, prometheus)

    workloads = {each["name"]: each["byCapacityType"] for each in found["byWorkload"] if each["namespace"] == namespace}
    assert workloads == {"chat": {"spot": pytest.approx(0.25)}, "llm": {"on-demand": pytest.approx(1.25)}}
    assert [(each["source"], each["nodes"]) for each in found["sources"]] == [
        (f"OpenCost (job {JOB})", 1),
        (f"Karpenter (job {JOB})", 1),
        ("built-in prices", 1),
    ]
    assert found["perHour"] == pytest.approx(0.5 + 1.25 + 0.192)
    assert [each["node"] for each in found["notPriced"]] == ["odd"]
