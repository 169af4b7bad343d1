"""The loop on virtual time: what it does when load moves, and when the outside fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.errors import Unavailable
from controller.journal import Journal, Restored
from controller.loop import supervisor
from controller.loop.memory import Memory
from controller.records import PastSeries, ScaleOrder, TargetRef
from policies.engine import decide
from policies.model import Action, Hold, Limits, Status, Why
from policies.tournament import EVIDENCE_STEPS
from simulations.cluster import Faults, Workload
from tests.integration.servers.process import eventually_async
from tests.rig import START_S, ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from policies.model import Decision, Fleet, Observation
    from policies.state import EngineState


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    yield journal
    await journal.close()


def rig(*policies: object, **settings: object) -> Rig:
    return Rig(ListedPolicies(list(policies) or [policy()]), **settings)  # type: ignore[arg-type] # by the tests' own calls


async def test_replicas_follow_the_load_up_at_once_and_down_after_the_window() -> None:
    world = rig()
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    assert world.scale_of() == 5  # 35 / 7
    world.source.load = {"web": 14.0}
    await world.ticks(19)  # 285 s: the recommendation of 5 is still in the 300 s window
    assert world.scale_of() == 5
    await world.ticks(2)
    assert world.scale_of() == 2


async def test_the_first_tick_reports_what_it_saw_and_did() -> None:
    world = rig()
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    report = world.last()
    assert report.decision.replicas.action[0] == Action.RAISE
    assert [(outcome.order.before, outcome.order.after, outcome.result) for outcome in report.outcomes] == [
        (2, 5, "applied")
    ]
    assert {"observe", "decide", "record", "act", "tick"} <= report.phases_s.keys()
    assert [event.reason for event in world.events.events] == ["ScaledUp"]


async def test_a_source_that_is_down_shrinks_nothing() -> None:
    world = rig()
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    world.source.load = None
    await world.ticks(60)
    assert world.scale_of() == 5
    assert world.last().decision.readings.why[0] == Why.SOURCE_DOWN
    assert not world.last().sources[0].ok


async def test_a_stale_sample_may_raise_and_never_lowers() -> None:
    world = rig()
    world.source.age_s = 200.0
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    assert world.scale_of() == 5
    world.source.load = {"web": 7.0}
    await world.ticks(60)
    assert world.scale_of() == 5
    assert world.last().decision.readings.status[0] == Status.STALE


async def test_shadow_decides_and_writes_nothing() -> None:
    world = rig(policy(mode="shadow"))
    world.source.load = {"web": 35.0}
    await world.ticks(3)
    assert world.scale_of() == 2
    assert world.last().decision.replicas.target[0] == 5
    assert world.last().outcomes == ()


async def test_an_owner_holds_an_active_workload_and_is_told_once() -> None:
    world = rig()
    world.source.load = {"web": 35.0}
    world.cluster.change(Workload(world.ref("web"), 2, owner="HorizontalPodAutoscaler shop/web scales this object"))
    await world.ticks(3)
    assert world.scale_of() == 2
    assert world.last().seen.hold[0] == Hold.OWNED
    assert world.last().owners["shop/web"].startswith("HorizontalPodAutoscaler shop/web")
    assert [event.reason for event in world.events.events] == ["ScalingHeld"]


async def test_the_kill_switch_stops_every_write() -> None:
    world = rig()
    world.cluster.inject(Faults(killed="ConfigMap foresail/foresail-kill-switch"))
    world.source.load = {"web": 35.0}
    await world.ticks(2)
    assert world.scale_of() == 2
    assert world.last().killed == "ConfigMap foresail/foresail-kill-switch"


async def test_a_rejected_change_is_tried_again_soon_and_then_ever_later() -> None:
    world = rig()
    world.cluster.inject(Faults(forbidden=frozenset({world.ref("web")})))
    world.source.load = {"web": 35.0}
    await world.ticks(80)  # 20 minutes
    tried = [index for index, report in enumerate(world.reports) if report.outcomes]
    # after 30, 60, 120, 240 and then every 300 s
    assert tried == [0, 2, 6, 14, 30, 50, 70]
    assert world.reports[0].outcomes[0].result == "rejected"
    assert world.reports[1].seen.hold[0] == Hold.FORBIDDEN
    world.cluster.inject(Faults())
    await world.ticks(11)
    assert world.scale_of() == 5


async def test_a_changed_policy_is_taken_up_and_the_windows_stay() -> None:
    world = rig()
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    world.source.load = {"web": 7.0}
    world.policies.policies = [policy(replicas={"min": 2, "max": 50})]
    world.policies.version += 1
    await world.ticks(10)
    assert world.scale_of() == 5
    await world.ticks(11)
    assert world.scale_of() == 2


async def test_a_restart_forgets_neither_windows_nor_history(journal: Journal) -> None:
    world = rig(journal=journal)
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    world.source.load = {"web": 7.0}
    await world.ticks(5)
    before = world.loop.state
    world.restart()
    await world.loop.start()
    after = world.loop.state
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(after.advice.value, before.advice.value)
    np.testing.assert_array_equal(after.history.hours[-1].value, before.history.hours[-1].value)
    await world.ticks(14)  # 300 s after the peak is 20 ticks after it
    assert world.scale_of() == 5
    await world.ticks(2)
    assert world.scale_of() == 1


async def test_a_change_made_just_before_a_kill_counts_in_the_rates_after_it(journal: Journal) -> None:
    slow = {"scaleUp": {"policies": [{"type": "Pods", "value": 3, "periodSeconds": 120}]}}
    world = rig(policy(behavior=slow), journal=journal)
    world.source.load = {"web": 100.0}
    await world.ticks(1)
    assert world.scale_of() == 5
    world.restart()  # killed after the write; no later tick recorded it
    await world.loop.start()
    await world.ticks(6)
    assert world.scale_of() == 5  # 3 in 120 s are used up
    await world.ticks(2)
    assert world.scale_of() == 8


async def test_a_write_whose_answer_was_lost_counts_in_the_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {"scaleUp": {"policies": [{"type": "Pods", "value": 3, "periodSeconds": 120}]}}
    world = rig(policy(behavior=slow))
    really = world.cluster.scale

    async def lost(order: ScaleOrder) -> None:
        await really(order)
        raise Unavailable("no answer within 10 s")

    monkeypatch.setattr(world.cluster, "scale", lost)
    world.source.load = {"web": 100.0}
    await world.ticks(1)
    monkeypatch.setattr(world.cluster, "scale", really)
    assert world.last().outcomes[0].result == "unavailable"
    await world.ticks(7)
    assert world.scale_of() == 5  # 3 in 120 s are used up
    await world.ticks(1)
    assert world.scale_of() == 8


async def test_a_restart_in_a_rollout_knows_how_many_pods_make_a_replica(journal: Journal) -> None:
    group = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "web"}
    world = rig(policy(target=group), journal=journal)
    ref = TargetRef(group["apiVersion"], group["kind"], "shop", group["name"])
    world.cluster.add(Workload(ref, 2, pods_per_replica=4))
    world.source.load = {"web": 14.0}
    await world.ticks(2)
    world.cluster.change(Workload(ref, 3, pods_per_replica=4))  # pods are starting now
    world.restart()
    await world.loop.start()
    await world.ticks(1)
    assert world.last().seen.pods_per_replica.tolist() == [4]


async def test_a_journal_that_is_down_holds_up_falls_and_no_rise(
    monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    world = rig(journal=journal)
    world.source.load = {"web": 70.0}
    await world.ticks(3)

    async def refuse(*_: object) -> None:
        raise Unavailable("the journal's database failed: disk I/O error")

    monkeypatch.setattr(journal, "record_tick", refuse)
    world.source.load = {"web": 14.0}
    await world.ticks(25)
    assert world.scale_of() == 10
    world.source.load = {"web": 140.0}
    await world.ticks(1)
    assert world.scale_of() == 20


async def test_a_journal_that_cannot_be_read_yet_holds_up_falls_until_it_is(
    monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    world = rig(journal=journal)
    world.source.load = {"web": 70.0}
    await world.ticks(3)
    assert world.scale_of() == 10
    really = journal.restore

    async def refuse(**_: object) -> Restored:
        raise Unavailable("the journal did not answer within 60 s")

    monkeypatch.setattr(journal, "restore", refuse)
    world.restart()
    world.source.load = {"web": 14.0}
    await world.ticks(30)
    assert world.scale_of() == 10
    monkeypatch.setattr(journal, "restore", really)
    await world.ticks(1)
    assert world.scale_of() == 2  # the recorded ticks saw the low load for longer than the window


async def test_a_journal_with_a_fault_of_its_own_blocks_no_rise(
    monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    world = rig(journal=journal)

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault in the journal")

    monkeypatch.setattr(journal, "record_tick", fail)
    monkeypatch.setattr(journal, "write_outcomes", fail)
    world.source.load = {"web": 35.0}
    await world.ticks(1)
    assert world.scale_of() == 5


async def test_a_fault_while_policies_change_gives_no_lane_the_target_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = rig(policy("a"), policy("b"), replicas=10)
    world.source.load = {"a": 70.0, "b": 70.0, "c": 7.0}
    await world.ticks(1)
    world.cluster.add(Workload(world.ref("c"), 10))

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a fault on the way")

    monkeypatch.setattr(Memory, "take_fleet", fail)
    monkeypatch.setattr(world.cluster, "follow", fail)
    world.policies.policies = [policy("b"), policy("c", mode="shadow")]
    world.policies.version += 1
    world.source.load = {"a": 7.0, "b": 7.0, "c": 7.0}
    await world.ticks(25)
    assert world.cluster.ready(world.ref("c")) == 10
    assert world.last().fleet.uid == ("shop/b", "shop/c")


async def test_after_a_gap_in_the_ticks_the_window_begins_anew() -> None:
    world = rig(replicas=20)
    world.source.load = {"web": 140.0}
    await world.ticks(4)
    world.clock.advance(400.0)  # the daemon was away for longer than the window
    world.source.load = {"web": 14.0}
    await world.ticks(19)
    assert world.scale_of() == 20
    await world.ticks(3)
    assert world.scale_of() == 2


async def test_a_lane_at_fault_is_set_apart_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    world = rig(policy("bad"), policy("good"), policy("other"))

    def failing(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
        if "shop/bad" in fleet.uid:
            raise ZeroDivisionError("a fault in one lane")
        return decide(fleet, state, seen)

    monkeypatch.setattr(supervisor, "decide", failing)
    world.source.load = {"bad": 35.0, "good": 35.0, "other": 14.0}
    await world.ticks(1)
    assert (world.scale_of("bad"), world.scale_of("good"), world.scale_of("other")) == (2, 5, 2)
    assert world.last().quarantined == {"shop/bad": "ZeroDivisionError: a fault in one lane"}
    monkeypatch.setattr(supervisor, "decide", decide)
    await world.ticks(42)
    assert world.last().quarantined == {}
    assert world.scale_of("bad") == 5


async def test_the_fleet_breaker_bounds_what_goes_in_ten_minutes() -> None:
    world = rig(policy("one"), policy("two"), replicas=20, limits=Limits())
    world.source.load = {"one": 7.0, "two": 7.0}
    await world.ticks(22)  # past the stabilisation window
    assert world.scale_of("one") + world.scale_of("two") == 36  # 10 % of 40
    await world.ticks(30)
    assert world.scale_of("one") + world.scale_of("two") == 36
    await world.ticks(15)
    assert world.scale_of("one") + world.scale_of("two") == 33  # 10 % of 36, rounded down


async def test_history_is_read_from_the_source_and_what_it_teaches_decides_at_once() -> None:
    world = rig()
    at_s = [START_S - 4 * 86_400 + 60.0 * minute for minute in range(4 * 1440)]
    world.source.past_series = [PastSeries(("web",), at_s, [64.0 + minute % 2 for minute in range(len(at_s))])]
    world.source.load = {"web": 64.0}

    async def known() -> bool:
        await world.ticks(1)  # learning runs in a thread of the real world
        return bool(world.last().decision.standing.known[0] >= EVIDENCE_STEPS)

    await eventually_async(known, 60.0)
    await world.ticks(25)
    assert world.scale_of() == 9  # 65 / 8 at the serving limit; Kubernetes' rule asks for 64 / 7
    assert [outcome.order.reason for report in world.reports for outcome in report.outcomes][-1] == "tournament"


async def test_nothing_to_decide_is_no_tick() -> None:
    world = rig()
    world.policies.policies, world.policies.version = [], 1
    assert await world.loop.tick() is None
    assert world.reports == []
