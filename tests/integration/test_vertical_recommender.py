"""The recommender of VerticalPodAutoscalers on a real API server, with the rights that users are given and no more."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.aio.client import ApiException

from controller.adapters.kubernetes.discovery import Discovery
from controller.adapters.kubernetes.vertical import KubernetesVertical
from controller.clients.kubernetes import connect
from controller.loop.supervisor import Supervisor
from controller.records import PastSeries, PolicySet
from controller.vertical.loop import VerticalLoop, VerticalParts
from tests.controller.vertical.rig import UsageSource
from tests.integration.daemon import rights
from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import MERGE, collection, request
from tests.integration.servers.kubernetes import create_deployment
from tests.integration.servers.process import eventually, eventually_async
from tests.integration.servers.vertical_crds import autoscaler, install, path
from tests.integration.watched_cluster import WallClock, send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from tests.integration.daemon import Stage
    from tests.integration.servers.kube_client import Document
    from tests.integration.servers.kubernetes import KubeApi

MIB = 2.0**20
DAY_S = 86_400.0


@dataclass
class Stand:
    """A Deployment of two replicas, usage that tests set, and a recommender as the daemon has it."""

    kube_api: KubeApi
    namespace: str
    folder: Path
    source: UsageSource
    token: str
    killed: str | None = None

    @asynccontextmanager
    async def recommender(self) -> AsyncIterator[VerticalLoop]:
        """One life of the daemon's part."""
        kubeconfig = self.kube_api.kubeconfig_for(self.token, self.folder)
        async with (
            await connect(kubeconfig=kubeconfig, request_timeout_s=5) as session,
            KubernetesVertical(session, Discovery(session, WallClock()), WallClock()) as cluster,
        ):
            parts = VerticalParts(WallClock(), self.source, cluster, Supervisor())
            yield VerticalLoop(parts, lambda: PolicySet(()), lambda: self.killed, lambda _report: None)

    async def pods(self, count: int = 2) -> list[str]:
        """Names of the pods, once there are so many."""

        async def found() -> list[str] | None:
            listed = await send(self.kube_api, "GET", collection(self.namespace, "pods"))
            names = sorted(str(item["metadata"]["name"]) for item in listed["items"])
            return names if len(names) == count else None

        names = await eventually_async(found, 20, what=f"{count} pods")
        assert names is not None
        return names

    async def make(self, document: Document) -> Document:
        return await send(self.kube_api, "POST", path(self.namespace), document)

    async def read(self, name: str) -> Document:
        return await send(self.kube_api, "GET", f"{path(self.namespace)}/{name}")

    async def uses(self, cores: float, mib: float) -> None:
        """Let every pod use so much."""
        places = [(self.namespace, "server", name) for name in await self.pods()]
        self.source.cores = dict.fromkeys(places, cores)
        self.source.bytes = dict.fromkeys(places, mib * MIB)

    def used(self, cores: float, mib: float, hours: int = 192) -> None:
        """Let the workload have used so much until now."""
        at_s = [time.time() - 3600.0 * hour for hour in range(hours, 0, -1)]
        key = (self.namespace, "web", "server")
        self.source.past_cores = [PastSeries(key, at_s, [cores] * hours)]
        self.source.past_bytes = [PastSeries(key, at_s, [mib * MIB] * hours)]


@pytest.fixture
async def stand(kube_api: KubeApi, namespace: str, tmp_path: Path) -> AsyncIterator[Stand]:
    """Everything but an autoscaler."""
    await install(kube_api)
    await create_deployment(kube_api, namespace, "web", replicas=2)
    account = await kube_api.service_account(namespace, "foresail", rights(), cluster=True)
    async with FakeNode(kube_api, namespace, startup_s=0.1):
        made = Stand(kube_api, namespace, tmp_path, UsageSource(), account.token)
        await made.uses(0.5, 600)
        yield made
    await send(kube_api, "DELETE", path(namespace))  # a recommender sees those of all namespaces


def containers(document: Document) -> dict[str, Any]:
    found = (document["status"].get("recommendation") or {}).get("containerRecommendations") or []
    return {each["containerName"]: each for each in found}


