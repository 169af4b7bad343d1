"""Carrying out: which changes become orders, in which order, and how each may end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from controller.actuate import CONCURRENCY, TRIES, Hands, orders_of
from controller.collect.questions import Questions, target_of
from controller.errors import Conflict
from controller.records import ClusterView, ScaleOrder, TargetView
from policies.engine import decide
from policies.fleet import fleet_of
from policies.model import Hold
from policies.state import EngineState
from simulations.clock import VirtualClock
from simulations.cluster import Faults, SimulatedCluster, Workload
from tests.builders import FREE, NOW_S, policy, readings, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.ports import Clock

ROW = policy("web")
REF = target_of(ROW)


def order(before: int = 4, after: int = 8, version: str = "1") -> ScaleOrder:
    return ScaleOrder("shop/web", REF, before, after, version, "signals")


def view(replicas: int = 4, version: str = "2", **more: Any) -> ClusterView:  # noqa: ANN401 - fields of the target
    killed = more.pop("killed", None)
    return ClusterView({REF: replace(TargetView(REF, replicas, replicas, version), **more)}, {}, NOW_S, killed)


async def cluster_of(clock: Clock, replicas: int = 4) -> SimulatedCluster:
    cluster = SimulatedCluster(clock)
    cluster.add(Workload(REF, replicas))
    await cluster.follow([REF])
    return cluster


@dataclass
class Changing:
    """A target that conflicts as often as it is told to, and what the watch shows meanwhile."""

    views: Sequence[ClusterView]
    conflicts: int = 1
    looks: int = 0
    tried: list[str] = field(default_factory=list)

    async def scale(self, given: ScaleOrder) -> None:
        self.tried.append(given.resource_version)
        if len(self.tried) <= self.conflicts:
            raise Conflict(f"the order was decided on {given.resource_version}")

    async def follow(self, _: object, *, nodes: bool = False) -> None:
        """Nothing to do."""

    def view(self) -> ClusterView:
        self.looks += 1
        return self.views[min(self.looks, len(self.views)) - 1]


async def ended(target: Changing) -> tuple[str, list[str]]:
    outcome = (await Hands(target, target, VirtualClock(NOW_S)).carry_out([order()]))[0]
    return outcome.result, target.tried


def test_rises_go_first_and_only_active_lanes_are_ordered() -> None:
    rows = [policy("a"), policy("b", mode="shadow"), policy("c"), policy("d"), policy("e", mode="floor")]
    fleet = fleet_of(rows, FREE)
    targets = [target_of(row) for row in rows]
    observation = seen([10, 2, 2, 5, 2], readings([14, 70, 28, 35, 70]))
    state = EngineState.fresh(fleet)
    for ago_s in range(330, 0, -15):  # until the first count has left the window
        state, _ = decide(fleet, state, replace(observation, now_s=NOW_S - ago_s))
    _, decision = decide(fleet, state, observation)
    shown = {ref: TargetView(ref, n, n, "9") for ref, n in zip(targets, [10, 2, 2, 5, 2], strict=True)}
    orders = orders_of(fleet, decision, Questions.of(rows), ClusterView(shown, {}, NOW_S))

    assert [(row.uid, row.before, row.after, row.reason) for row in orders] == [
        ("shop/c", 2, 4, "signals"),
        ("shop/a", 10, 2, "signals"),
    ]
    assert {row.resource_version for row in orders} == {"9"}


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(view(replicas=5), id="somebody-changed-the-count-meanwhile"),
        pytest.param(view(paused=True), id="somebody-paused-it-meanwhile"),
        pytest.param(view(owner="HPA web"), id="somebody-took-it-over-meanwhile"),
        pytest.param(view(problem="not found"), id="it-cannot-be-read-any-more"),
        pytest.param(view(killed="ConfigMap"), id="the-kill-switch-was-set-meanwhile"),
        pytest.param(ClusterView({}, {}, NOW_S), id="it-went-away"),
    ],
)
def test_no_order_for_a_target_that_is_not_what_was_decided_on(shown: ClusterView) -> None:
    fleet = fleet_of([ROW], FREE)
    observation = seen([4], readings([70]))
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)

    assert [row.after for row in orders_of(fleet, decision, Questions.of([ROW]), view())] == [8]
    assert orders_of(fleet, decision, Questions.of([ROW]), shown) == ()


def test_a_held_lane_is_not_ordered() -> None:
    fleet = fleet_of([ROW], FREE)
    observation = seen([4], readings([70]), hold=readings([0], status=Hold.OWNED).status)
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)

    assert orders_of(fleet, decision, Questions.of([ROW]), view()) == ()


async def test_an_order_is_carried_out() -> None:
    clock = VirtualClock(NOW_S)
    cluster = await cluster_of(clock)
    version = cluster.view().targets[REF].resource_version
    outcomes = await Hands(cluster, cluster, clock).carry_out([order(version=version)])

    assert [(row.result, row.at_s, row.message) for row in outcomes] == [("applied", NOW_S, "")]
    assert cluster.view().targets[REF].spec_replicas == 8


async def test_after_a_conflict_the_newer_version_is_written() -> None:
    clock = VirtualClock(NOW_S)
    cluster = await cluster_of(clock)
    outcomes = await Hands(cluster, cluster, clock).carry_out([order(version="an older one")])

    assert [row.result for row in outcomes] == ["applied"]
    assert outcomes[0].order.resource_version != "an older one"
    assert cluster.view().targets[REF].spec_replicas == 8


async def test_the_watch_may_bring_the_newer_version_a_moment_later() -> None:
    assert await ended(Changing([view(version="1"), view(version="1"), view(version="2")])) == ("applied", ["1", "2"])


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(view(replicas=5), id="the-count-changed"),
        pytest.param(view(paused=True), id="it-was-paused"),
        pytest.param(view(owner="HPA web"), id="it-has-an-owner-now"),
        pytest.param(view(killed="file"), id="the-kill-switch-was-set"),
        pytest.param(ClusterView({}, {}, NOW_S), id="it-went-away"),
        pytest.param(view(version="1"), id="the-watch-brings-nothing-newer-within-a-second"),
    ],
)
async def test_after_a_conflict_nothing_is_written_when(shown: ClusterView) -> None:
    assert await ended(Changing([view(version="1"), shown])) == ("conflict", ["1"])


async def test_conflict_after_conflict_gives_up() -> None:
    views = [view(version=str(version)) for version in range(1, 9)]

    assert await ended(Changing(views, conflicts=9)) == ("conflict", ["1", "2", "3"])
    assert TRIES == 3


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        pytest.param(view(killed="the file stop exists"), "nothing may be written: the file stop exists", id="killed"),
        pytest.param(view(paused=True), "the target is annotated with foresail.dev/paused", id="paused"),
        pytest.param(view(owner="HPA web scales it"), "HPA web scales it", id="owned"),
        pytest.param(view(problem="is being deleted"), "is being deleted", id="unreadable"),
        pytest.param(view(replicas=5), "it asks for 5 replicas by now, the change was decided on 4", id="changed"),
        pytest.param(ClusterView({}, {}, NOW_S), "Deployment shop/web is not there", id="gone"),
    ],
)
async def test_what_is_forbidden_while_an_order_waits_is_not_written(shown: ClusterView, why: str) -> None:
    target = Changing([shown], conflicts=0)
    outcome = (await Hands(target, target, VirtualClock(NOW_S)).carry_out([order()]))[0]

    assert (outcome.result, outcome.message, target.tried) == ("conflict", f"not written: {why}", [])


async def test_a_switch_set_between_two_waves_of_writes_stops_the_second() -> None:
    free, killed = [view()] * CONCURRENCY, view(killed="file")
    target = Changing([*free, killed], conflicts=0)
    outcomes = await Hands(target, target, VirtualClock(NOW_S)).carry_out([order()] * (CONCURRENCY + 3))

    assert [row.result for row in outcomes] == ["applied"] * CONCURRENCY + ["conflict"] * 3


@dataclass
class Breaking(Changing):
    """Breaks, in a way that nobody expects, on the order to this many replicas."""

    on: int = 0
    error: BaseException = field(default_factory=lambda: KeyError("spec"))

    async def scale(self, given: ScaleOrder) -> None:
        if given.after == self.on:
            raise self.error
        await asyncio.sleep(0)
        await super().scale(given)


async def test_an_order_that_breaks_ends_too_and_the_others_keep_their_outcomes() -> None:
    faults: list[None] = []
    target = Breaking([view()], conflicts=0, on=6)
    hands = Hands(target, target, VirtualClock(NOW_S), on_fault=lambda: faults.append(None))
    with capture_logs() as logs:
        outcomes = await hands.carry_out([order(after=5), order(after=6), order(after=7)])

    assert [row.order.after for row in outcomes] == [5, 6, 7]
    assert [row.result for row in outcomes] == ["applied", "unavailable", "applied"]
    assert outcomes[1].message == "KeyError: 'spec'"
    assert len(faults) == 1
    assert "shop/web" in str(logs)


async def test_an_order_that_is_cancelled_cancels() -> None:
    target = Breaking([view()], conflicts=0, on=6, error=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await Hands(target, target, VirtualClock(NOW_S)).carry_out([order(after=5), order(after=6)])

    assert target.tried == ["1"]


async def test_no_object_falls_where_the_other_could_not_rise() -> None:
    clock = VirtualClock(NOW_S)
    cluster, other = await cluster_of(clock), replace(REF, name="web-spot")
    cluster.add(Workload(other, 4))
    cluster.add(Workload(lone := replace(REF, name="lone"), 4))
    await cluster.follow([REF, other, lone])
    view, versions = cluster.view(), {ref: each.resource_version for ref, each in cluster.view().targets.items()}
    before = view.targets[REF].spec_replicas
    rise = replace(order(before=before, after=before + 2), resource_version="an older one")
    fall = ScaleOrder("shop/web", other, 4, 1, versions[other], "spot_hedge")
    alone = ScaleOrder("shop/lone", lone, 4, 1, versions[lone], "signals")
    outcomes = await Hands(cluster, cluster, clock).carry_out([fall, rise, alone])

    assert [each.result for each in outcomes] == ["applied", "applied", "applied"], "read again, it rose"
    cluster.inject(Faults(forbidden=frozenset({REF})))
    versions = {ref: each.resource_version for ref, each in cluster.view().targets.items()}
    rise = replace(rise, before=before + 2, after=before + 4, resource_version=versions[REF])
    fall = replace(fall, before=1, after=0, resource_version=versions[other])
    outcomes = await Hands(cluster, cluster, clock).carry_out([fall, rise])
    assert [each.result for each in outcomes] == ["conflict", "rejected"]
    assert outcomes[0].message == "not written: its other object did not rise"
    assert cluster.view().targets[other].spec_replicas == 1


def forbid(cluster: SimulatedCluster) -> None:
    cluster.inject(Faults(forbidden=frozenset({REF})))


def break_off(cluster: SimulatedCluster) -> None:
    cluster.inject(Faults(unavailable=True))


@pytest.mark.parametrize(
    ("fault", "result", "message"),
    [
        pytest.param(
            forbid, "rejected", "Deployment shop/web is forbidden: cannot patch resource scale", id="forbidden"
        ),
        pytest.param(break_off, "unavailable", "the simulated cluster does not answer", id="unavailable"),
        pytest.param(
            lambda cluster: cluster.remove(REF),
            "conflict",
            "not written: not found",
            id="deleted",
        ),
    ],
)
async def test_faults_end_an_order_and_never_raise(
    fault: Callable[[SimulatedCluster], None], result: str, message: str
) -> None:
    clock = VirtualClock(NOW_S)
    cluster = await cluster_of(clock)
    fault(cluster)
    outcome = (await Hands(cluster, cluster, clock).carry_out([order()]))[0]

    assert (outcome.result, outcome.message) == (result, message)
