"""Announced events: from one start-up before them, and until the load shows them, their replicas are there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.arrays import booleans, integers
from policies.engine import decide
from policies.explain import sentences, steps_of
from policies.fleet import fleet_of
from policies.history import Backfill, History
from policies.model import RULES, Hold, Limits, Starts
from policies.state import EngineState
from tests.builders import FREE, NOW_S, Ticks, demand, one, ordering, policy, readings, ready_pods, seen

if TYPE_CHECKING:
    from policies.model import Decision, Fleet
    from tests.builders import Document

BEGINS_S = NOW_S + 36_000.0  # 2023-11-15 10:00 UTC
LAUNCH = {"name": "launch", "at": "2023-11-15T10:00:00Z", "duration": "1h", "factor": 3}
SHORT = LAUNCH | {"duration": "2m"}
EXTRA = {"name": "batch", "at": "2023-11-15T10:00:00Z", "duration": "1h", "extra": 100}
DAILY = {"name": "daily", "cron": "0 11 * * *", "timezone": "Europe/Berlin", "duration": "1h", "factor": 3}
LATER = {"name": "later", "at": "2023-11-15T10:02:00Z", "duration": "1h", "factor": 2}
USUAL = 35.0  # one replica serves 8: it needs 5 of them, and 105 need 14


def past(state: EngineState, rows: int, *values: float, until_s: float = BEGINS_S) -> EngineState:
    """A history that ends with these values, one a minute, of each row, before the minute of `until_s`."""
    value = np.tile(np.array(values, np.float32), (rows, 1))
    start_s = until_s - 60.0 * len(values)
    return replace(
        state, history=History.empty(rows).filled_with(Backfill(start_s, 60.0, value, np.ones(value.shape, np.bool_)))
    )


def decided(
    fleet: Fleet, at_s: float, *, minutes: tuple[float, ...] = (USUAL,) * 30, until_s: float = BEGINS_S, hold: int = 0
) -> Decision:
    """What is decided `at_s` seconds from the event's beginning on 5 replicas, while the load is as usual."""
    now_s = BEGINS_S + at_s
    state = past(EngineState.fresh(fleet), fleet.tracks.lane.size, *minutes, until_s=min(until_s, now_s // 60 * 60))
    lanes, tracks = fleet.lanes, fleet.tracks.lane.size
    held = np.full(lanes, hold, np.int8)
    return decide(fleet, state, seen([5] * lanes, readings([USUAL] * tracks), now_s, hold=held))[1]


def with_events(*events: Document, high: int = 100, **spec: Any) -> Fleet:  # noqa: ANN401 - fields of a document
    return one(high=high, forecast={"events": list(events)}, **spec)


@pytest.mark.parametrize(
    ("event", "at_s", "expected"),
    [
        pytest.param(LAUNCH, -165.0, 5, id="more-than-a-start-up-and-a-step-before-it"),
        pytest.param(LAUNCH, -150.0, 14, id="a-start-up-of-120-s-and-a-step-of-30-s-before-it"),
        pytest.param(LAUNCH, -15.0, 14, id="right-before-it"),
        pytest.param(LAUNCH, 0.0, 14, id="when-it-begins"),
        pytest.param(LAUNCH, 585.0, 14, id="in-its-first-ten-minutes"),
        pytest.param(LAUNCH, 600.0, 5, id="after-ten-minutes-the-load-itself-decides"),
        pytest.param(SHORT, 105.0, 14, id="before-its-end"),
        pytest.param(SHORT, 120.0, 5, id="at-its-end"),
        pytest.param(EXTRA, -150.0, 17, id="35-and-100-on-top-need-16.9"),
        pytest.param(DAILY, -165.0, 5, id="well-before-11-in-berlin"),
        pytest.param(DAILY, -150.0, 14, id="before-11-in-berlin"),
        pytest.param(DAILY, 86_400.0 - 150.0, 14, id="the-next-day"),
        pytest.param(DAILY, 600.0, 5, id="ten-minutes-after-11-in-berlin"),
        pytest.param(LAUNCH | {"factor": "0.1"}, 0.0, 5, id="less-load-lowers-nothing"),
        pytest.param(LAUNCH | {"at": "2023-11-15T10:00:30Z"}, 0.0, 14, id="within-a-minute"),
    ],
)
def test_when_and_how_much(event: Document, at_s: float, expected: int) -> None:
    decision = decided(with_events(event), at_s, until_s=np.inf if at_s > 3600 else BEGINS_S)

    assert decision.replicas.target.tolist() == [expected]
    assert (RULES[decision.replicas.reason[0]] == "announced_event") == (expected != 5)


@pytest.mark.parametrize(
    ("events", "at_s", "expected"),
    [
        pytest.param((LAUNCH, EXTRA), 0.0, 26, id="three-times-35-and-100-on-top-need-25.6"),
        pytest.param((LAUNCH, LATER), -150.0, 14, id="the-second-is-not-near"),
        pytest.param((LAUNCH, LATER), -30.0, 27, id="both-factors-of-35-need-26.25"),
        pytest.param((SHORT, LATER), -30.0, 14, id="one-that-ends-when-the-other-begins-does-not-meet-it"),
        pytest.param((SHORT, LATER), 120.0, 9, id="the-second-alone-needs-8.75"),
    ],
)
def test_several_events_combine(events: tuple[Document, ...], at_s: float, expected: int) -> None:
    assert decided(with_events(*events), at_s).replicas.target.tolist() == [expected]


def test_one_within_a_longer_one_counts_with_the_load_that_the_longer_one_has() -> None:
    """Since three hours the load is 36 instead of 12; twice of it needs 9 replicas, not twice three times of it."""
    sale = {"name": "sale", "at": "2023-11-15T07:00:00Z", "duration": "10h", "factor": 3}
    fleet = with_events(sale, LAUNCH | {"factor": 2})

    assert decided(fleet, 0.0, minutes=(36.0,) * 30).replicas.target.tolist() == [9]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        pytest.param((80.0, 24.0, 24.0, 32.0, 24.0, 24.0), 12, id="the-largest-of-the-five-newest"),
        pytest.param((24.0,) * 6, 9, id="exactly-nine"),
        pytest.param((8.8,) * 6, 5, id="little-load"),
    ],
)
def test_usual_is_the_largest_of_five_minutes(minutes: tuple[float, ...], expected: int) -> None:
    assert decided(with_events(LAUNCH), 0.0, minutes=minutes).replicas.target.tolist() == [expected]


