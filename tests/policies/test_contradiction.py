"""A declared capacity that what is seen contradicts becomes a finding; bursts, starts and bad data do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.explain import sentences
from policies.fleet import fleet_of
from policies.model import Status, Why
from policies.snapshot import snapshot_of, state_from
from tests.builders import FREE, Ticks, demand, late, one, policy, pressure, readings, ready_pods, seen

LOAD, QUEUE, SLOW = demand(capacity=100), pressure(average=5), late()
HOLDS: Any = {"mode": "paused"}  # the count stays, as at a bound or under a budget


def after(
    minutes: float, values: tuple[float, ...], *, signals: tuple[dict[str, object], ...] = (LOAD, QUEUE), ready: int = 4
) -> Ticks:
    """Four replicas that see the same for some minutes."""
    world = Ticks(one(*signals, **HOLDS), [4])
    for _ in range(round(minutes * 4)):
        world.tick(readings(values), pods=ready_pods(ready))
    return world


def told(world: Ticks, values: tuple[float, ...]) -> list[float]:
    """What is contradicted after one more tick: loads per replica."""
    decision = world.tick(readings(values), pods=ready_pods(4))
    found: list[float] = decision.contradicted.load.tolist()
    return found


def test_a_queue_at_half_of_what_is_declared_contradicts_it_after_ten_minutes() -> None:
    """160 over four replicas are 40 each; 100 at a serving limit of 0.8 are 80 in time."""
    assert told(after(9, (160, 40)), (160, 40)) == []
    world = after(15, (160, 40))

    assert told(world, (160, 40)) == [pytest.approx(40)]
    decision = world.tick(readings((160, 40)), pods=ready_pods(4))
    given = seen([4], readings((160, 40)), pods=ready_pods(4))
    assert (
        "The declared capacity of signal load is contradicted: replicas queue or are late at 40 each, and 80 is"
        " declared to be served in time; see `foresail calibrate`."
    ) in sentences(world.fleet, given, decision, 0)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(after(60, (160, 19)), id="no-queue"),
        pytest.param(after(60, (310, 40)), id="near-the-declared-limit"),
        pytest.param(after(60, (160, 40), ready=3), id="while-a-replica-is-not-ready"),
        pytest.param(after(60, (160, 40, 10), signals=(LOAD, QUEUE, SLOW)), id="late-signal-says-all-is-well"),
    ],
)
def test_what_contradicts_nothing(world: Ticks) -> None:
    values = (160, 19) if world.fleet.tracks.lane.size == 2 else (160, 40, 10)

    assert told(world, values) == []


def test_lateness_contradicts_without_any_queue() -> None:
    """A late signal is read in thousandths: 200 are 20 % late, above four times 1 % and above 5 %."""
    world = after(15, (160, 200), signals=(LOAD, SLOW))

    assert told(world, (160, 200)) == [pytest.approx(40)]


def test_a_load_that_was_served_in_calm_speaks_for_the_declaration() -> None:
    world = after(30, (200, 1))
    for _ in range(80):
        world.tick(readings((160, 40)), pods=ready_pods(4))

    assert told(world, (160, 40)) == []


def test_a_load_that_rises_and_falls_is_no_plateau() -> None:
    world = Ticks(one(LOAD, QUEUE, **HOLDS), [4])
    for tick in range(120):
        world.tick(readings((100 if tick % 2 else 250, 40)), pods=ready_pods(4))

    assert told(world, (100, 40)) == []


def test_data_that_is_not_fresh_says_nothing() -> None:
    world = Ticks(one(LOAD, QUEUE, **HOLDS), [4])
    stale = readings((160, 40), Status.STALE, Why.TOO_OLD)
    for _ in range(100):
        world.tick(stale, pods=ready_pods(4))

    assert world.tick(stale, pods=ready_pods(4)).contradicted.lane.size == 0


def test_evidence_survives_a_restart_and_follows_its_lane() -> None:
    world = after(15, (160, 40))
    assert world.state is not None
    kept = state_from(*snapshot_of(world.state))
    more = fleet_of([policy("a", LOAD, QUEUE, **HOLDS), policy("web", LOAD, QUEUE, **HOLDS)], FREE)

    moved = kept.aligned_to(more).doubt

    assert moved.trouble_s[0] == 0
    assert moved.trouble_s[1] == pytest.approx(world.state.doubt.trouble_s[0])


def test_an_older_state_without_evidence_begins_anew() -> None:
    world = after(15, (160, 40))
    assert world.state is not None
    world.state = replace(world.state, doubt=type(world.state.doubt).none())

    assert told(world, (160, 40)) == []
    assert np.isfinite(world.state.doubt.at_s)