def conditions(document: Document) -> dict[str, str]:
    return {each["type"]: each["status"] for each in document["status"]["conditions"]}


async def test_a_status_is_written_and_only_where_it_changed(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    other = autoscaler("other")
    other["spec"]["recommenders"] = [{"name": "another"}]
    await stand.make(other)
    async with stand.recommender() as recommender:
        report = await recommender.round()
        assert report.writes == {"written": 1}, report.problems
        assert not report.problems
        found = await stand.read("web")
        [server] = containers(found).values()
        # 0.5 cores are in the bucket that ends at 0.519, 600 MiB in that to 6.51e8: each and 15 %.
        assert server["target"]["cpu"] == server["uncappedTarget"]["cpu"]
        assert 575 <= int(server["target"]["cpu"].removesuffix("m")) <= 660
        assert 1.15 * 600 * MIB <= int(server["target"]["memory"]) <= 1.15 * 1.06 * 600 * MIB
        assert conditions(found) == {"RecommendationProvided": "True", "LowConfidence": "True"}
        assert (await recommender.round()).writes == {"unchanged": 1}
        assert "status" not in await stand.read("other")


async def test_learned_from_the_past_it_is_sure_and_then_stays_as_it_is(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    stand.used(0.5, 600)
    async with stand.recommender() as recommender:
        await recommender.round()
        found = await stand.read("web")
        assert conditions(found) == {"RecommendationProvided": "True"}
        report = await recommender.round()
        assert sum(report.writes.values()) == 1
    upper = int(containers(found)["server"]["upperBound"]["cpu"].removesuffix("m"))
    assert upper < 1.2 * int(containers(found)["server"]["target"]["cpu"].removesuffix("m"))


async def test_a_resource_policy_bounds_leaves_out_and_switches_off(stand: Stand) -> None:
    policies = [{"containerName": "*", "controlledResources": ["memory"], "maxAllowed": {"memory": "512Mi"}}]
    await stand.make(autoscaler("bounded", resourcePolicy={"containerPolicies": policies}))
    off = [{"containerName": "server", "mode": "Off"}]
    await stand.make(autoscaler("off", resourcePolicy={"containerPolicies": off}))
    async with stand.recommender() as recommender:
        await recommender.round()
    [server] = containers(await stand.read("bounded")).values()
    assert server["target"] == {"memory": str(512 * 2**20)}
    assert int(server["uncappedTarget"]["memory"]) > 600 * MIB
    found = await stand.read("off")
    assert (containers(found), conditions(found)["RecommendationProvided"]) == ({}, "False")


async def test_a_restart_goes_on_from_the_past_or_else_from_its_checkpoint(stand: Stand) -> None:
    await stand.make(autoscaler("web", updatePolicy={"updateMode": "InPlaceOrRecreate"}))
    stand.used(2.0, 3000)
    async with stand.recommender() as recommender:
        await recommender.round()
    kept = await send(stand.kube_api, "GET", path(stand.namespace, "verticalpodautoscalercheckpoints"))
    [checkpoint] = kept["items"]
    assert checkpoint["metadata"]["name"] == "web-server"
    assert checkpoint["metadata"]["ownerReferences"][0]["name"] == "web"
    assert checkpoint["spec"] == {"vpaObjectName": "web", "containerName": "server"}
    assert checkpoint["status"]["version"] == "v3"
    assert checkpoint["status"]["totalSamplesCount"] > 8 * 1440 * 0.9

    before = containers(await stand.read("web"))["server"]
    assert (
        3000 * MIB * 1.041 <= int(before["target"]["memory"]) <= 3000 * MIB * 1.043
    )  # Foresail's own: the peak and 4.2 %
    lost = f"{path(stand.namespace)}/web/status"
    await send(stand.kube_api, "PATCH", lost, {"status": None}, MERGE)
    async with stand.recommender() as recommender:
        report = await recommender.round()
    [size] = report.workloads[0].containers
    assert {(each.method, each.reason) for each in size.spoke.values()} == {("foresail", "history")}
    assert containers(await stand.read("web"))["server"]["target"] == before["target"]

    await send(stand.kube_api, "PATCH", lost, {"status": None}, MERGE)
    stand.source.past_cores, stand.source.past_bytes = [], []  # a Prometheus that has forgotten
    async with stand.recommender() as recommender:
        report = await recommender.round()
    [size] = report.workloads[0].containers
    assert {(each.method, each.reason) for each in size.spoke.values()} == {("vpa", "young")}
    memory = int(containers(await stand.read("web"))["server"]["target"]["memory"])
    assert memory >= 3000 * MIB * 1.15  # as the checkpoint has it


async def test_without_usage_what_stands_is_left_alone(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    standing = {"containerName": "server", "target": {"cpu": "3", "memory": "4Gi"}}
    status = {"recommendation": {"containerRecommendations": [standing]}}
    await send(stand.kube_api, "PATCH", f"{path(stand.namespace)}/web/status", {"status": status}, MERGE)
    stand.source.down = "connection refused"
    async with stand.recommender() as recommender:
        report = await recommender.round()
        assert any("connection refused" in each for each in report.problems)
        assert containers(await stand.read("web"))["server"]["target"] == standing["target"]
        stand.source.down = None
        await recommender.round()  # one minute of use is no reason to lower anything
    assert containers(await stand.read("web"))["server"]["target"] == {"cpu": "3000m", "memory": str(4 * 2**30)}


async def test_a_container_killed_for_want_of_memory_gets_more_at_once(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    stand.used(0.5, 600)
    [name, _] = await stand.pods()
    async with stand.recommender() as recommender:
        await recommender.round()
        before = int(containers(await stand.read("web"))["server"]["target"]["memory"])
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 5))
        ended = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": at}
        state = {"name": "server", "ready": True, "restartCount": 1, "image": "x", "imageID": "x"}
        status = {"containerStatuses": [{**state, "lastState": {"terminated": ended}}]}
        pods = collection(stand.namespace, "pods")
        await send(stand.kube_api, "PATCH", f"{pods}/{name}/status", {"status": status}, MERGE)

        async def seen() -> object:
            [each] = await recommender.parts.cluster.watched({}, ())
            return any(c.oom_at_s for pod in each.pods for c in pod.containers) or None

        await eventually_async(seen, 10, what="the kill is seen")
        await recommender.round()
        after = int(containers(await stand.read("web"))["server"]["target"]["memory"])
    # 90 % of nine peaks: the tenth, of the killed pod, decides with its weight of today.
    assert after > before


async def test_what_cannot_be_followed_is_said_in_the_conditions(stand: Stand) -> None:
    await stand.make(autoscaler("lost", target="not-there"))
    await create_deployment(stand.kube_api, stand.namespace, "idle", replicas=0)
    await stand.make(autoscaler("empty", target="idle"))
    async with stand.recommender() as recommender:
        await recommender.round()
    lost = await stand.read("lost")
    assert conditions(lost) == {"ConfigUnsupported": "True", "RecommendationProvided": "False"}
    [told] = [each["message"] for each in lost["status"]["conditions"] if each["type"] == "ConfigUnsupported"]
    assert "not-there" in told
    assert conditions(await stand.read("empty")) == {"NoPodsMatched": "True", "RecommendationProvided": "False"}


async def test_a_status_that_somebody_else_wrote_meanwhile_is_read_again(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    async with stand.recommender() as recommender:
        [seen] = await recommender.parts.cluster.watched({}, ())
        assert seen.autoscaler is not None
        label = {"metadata": {"labels": {"touched": "yes"}}}
        await send(stand.kube_api, "PATCH", f"{path(stand.namespace)}/web", label, MERGE)
        recommender.bank.follow([seen], time.time())
        assert await recommender.written(seen, time.time()) == ("written", "")
    assert conditions(await stand.read("web"))["RecommendationProvided"] == "False"


async def test_while_the_kill_switch_is_set_nothing_is_written(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    stand.killed = "the ConfigMap says so"
    async with stand.recommender() as recommender:
        report = await recommender.round()
    assert (report.writes, report.checkpoints) == ({}, 0)
    assert "status" not in await stand.read("web")


def without(rules: Sequence[Document], resource: str) -> list[Document]:
    return [rule for rule in rules if resource not in rule["resources"]]


@pytest.mark.parametrize(
    ("resource", "told"),
    [
        pytest.param(
            "verticalpodautoscalers/status", "grant Foresail patch on verticalpodautoscalers/status", id="status"
        ),
        pytest.param(
            "verticalpodautoscalercheckpoints",
            "grant Foresail list on verticalpodautoscalercheckpoints",
            id="checkpoints",
        ),
        pytest.param("verticalpodautoscalers", "grant it get, list and watch", id="autoscalers"),
    ],
)
async def test_a_right_that_is_missing_is_named(stand: Stand, resource: str, told: str) -> None:
    await stand.make(autoscaler("web"))
    rules = without(rights(), resource)
    account = await stand.kube_api.service_account(stand.namespace, f"less-{resource[-5:]}", rules, cluster=True)
    stand.token = account.token
    async with stand.recommender() as recommender:
        report = await recommender.round()
    assert any(told in each for each in report.problems), report.problems


async def test_the_rights_of_the_recommender_allow_nothing_on_workloads(stand: Stand) -> None:
    await stand.make(autoscaler("web"))
    body = {"spec": {"updatePolicy": {"updateMode": "Off"}}}
    async with stand.kube_api.client(stand.token) as api:
        with pytest.raises(ApiException, match="forbidden"):
            await request(api, "PATCH", f"{path(stand.namespace)}/web", body, content_type=MERGE)


async def test_the_daemon_sizes_for_autoscalers_and_for_policies(stage: Stage) -> None:
    await install(stage.kube_api)
    await send(stage.kube_api, "POST", path(stage.namespace), autoscaler("web"))
    pods = [item["metadata"]["name"] for item in await pods_of(stage)]
    for name, value in (("memory_working_set_bytes", 600 * MIB), ("cpu_usage_seconds_total", 5.0)):
        for pod in pods:
            stage.exporter.set(f"container_{name}", value, namespace=stage.namespace, container="server", pod=pod)
    stage.load(14)
    stage.policy(resources="recommend")
    rate = f'rate(container_cpu_usage_seconds_total{{namespace="{stage.namespace}"}}[3m])'
    eventually(lambda: stage.prometheus.query(rate), 30, what="usage is scraped twice")
    try:
        with stage.daemon as daemon:
            place = f"{path(stage.namespace)}/web"

            async def written() -> Document | None:
                found = await send(stage.kube_api, "GET", place)
                return found if found.get("status", {}).get("recommendation") else None

            found = await eventually_async(written, 30, what="the status is written")
            assert found is not None
            [server] = containers(found).values()
            assert server["target"]["cpu"] == "25m"  # it idles: a pod's least
            assert int(server["target"]["memory"]) >= 1.15 * 600 * MIB
            # The status is written before the round ends, and only a round that ended is shown.
            [size] = eventually(lambda: daemon.api("sizes")["items"], 20)
            assert (size["autoscaler"], size["policy"]) == (f"{stage.namespace}/web", f"{stage.namespace}/web")
            bound = {"workload": "web", "container": "server", "bound": "target"}
            amount = daemon.metric("foresail_vpa_recommendation_bytes", namespace=stage.namespace, **bound)
            assert amount == int(server["target"]["memory"])

            def explained() -> object:
                told = daemon.api(f"workloads/{stage.namespace}/web")["explanation"]
                return [each for each in told if each.startswith("container server should request")]

            eventually(explained, 20, what="the policy's explanation tells the size")
        kept = await send(stage.kube_api, "GET", path(stage.namespace, "verticalpodautoscalercheckpoints"))
        assert [each["metadata"]["name"] for each in kept["items"]] == ["web-server"]
    finally:
        await send(stage.kube_api, "DELETE", path(stage.namespace))


async def pods_of(stage: Stage) -> list[Document]:
    """The pods of the stage's Deployment, once both are there."""

    async def found() -> list[Document] | None:
        listed = await send(stage.kube_api, "GET", collection(stage.namespace, "pods"))
        items: list[Document] = listed["items"]
        return items if len(items) == 2 else None

    both = await eventually_async(found, 20, what="two pods")
    assert both is not None
    return both