@pytest.mark.parametrize(
    ("gap_min", "replicas"), [pytest.param(9, 14, id="a-minute-is-known"), pytest.param(10, -1, id="nothing-is-known")]
)
def test_without_a_usual_load_nothing_is_asked_for(gap_min: int, replicas: int) -> None:
    decision = decided(with_events(LAUNCH), 0.0, until_s=BEGINS_S - 60.0 * gap_min)

    assert decision.announced.replicas.tolist() == [replicas]
    assert decision.replicas.target.tolist() == [max(5, replicas)]


def test_what_comes_after_the_beginning_changes_nothing() -> None:
    """The floor is made of minutes before the event, whatever its first minutes are like."""
    fleet = with_events(LAUNCH)
    rows = [(USUAL,) * 30 + later for later in ((USUAL,) * 4, (500.0,) * 4, (0.0, 1e6, 0.0, 8.0))]
    found = [decided(fleet, 240.0, minutes=row, until_s=BEGINS_S + 240.0).announced for row in rows]

    assert [each.replicas.tolist() for each in found] == [[14]] * 3


def test_the_future_is_not_seen() -> None:
    """History that a clock ahead left behind, and events beyond a start-up, are as if they were not there."""
    fleet = with_events(LAUNCH)
    state = past(EngineState.fresh(fleet), 1, *(USUAL,) * 30, until_s=BEGINS_S - 120.0)
    ahead = past(EngineState.fresh(fleet), 1, *(USUAL,) * 30, USUAL, *(900.0,) * 19, until_s=BEGINS_S + 1080.0)
    observation = seen([5], readings([USUAL]), BEGINS_S - 105.0)
    targets = [decide(fleet, each, observation)[1].replicas.target.tolist() for each in (state, ahead)]

    assert targets == [[14], [14]]
    far = with_events(LAUNCH | {"at": "2023-11-15T10:02:45Z"})
    assert decided(far, 0.0).announced.lane.size == 0


