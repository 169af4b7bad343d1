"""Decisions made again from a journal beside those recorded, where the loop has had more than an easy life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.journal import Beginning, DecisionRow, Journal, Page, StepRow, TickRow, decision_rows
from controller.loop import supervisor
from controller.loop.again import Again
from controller.loop.compared import MOST_TOLD, Agreement, Comparison
from policies.engine import decide
from policies.packing import pack
from policies.state import EngineState
from tests.builders import Ticks, demand, one, readings
from tests.builders import seen as observed
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from policies.model import Decision, Fleet, Observation

WEB = "shop/web"


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    opened = await Journal.open(f"sqlite+aiosqlite:///{tmp_path / 'foresail.db'}", timeout_s=10.0)
    yield opened
    await opened.close()


async def _agreement(journal: Journal) -> Agreement:
    begin = await journal.beginning()
    again, comparison = Again(begin), Comparison(begin.standing, since_s=begin.at_s)
    async for page in journal.pages(begin.at_s, size=7):
        for tick in again.take(page):
            comparison.take(tick)
    comparison.unobserved(again.unobserved)
    return comparison.agreement


async def test_a_workload_that_was_in_quarantine(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    world = Rig(ListedPolicies([policy("bad"), policy("good")]), journal=journal)

    def failing(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
        if "shop/bad" in fleet.uid:
            raise ZeroDivisionError("a fault in one lane")
        return decide(fleet, state, seen)

    world.source.load = {"bad": 70.0, "good": 35.0}
    await world.ticks(5)
    monkeypatch.setattr(supervisor, "decide", failing)
    await world.ticks(3)
    assert list(world.last().quarantined) == ["shop/bad"]
    monkeypatch.setattr(supervisor, "decide", decide)
    world.source.load = {"bad": 20.0, "good": 20.0}
    await world.ticks(50)
    assert world.last().quarantined == {}
    said = await _agreement(journal)
    assert said.equal
    assert said.ticks == said.equal_ticks == 58
    assert said.workloads == {"shop/bad", "shop/good"}
    assert said.decisions < 2 * 58


async def test_a_workload_that_came_back_with_another_query_has_no_past(journal: Journal) -> None:
    world = Rig(ListedPolicies([policy()]), journal=journal)
    world.source.load = {"web": 70.0}
    await world.ticks(10)
    other = {"name": "load", "kind": "demand", "query": "other", "match": {"app": "$name"}, "capacityPerReplica": 20}
    world.policies.policies, world.policies.version = [policy(signals=[other])], 1
    await world.ticks(10)
    said = await _agreement(journal)
    assert said.equal
    assert said.decisions == said.equal_reasons == 20


def _page(values: list[float]) -> Page:
    """Ticks of one workload, as a journal holds them."""
    fleet = one(demand(), forecast={"enabled": False})
    world, state, last = Ticks(fleet, [2]), EngineState.fresh(fleet), None
    ticks: list[TickRow] = []
    rows: list[DecisionRow] = []
    for number, value in enumerate(values):
        seen = observed(world.replicas, readings([value]), 15.0 * (number + 1))
        state, decision = decide(fleet, state, seen)
        rows += decision_rows(fleet, decision, seen.spec_replicas, last)
        ticks.append(TickRow(seen.now_s, "digest", pack(seen)))
        world.replicas, last = decision.replicas.target.tolist(), decision
    return Page(tuple(ticks), tuple(rows), {"digest": pack(fleet)}, {})


def _compared(page: Page, since_s: float = 0.0, **standing: DecisionRow) -> Agreement:
    begin = Beginning(-float("inf"), None, standing, len(page.ticks))
    again, comparison = Again(begin), Comparison(begin.standing, since_s=since_s)
    for tick in again.take(page):
        comparison.take(tick)
    comparison.unobserved(again.unobserved)
    return comparison.agreement


def test_only_what_is_new_is_recorded_and_all_is_compared() -> None:
    """70 needs 10 replicas at 7 each: 4 more, 4 more, and then they are kept; after that nothing is new."""
    page = _page([70.0] * 6)
    assert [(row.at_s, row.target) for row in page.decisions] == [(15.0, 6), (30.0, 10), (45.0, 10)]
    said = _compared(page)
    assert (said.ticks, said.decisions, said.recorded, said.whole) == (6, 6, 3, 1)
    assert said.equal


def test_ticks_before_the_time_asked_for_are_decided_and_not_compared() -> None:
    said = _compared(_page([70.0] * 6), since_s=60.0)
    assert (said.ticks, said.decisions, said.recorded) == (3, 3, 0)
    assert said.equal


def test_nothing_compared_is_not_equal() -> None:
    assert not _compared(_page([70.0]), since_s=100.0).equal


def test_rows_of_others_and_of_another_version_are_told() -> None:
    page = _page([70.0] * 3)
    strange = DecisionRow(30.0, WEB, "leap", "active", 6, 10, "a later rule", (StepRow("a later rule", 2, 10),))
    stranger = DecisionRow(30.0, "shop/stranger", "raise", "active", 1, 2, "signals")
    said = _compared(Page(page.ticks, (page.decisions[0], strange, stranger, page.decisions[2]), page.fleets, {}))
    assert [(each.uid, each.fields) for each in said.first] == [
        (WEB, ("action", "reason", "steps")),
        ("shop/stranger", ("not in the fleet",)),
    ]
    assert said.equal_targets == 3
    assert said.equal_actions == said.equal_reasons == 2
    assert (said.equal_ticks, said.unequal_workloads) == (2, {WEB, "shop/stranger"})


def test_all_differences_are_counted_and_the_first_told() -> None:
    page = _page([70.0, 7.0] * 20)
    said = _compared(Page(page.ticks, page.decisions[:1], page.fleets, {}))
    assert said.differing > MOST_TOLD == len(said.first)


def test_a_state_that_is_not_the_one_saved_is_told() -> None:
    page = _page([70.0] * 6)
    said = _compared(Page(page.ticks, page.decisions, page.fleets, {30.0: b"another"}))
    assert (said.snapshots, said.equal_snapshots, said.differing) == (1, 0, 0)
    assert not said.equal


def test_a_fleet_that_is_not_there_is_an_error() -> None:
    page = _page([70.0])
    with pytest.raises(ValueError, match="fleet digest is not there"):
        _compared(Page(page.ticks, page.decisions, {}, {}))
