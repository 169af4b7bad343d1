"""Two Deployments under one policy on a real API server: spot, notices as taints, and nodes that may not be read."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from controller.journal import Journal
from controller.loop.again import Again
from controller.settings.values import journal_url
from tests.integration.daemon import Servers, rights, staged
from tests.integration.servers.kube_client import collection
from tests.integration.servers.kubernetes import create_deployment, scale_of
from tests.integration.servers.process import eventually, eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.daemon import Daemon, Stage
    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.kube_client import Document
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.prometheus import Prometheus

SURGE = "web-spot"
NEED = 6  # replicas at the target of 7
ITN = {"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}


@dataclass
class Zones:
    """Spot nodes, one in each of three zones; the scheduler deals the surge's pods out to those without a taint."""

    stage: Stage
    zones: dict[str, str] = field(default_factory=dict)  # by node
    announced: set[str] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        for zone in ("a", "b", "c"):
            name = f"{self.stage.namespace}-{zone}"
            labels = {"topology.kubernetes.io/zone": zone, "karpenter.sh/capacity-type": "spot"}
            await self.stage.send("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
            self.zones[name] = zone
        turns = itertools.count()
        node = self.stage.node
        assert node is not None

        def placed(pod: Document) -> str | None:
            if pod["metadata"]["labels"]["app"] != SURGE:
                return "fake-node"
            names = sorted(self.zones.keys() - self.announced)
            return names[next(turns) % len(names)] if names else None

        node.node_for = placed
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self.zones):
            await self.stage.send("DELETE", f"/api/v1/nodes/{name}")

    async def announce(self, name: str) -> None:
        self.announced.add(name)
        await self.stage.send("PATCH", f"/api/v1/nodes/{name}", {"spec": {"taints": [ITN]}})

    async def lose(self, name: str) -> None:
        """The provider takes a node back: it goes, and its pods with it."""
        del self.zones[name]
        await self.stage.send("DELETE", f"/api/v1/nodes/{name}")
        at_once = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0}
        for pod in await self.pods(name):
            await self.stage.send("DELETE", f"{collection(self.stage.namespace, 'pods')}/{pod}", at_once)

    async def pods(self, node: str) -> list[str]:
        found = (await self.stage.send("GET", collection(self.stage.namespace, "pods")))["items"]
        return [pod["metadata"]["name"] for pod in found if pod["spec"].get("nodeName") == node]


@asynccontextmanager
async def placed(servers: Servers, folder: Path, *, cluster: bool) -> AsyncIterator[Stage]:
    """A base of two, a surge of none, and a load that needs six; the account may read nodes or not."""
    async with staged(servers, folder, rights(), cluster=cluster) as stage:
        await create_deployment(servers.kube_api, servers.namespace, SURGE, replicas=0)
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": SURGE}
        stage.policy(placement={"spot": {"target": target, "short": "5%"}})
        stage.load(7 * NEED)
        yield stage


async def ready(stage: Stage) -> int:
    found = (await stage.send("GET", collection(stage.namespace, "deployments")))["items"]
    return sum(each["status"].get("readyReplicas", 0) for each in found)


async def test_a_notice_raises_on_demand_before_the_spot_is_gone(
    kube_api: KubeApi, namespace: str, scraped: tuple[Prometheus, Exporter], tmp_path: Path
) -> None:
    servers = Servers(kube_api, namespace, *scraped)
    async with placed(servers, tmp_path, cluster=True) as stage, Zones(stage) as zones:
        with stage.daemon as daemon:
            moved = await asyncio.to_thread(
                stage.shows,
                lambda shown: (
                    shown["placement"]["spot"]["ready"] >= 3
                    and shown["placement"]["spot"]["ready"] + shown["placement"]["onDemand"]["ready"] >= NEED
                    and shown["placement"]["onDemand"]["desired"] <= NEED - 3
                ),
                90.0,
            )
            base, spot = (moved["placement"][part]["desired"] for part in ("onDemand", "spot"))
            going = [name for name in sorted(zones.zones) if await zones.pods(name)][:2]
            there = {name: await zones.pods(name) for name in going}
            stays = spot - sum(map(len, there.values()))
            assert stays < NEED - base, "what stays on spot does not do"
            for name in going:
                await zones.announce(name)

            async def raised() -> bool:
                count = await scale_of(kube_api, namespace, "web")
                assert count >= NEED - stays, f"{count} on demand"
                return True

            await eventually_async(raised, 30)
            assert {name: await zones.pods(name) for name in going} == there, "they are still there"
            told = await asyncio.to_thread(stage.shows, lambda shown: shown["placement"]["spot"]["noticed"] > 0)
            assert any("announced to go" in sentence for sentence in told["explanation"])
            await eventually_async(lambda: _on_demand_ready(stage, NEED - stays), 30)

            for name in going:
                await zones.lose(name)
            assert await ready(stage) >= NEED
            for zone in [name[-1] for name in going]:
                lost = await asyncio.to_thread(eventually, lambda zone=zone: _interruptions(daemon, zone), 30)
                assert lost >= 1
            assert await ready(stage) >= NEED
            labels = {"workload": "web", "capacity_type": "spot"}
            until = daemon.ticks() + 8
            await asyncio.to_thread(eventually, lambda: daemon.ticks() >= until, 60)
            assert await ready(stage) >= NEED
            assert daemon.metric("foresail_capacity_recommended_replicas", **labels) is not None
        await _decided_again(tmp_path)


async def test_without_the_right_to_read_nodes_all_is_on_demand_and_told_once(
    kube_api: KubeApi, namespace: str, scraped: tuple[Prometheus, Exporter], tmp_path: Path
) -> None:
    servers = Servers(kube_api, namespace, *scraped)
    async with placed(servers, tmp_path, cluster=False) as stage:
        with stage.daemon as daemon:
            await stage.scaled(NEED)
            assert await scale_of(kube_api, namespace, SURGE) == 0
            problems = daemon.api("workloads")["problems"]
            assert len([problem for problem in problems if problem.startswith("nodes: Foresail may not read")]) == 1
            stage.load(14)
            await stage.scaled(2)


async def _on_demand_ready(stage: Stage, count: int) -> bool:
    found = await stage.send("GET", f"{collection(stage.namespace, 'deployments')}/web")
    return int(found["status"].get("readyReplicas", 0)) >= count


def _interruptions(daemon: Daemon, zone: str) -> float:
    return daemon.metric("foresail_spot_interruptions_total", zone=zone) or 0.0


async def _decided_again(folder: Path) -> None:
    """The journal of the daemon gives the same decisions and the same states again."""
    journal = await Journal.reader(journal_url(str(folder / "daemon" / "state" / "foresail.db")))
    try:
        again = Again(await journal.beginning())
        ticks = [tick async for page in journal.pages(-1.0) for tick in again.take(page)]
    finally:
        await journal.close()
    assert len(ticks) > 10
    assert any(tick.decision.split.zones.lost.any() for tick in ticks)
    for tick in ticks:
        for lane, uid in enumerate(tick.fleet.uid):
            if uid in tick.rows:
                assert tick.rows[uid].target == tick.decision.replicas.target[lane]
    assert False not in {tick.remembered for tick in ticks}
