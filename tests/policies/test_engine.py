"""One tick after another: the forecast, data that is not fresh, several signals, holds, schedules, changing lanes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from policies.arrays import integers
from policies.engine import decide
from policies.fleet import fleet_of
from policies.guardrails import HOLD_RULES
from policies.history import Backfill
from policies.log import Log
from policies.model import RULES, Action, Decision, Hold, Starts, Status, Why
from policies.packing import pack
from policies.snapshot import snapshot_of, state_from
from policies.state import EngineState
from tests.builders import (
    FREE,
    NOW_S,
    TICK_S,
    Document,
    Ticks,
    applied,
    demand,
    one,
    ordering,
    policy,
    pressure,
    readings,
    ready_pods,
    requested,
    samples,
    seen,
)

OFF = {"enabled": False}
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


def first(replicas: int, value: float, order: int | None, spec: Document, *, alone: bool = False) -> Decision:
    """The first decision for one lane, with an order of the lead-time layer where there is one."""
    fleet = one(**spec)
    learned = None if order is None else ordering(fleet, order, alone=alone)
    return decide(fleet, EngineState.fresh(fleet), seen([replicas], readings([value]), learned=learned))[1]


@pytest.mark.parametrize(
    ("replicas", "value", "order", "spec", "expected"),
    [
        # The rule aims at 7 a replica: 10 x 0.8 x 0.875.
        pytest.param(10, 70, 20, {}, (20, "forecast"), id="raises-above-the-kubernetes-rule"),
        pytest.param(10, 70, 1, {}, (10, "steady"), id="a-low-order-lowers-nothing"),
        pytest.param(2, 70, 1, {}, (6, "rate_limit"), id="a-low-order-does-not-hold-a-rise-back"),
        pytest.param(10, 70, 100, {}, (100, "forecast"), id="default-behaviour-does-not-bind-it"),
        pytest.param(10, 70, 1000, {}, (100, "forecast"), id="bounds-bind-it"),
        pytest.param(10, 70, 20, {"behavior": SLOW_UP}, (12, "forecast"), id="written-behaviour-binds-it"),
        pytest.param(
            10,
            70,
            20,
            {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}},
            (10, "steady"),
            id="a-direction-that-is-disabled-binds-it",
        ),
        pytest.param(10, 70, 20, {"behavior": NO_WINDOW}, (20, "forecast"), id="the-other-direction-does-not-bind-it"),
        pytest.param(10, 70, 20, {"forecast": {"enabled": False}}, (10, "steady"), id="switched-off"),
        pytest.param(0, 70, 20, {}, (0, "steady"), id="a-lane-at-zero-is-left-alone"),
    ],
)
def test_an_order_while_evidence_is_thin(
    replicas: int, value: float, order: int | None, spec: Document, expected: tuple[int, str]
) -> None:
    decision = first(replicas, value, order, spec)

    assert (decision.replicas.target[0], reason(decision)) == expected


@pytest.mark.parametrize(
    ("replicas", "order", "spec", "expected"),
    [
        pytest.param(10, 8, {}, (8, "tournament"), id="goes-below-the-kubernetes-rule"),
        pytest.param(8, 8, {}, (8, "tournament"), id="stays-below-it"),
        pytest.param(20, 9, {}, (9, "tournament"), id="the-default-window-does-not-hold-its-falls"),
        pytest.param(20, 0, {}, (1, "tournament"), id="zero-is-for-the-kubernetes-rule-to-decide"),
        pytest.param(20, 9, {"behavior": SLOW_DOWN}, (19, "rate_limit"), id="a-written-rate-binds-it"),
        pytest.param(
            20,
            9,
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}},
            (20, "stabilization"),
            id="a-written-window-binds-it",
        ),
        pytest.param(20, 9, {"low": 12}, (12, "tournament"), id="bounds-bind-it"),
        pytest.param(10, 8, {"forecast": {"enabled": False}}, (10, "steady"), id="switched-off"),
    ],
)
def test_an_order_with_evidence_stands_alone(
    replicas: int, order: int, spec: Document, expected: tuple[int, str]
) -> None:
    decision = first(replicas, 70, order, spec, alone=True)

    assert (decision.replicas.target[0], reason(decision)) == expected


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        pytest.param(20, (8, "tournament"), id="well-below-its-target-it-does-not-hold"),
        pytest.param(43, (9, "pressure"), id="not-so-far-below-it-asks-for-what-keeps-it-there"),
        pytest.param(120, (20, "rate_limit"), id="above-it-the-kubernetes-rule-raises"),
        pytest.param(51, (10, "steady"), id="within-the-tolerance-above-it-nothing-is-lowered"),
    ],
)
def test_pressure_beside_an_order_with_evidence(waiting: float, expected: tuple[int, str]) -> None:
    fleet = one(demand(), pressure(average=5))  # a target of 5 for each of 10 replicas
    observation = seen([10], readings([70, waiting]), pods=ready_pods(10), learned=ordering(fleet, 8, alone=True))
    little = Log.empty(1).noted(NOW_S - TICK_S, integers(1, 1), np.array([True]), np.array([300.0]))
    state = replace(EngineState.fresh(fleet), seen=np.array([True]), pressed=little)
    _, decision = decide(fleet, state, observation)

    assert (decision.replicas.target[0], reason(decision)) == expected


@pytest.mark.parametrize("status", [Status.STALE, Status.MISSING, Status.CENSORED])
def test_an_order_with_evidence_lowers_nothing_while_data_is_in_doubt(status: Status) -> None:
    fleet = one()
    learned = ordering(fleet, 8, alone=True)
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([10], readings([70], status), learned=learned))

    assert decision.replicas.target.tolist() == [10]


def test_a_written_window_holds_what_was_ordered_before() -> None:
    fleet = one(behavior={"scaleDown": {"stabilizationWindowSeconds": 60}})
    world = Ticks(fleet, [10])
    asked = []
    for order in (20, 8, 8, 8, 8, 8):
        world.state = replace(EngineState.fresh(fleet) if world.state is None else world.state)
        lead = ordering(fleet, order, alone=True, at_s=world.now_s + TICK_S).lead
        world.state = replace(world.state, lead=lead)
        asked += world.values(70)

    assert asked == [20, 20, 20, 20, 8, 8]  # 15, 30 and 45 s after


def test_a_forecast_is_for_when_an_order_made_now_serves() -> None:
    fleet = one()
    starts = Starts(integers(3), np.full(3, 45.0), np.ones(3, np.bool_))
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([1], readings([7]), starts=starts))

    assert decision.startup_s.tolist() == [45.0]
    assert decision.forecast.lead_s.tolist() == [60.0]  # in whole steps of 30 s


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
    world = Ticks(one(forecast=OFF, behavior={**SLOW_UP, "scaleDown": {"stabilizationWindowSeconds": 60}}), [10])
    assert world.values(140) == [12]
    world.now_s -= 7 * 86400

    assert world.values(140) == [12]
    assert [world.values(140)[0] for _ in range(4)] == [12, 12, 12, 14]
    assert [world.values(7)[0] for _ in range(4)] == [14, 14, 14, 1]
    assert world.state is not None
    assert world.state.advice.at_s.shape[1] < 10


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
        world.tick(readings(random.uniform(0, 200, 3).tolist()), learned=ordering(fleet, 40, 90) if tick == 3 else None)
    assert world.state is not None
    core, hours = snapshot_of(world.state)
    again = replace(world, state=state_from(core, hours), replicas=list(world.replicas), pending=list(world.pending))

    for _ in range(30):
        values = readings(random.uniform(0, 200, 3).tolist())
        assert pack(world.tick(values)) == pack(again.tick(values))
