"""Properties of windows, rates and guardrails over walks of many ticks."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, trunc
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import integers
from policies.fleet import fleet_of
from policies.guardrails import HOLD_RULES, fleet_breaker, held, removal_budget
from policies.model import Hold, Limits, Mode
from policies.proposal import Proposal
from policies.state import EngineState, Removals
from tests.builders import FREE, NOW_S, Ticks, demand, ordering, policy, readings
from tests.properties.generate import directions, fleets, seeds

if TYPE_CHECKING:
    from policies.behaviors import Rates
    from policies.model import Fleet
    from tests.builders import Document

steps_s = st.sampled_from([1.0, 15.0, 15.0, 40.0, 100.0])
walks = st.lists(st.tuples(steps_s, st.integers(0, 900), st.integers(0, 900)), min_size=5, max_size=40)


def counts(behavior: Document, walk: list[tuple[float, int, int]]) -> tuple[Fleet, list[float], list[int]]:
    """Times and counts of one lane between bounds that never bind, driven by a random load and random orders."""
    fleet = fleet_of([policy("web", demand(), high=100_000, behavior=behavior)], FREE)
    world, at_s, count = Ticks(fleet, [20]), [NOW_S], [20]
    for after_s, value, order in walk:
        lead = ordering(fleet, order, at_s=world.now_s + after_s).lead
        world.state = replace(world.state or EngineState.fresh(fleet), lead=lead)
        world.tick(readings([value]), after_s=after_s)
        at_s.append(world.now_s)
        count += world.replicas
    return fleet, at_s, count


def allowed(start: int, rates: Rates, row: int, *, up: bool) -> int:
    value = int(rates.value[row])
    if not rates.percent[row]:
        return start + value if up else start - value
    return ceil(start * (1.0 + value / 100)) if up else trunc(start * (1.0 - value / 100))


@given(directions, walks)
def test_rises_keep_the_written_policies_over_every_period(
    direction: Document, walk: list[tuple[float, int, int]]
) -> None:
    fleet, at_s, count = counts({"scaleUp": {**direction, "stabilizationWindowSeconds": 0}}, walk)
    rates = fleet.behavior.up.rates
    for now, (now_s, reached) in enumerate(zip(at_s[1:], count[1:], strict=True), start=1):
        if reached <= count[now - 1]:
            continue
        starts = [start_of(at_s, count, now, period_s) for period_s in rates.period_s]
        starts = [start_of(at_s, count, now, period_s) for period_s in rates.period_s]
        limits = [allowed(start, rates, row, up=False) for row, start in enumerate(starts)]
        least = max(limits) if direction.get("selectPolicy") == "Min" else min(limits)

        assert direction.get("selectPolicy") != "Disabled"
        assert reached >= max(least, 1), now_s


def start_of(at_s: list[float], count: list[int], now: int, period_s: float) -> int:
    """The count before this tick without the moves within the period, in either direction."""
    recent = [tick for tick in range(1, now) if at_s[now] - at_s[tick] < period_s]
    return count[now - 1] - sum(count[tick] - count[tick - 1] for tick in recent)


@given(st.sampled_from([60, 300]), walks)
def test_the_down_window_keeps_the_largest_wish_of_the_window(
    window_s: int, walk: list[tuple[float, int, int]]
) -> None:
    fleet = fleet_of(
        [policy("web", demand(), high=100_000, behavior=steady_down(window_s), forecast={"enabled": False})], FREE
    )
    world, wishes = Ticks(fleet, [20]), list[tuple[float, int]]()
    for after_s, value, _ in walk:
        before = world.replicas[0]
        decision = world.tick(readings([value]), after_s=after_s)
        wishes.append((world.now_s, int(decision.proposed[0])))
        kept = max(wish for at_s, wish in wishes if world.now_s - at_s < window_s)
        first_sight = 20 if world.now_s - (NOW_S + walk[0][0]) < window_s else 0

        assert world.replicas[0] >= min(before, max(kept, first_sight, 1))


def steady_down(window_s: int) -> Document:
    return {"scaleDown": {"stabilizationWindowSeconds": window_s}}


@given(fleets(limits=Limits(removal_ratio=0.2)), seeds)
def test_guardrails_are_idempotent(fleet: Fleet, seed: int) -> None:
    random = np.random.default_rng(seed)
    current, target = random.integers(0, 10_000, (2, fleet.lanes))
    hold = random.choice(np.array([Hold.NONE, Hold.NONE, *HOLD_RULES], np.int8), fleet.lanes)
    removals = Removals(NOW_S - random.integers(0, 1200, 3).astype(np.float64), random.integers(0, 500, 3))
    budget = removal_budget(fleet, removals, NOW_S, current)

    def guarded(proposal: Proposal) -> Proposal:
        return fleet_breaker(held(proposal, hold, current), fleet, budget, current)

    once = guarded(Proposal(target))
    twice = guarded(once)

    assert twice.target.tolist() == once.target.tolist()
    assert twice.steps == once.steps


@given(st.lists(st.integers(1, 400), min_size=1, max_size=6), walks, st.sampled_from([0.05, 0.1, 0.5]))
def test_no_ten_minutes_lose_more_than_the_breaker_lets_go(
    replicas: list[int], walk: list[tuple[float, int, int]], ratio: float
) -> None:
    """Within any window: at most the share of what there was when it began and what rose since, and at least one."""
    lanes = [policy(f"lane-{lane}", demand(), behavior=steady_down(0), high=1000) for lane in range(len(replicas))]
    fleet = fleet_of(lanes, Limits(removal_ratio=ratio))
    world, falls = Ticks(fleet, replicas), list[tuple[float, int]]()
    for after_s, value, other in walk:
        before = world.replicas
        world.tick(readings([value, *[other] * (len(replicas) - 1)]), after_s=after_s)
        lost = sum(max(0, old - new) for old, new in zip(before, world.replicas, strict=True))
        falls.append((world.now_s, lost))
        gone = sum(count for at_s, count in falls if world.now_s - at_s < fleet.limits.removal_window_s)
        had = sum(before) + gone - lost

        assert lost == 0 or gone <= max(1, int(had * ratio))
        assert (fleet.mode == Mode.ACTIVE).all()


@given(seeds)
def test_a_breaker_of_everything_is_off(seed: int) -> None:
    random = np.random.default_rng(seed)
    fleet = fleet_of([policy(f"lane-{lane}") for lane in range(3)], Limits(removal_ratio=1.0))
    proposal = Proposal(random.integers(0, 5, 3))

    assert fleet_breaker(proposal, fleet, 0, integers(3, 10_000)) is proposal
