"""What a state remembers of each lane follows the lane when the fleet changes."""

from __future__ import annotations

import numpy as np

from policies.arrays import integers
from policies.engine import decide
from policies.fleet import fleet_of
from policies.snapshot import snapshot_of, state_from
from policies.state import EngineState
from tests.builders import (
    FREE,
    NOW_S,
    TICK_S,
    Ticks,
    one,
    ordering,
    policy,
    readings,
    seen,
)

OFF = {"enabled": False}


def test_state_follows_lanes_that_come_go_and_change_places() -> None:
    before = fleet_of([policy(name) for name in ("b", "c", "d")], FREE)
    world = Ticks(before, [10, 20, 30])
    world.tick(readings([70, 140, 210]), learned=ordering(before, 8, 16, 24, at_s=NOW_S + TICK_S))
    assert world.state is not None
    after = fleet_of([policy(name) for name in ("a", "c", "d", "e")], FREE)
    moved = world.state.aligned_to(after)

    assert moved.uid == ("shop/a", "shop/c", "shop/d", "shop/e")
    assert moved.seen.tolist() == [False, True, True, False]
    assert moved.advice.largest(world.now_s, np.full(4, 60.0), start=integers(4)).tolist() == [0, 20, 30, 0]
    assert moved.lead.scores.own[:, 0].tolist() == [0, 16, 24, 0]
    kept = moved.history.window(60.0, world.now_s)
    assert kept.value[:, 0].tolist() == [0, 140, 210, 0]
    assert moved.aligned_to(after) is moved


def test_a_forecast_that_is_switched_on_and_off_begins_anew() -> None:
    on, off = one(), one(forecast=OFF)
    more = fleet_of([policy("a"), policy("web")], FREE)
    world = Ticks(off, [10])
    counts = []
    for fleet in (off, on, on, off, more, off):
        world.fleet, world.replicas = fleet, [10] * fleet.lanes
        world.tick(readings([70] * fleet.lanes), after_s=30.0)
        assert world.state is not None
        counts.append(world.state.lead.near.count.tolist())
    assert counts == [[], [1], [2], [], [1, 1], []]


def test_a_snapshot_of_a_fleet_without_forecasts_goes_on_beside_one_that_forecasts() -> None:
    world = Ticks(one(forecast=OFF), [10])
    world.values(70)
    assert world.state is not None
    world.state = state_from(*snapshot_of(world.state))
    assert world.state.lead.lanes == 0
    world.fleet, world.replicas = fleet_of([policy("a"), policy("web", forecast=OFF)], FREE), [10, 10]
    world.tick(readings([70, 70]), after_s=30.0)
    assert world.state.lead.near.count.tolist() == [1, 1]


def test_a_lane_that_stays_is_still_held_by_its_window_when_others_come() -> None:
    world = Ticks(fleet_of([policy("m", forecast=OFF)], FREE), [10])
    world.values(70)
    three = [policy(name, forecast=OFF) for name in "amz"]
    world.fleet, world.replicas = fleet_of(three, FREE), [1, 10, 1]

    assert world.values(7, 7, 7) == [1, 10, 1]


def test_what_was_learned_for_other_lanes_serves_those_that_are_left() -> None:
    old = fleet_of([policy("b"), policy("c")], FREE)
    new = fleet_of([policy("a"), policy("c")], FREE)
    learned = ordering(old, 80, 10)
    _, decision = decide(new, EngineState.fresh(new), seen([1, 1], readings([7, 7]), learned=learned))

    assert decision.forecast.known.tolist() == [False, True]
    assert decision.replicas.target.tolist() == [1, 10]
