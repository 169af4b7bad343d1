"""GPU quotas in the whole loop: who has what is left, what is counted, recorded and shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.collect.gpus import ReplicaGpus
from controller.collect.workloads import Workloads
from controller.journal import Journal
from controller.loop.again import Again
from controller.records import ClusterView, PodView, Quota, TargetRef, TargetView
from controller.telemetry.workloads import workload_text
from controller.web.documents import workload
from policies.arrays import integers
from policies.fleet import fleet_of
from policies.packing import pack
from simulations.cluster import Machine, SimulatedCluster, StartUp, Workload
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from controller.ports import Clock
    from policies.gpu_room import GpuRoom

GPU = "requests.nvidia.com/gpu"
A_GPU = (("pods", 1000), ("requests.cpu", 500), (GPU, 1000))


class Quotas(SimulatedCluster):
    """Every pod asks for a GPU; a quota of the namespace counts them, and what others use."""

    def __init__(self, clock: Clock, hard: int, others: int) -> None:
        super().__init__(clock, Machine(StartUp(30.0)))
        self.hard, self.others = hard, others

    def view(self) -> ClusterView:
        seen = super().view()
        pods = {ref: tuple(replace(pod, charge=A_GPU) for pod in found) for ref, found in seen.pods.items()}
        used = self.others + sum(map(len, pods.values()))
        quota = Quota("shop", "gpus", ((GPU, 1000 * max(0, self.hard - used)),))
        return replace(seen, pods=pods, quotas={"shop": (quota,)})


class World(Rig):
    """A chat of high priority and a batch of low; 2 replicas each."""

    cluster: Quotas

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cluster = Quotas(self.clock, hard=12, others=3)
        for name in ("batch", "chat"):
            self.cluster.add(Workload(self.ref(name), self.replicas))
        self.restart()

    def wants(self, *, chat: int, batch: int) -> None:
        self.source.load = {"chat": 7.0 * chat, "batch": 7.0 * batch}

    def scales(self) -> tuple[int, int]:
        return self.scale_of("chat"), self.scale_of("batch")


def world(journal: Journal | None = None) -> World:
    quick = [{"type": "Pods", "value": 100, "periodSeconds": 15}]
    behavior = {
        "scaleUp": {"stabilizationWindowSeconds": 0, "policies": quick},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    }
    rest = {"behavior": behavior, "forecast": {"enabled": False}}
    made = [policy("batch", priority=0, **rest), policy("chat", priority=100, **rest)]
    return World(ListedPolicies(made), journal)


async def test_the_high_priority_has_first_what_is_left() -> None:
    here = world()
    here.wants(chat=5, batch=9)
    await here.ticks(4)
    # 12 less 3 of others and 4 that are there leave 5: chat takes 3 of them.
    assert here.scales() == (5, 4)
    here.wants(chat=9, batch=9)
    await here.ticks(4)
    assert here.scales() == (5, 4), "nothing is left, and nobody is lowered for another"
    here.cluster.others = 1
    await here.ticks(2)
    assert here.scales() == (7, 4)
    here.wants(chat=2, batch=9)
    await here.ticks(2)
    assert here.scales() == (2, 4), "pods that end still use what they have"
    await here.ticks(4)
    assert here.scales() == (2, 9)


async def test_the_journal_is_decided_again_as_it_was(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    here = world(journal)
    random = np.random.default_rng(1)
    for _ in range(60):
        here.wants(chat=int(random.integers(1, 9)), batch=int(random.integers(1, 9)))
        here.cluster.others = int(random.integers(1, 6))
        await here.ticks()
    again = Again(await journal.beginning())
    ticks = [tick async for page in journal.pages(-1.0) for tick in again.take(page)]
    assert len(ticks) == 60
    assert sum(bool(tick.decision.gpu_shares.withheld.any()) for tick in ticks) > 20
    for tick, report in zip(ticks, here.reports, strict=True):
        assert pack(tick.decision.replicas) == pack(report.decision.replicas)
        assert pack(tick.decision.gpu_shares) == pack(report.decision.gpu_shares)
    await journal.close()


async def test_what_is_withheld_is_shown_by_the_api_and_as_a_metric() -> None:
    here = world()
    here.wants(chat=5, batch=9)
    await here.ticks()
    lines = workload_text(here.last()).splitlines()
    assert 'foresail_gpu_quota_withheld_replicas{namespace="shop",workload="batch"} 5' in lines
    assert 'foresail_gpu_quota_withheld_replicas{namespace="shop",workload="chat"} 0' in lines
    assert workload(here.last(), 0)["gpuQuota"] == {"resource": "nvidia.com/gpu", "left": 5.0, "asked": 7, "given": 2}
    assert workload(here.last(), 1)["gpuQuota"] is None


CHAT = TargetRef("apps/v1", "Deployment", "shop", "chat")


def room(pods: Sequence[PodView], *left: tuple[str, int | None], gpus: object = None) -> GpuRoom | None:
    """What the collector makes of the pods of one workload and the quotas of its namespace."""
    work, counted = Workloads(), ReplicaGpus()
    work.follow((CHAT,))
    quotas = {"shop": [Quota("shop", f"of-{resource}", ((resource, milli),)) for resource, milli in left]}
    view = ClusterView({CHAT: TargetView(CHAT, 2, 2, "1")}, {CHAT: pods}, 0.0, quotas=quotas)
    work.look(view)
    counted.look((CHAT,), work, integers(1, 1))
    spec = {} if gpus is None else {"budget": {"replicaGpus": gpus}}
    return counted.room(view.quotas, fleet_of([policy("chat", **spec)]), integers(1, 1))


def pod(*charge: tuple[str, int | None]) -> PodView:
    return PodView(
        "chat-1", "Running", deleted=False, ready=True, created_at_s=0, started_at_s=0, transition_at_s=0, charge=charge
    )


def test_the_strictest_quota_of_each_resource_counts() -> None:
    mig = "requests.nvidia.com/mig-1g.5gb"
    found = room(
        [pod((GPU, 1000), (mig, 2000))] * 3,
        *((GPU, 7000), (GPU, 4000), (mig, 9000), ("requests.cpu", 0), ("requests.amd.com/gpu", None)),
    )
    assert found is not None
    assert found.names == ("shop/nvidia.com/gpu", "shop/nvidia.com/mig-1g.5gb")
    assert found.left_milli.tolist() == [4000, 9000]
    assert (found.lane.tolist(), found.cap.tolist(), found.need_milli.tolist()) == ([0, 0], [0, 1], [1000, 2000])


@pytest.mark.parametrize(
    ("pods", "gpus", "need_milli"),
    [
        pytest.param([], None, [], id="nobody-knows-what-a-replica-takes"),
        pytest.param([], 4, [4000], id="the-policy-says"),
        pytest.param([pod((GPU, 1000))], 4, [1000], id="pods-are-believed-first"),
        pytest.param([pod((GPU, None))], 4, [], id="a-pod-that-cannot-be-read"),
        pytest.param([pod(("requests.cpu", 500))], None, [], id="it-takes-no-gpus"),
    ],
)
def test_what_a_replica_takes(pods: list[PodView], gpus: object, need_milli: list[int]) -> None:
    found = room(pods, (GPU, 4000), gpus=gpus)
    assert found is not None
    assert found.need_milli.tolist() == need_milli


def test_without_quotas_of_gpus_there_is_nothing_to_share() -> None:
    assert room([pod((GPU, 1000))], ("requests.cpu", 4000)) is None
