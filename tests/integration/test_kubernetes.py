"""What Foresail sees of a real API server, and how it scales on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from controller.adapters.kubernetes import ClusterSettings, KubernetesEvents
from controller.errors import Conflict, Rejected, Unavailable
from controller.records import Event, TargetRef
from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import collection
from tests.integration.servers.kubernetes import create_deployment, scale_of
from tests.integration.servers.process import eventually_async
from tests.integration.watched_cluster import MAY_WATCH, Line, WallClock, change, send, watching, web

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from controller.records import PodView
    from tests.integration.servers.kubernetes import KubeApi


async def test_sees_a_change_of_scale_and_the_pods_that_come_of_it(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    ref = web(namespace)
    async with FakeNode(kube_api, namespace, startup_s=0.3), watching(kube_api.kubeconfig, [ref]) as seen:
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
            assert pod.scheduled_at_s is not None
            assert pod.created_at_s <= pod.scheduled_at_s <= pod.transition_at_s
            assert 0 <= pod.transition_at_s - pod.created_at_s < 10
        assert seen.target(ref).problem is None
        assert seen.target(ref).owner is None
        assert time.time() - seen.cluster.view().seen_at_s < 40


async def test_a_pod_without_room_tells_so_until_a_node_comes(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=1)
    ref = web(namespace)
    async with FakeNode(kube_api, namespace, startup_s=0.1) as node, watching(kube_api.kubeconfig, [ref]) as seen:

        def pods() -> Sequence[PodView]:
            return seen.cluster.view().pods[ref]

        await seen.shows(lambda: [pod.ready for pod in pods()] == [True])
        node.can_schedule = False
        await seen.actuator.scale(seen.order(ref, 2))
        await seen.shows(lambda: sorted(pod.unschedulable for pod in pods()) == [False, True])
        waits = next(pod for pod in pods() if pod.unschedulable)
        assert (waits.scheduled_at_s, waits.phase) == (None, "Pending")
        node.can_schedule = True

        await seen.shows(lambda: [pod.ready for pod in pods()] == [True, True])
        placed = next(pod for pod in pods() if pod.name == waits.name)
        assert not placed.unschedulable
        assert placed.scheduled_at_s is not None
        assert placed.scheduled_at_s >= placed.created_at_s


async def test_notices_a_deletion_that_happened_while_the_watch_was_broken(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=3)
    await create_deployment(kube_api, namespace, "gone", replicas=1)
    ref, gone = web(namespace), web(namespace, "gone")
    async with (
        Line(kube_api, tmp_path) as line,
        FakeNode(kube_api, namespace),
        watching(line.kubeconfig, [ref, gone]) as seen,
    ):
        await seen.shows(lambda: len(seen.pods(ref)) == 3)
        await line.cut()
        await change(kube_api, ref, {"spec": {"replicas": 1}})
        await send(kube_api, "DELETE", f"{collection(namespace, 'deployments')}/gone")

        async def one_pod_left() -> bool:
            pods = (await send(kube_api, "GET", collection(namespace, "pods")))["items"]
            return [pod["metadata"]["labels"]["app"] for pod in pods].count("web") == 1

        await eventually_async(one_pod_left)
        assert len(seen.pods(ref)) == 3
        # A restarted server does not know the versions of before: resuming a watch is answered with 410.
        kube_api.stop()
        kube_api.start()
        await line.mend()

        await seen.shows(lambda: len(seen.pods(ref)) == 1, within_s=20)
        await seen.sees(gone, lambda view: view.problem == f"Deployment {namespace}/gone does not exist")
        assert seen.target(ref).problem is None


async def test_an_order_decided_on_an_older_state_is_a_conflict(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        order = seen.order(ref, 5)
        await change(kube_api, ref, {"spec": {"replicas": 3}})

        with pytest.raises(Conflict, match=f"scaling Deployment {namespace}/web from 2 to 5: .*(HTTP 409)"):
            await seen.actuator.scale(order)
        assert await scale_of(kube_api, namespace, "web") == 3
        await seen.sees(ref, lambda view: view.spec_replicas == 3)
        await seen.actuator.scale(seen.order(ref, 5))
        assert await scale_of(kube_api, namespace, "web") == 5


async def test_an_account_without_the_right_to_patch_is_rejected_with_a_reason(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    await create_deployment(kube_api, namespace, "web")
    account = await kube_api.service_account(namespace, "watcher", MAY_WATCH)
    ref = web(namespace)
    async with watching(kube_api.kubeconfig_for(account.token, tmp_path), [ref]) as seen:
        assert seen.target(ref).problem is None
        with pytest.raises(Rejected, match=r'cannot patch resource "deployments/scale".*HTTP 403'):
            await seen.actuator.scale(seen.order(ref, 2))


async def test_impossible_orders_are_rejected(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web")
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        with pytest.raises(Rejected, match=r"must be greater than or equal to 0.*HTTP 422"):
            await seen.actuator.scale(seen.order(ref, -1))
        order = seen.order(ref, 2)
        await send(kube_api, "DELETE", f"{collection(namespace, 'deployments')}/web")
        with pytest.raises(Rejected, match=r"not found.*HTTP 404"):
            await seen.actuator.scale(order)


async def test_a_server_that_hangs_is_unavailable(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web")
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        kube_api.pause()
        with pytest.raises(Unavailable, match="no answer in time"):
            await seen.actuator.scale(seen.order(ref, 2))
        kube_api.resume()


async def test_a_revoked_token_shows_as_staleness_and_breaks_nothing(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    account = await kube_api.service_account(namespace, "watcher", MAY_WATCH)
    ref = web(namespace)
    kubeconfig = kube_api.kubeconfig_for(account.token, tmp_path)
    async with watching(kubeconfig, [ref], ClusterSettings(watch_s=2)) as seen:
        await send(kube_api, "DELETE", f"{collection(namespace, 'serviceaccounts')}/watcher")

        await seen.shows(lambda: time.time() - seen.cluster.view().seen_at_s > 6, within_s=40)
        assert seen.target(ref).spec_replicas == 2
        assert seen.target(ref).problem is None
        with pytest.raises(Unavailable, match="HTTP 401"):
            await seen.actuator.scale(seen.order(ref, 3))


async def test_events_stand_on_the_object_and_repeat_by_count(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web")
    ref = web(namespace)
    async with watching(kube_api.kubeconfig, [ref]) as seen:
        events = KubernetesEvents(seen.session, WallClock(), seen.cluster.uid_of)
        await events.emit(Event(ref, "Held", "an autoscaler scales it", warning=True))
        await events.emit(Event(ref, "Held", "an autoscaler scales it", warning=True))
        await events.emit(Event(ref, "Scaled", "from 1 to 2"))

        uid = seen.cluster.uid_of(ref)
        found = (await send(kube_api, "GET", f"{collection(namespace, 'events')}"))["items"]
        by_reason = {event["reason"]: event for event in found}
        assert {reason: event["count"] for reason, event in by_reason.items()} == {"Held": 2, "Scaled": 1}
        assert by_reason["Held"]["type"] == "Warning"
        assert by_reason["Held"]["involvedObject"]["uid"] == uid
        assert by_reason["Scaled"]["reportingComponent"] == "foresail"
        for _ in range(20):
            await events.emit(Event(ref, "Held", "an autoscaler scales it", warning=True))
        assert events.dropped == 13  # of 23 in all, 10 in a burst


async def test_problems_stand_on_the_targets_they_concern(kube_api: KubeApi, namespace: str, tmp_path: Path) -> None:
    await create_deployment(kube_api, namespace, "web")
    account = await kube_api.service_account(namespace, "watcher", MAY_WATCH)
    ref, forbidden = web(namespace), web("kube-system")
    absent = TargetRef("apps/v1", "Deploymint", namespace, "web")
    unscalable = TargetRef("v1", "Pod", namespace, "web")
    unknown = TargetRef("serving.kserve.io/v1beta1", "InferenceService", namespace, "web")
    targets = [ref, forbidden, absent, unscalable, unknown]
    async with watching(kube_api.kubeconfig_for(account.token, tmp_path), targets) as seen:
        view = seen.cluster.view()
        problems = {target: view.targets[target].problem or "" for target in targets}
        assert problems[ref] == ""
        assert problems[forbidden].startswith("deployments in kube-system: Foresail may not read them; grant it")
        assert "no kind Deploymint in apps/v1 (did you mean Deployment?)" in problems[absent]
        assert "v1 Pod has no scale subresource" in problems[unscalable]
        assert "no API group serving.kserve.io" in problems[unknown]
        assert time.time() - view.seen_at_s < 20


@pytest.mark.parametrize(
    "everywhere", [pytest.param(True, id="one-watch-for-all"), pytest.param(False, id="not-allowed-to")]
)
async def test_many_namespaces_are_watched_together_where_that_is_allowed(
    kube_api: KubeApi, namespace: str, tmp_path: Path, *, everywhere: bool
) -> None:
    await create_deployment(kube_api, namespace, "web")
    await create_deployment(kube_api, namespace, "later")
    account = await kube_api.service_account(namespace, "watcher", MAY_WATCH, cluster=everywhere)
    ref, later = web(namespace), web(namespace, "later")
    kubeconfig = kube_api.kubeconfig_for(account.token, tmp_path)
    async with (
        FakeNode(kube_api, namespace),
        watching(kubeconfig, [web("default")], ClusterSettings(few_namespaces=0)) as seen,
    ):
        await seen.cluster.follow([ref])
        await seen.sees(ref, lambda view: view.problem is None)
        await seen.shows(lambda: len(seen.pods(ref)) == 1)
        await seen.cluster.follow([ref, later])
        await seen.sees(later, lambda view: view.problem is None)
        await seen.shows(lambda: len(seen.pods(later)) == 1)
        assert seen.target(ref).problem is None
