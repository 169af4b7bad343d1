"""Budgets in the whole loop: who yields to whom, what is counted, recorded and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from controller.adapters.policy_files import PolicyFiles
from controller.collect.gpus import ReplicaGpus
from controller.collect.workloads import Workloads
from controller.journal import Journal
from controller.loop.again import Again
from controller.records import ClusterView, PodView, TargetRef, TargetView
from controller.telemetry.budgets import used
from controller.telemetry.workloads import workload_text
from controller.web.documents import workload
from policies.arrays import integers
from policies.mix.budgets import Scope
from policies.model import UNKNOWN, Limits
from policies.packing import pack
from policies.signals import BUDGET_USED
from tests.builders import budget
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from pathlib import Path

    from policies.budget import Budget

CHAT, BATCH = Rig.ref("chat"), Rig.ref("batch")
A_GPU = (("limits.nvidia.com/gpu", 1000), ("pods", 1000), ("requests.cpu", 500), ("requests.nvidia.com/gpu", 1000))
TWO_AMD = (("pods", 1000), ("requests.amd.com/gpu", 2000))


def two(*budgets: Budget, journal: Journal | None = None, limits: Limits | None = None) -> Rig:
    """A chat of high priority and a batch of low, a GPU for each replica, both at once up and down; 2 replicas each."""
    quick = [{"type": "Pods", "value": 100, "periodSeconds": 15}]
    both = {
        name: {"stabilizationWindowSeconds": 0, **({"policies": quick} if name == "scaleUp" else {})}
        for name in ("scaleUp", "scaleDown")
    }
    rest = {"behavior": both, "forecast": {"enabled": False}, "budget": {"replicaGpus": 1}}
    made = [policy("batch", priority=0, **rest), policy("chat", priority=100, **rest)]
    return Rig(ListedPolicies(made, budgets=budgets), journal, limits or Limits(removal_ratio=1.0))


def wants(world: Rig, *, chat: int, batch: int) -> None:
    world.source.load = {"chat": 7.0 * chat, "batch": 7.0 * batch}


def scales(world: Rig) -> tuple[int, int]:
    return world.scale_of("chat"), world.scale_of("batch")


async def test_the_low_priority_has_what_the_high_one_leaves() -> None:
    world = two(budget(gpus=8))
    wants(world, chat=3, batch=9)
    await world.ticks(2)
    assert scales(world) == (3, 5)
    wants(world, chat=6, batch=9)
    await world.ticks(2)
    assert scales(world) == (6, 2)
    wants(world, chat=2, batch=9)
    await world.ticks(2)
    assert scales(world) == (2, 6)


async def test_a_budget_that_changes_is_taken_up() -> None:
    world = two()
    wants(world, chat=4, batch=6)
    await world.ticks(2)
    assert scales(world) == (4, 6)
    world.policies.budgets, world.policies.version = (budget(None, gpus=7),), 1
    await world.ticks(2)
    assert scales(world) == (4, 3)
    world.policies.budgets, world.policies.version = (), 2
    await world.ticks(2)
    assert scales(world) == (4, 6)


async def test_who_yields_does_so_within_the_fleet_breaker() -> None:
    world = two(budget(gpus=10), limits=Limits(removal_ratio=0.2))
    wants(world, chat=1, batch=9)
    await world.ticks(2)
    await world.ticks(50)  # until what went first is forgotten
    assert scales(world) == (1, 9)
    wants(world, chat=9, batch=9)
    await world.ticks()
    assert scales(world) == (9, 7), "the rise is at once; of 10 two may go in ten minutes"
    await world.ticks(200)
    assert scales(world) == (9, 1)


async def test_a_source_that_is_down_lowers_nobody_for_a_budget() -> None:
    world = two(budget(gpus=8))
    wants(world, chat=3, batch=9)
    await world.ticks(2)
    world.source.load = None
    world.policies.budgets, world.policies.version = (budget(gpus=4),), 1
    await world.ticks(3)
    assert scales(world) == (3, 5)
    assert any(line.startswith("budget of namespace shop: minima and") for line in world.last().problems)


async def test_the_journal_is_decided_again_as_it_was(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    world = two(budget(gpus=8), journal=journal)
    random = np.random.default_rng(1)
    for number in range(60):
        wants(world, chat=int(random.integers(1, 9)), batch=int(random.integers(1, 9)))
        if number == 30:
            world.policies.budgets, world.policies.version = (budget(gpus=5), budget(None, gpus=9)), 1
        await world.ticks()
    again = Again(await journal.beginning())
    ticks = [tick async for page in journal.pages(-1.0) for tick in again.take(page)]
    assert len(ticks) == 60
    assert sum(bool((tick.decision.budget.scope != Scope.NONE).any()) for tick in ticks) > 20
    for tick, report in zip(ticks, world.reports, strict=True):
        assert pack(tick.decision.replicas) == pack(report.decision.replicas)
        assert pack(tick.decision.budget) == pack(report.decision.budget)
    assert {tick.remembered for tick in ticks} == {None, True}
    await journal.close()


async def test_after_a_restart_it_goes_on_as_before(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    world, twin = two(budget(gpus=8), journal=journal), two(budget(gpus=8))
    for each in (world, twin):
        wants(each, chat=3, batch=9)
        await each.ticks(4)
    world.restart()
    for each in (world, twin):
        wants(each, chat=6, batch=9)
        await each.ticks(3)
    assert scales(world) == scales(twin) == (6, 2)
    await journal.close()


async def test_it_is_shown_by_the_api_and_as_metrics() -> None:
    world = two(budget(gpus=8), budget(None, gpus=16))
    wants(world, chat=3, batch=9)
    await world.ticks(3)
    report = world.last()
    assert report.fleet.uid == ("shop/batch", "shop/chat")
    assert workload(report, 0)["budget"] == {
        "of": "namespace",
        "resource": "gpus",
        "cap": 8.0,
        "replica": 1.0,
        "wanted": 9,
        "kept": 5,
    }
    assert (workload(report, 0)["reason"], workload(report, 1)["budget"]) == ("budget", None)
    lines = workload_text(report).splitlines()
    assert 'foresail_budget_withheld_replicas{namespace="shop",workload="batch"} 4' in lines
    assert 'foresail_budget_withheld_replicas{namespace="shop",workload="chat"} 0' in lines
    assert list(used(report)) == [(BUDGET_USED, ("shop", "gpus"), 1.0), (BUDGET_USED, ("", "gpus"), 0.5)]
    assert report.problems == ()


async def test_without_budgets_nothing_is_shown() -> None:
    world = two()
    wants(world, chat=3, batch=9)
    await world.ticks()
    assert list(used(world.last())) == []
    assert not any(line.startswith("foresail_budget") for line in workload_text(world.last()).splitlines())


@dataclass
class Seen:
    """What the collector makes of pods."""

    work: Workloads = field(default_factory=Workloads)
    gpus: ReplicaGpus = field(default_factory=ReplicaGpus)

    def look(self, *pods: PodView, pods_per_replica: int = 1, targets: tuple[TargetRef, ...] = (CHAT,)) -> int:
        self.work.follow(targets)
        self.work.look(ClusterView({CHAT: TargetView(CHAT, 2, 2, "1")}, {CHAT: pods}, 0.0))
        return int(self.gpus.look(targets, self.work, integers(len(targets), pods_per_replica))[-1])


def pod(charge: tuple[tuple[str, int | None], ...], phase: str = "Running") -> PodView:
    return PodView(
        "web-1", phase, deleted=False, ready=True, created_at_s=0, started_at_s=0, transition_at_s=0, charge=charge
    )


@pytest.mark.parametrize(
    ("pods", "pods_per_replica", "gpus_milli"),
    [
        pytest.param([], 1, UNKNOWN, id="no-pod-no-answer"),
        pytest.param([pod(A_GPU)] * 2, 1, 1000, id="requests-and-not-limits"),
        pytest.param([pod(TWO_AMD)], 1, 2000, id="anybodys-gpus"),
        pytest.param([pod((("requests.cpu", 500),))], 1, 0, id="none"),
        pytest.param([pod(A_GPU), pod(TWO_AMD)], 1, 1500, id="the-mean-while-a-template-rolls-out"),
        pytest.param([pod(A_GPU), pod((("requests.cpu", 500),))], 2, 1000, id="a-group-is-its-pods"),
        pytest.param([pod((("requests.nvidia.com/gpu", None),))], 1, UNKNOWN, id="unreadable"),
        pytest.param([pod(A_GPU, "Failed")], 1, UNKNOWN, id="what-ended-tells-nothing"),
    ],
)
def test_gpus_are_those_that_pods_request(pods: list[PodView], pods_per_replica: int, gpus_milli: int) -> None:
    assert Seen().look(*pods, pods_per_replica=pods_per_replica) == gpus_milli


def test_at_no_replicas_the_last_known_gpus_count() -> None:
    seen = Seen()
    assert [seen.look(pod(TWO_AMD)), seen.look(), seen.look(pod(A_GPU))] == [2000, 2000, 1000]
    assert [seen.look(targets=(BATCH, CHAT)), seen.look(targets=(CHAT, BATCH))] == [1000, UNKNOWN], (
        "whoever comes and goes"
    )


async def test_budgets_are_read_beside_policies_and_a_bad_edit_keeps_the_last_good_one(tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    given = [policy("chat").document(), budget(gpus=8).model_dump(mode="json", by_alias=True, exclude_none=True)]
    file.write_text(yaml.safe_dump_all(given))
    source = PolicyFiles([tmp_path])
    first = await source.read()
    assert ([each.uid for each in first.policies], len(first.budgets)) == (["shop/chat"], 1)
    file.write_text(file.read_text().replace("gpus: '8'", "gpus: -8"))
    second = await source.read()
    assert second.budgets == first.budgets
    assert second.problems == (f"{file} (document 2): spec.gpus: must not be below 0, not -8",)
    file.write_text(yaml.safe_dump_all(given).replace("gpus: '8'", "gpus: 9"))
    third = await source.read()
    assert (third.problems, third.digest != first.digest) == ((), True)
