"""Foresail's Kubernetes side against a real API server: what it sees, how it scales, and how it fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.adapters.kubernetes import (
    ClusterSettings,
    KubernetesActuator,
    KubernetesCluster,
)
from controller.clients.kubernetes import KubernetesSession, connect
from controller.records import ScaleOrder, TargetRef, TargetView
from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import MERGE, Document, collection, request
from tests.integration.servers.kubernetes import create_deployment, scale_of
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi


class WallClock:
    def now_s(self) -> float:
        return time.time()

    def elapsed_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Foresail:
    session: KubernetesSession
    cluster: KubernetesCluster
    actuator: KubernetesActuator

    def target(self, ref: TargetRef) -> TargetView:
        return self.cluster.view().targets[ref]

    async def sees(self, ref: TargetRef, condition: Callable[[TargetView], object], within_s: float = 10) -> TargetView:
        async def seen() -> TargetView | None:
            view = self.target(ref)
            return view if condition(view) else None

        view = await eventually_async(seen, within_s, what=f"{self.target(ref)}")
        assert view is not None
        return view

    async def shows(self, condition: Callable[[], object], within_s: float = 10) -> None:
        async def shown() -> object:
            return condition()

        await eventually_async(shown, within_s)

    def order(self, ref: TargetRef, after: int) -> ScaleOrder:
        view = self.target(ref)
        return ScaleOrder("shop/web", ref, view.spec_replicas, after, view.resource_version, "test")


@asynccontextmanager
async def foresail(
    kubeconfig: Path, *targets: TargetRef, settings: ClusterSettings | None = None
) -> AsyncIterator[Foresail]:
    clock = WallClock()
    async with (
        await connect(kubeconfig=kubeconfig, request_timeout_s=5) as session,
        KubernetesCluster(session, clock, settings) as cluster,
    ):
        await cluster.follow(targets)
        assert await cluster.synced(within_s=10)
        yield Foresail(session, cluster, KubernetesActuator(session, cluster.discovery, cluster.wrote))


def web(namespace: str, name: str = "web") -> TargetRef:
    return TargetRef("apps/v1", "Deployment", namespace, name)


async def send(kube_api: KubeApi, method: str, path: str, body: Document | None = None, **how: str) -> Document:
    async with kube_api.client() as api:
        return await request(api, method, path, body=body, **how)


async def patch(kube_api: KubeApi, ref: TargetRef, body: Document) -> None:
    await send(kube_api, "PATCH", f"{collection(ref.namespace, 'deployments')}/{ref.name}", body, content_type=MERGE)


async def test_sees_a_change_of_scale_and_the_pods_that_come_of_it(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    ref = web(namespace)
    async with FakeNode(kube_api, namespace, startup_s=0.3), foresail(kube_api.kubeconfig, ref) as seen:
        assert seen.target(ref).spec_replicas == 2
        await seen.actuator.scale(seen.order(ref, 4))

        assert seen.target(ref).spec_replicas == 4, "the next view shows what was written"
        assert await scale_of(kube_api, namespace, "web") == 4
        await seen.shows(lambda: [pod.ready for pod in seen.cluster.view().pods[ref]] == [True] * 4)
        await seen.sees(ref, lambda view: view.status_replicas == 4)
        for pod in seen.cluster.view().pods[ref]:
            assert pod.phase == "Running"
            assert pod.transition_at_s is not None
            assert pod.started_at_s is not None
            assert 0 <= pod.transition_at_s - pod.created_at_s < 10
        assert seen.target(ref).problem is None
        assert seen.target(ref).owner is None
        assert time.time() - seen.cluster.view().seen_at_s < 40
