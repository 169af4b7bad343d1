"""The real HPA controller on the stand-in's metrics: the harness of the tests in which an HPA is the actor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import request
from tests.integration.servers.kubernetes import create_deployment, scale_of
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.pod_metrics import PodMetrics

HPAS = "/apis/autoscaling/v2beta2/namespaces/{namespace}/horizontalpodautoscalers"


@pytest.mark.usefixtures("hpa_controller")
async def test_an_hpa_follows_what_pods_use(kube_api: KubeApi, namespace: str, pod_metrics: PodMetrics) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=1)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    hpa = {
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 9,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }
    pod_metrics.cores["web"] = 1.2  # of pods that request 0.5: ceil(1.2 / (0.5 * 50 %)) = 5
    async with FakeNode(kube_api, namespace, startup_s=0.1):
        async with kube_api.client() as api:
            await request(api, "POST", HPAS.format(namespace=namespace), hpa)

        async def grown() -> bool:
            return await scale_of(kube_api, namespace, "web") == 5

        await eventually_async(grown, 30, what="5 replicas")
