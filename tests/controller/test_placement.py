"""Two objects under one policy in the whole loop: what is ordered of each, and when one of them cannot be had."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.journal import Journal
from controller.loop.again import Again
from controller.records import NodeView, Notice
from controller.telemetry.placement import interruptions
from controller.telemetry.workloads import workload_text
from controller.web.documents import workload
from policies.model import UNKNOWN
from simulations.cluster import Faults, Workload
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from pathlib import Path

SURGE = Rig.ref("web-spot")
GOES = Notice("AWS takes the spot instance back within two minutes", reclaimed=True)
NODES = {"s1": "a", "s2": "b", "s3": "c"}  # spot nodes and their zones
LOAD = 42.0  # six replicas at the target of 7


@dataclass
class Placed(Rig):
    """A base and a surge that may stand on three spot nodes in three zones."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cluster.stand(NodeView("d1", spot=False, zone="a"))
        for name, zone in NODES.items():
            self.cluster.stand(NodeView(name, spot=True, zone=zone))
        self.cluster.add(Workload(SURGE, 0, nodes=tuple(NODES)))
        self.cluster.change(Workload(self.ref("web"), self.replicas, nodes=("d1",)))
        self.source.load = {"web": LOAD}

    @property
    def scales(self) -> tuple[int, int]:
        return self.scale_of("web"), self.cluster.view().targets[SURGE].spec_replicas

    def ready(self) -> int:
        return self.cluster.ready(self.ref("web")) + self.cluster.ready(SURGE)

    def announce(self, *names: str) -> None:
        for name in names:
            self.cluster.stand(NodeView(name, spot=True, zone=NODES[name], notice=GOES))


def placed(journal: Journal | None = None, **spec: object) -> Placed:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-spot"}
    placement = {"spot": {"target": target, "short": "5%"}, "onDemand": {"min": 1}}
    made = policy(**{"placement": placement, "forecast": {"enabled": False}, **spec})  # type: ignore[arg-type]
    return Placed(ListedPolicies([made]), journal, replicas=6)


async def test_replicas_move_to_spot_and_never_are_fewer_ready() -> None:
    world = placed()
    least = 6
    for _ in range(80):
        await world.ticks()
        least = min(least, world.ready())
    base, surge = world.scales
    assert least == 6
    assert surge >= 1
    assert base < 6
    assert base + surge >= 6


async def test_a_notice_raises_on_demand_before_the_spot_is_gone() -> None:
    world = placed()
    await world.ticks(80)
    base, _ = world.scales
    standing = [pod.node for pod in world.cluster.view().pods[SURGE]]
    node = max(set(standing), key=standing.count)
    world.announce(node)
    await world.ticks()
    assert world.scales[0] >= base + standing.count(node), "on demand for all that will go, in the next tick"
    assert world.ready() >= 6
    await world.ticks(3)  # 45 s: what was ordered is ready
    world.cluster.lose(node)
    await world.ticks()
    assert world.ready() >= 6, "nobody has noticed"


async def test_a_storm_of_notices_has_on_demand_for_all_of_spot() -> None:
    world = placed()
    await world.ticks(80)
    world.announce(*NODES)
    await world.ticks()
    assert world.scales[0] >= 6
    await world.ticks(3)
    for node in NODES:
        world.cluster.lose(node)
    await world.ticks(40)
    assert world.ready() >= 6
    assert world.scales[0] >= 6, "spot has not come back"


async def test_what_was_taken_back_returns_to_spot() -> None:
    world = placed()
    await world.ticks(80)
    world.announce(*NODES)
    await world.ticks(4)
    for node in NODES:
        world.cluster.lose(node)
    await world.ticks(20)
    for name, zone in NODES.items():
        world.cluster.stand(NodeView(name, spot=True, zone=zone))
    least = 6
    for _ in range(960):  # four hours
        await world.ticks()
        least = min(least, world.ready())
    assert least == 6
    assert world.scales[0] < 6


async def test_nodes_that_are_not_known_leave_all_on_demand() -> None:
    world = placed()
    await world.ticks(80)
    _, surge = world.scales
    world.cluster.inject(Faults(nodes_hidden=True))
    await world.ticks()
    assert world.scales == (6, surge)


async def test_without_its_surge_a_workload_is_scaled_on_demand() -> None:
    world = placed()
    await world.ticks(80)
    world.cluster.remove(SURGE)
    await world.ticks()
    assert world.scale_of("web") == 6
    world.source.load = {"web": 70.0}
    await world.ticks()
    assert world.scale_of("web") == 10
    assert world.last().owners == {"shop/web": "not found"}


async def test_a_surge_that_an_autoscaler_scales_is_left_alone() -> None:
    world = placed()
    world.cluster.change(Workload(SURGE, 2, nodes=tuple(NODES), owner="HPA web-spot scales this object"))
    await world.ticks(80)
    assert world.scales == (4, 2), "of six, two are ready on spot"
    assert world.last().owners == {"shop/web": "HPA web-spot scales this object"}
    assert [(event.ref, event.reason) for event in world.events.events if event.warning] == [(SURGE, "ScalingHeld")]