@pytest.mark.parametrize(
    ("spec", "more", "expected"),
    [
        pytest.param({"high": 12}, {}, 12, id="at-the-maximum"),
        pytest.param(
            {"schedules": [{"cron": "0 9 * * *", "duration": "2h", "max": 9}]}, {}, 9, id="at-the-maximum-of-a-schedule"
        ),
        pytest.param(
            {"behavior": {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}},
            {},
            9,
            id="at-a-rate-that-the-user-wrote",
        ),
        pytest.param({"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}, {}, 5, id="rises-are-disabled"),
        pytest.param({"mode": "shadow"}, {}, 14, id="in-shadow-it-is-said"),
        pytest.param({"mode": "paused"}, {}, 5, id="paused"),
        pytest.param({}, {"hold": Hold.KILL_SWITCH}, 5, id="held"),
    ],
)
def test_what_binds_it(spec: Document, more: dict[str, Any], expected: int) -> None:
    assert decided(with_events(LAUNCH, **spec), -60.0, **more).replicas.target.tolist() == [expected]


def test_without_forecasts_events_do_nothing() -> None:
    fleet = one(forecast={"enabled": False, "events": [LAUNCH]})

    assert decided(fleet, -60.0).announced.lane.size == 0


def test_events_are_of_their_lane_and_of_their_signal() -> None:
    tokens = demand("tokens", 5)  # a replica serves 4 tokens
    rows = [
        policy("a", forecast={"events": [LAUNCH]}),
        policy("b"),
        policy("c", demand(), tokens, forecast={"events": [LAUNCH | {"signal": "load"}]}),
        policy("d", demand(), tokens, forecast={"events": [LAUNCH]}),
    ]
    near = decided(fleet_of(rows, FREE), 0.0).announced

    assert near.lane.tolist() == [0, 2, 3]
    assert near.replicas.tolist() == [14, 14, 27]  # 105 / 8, 105 / 8, 105 / 4


def test_another_signal_says_nothing_of_the_one_that_the_event_is_of() -> None:
    """The history knows `tokens`, and nothing of `load`, of which the event is."""
    fleet = one(demand(), demand("tokens", 5), forecast={"events": [LAUNCH | {"signal": "load"}]})
    known = np.array([[False], [True]]).repeat(30, axis=1)
    backfill = Backfill(BEGINS_S - 1800.0, 60.0, np.full((2, 30), USUAL, np.float32), known)
    state = replace(EngineState.fresh(fleet), history=History.empty(2).filled_with(backfill))
    _, decision = decide(fleet, state, seen([9], readings([USUAL, USUAL]), BEGINS_S))

    assert decision.announced.replicas.tolist() == [-1]


def test_a_workload_that_somebody_took_to_zero_stays_there() -> None:
    fleet = with_events(LAUNCH)
    state = past(EngineState.fresh(fleet), 1, *(USUAL,) * 30)
    observation = seen([0], readings([USUAL]), BEGINS_S)
    asleep = replace(state, zeroed=booleans(1, value=True))
    may = replace(fleet, limits=Limits(removal_ratio=1.0, scale_to_zero=True))
    cases = (fleet, state), (fleet, asleep), (may, state), (may, asleep)

    assert [decide(each, before, observation)[1].announced.floor.tolist() for each, before in cases] == [
        [0],
        [0],
        [0],
        [14],
    ]


def test_a_start_up_of_many_at_once_counts_when_it_takes_longer() -> None:
    """Eight pods at once took 10 min, single ones a minute: the launch may need as many."""
    fleet = with_events(LAUNCH)
    state = EngineState.fresh(fleet)
    rows = 24
    together = np.array([8] * 16 + [1] * 8)
    starts = Starts(
        integers(rows),
        np.where(together == 8, 600.0, 60.0),
        booleans(rows, value=True),
        np.zeros(rows, np.int8),
        together,
    )
    state = replace(state, starts=state.starts.learned(starts, now_s=NOW_S))
    state = past(state, 1, *(USUAL,) * 30, until_s=BEGINS_S - 600.0)
    observed = [seen([5], readings([USUAL]), BEGINS_S - before_s) for before_s in (645.0, 630.0)]

    assert [decide(fleet, state, each)[1].announced.lane.size for each in observed] == [0, 1]


@pytest.mark.parametrize(
    ("at_s", "until_s", "expected"),
    [
        pytest.param(
            -150.0,
            BEGINS_S,
            "Event launch begins in 2.5 min; the load before it and what is declared need 14.",
            id="ahead",
        ),
        pytest.param(
            60.0, BEGINS_S, "Event launch began 60 s ago; the load before it and what is declared need 14.", id="since"
        ),
        pytest.param(
            0.0,
            BEGINS_S - 900.0,
            "Event launch began 0 s ago; what its load needs is not known, so it asks for nothing.",
            id="nothing-known",
        ),
    ],
)
def test_the_story(at_s: float, until_s: float, expected: str) -> None:
    fleet = with_events(LAUNCH)
    decision = decided(fleet, at_s, until_s=until_s)
    observation = seen([5], readings([USUAL]), BEGINS_S + at_s)
    story = sentences(fleet, observation, decision, 0)

    assert [each for each in story if each.startswith("Event")] == [expected]
    step = ("announced_event", 5, 14)
    assert (step in steps_of(decision, 0)) == ("14" in expected)
    words = "Until the load shows them, declared events have 14 kept ready instead of 5."
    assert (words in story) == ("14" in expected)


@pytest.mark.parametrize(("order", "expected"), [pytest.param(3, 14, id="below"), pytest.param(20, 20, id="above")])
def test_it_is_a_floor_for_the_one_in_charge(order: int, expected: int) -> None:
    fleet, now_s = with_events(LAUNCH), BEGINS_S - 60.0
    state = past(EngineState.fresh(fleet), 1, *(USUAL,) * 30, until_s=now_s)
    learned = ordering(fleet, order, alone=True, at_s=now_s)
    _, decision = decide(fleet, state, seen([5], readings([USUAL]), now_s, learned=learned))

    assert decision.replicas.target.tolist() == [expected]


def test_through_an_event_that_the_load_never_shows() -> None:
    """The replicas are there for its first ten minutes; five minutes later the rule's window lets them go."""
    world, counts = Ticks(with_events(LAUNCH), [5], now_s=BEGINS_S - 600.0), dict[int, int]()
    for _ in range(100):
        (count,) = world.values(USUAL, pods=ready_pods(*world.replicas))
        counts[round(world.now_s - BEGINS_S)] = count

    assert {counts[at_s] for at_s in counts if at_s < -150} == {5}
    assert {counts[at_s] for at_s in counts if -150 <= at_s < 600} == {14}
    assert {counts[at_s] for at_s in counts if at_s >= 900} == {5}
