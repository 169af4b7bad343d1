"""One tick after another: the forecast, data that is not fresh, several signals, holds, schedules, changing lanes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from policies.arrays import integers
from policies.engine import decide
from policies.fleet import fleet_of
from policies.forecast.seasonal import OLDEST_FIT_S
from policies.guardrails import HOLD_RULES
from policies.history import Backfill
from policies.model import RULES, Action, Decision, Hold, Starts, Status, Why
from policies.packing import pack
from policies.snapshot import snapshot_of, state_from
from policies.state import EngineState
from tests.builders import (
    FREE,
    NOW_S,
    Document,
    Ticks,
    applied,
    demand,
    level_fit,
    one,
    policy,
    pressure,
    readings,
    ready_pods,
    requested,
    samples,
    seen,
)

NO_WINDOW = {"scaleDown": {"stabilizationWindowSeconds": 0}}
SLOW_UP = {"scaleUp": {"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}}
SLOW_DOWN = {
    "scaleDown": {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    }
}


def reason(decision: Decision, lane: int = 0) -> str:
    return RULES[decision.replicas.reason[lane]]


def first(replicas: int, value: float, level: float | None, spec: Document) -> Decision:
    """The first decision for one lane, with a forecast of `level` where there is one."""
    fleet = one(**spec)
    fit = None if level is None else level_fit(fleet, level)
    return decide(fleet, EngineState.fresh(fleet), seen([replicas], readings([value]), fit=fit))[1]


@pytest.mark.parametrize(
    ("replicas", "value", "level", "spec", "expected"),
    [
        # The rule aims at 7 a replica (10 x 0.8 x 0.875), the forecast at 8 (10 x 0.8).
        pytest.param(10, 70, 160, {}, (20, "forecast"), id="raises-above-the-kubernetes-rule"),
        pytest.param(10, 70, 8, {}, (10, "steady"), id="a-low-forecast-lowers-nothing"),
        pytest.param(2, 70, 8, {}, (6, "rate_limit"), id="a-low-forecast-does-not-hold-a-rise-back"),
        pytest.param(10, 70, 800, {}, (100, "forecast"), id="default-behaviour-does-not-bind-it"),
        pytest.param(10, 70, 8000, {}, (100, "forecast"), id="bounds-bind-it"),
        pytest.param(10, 70, 160, {"behavior": SLOW_UP}, (12, "forecast"), id="written-behaviour-binds-it"),
        pytest.param(
            10,
            70,
            160,
            {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}},
            (10, "steady"),
            id="a-direction-that-is-disabled-binds-it",
        ),
        pytest.param(10, 70, 160, {"behavior": NO_WINDOW}, (20, "forecast"), id="the-other-direction-does-not-bind-it"),
        pytest.param(10, 70, 160, {"forecast": {"enabled": False}}, (10, "steady"), id="switched-off"),
        pytest.param(0, 70, 160, {}, (0, "steady"), id="a-lane-at-zero-is-left-alone"),
        pytest.param(10, 70, None, {}, (10, "steady"), id="no-fit"),
    ],
)
def test_the_forecast(
    replicas: int, value: float, level: float | None, spec: Document, expected: tuple[int, str]
) -> None:
    decision = first(replicas, value, level, spec)

    assert (decision.replicas.target[0], reason(decision)) == expected


def test_a_forecast_that_is_too_old_is_not_used() -> None:
    fleet = one()
    old = level_fit(fleet, 160, fitted_at_s=NOW_S - OLDEST_FIT_S - 1)
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([10], readings([70]), fit=old))

    assert not decision.forecast.known[0]
    assert decision.replicas.target[0] == 10


def test_a_forecast_that_falls_keeps_its_count_for_the_down_window() -> None:
    world = Ticks(one(), [10])
    world.tick(readings([70]), fit=level_fit(world.fleet, 160))
    low = level_fit(world.fleet, 80)

    assert world.replicas == [20]
    assert [world.values(70, fit=low)[0] for _ in range(19)] == [20] * 19  # 15 .. 285 s after
    assert world.values(70, fit=low) == [10]


def test_the_lead_is_the_start_up_time_and_one_tick() -> None:
    fleet = one()
    starts = Starts(integers(3), np.full(3, 45.0), np.ones(3, np.bool_))
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([1], readings([7]), starts=starts))

    assert decision.startup_s.tolist() == [45.0]
    assert decision.forecast.lead_s.tolist() == [60.0]


DOUBTS = [
    *((Status.STALE, why) for why in (Why.TOO_OLD, Why.FROM_THE_FUTURE, Why.UNKNOWN_FRESHNESS)),
    *((Status.CENSORED, why) for why in (Why.PARTIAL_SERIES, Why.SATURATED)),
]
HOLES = [(Status.MISSING, why) for why in Why if why not in (Why.OK, *(why for _, why in DOUBTS))]


@pytest.mark.parametrize(
    ("status", "why"), [pytest.param(*row, id=f"{row[0].name}-{row[1].name}".lower()) for row in DOUBTS]
)
def test_a_value_in_doubt_may_raise_and_never_lowers(status: Status, why: Why) -> None:
    fleet = one(behavior=NO_WINDOW)
    _, high = decide(fleet, EngineState.fresh(fleet), seen([4], readings([56], status, why)))
    _, low = decide(fleet, EngineState.fresh(fleet), seen([4], readings([7], status, why)))

    assert (high.replicas.target[0], reason(high)) == (8, "signals")
    assert (low.replicas.target[0], reason(low)) == (4, "missing_data")
    assert [step.rule for step in low.steps] == ["signals", "missing_data"]


@pytest.mark.parametrize("why", [pytest.param(why, id=why.name.lower()) for _, why in HOLES])
def test_a_hole_keeps_the_count(why: Why) -> None:
    fleet = one(behavior=NO_WINDOW)
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4], readings([0], Status.MISSING, why)))

    assert (decision.replicas.target[0], reason(decision)) == (4, "steady")
    assert decision.proposed.tolist() == [-1]
    assert not decision.demand_known[0]


@pytest.mark.parametrize(
    ("values", "status", "expected"),
    [
        pytest.param((14, 40), (0, 0), 8, id="the-largest-wins"),
        pytest.param((56, 10), (0, 0), 8, id="whichever-it-is"),
        pytest.param((14, 10), (0, 0), 2, id="both-low-lower"),
        pytest.param((14, 0), (0, Status.MISSING), 4, id="a-hole-in-one-keeps-the-other-from-lowering"),
        pytest.param((56, 0), (0, Status.MISSING), 8, id="a-hole-in-one-does-not-keep-the-other-from-raising"),
        pytest.param((14, 10), (0, Status.STALE), 4, id="an-old-value-keeps-the-other-from-lowering"),
    ],
)
def test_several_signals(values: tuple[float, float], status: tuple[int, int], expected: int) -> None:
    fleet = one(demand(), pressure(average=5), behavior=NO_WINDOW)
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4], readings(values, np.array(status))))

    assert decision.replicas.target[0] == expected


def test_memory_of_a_thousand_large_pods_does_not_overflow() -> None:
    """100 GB each of 1,000 pods are 10^17 thousandths of a byte; a hundredfold, for per cent, is above 2^63."""
    fleet = one(requested("memory", "memory"), high=10_000)
    use, request = 95e9, 100e9
    observation = seen([1000], readings([0]), pods=ready_pods(1000), samples=samples(0, *[use] * 1000, request=request))
    _, decision = decide(fleet, EngineState.fresh(fleet), observation)

    assert decision.conditions.utilization_percent.tolist() == [95]
    assert decision.proposed.tolist() == [1358]  # 1000 x 95 / 70 = 1357.1


@pytest.mark.parametrize("hold", [pytest.param(hold, id=rule) for hold, rule in HOLD_RULES.items()])
def test_a_hold_keeps_the_count_and_names_its_rule(hold: Hold) -> None:
    fleet = one()
    codes = np.array([hold], np.int8)
    _, moving = decide(fleet, EngineState.fresh(fleet), seen([4], readings([56]), hold=codes))
    _, steady = decide(fleet, EngineState.fresh(fleet), seen([4], readings([28]), hold=codes))

    for decision in (moving, steady):
        assert decision.replicas.target.tolist() == [4]
        assert decision.replicas.action.tolist() == [Action.HOLD]
        assert reason(decision) == HOLD_RULES[hold]
    assert [step.rule for step in moving.steps] == ["signals", HOLD_RULES[hold]]


def test_a_paused_policy_holds_and_other_modes_decide() -> None:
    rows = [policy(mode, mode=mode) for mode in ("active", "floor", "paused", "shadow")]
    fleet = fleet_of(rows, FREE)
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([4] * 4, readings([56] * 4)))

    assert decision.replicas.target.tolist() == [8, 8, 4, 8]
    assert [reason(decision, lane) for lane in range(4)] == ["signals", "signals", "paused", "signals"]


def test_bounds_of_a_schedule_hold_while_it_is_active() -> None:
    window = {"cron": "0 8 * * *", "timezone": "Europe/Berlin", "duration": "10h", "min": 6, "max": 40}
    world = Ticks(one(schedules=[window], low=2, high=10, behavior=NO_WINDOW), [4])

    def at(hour: int) -> tuple[list[int], int, int]:
        world.now_s = datetime(2023, 11, 15, hour, tzinfo=UTC).timestamp()
        decision = world.tick(readings([7]))
        return world.replicas, int(decision.min_replicas[0]), int(decision.max_replicas[0])

    assert at(6) == ([2], 2, 10)  # seven o'clock in Berlin; one replica would do
    assert at(7) == ([6], 6, 40)
    assert at(16) == ([6], 6, 40)
    assert at(17)[1:] == (2, 10)


def test_a_fall_below_the_bounds_in_force_needs_no_data() -> None:
    """As Kubernetes has it: a count outside of the bounds is set to the nearer one, whatever is known."""
    fleet = one(low=2, high=10)
    hole = readings([0], Status.MISSING, Why.SOURCE_DOWN)
    targets = [decide(fleet, EngineState.fresh(fleet), seen([n], hole))[1].replicas.target[0] for n in (1, 5, 30)]

    assert targets == [2, 5, 10]


def test_at_first_sight_the_present_count_is_in_the_windows() -> None:
    world = Ticks(one(), [10])

    assert world.values(7) == [10]
    assert [world.values(7)[0] for _ in range(19)] == [10] * 19
    assert world.values(7) == [1]


def test_a_target_that_was_not_there_leaves_nothing_in_the_windows() -> None:
    up = {"scaleUp": {"stabilizationWindowSeconds": 60}}
    world = Ticks(one(behavior=up), [0])
    world.tick(readings([0], Status.MISSING, Why.NO_SERIES), hold=np.array([Hold.NO_TARGET], np.int8))
    world.replicas = [4]
    world.values(56)

    assert world.state is not None
    assert world.state.advice.value[0].tolist() == [4, 8]
    assert [world.values(56)[0] for _ in range(4)] == [4, 4, 4, 8]


def test_several_changes_of_a_lane_all_count_against_its_rates() -> None:
    fleet = one(behavior=SLOW_DOWN)
    state = replace(EngineState.fresh(fleet), seen=np.ones(1, np.bool_))
    told = applied((0, NOW_S - 50, 12, 11), (0, NOW_S - 5, 11, 10))
    _, decision = decide(fleet, state, seen([10], readings([7]), applied=told))

    assert decision.replicas.target.tolist() == [10]


def test_a_clock_that_is_set_back_starts_the_windows_anew_and_no_more() -> None:
    world = Ticks(one(behavior={**SLOW_UP, "scaleDown": {"stabilizationWindowSeconds": 60}}), [10])
    assert world.values(140) == [12]
    world.now_s -= 7 * 86400

    assert world.values(140) == [12]
    assert [world.values(140)[0] for _ in range(4)] == [12, 12, 12, 14]
    assert [world.values(7)[0] for _ in range(4)] == [14, 14, 14, 1]
    assert world.state is not None
    assert world.state.advice.at_s.shape[1] < 10


def test_state_follows_lanes_that_come_go_and_change_places() -> None:
    before = fleet_of([policy(name) for name in ("b", "c", "d")], FREE)
    world = Ticks(before, [10, 20, 30])
    world.tick(readings([70, 140, 210]), fit=level_fit(before, 8, 16, 24))
    assert world.state is not None
    after = fleet_of([policy(name) for name in ("a", "c", "d", "e")], FREE)
    moved = world.state.aligned_to(after)

    assert moved.uid == ("shop/a", "shop/c", "shop/d", "shop/e")
    assert moved.seen.tolist() == [False, True, True, False]
    assert moved.advice.largest(world.now_s, np.full(4, 60.0), start=integers(4)).tolist() == [0, 20, 30, 0]
    assert moved.fit is not None
    assert moved.fit.known.tolist() == [False, True, True, False]
    kept = moved.history.window(60.0, world.now_s)
    assert kept.value[:, 0].tolist() == [0, 140, 210, 0]
    assert moved.aligned_to(after) is moved


def test_a_lane_that_stays_is_still_held_by_its_window_when_others_come() -> None:
    world = Ticks(fleet_of([policy("m")], FREE), [10])
    world.values(70)
    world.fleet, world.replicas = fleet_of([policy("a"), policy("m"), policy("z")], FREE), [1, 10, 1]

    assert world.values(7, 7, 7) == [1, 10, 1]


def test_a_fit_that_arrives_for_other_rows_serves_those_that_are_left() -> None:
    old = fleet_of([policy("b"), policy("c")], FREE)
    new = fleet_of([policy("a"), policy("c")], FREE)
    _, decision = decide(new, EngineState.fresh(new), seen([1, 1], readings([7, 7]), fit=level_fit(old, 800, 80)))

    assert decision.forecast.known.tolist() == [False, True]
    assert decision.replicas.target.tolist() == [1, 10]


def test_a_backfill_fills_the_past_and_not_what_is_known() -> None:
    world = Ticks(one(), [1])
    world.values(7)
    past = Backfill(NOW_S - 540, 60.0, np.full((1, 10), 3, np.float32), np.ones((1, 10), np.bool_))
    world.values(7, backfill=past)
    assert world.state is not None
    window = world.state.history.window(600.0, world.now_s)

    assert window.value[0].tolist() == [3.0] * 9 + [7.0]
    assert window.known.all()


def test_only_fresh_values_enter_history() -> None:
    world = Ticks(fleet_of([policy(name) for name in "abcd"], FREE), [1] * 4)
    world.tick(readings([7] * 4, np.array(list(Status), np.int8)))
    assert world.state is not None

    assert world.state.history.window(60.0, world.now_s).known[:, 0].tolist() == [True, False, False, False]


def test_after_a_restart_the_next_decisions_are_the_same() -> None:
    fleet = fleet_of([policy("a", behavior=SLOW_DOWN), policy("b", demand(), pressure(average=5))])
    world = Ticks(fleet, [10, 30])
    random = np.random.default_rng(7)
    for tick in range(30):
        world.tick(readings(random.uniform(0, 200, 3).tolist()), fit=level_fit(fleet, 40, 90) if tick == 3 else None)
    assert world.state is not None
    core, hours = snapshot_of(world.state)
    again = replace(world, state=state_from(core, hours), replicas=list(world.replicas), pending=list(world.pending))

    for _ in range(30):
        values = readings(random.uniform(0, 200, 3).tolist())
        assert pack(world.tick(values)) == pack(again.tick(values))
