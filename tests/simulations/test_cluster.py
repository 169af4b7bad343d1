"""The simulated cluster: pods that start and end, conflicts, and injected faults."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from controller.errors import Conflict, ForesailError, Rejected, Unavailable
from controller.records import ScaleOrder, TargetRef
from simulations.clock import VirtualClock
from simulations.cluster import Faults, Machine, SimulatedCluster, StartUp, Workload

if TYPE_CHECKING:
    from controller.ports import Actuator, Clock, Cluster

REF = TargetRef("apps/v1", "Deployment", "shop", "chat")
START_S = 1_700_000_000.0


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(START_S)


@pytest.fixture
async def cluster(clock: VirtualClock) -> SimulatedCluster:
    cluster = SimulatedCluster(clock, Machine(StartUp(60.0), termination_s=30.0))
    cluster.add(Workload(REF, 2))
    await cluster.follow([REF])
    return cluster


def _order(cluster: SimulatedCluster, after: int, version: str | None = None) -> ScaleOrder:
    target = cluster.view().targets[REF]
    return ScaleOrder("shop/chat", REF, target.spec_replicas, after, version or target.resource_version, "test")


def test_it_stands_behind_the_ports(clock: VirtualClock) -> None:
    time: Clock = clock
    cluster: Cluster = SimulatedCluster(time)
    actuator: Actuator = SimulatedCluster(time)
    assert cluster.view().seen_at_s == START_S
    assert callable(actuator.scale)


async def test_a_raise_serves_after_the_start_up(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    await cluster.scale(_order(cluster, 5))
    clock.advance(59.0)
    assert cluster.ready(REF) == 2
    clock.advance(1.0)
    assert cluster.ready(REF) == 5
    newest = cluster.view().pods[REF][-1]
    assert newest.ready
    assert (newest.created_at_s, newest.transition_at_s) == (START_S, START_S + 60.0)


async def test_a_fall_takes_pods_that_are_not_ready_first(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    await cluster.scale(_order(cluster, 4))
    clock.advance(10.0)
    await cluster.scale(_order(cluster, 3))
    view = cluster.view()
    assert [(pod.ready, pod.deleted) for pod in view.pods[REF]] == [
        (True, False),
        (True, False),
        (False, False),
        (False, True),
    ]
    assert (view.targets[REF].spec_replicas, view.targets[REF].status_replicas) == (3, 3)


async def test_a_terminating_pod_stays_for_its_grace(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    await cluster.scale(_order(cluster, 1))
    assert cluster.ready(REF) == 1
    assert len(cluster.view().pods[REF]) == 2
    clock.advance(30.0)
    assert len(cluster.view().pods[REF]) == 1


async def test_an_order_on_a_stale_version_conflicts(cluster: SimulatedCluster) -> None:
    stale = _order(cluster, 5)
    cluster.change(Workload(REF, 3))
    with pytest.raises(Conflict, match="shop/chat has resourceVersion 4, the order was decided on 1"):
        await cluster.scale(stale)
    assert cluster.view().targets[REF].spec_replicas == 3


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        pytest.param(Faults(unavailable=True), Unavailable, id="unavailable"),
        pytest.param(Faults(forbidden=frozenset({REF})), Rejected, id="forbidden"),
    ],
)
async def test_a_fault_fails_the_write(cluster: SimulatedCluster, faults: Faults, error: type[ForesailError]) -> None:
    order = _order(cluster, 5)
    cluster.inject(faults)
    with pytest.raises(error):
        await cluster.scale(order)
    cluster.inject(Faults())
    await cluster.scale(order)
    assert cluster.view().targets[REF].spec_replicas == 5


async def test_the_view_grows_old_while_unavailable(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    cluster.inject(Faults(unavailable=True))
    clock.advance(100.0)
    cluster.change(Workload(REF, 7))
    view = cluster.view()
    assert (view.seen_at_s, view.targets[REF].spec_replicas) == (START_S, 2)
    cluster.inject(Faults())
    view = cluster.view()
    assert (view.seen_at_s, view.targets[REF].spec_replicas) == (START_S + 100.0, 7)


async def test_pods_without_room_stay_pending_until_there_is(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    cluster.inject(Faults(room=3))
    await cluster.scale(_order(cluster, 5))
    clock.advance(600.0)
    assert cluster.ready(REF) == 3
    assert [pod.phase for pod in cluster.view().pods[REF]] == ["Running"] * 3 + ["Pending"] * 2
    cluster.inject(Faults(room=4))
    clock.advance(60.0)
    assert cluster.ready(REF) == 4


async def test_pods_tell_whether_a_node_has_room(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    cluster.inject(Faults(room=3))
    await cluster.scale(_order(cluster, 4))
    *_, waits = cluster.view().pods[REF]
    clock.advance(30.0)
    cluster.inject(Faults())
    *_, placed = cluster.view().pods[REF]

    assert (waits.scheduled_at_s, waits.unschedulable) == (None, True)
    assert (placed.scheduled_at_s, placed.unschedulable) == (waits.created_at_s + 30, False)


async def test_a_pod_takes_the_room_of_one_that_left(cluster: SimulatedCluster, clock: VirtualClock) -> None:
    other = replace(REF, name="batch")
    cluster.add(Workload(other, 1))
    cluster.inject(Faults(room=3))
    await cluster.scale(_order(cluster, 3))
    cluster.change(Workload(other, 0))
    clock.advance(89.0)  # gone after 30 s, started 60 s later
    assert cluster.ready(REF) == 2
    clock.advance(1.0)
    assert cluster.ready(REF) == 3


async def test_a_replica_of_several_pods_serves_as_a_whole(clock: VirtualClock) -> None:
    cluster = SimulatedCluster(clock)
    cluster.add(Workload(REF, 1, pods_per_replica=4))
    await cluster.follow([REF])
    cluster.inject(Faults(room=7))
    await cluster.scale(_order(cluster, 2))
    clock.advance(600.0)
    assert cluster.ready(REF) == 1
    assert len(cluster.view().pods[REF]) == 8
    assert cluster.view().targets[REF].status_replicas == 2


async def test_pause_owner_and_kill_switch_are_shown(cluster: SimulatedCluster) -> None:
    cluster.change(Workload(REF, 2, paused=True, owner="HorizontalPodAutoscaler chat"))
    cluster.inject(Faults(killed="ConfigMap foresail/kill-switch"))
    view = cluster.view()
    assert view.killed == "ConfigMap foresail/kill-switch"
    assert view.targets[REF].paused
    assert view.targets[REF].owner == "HorizontalPodAutoscaler chat"


async def test_only_followed_targets_are_shown(cluster: SimulatedCluster) -> None:
    absent = replace(REF, name="absent")
    cluster.add(Workload(replace(REF, name="other"), 1))
    await cluster.follow([REF, absent])
    view = cluster.view()
    assert set(view.targets) == {REF, absent}
    assert view.targets[absent].problem == "not found"
    cluster.remove(REF)
    assert cluster.view().targets[REF].problem == "not found"


def test_a_workload_is_added_once(cluster: SimulatedCluster) -> None:
    with pytest.raises(ValueError, match="shop/chat is in the cluster already"):
        cluster.add(Workload(REF, 1))


async def test_drawn_start_ups_are_the_same_for_the_same_seed() -> None:
    async def views(seed: int) -> list[object]:
        clock = VirtualClock(START_S)
        cluster = SimulatedCluster(clock, Machine(StartUp(60.0, sigma=0.5), seed=seed))
        cluster.add(Workload(REF, 0))
        await cluster.follow([REF])
        await cluster.scale(_order(cluster, 20))
        clock.advance(60.0)
        return list(cluster.view().pods[REF])

    first = await views(1)
    assert first == await views(1)
    assert first != await views(2)
