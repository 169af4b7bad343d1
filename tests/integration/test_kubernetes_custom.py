"""Any object with a scale subresource is watched and scaled, as a custom resource shows on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.records import TargetRef
from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import MERGE, Document
from tests.integration.servers.kubernetes import create_workload, deployment
from tests.integration.servers.process import eventually_async
from tests.integration.watched_cluster import send, watching

if TYPE_CHECKING:
    from tests.integration.servers.kubernetes import KubeApi

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def test_a_custom_resource_is_scaled_through_its_scale(kube_api: KubeApi, namespace: str) -> None:
    group = f"{namespace}.example.com"
    await send(kube_api, "POST", DEFINITIONS, _definition(group))
    ref = TargetRef(f"{group}/v1", "Fleet", namespace, "llm")
    path = f"/apis/{group}/v1/namespaces/{namespace}/fleets"
    body: Document = {"apiVersion": f"{group}/v1", "kind": "Fleet", "metadata": {"name": "llm"}, "spec": {"size": 3}}

    await _until_served(kube_api, f"/apis/{group}/v1")
    await send(kube_api, "POST", path, body)
    await send(kube_api, "PATCH", f"{path}/llm/status", {"status": {"size": 2, "selector": "app in (llm),!old"}}, MERGE)
    await create_workload(kube_api, namespace, deployment("llm", replicas=2))
    async with FakeNode(kube_api, namespace), watching(kube_api.kubeconfig, [ref]) as seen:
        await seen.sees(ref, lambda view: view.spec_replicas == 3 and view.problem is None)
        assert seen.target(ref).status_replicas == 2
        await seen.shows(lambda: len(seen.pods(ref)) == 2)

        await seen.actuator.scale(seen.order(ref, 5))
        assert (await send(kube_api, "GET", f"{path}/llm"))["spec"]["size"] == 5
        await seen.sees(ref, lambda view: view.spec_replicas == 5)
        await send(kube_api, "PATCH", f"{path}/llm", {"spec": {"size": 1}}, MERGE)
        await seen.sees(ref, lambda view: view.spec_replicas == 1)


async def _until_served(kube_api: KubeApi, path: str) -> None:
    async def served() -> bool:
        async with kube_api.client() as api:
            parts = await api.param_serialize("GET", path, auth_settings=["BearerToken"])
            answer = await api.call_api(*parts[:3])
            await answer.read()
            return bool(answer.status == 200)

    await eventually_async(served)


def _definition(group: str) -> Document:
    size = {"type": "object", "properties": {"size": {"type": "integer"}, "selector": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": size, "status": size}}
    scale = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.size",
        "labelSelectorPath": ".status.selector",
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"fleets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "fleets", "singular": "fleet", "kind": "Fleet", "listKind": "FleetList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}, "scale": scale},
                }
            ],
        },
    }
