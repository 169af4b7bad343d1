"""Autoscalers of a cluster: HPAs, ScaledObjects and VPAs, with GET alone."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from controller.errors import Rejected
from controller.migration.cluster import take_cluster
from controller.migration.manifests import Found
from controller.migration.policies import policies_of
from tests.controller.clients.kubernetes_server import ApiServer, document, listing, refusal

if TYPE_CHECKING:
    from pathlib import Path

HPAS = "GET /apis/autoscaling/v2/horizontalpodautoscalers"
VPAS = "GET /apis/autoscaling.k8s.io/v1"


def _target(name: str) -> dict[str, str]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


HPA: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "scaleTargetRef": _target("web"),
        "maxReplicas": 9,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}}],
    },
}
VPA: dict[str, Any] = {"metadata": {"name": "mill", "namespace": "shop"}, "spec": {"targetRef": _target("mill")}}
SCALE = {"metadata": {"resourceVersion": "7"}, "spec": {"replicas": 5}, "status": {"replicas": 5}}
APPS = [
    {"name": "deployments", "kind": "Deployment", "namespaced": True},
    {"name": "deployments/scale", "kind": "Scale", "namespaced": True},
]


def serve(server: ApiServer) -> None:
    server.on("GET /apis/autoscaling", document({"versions": [{"version": "v2"}]}))
    server.on("GET /apis/keda.sh", refusal(HTTPStatus.NOT_FOUND, "no such group"))
    server.on("GET /apis/apps/v1", document({"resources": APPS}))
    server.on(HPAS, listing(HPA, version="1"))
    server.on(VPAS, document({"resources": []}))
    server.on(f"{VPAS}/verticalpodautoscalers", listing(VPA, version="1"))
    server.on("GET /apis/apps/v1/namespaces/shop/deployments/mill/scale", document(SCALE))


async def read(server: ApiServer) -> Found:
    found = Found()
    async with await server.session() as session:
        await take_cluster(found, session, None)
    return found


async def test_each_kind_is_read_and_the_replicas_of_what_is_sized_alone(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server)
        made, left = policies_of((await read(server)).given({}))
        assert {route.split()[0] for route, _ in server.requests} == {"GET"}
    assert left == []
    bounds = {each.policy.uid: (each.policy.spec.replicas.min, each.policy.spec.replicas.max) for each in made}
    assert bounds == {"shop/web": (1, 9), "shop/mill": (5, 5)}
    assert [each.policy.spec.resources for each in made] == ["off", "recommend"]
    assert made[0].sources == ("HorizontalPodAutoscaler shop/web (cluster)",)


async def test_a_cluster_without_vpa_is_read_too(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server)
        server.on(VPAS, refusal(HTTPStatus.NOT_FOUND, "no such group"))
        found = await read(server)
    assert [draft.scaled.name for draft, _ in found.drafts] == ["web"]
    assert found.sizings == []


async def test_what_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server)
        server.on(HPAS, refusal(HTTPStatus.FORBIDDEN, "may not list"))
        with pytest.raises(Rejected, match="reading autoscalers: may not list"):
            await read(server)
