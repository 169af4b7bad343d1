"""Pauses and overrides through the whole loop: what they do, how they end, and what survives a restart."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from controller.errors import Unavailable
from controller.interventions import Interventions, Wanted
from controller.journal import Journal
from controller.loop.recall import recalled
from controller.records import FLEET
from policies.model import RULES, Action, Hold
from policies.packing import pack
from simulations.clock import VirtualClock
from simulations.cluster import Workload
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.records import Intervention

WEB, OTHER = "shop/web", "shop/other"


def override(replicas: int, lasting_s: float = 600.0, uid: str = WEB) -> Wanted:
    return Wanted("override", uid, "load test", lasting_s, replicas)


def pause(lasting_s: float = 600.0, uid: str = WEB) -> Wanted:
    return Wanted("pause", uid, "looking into it", lasting_s)


def rig(journal: Journal | None = None, **spec: object) -> Rig:
    made = Rig(ListedPolicies([policy("other", **spec), policy("web", **spec)]), journal)
    made.source.load = {"web": 35.0, "other": 35.0}  # five replicas at the aim of 7
    return made


@asynccontextmanager
async def journalled(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'journal.db'}")
    try:
        yield journal
    finally:
        await journal.close()


async def test_an_override_is_carried_out_at_the_next_tick_and_ends_by_itself() -> None:
    world = rig()
    await world.ticks(4)
    assert world.scale_of() == 5
    taken = await world.loop.interventions.take(override(9, 60.0), "anna")
    assert (taken.before, taken.recorded) == (None, False)  # there is no journal
    await world.ticks(2)
    assert (world.scale_of(), world.scale_of("other")) == (9, 5)
    told = world.last().interventions[WEB]
    assert (told.who, told.replicas, told.until_s) == ("anna", 9, told.at_s + 60.0)
    assert RULES[world.last().decision.replicas.reason[1]] == "override"
    await world.ticks(3)
    assert world.last().interventions == {}
    assert world.scale_of() == 5  # which the signals have asked for all the time


async def test_an_override_writes_in_the_mode_active_alone() -> None:
    world = rig(mode="shadow")
    await world.ticks(2)
    await world.loop.interventions.take(override(9), "anna")
    await world.ticks(2)
    assert world.scale_of() == 2
    assert world.last().decision.replicas.target.tolist()[1] == 9


async def test_a_pause_holds_what_is_there_until_it_ends() -> None:
    world = rig()
    await world.loop.interventions.take(pause(40.0), "anna")
    await world.ticks(2)
    assert (world.scale_of(), world.scale_of("other")) == (2, 5)
    last = world.last()
    assert (last.decision.hold[1], last.decision.replicas.action[1]) == (Hold.OPERATOR, Action.HOLD)
    await world.ticks(3)
    assert world.scale_of() == 5


async def test_a_pause_of_all_stops_overrides_too_and_resuming_all_lets_them_go_on() -> None:
    world = rig()
    await world.loop.interventions.take(override(9), "anna")
    await world.loop.interventions.take(pause(uid=FLEET), "ben")
    await world.ticks(2)
    assert (world.scale_of(), world.scale_of("other")) == (2, 2)
    await world.loop.interventions.take(Wanted("resume", FLEET, "done"), "ben")
    await world.ticks(2)
    assert (world.scale_of(), world.scale_of("other")) == (9, 5)


async def test_a_later_one_takes_the_place_of_an_earlier_one() -> None:
    world = rig()
    await world.loop.interventions.take(pause(), "anna")
    taken = await world.loop.interventions.take(override(7), "ben")
    assert taken.before is not None
    assert (taken.before.kind, taken.before.who) == ("pause", "anna")
    await world.ticks(2)
    assert world.scale_of() == 7


async def test_a_pause_that_comes_while_orders_wait_stops_them() -> None:
    world = rig()
    hands = world.loop.hands
    hands.stopped = lambda uid: "anna paused it" if uid == WEB else None
    await world.ticks(1)
    results = {each.order.uid: (each.result, each.message) for each in world.last().outcomes}
    assert results[WEB] == ("conflict", "not written: anna paused it")
    assert results[OTHER][0] == "applied"


async def test_they_survive_a_restart_with_their_ends(tmp_path: Path) -> None:
    async with journalled(tmp_path) as journal:
        world = rig(journal)
        await world.ticks(1)
        taken = await world.loop.interventions.take(override(9, 120.0), "anna")
        assert taken.recorded
        await world.loop.interventions.take(pause(3000.0, OTHER), "ben")
        await world.loop.interventions.take(override(4, 20.0, OTHER), "ben")
        await world.ticks(1)
        world.restart()
        await world.ticks(1)
        assert dict(world.last().interventions)[WEB] == taken.told
        assert world.scale_of() == 9
        await world.ticks(1)  # 45 s: the override of the other one is over, and the pause before it stays gone
        world.restart()
        await world.ticks(1)
        assert set(world.last().interventions) == {WEB}
        await world.loop.interventions.take(Wanted("resume", WEB, "done"), "anna")
        world.restart()
        await world.ticks(1)
        assert world.last().interventions == {}


async def test_a_restart_decides_the_recorded_ticks_as_they_were(tmp_path: Path) -> None:
    async with journalled(tmp_path) as journal:
        world = rig(journal)
        await world.loop.interventions.take(override(9), "anna")
        await world.ticks(3)
        recall = recalled(await journal.restore())
        assert recall is not None
        assert recall.decision is not None
        assert pack(recall.decision.replicas) == pack(world.last().decision.replicas)
        assert recall.decision.replicas.target.tolist() == [5, 9]


@dataclass
class TwoClocks:
    """Wall time and monotonic time, which need not go together."""

    wall_s: float = 1_700_000_000.0
    monotonic_s: float = 0.0

    def now_s(self) -> float:
        return self.wall_s

    def elapsed_s(self) -> float:
        return self.monotonic_s

    async def sleep(self, seconds: float) -> None:
        self.monotonic_s += seconds


class DownJournal:
    """A journal that cannot be read, then can."""

    def __init__(self, found: tuple[Intervention, ...] = ()) -> None:
        self.down, self.found = True, found

    async def interventions(self, *, since_s: float) -> tuple[Intervention, ...]:
        assert since_s > 0
        if self.down:
            raise Unavailable("the disk is full")
        return self.found

    async def write_intervention(self, told: Intervention) -> None:
        if self.down:
            raise Unavailable(f"the disk is full; {told.kind} waits")


async def test_a_journal_that_is_down_delays_no_pause_and_what_it_remembers_is_taken_up_later() -> None:
    clock, journal = VirtualClock(1_700_000_000.0), DownJournal()
    earlier = Interventions(clock, None)
    old_web = (await earlier.take(override(9), "anna")).told
    old_other = (await earlier.take(override(8, uid=OTHER), "anna")).told
    journal.found = old_web, old_other
    clock.advance(10.0)
    found = Interventions(clock, journal)  # type: ignore[arg-type]  # it knows the two methods that are used
    await found.recall()
    assert found.in_force() == {}
    taken = await found.take(Wanted("resume", WEB, "no more"), "ben")
    assert not taken.recorded
    journal.down = False
    await found.recall()
    assert set(found.in_force()) == {OTHER}  # what ben told of the other one since stands


async def test_a_clock_that_is_set_back_makes_none_last_longer() -> None:
    clock = TwoClocks()
    found = Interventions(clock, None)
    await found.take(pause(60.0), "anna")
    clock.wall_s -= 3600.0
    clock.monotonic_s += 59.0
    assert set(found.in_force()) == {WEB}
    clock.monotonic_s += 2.0
    assert found.in_force() == {}


async def test_a_clock_that_jumps_ahead_ends_them_early() -> None:
    clock = VirtualClock(1_700_000_000.0)
    found = Interventions(clock, None)
    await found.take(pause(60.0), "anna")
    assert found.stopped(WEB) == "anna paused it: looking into it"
    assert found.stopped(OTHER) is None
    clock.advance(3600.0)
    assert found.stopped(WEB) is None


@pytest.mark.parametrize("annotated", [3, 0, 60], ids=["fewer", "none", "above-the-maximum"])
async def test_an_annotation_fixes_the_count_and_wins_over_an_override(annotated: int) -> None:
    world = rig()
    await world.ticks(3)
    world.cluster.change(Workload(Rig.ref("web"), 5, fixed=annotated))
    await world.loop.interventions.take(override(9), "anna")
    await world.ticks(2)
    assert world.scale_of() == annotated
    assert RULES[world.last().decision.replicas.reason[1]] == "annotated_replicas"
    world.cluster.change(Workload(Rig.ref("web"), annotated, fixed=7, paused=True))
    await world.ticks(2)
    assert world.scale_of() == annotated


async def test_an_annotation_that_nobody_understands_is_named_and_ignored() -> None:
    world = rig()
    wrong = "annotation foresail.dev/replicas: must be a whole number"
    world.cluster.change(Workload(Rig.ref("web"), 2, fixed=wrong))
    await world.ticks(3)
    assert world.scale_of() == 5
    assert f"Deployment shop/web: {wrong}" in world.last().problems


async def test_what_is_of_a_workload_without_policy_disturbs_nothing() -> None:
    world = rig()
    await world.loop.interventions.take(replace(override(9), uid="shop/gone"), "anna")
    await world.ticks(2)
    assert (world.scale_of(), world.scale_of("other")) == (5, 5)