async def test_a_base_that_an_autoscaler_scales_holds_both() -> None:
    world = placed()
    world.cluster.change(Workload(world.ref("web"), 6, nodes=("d1",), owner="HPA web scales this object"))
    world.source.load = {"web": 140.0}
    await world.ticks(10)
    assert world.scales == (6, 0)


async def test_a_surge_that_may_not_be_written_leaves_the_base_free() -> None:
    world = placed()
    world.cluster.inject(Faults(forbidden=frozenset({SURGE})))
    world.source.load = {"web": 70.0}
    await world.ticks(4)
    assert world.scales == (10, 0)


async def test_shadow_writes_neither() -> None:
    world = placed(mode="shadow")
    await world.ticks(80)
    assert world.scales == (6, 0)
    assert world.last().decision.split.spot[0] > 0, "but says what it would do"


async def test_a_restart_in_the_midst_of_a_change_forgets_nothing(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    world, twin = placed(journal), placed()
    for each in (world, twin):
        await each.ticks(80)
        each.announce("s1", "s2")
        await each.ticks()
    world.restart()
    for each in (world, twin):
        await each.ticks(2)
        each.cluster.lose("s1")
        each.cluster.lose("s2")
        await each.ticks(30)
    assert world.scales == twin.scales
    assert world.last().decision.split.missing.tolist() == twin.last().decision.split.missing.tolist()
    await journal.close()


async def test_the_journal_is_decided_again_as_it_was(tmp_path: Path) -> None:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    world = placed(journal)
    await world.ticks(60)
    world.announce("s1")
    await world.ticks(60)
    again = Again(await journal.beginning())
    ticks = [tick async for page in journal.pages(-1.0) for tick in again.take(page)]
    assert len(ticks) == 120
    for tick, report in zip(ticks, world.reports, strict=True):
        mine, theirs = tick.decision.split, report.decision.split
        assert (mine.on_demand.tolist(), mine.spot.tolist()) == (theirs.on_demand.tolist(), theirs.spot.tolist())
    assert {tick.remembered for tick in ticks} == {None, True}
    await journal.close()


async def test_it_is_shown_by_the_api_and_as_metrics() -> None:
    world = placed()
    await world.ticks(80)
    base, surge = world.scales
    standing = [pod.node for pod in world.cluster.view().pods[SURGE]]
    world.announce("s1")
    await world.ticks()
    report, going = world.last(), standing.count("s1")
    shown = workload(report, 0)["placement"]
    assert shown is not None
    assert shown["surge"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-spot"}
    assert (shown["onDemand"]["desired"], shown["onDemand"]["ready"]) == (base, base)
    assert (shown["spot"]["desired"], shown["spot"]["ready"], shown["spot"]["noticed"]) == (surge, surge, going)
    assert (shown["onDemand"]["recommended"], shown["spot"]["recommended"]) == world.scales
    assert {zone["name"]: zone["ready"] for zone in shown["zones"]} == {
        NODES[node]: standing.count(node) for node in set(standing)
    }
    assert (shown["spotKnown"], shown["surgeHold"], shown["shortBudgetRatio"]) == (True, None, 0.05)
    lines = workload_text(report).splitlines()
    whose = 'namespace="shop",workload="web"'
    assert f'foresail_capacity_desired_replicas{{{whose},capacity_type="on_demand"}} {base}' in lines
    assert f'foresail_capacity_ready_replicas{{{whose},capacity_type="spot"}} {surge}' in lines
    assert f"foresail_spot_noticed_replicas{{{whose}}} {going}" in lines
    assert f"foresail_spot_short_budget_ratio{{{whose}}} 0.05" in lines
    priced = replace(report.fleet.budget, need=np.array([[2.0, UNKNOWN]]))
    spot_price = 2.0 * report.fleet.spot.price_ratio[0]
    lines = workload_text(replace(report, fleet=replace(report.fleet, budget=priced))).splitlines()
    assert f'foresail_cost_usd_per_hour{{{whose},capacity_type="on_demand"}} {float(2.0 * base)!r}' in lines
    assert f'foresail_cost_usd_per_hour{{{whose},capacity_type="spot"}} {float(spot_price * surge)!r}' in lines
    saved = next(line for line in lines if line.startswith("foresail_savings") and 'against="on_demand"' in line)
    assert float(saved.rpartition(" ")[2]) == pytest.approx((2.0 - spot_price) * surge)
    world.cluster.lose("s1")
    await world.ticks()
    assert interruptions(world.last()) == {"a": going}


async def test_without_placement_nothing_of_it_is_shown() -> None:
    world = Rig(ListedPolicies([policy()]))
    world.source.load = {"web": LOAD}
    await world.ticks()
    assert workload(world.last(), 0)["placement"] is None
    assert "foresail_capacity_desired_replicas{" not in workload_text(world.last())
