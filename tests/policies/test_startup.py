"""Start-up times: quantiles by what drove them, moved by evidence alone, with pods under way as not yet known."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.model import UNKNOWN, Starts
from policies.packing import pack, unpack
from policies.startup import (
    DEFAULT_STARTUP_S,
    LONGEST_STARTUP_S,
    MANY,
    NODE_S,
    PER_EVENT,
    REMEMBERED,
    WAITING_S,
    Given,
    StartTimes,
)
from tests.builders import NOW_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray


def starts_of(*rows: tuple[int, float, bool], waited: int = UNKNOWN, together: int = 1) -> Starts:
    """Rows of (lane, duration_s, finished), all driven alike."""
    lane, duration_s, finished = zip(*rows, strict=True) if rows else ((), (), ())
    count = len(rows)
    return Starts(
        np.array(lane, np.int64),
        np.array(duration_s, np.float64),
        np.array(finished, np.bool_),
        np.full(count, waited, np.int8),
        np.full(count, together, np.int64),
    )


def after(
    times: StartTimes, *durations_s: float, finished: bool = True, waited: int = 0, together: int = 1
) -> StartTimes:
    """What the first lane learns from these start-ups, one after the other; pods that are under way all at once."""
    rows = [(0, duration_s, finished) for duration_s in durations_s]
    for starts in [rows[place : place + 1] for place in range(len(rows))] if finished else [rows]:
        times = times.learned(starts_of(*starts, waited=waited, together=together), now_s=NOW_S)
    return times


def in_force(times: StartTimes, case: Given = Given.ANY) -> float:
    return float(times.force.value_s[0, case])


def learned_s(*rows: tuple[float, bool], quantile: float = 0.9) -> float:
    starts = starts_of(*((0, duration_s, finished) for duration_s, finished in rows))
    return float(StartTimes.empty(1).learned(starts, now_s=NOW_S, quantile=quantile).quantile_s[0])


@pytest.mark.parametrize(
    ("rows", "expected_s"),
    [
        pytest.param([], 120.0, id="nothing-seen"),
        pytest.param([(30, True)], 90.0, id="one-counts-a-third"),  # 30 / 3 + 120 * 2 / 3
        pytest.param([(30, True), (60, True)], 80.0, id="two-count-two-thirds"),  # 60 * 2 / 3 + 120 / 3
        pytest.param([(30, True), (60, True), (45, True)], 60.0, id="three-speak-alone"),
        pytest.param([(float(10 * i), True) for i in range(1, 11)], 90.0, id="the-ninth-of-ten"),
        pytest.param([(20, False)], 120.0, id="under-way-for-less-than-the-default"),
        pytest.param([(540, False)], 260.0, id="under-way-for-longer-than-the-default"),  # 540 / 3 + 120 * 2 / 3
        pytest.param([(50, True)] * 20 + [(300, False)], 50.0, id="one-that-is-overdue-changes-nothing"),
        # 4 finished at 10, 20, 30, 40 and two under way at 25: S = 5/6, 4/6, (1/2) 4/6, 0.
        pytest.param([(10, True), (20, True), (25, False), (25, False), (30, True), (40, True)], 40.0, id="censored"),
        pytest.param([(99999, False)], 120.0, id="a-pod-that-hangs-is-no-start-up"),
        pytest.param([(99999, True)] * 3, LONGEST_STARTUP_S, id="no-start-up-is-longer-than-an-hour"),
        pytest.param([(float("nan"), True), (-5, True)], 120.0, id="nonsense-is-ignored"),
    ],
)
def test_quantile(rows: list[tuple[float, bool]], expected_s: float) -> None:
    assert learned_s(*rows) == pytest.approx(expected_s)


@pytest.mark.parametrize(
    ("quantile", "expected_s"),
    [
        # The 6-MP arm of Freireich and others 1963, the textbook example, and one more time of 36 after all:
        # S(6) = 19/22 = 0.864, S(7) = x 17/18 = 0.816, S(10) = x 15/16 = 0.765, S(13) = x 12/13 = 0.706,
        # S(16) = x 11/12 = 0.647, S(22) = x 7/8 = 0.566, S(23) = x 6/7 = 0.485, S(36) = 0.
        pytest.param(0.13, 6, id="an-eighth"),
        pytest.param(0.2, 10, id="a-fifth"),
        pytest.param(0.4, 22, id="two-fifths"),
        pytest.param(0.5, 23, id="the-median"),
        pytest.param(0.9, 36, id="nine-tenths"),
    ],
)
def test_textbook_example(quantile: float, expected_s: float) -> None:
    finished = [(float(time), True) for time in (6, 6, 6, 7, 10, 13, 16, 22, 23, 36)]
    under_way = [(float(time), False) for time in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)]

    assert learned_s(*finished, *under_way, quantile=quantile) == expected_s


def test_only_the_last_start_ups_count() -> None:
    slow = StartTimes.empty(1).learned(starts_of(*[(0, 600.0, True)] * 5), now_s=NOW_S)
    for _ in range(REMEMBERED):
        slow = slow.learned(starts_of((0, 20.0, True)), now_s=NOW_S)

    assert slow.quantile_s.tolist() == [20.0]
    assert slow.filled.tolist() == [REMEMBERED]


def test_a_pod_that_went_away_no_longer_counts() -> None:
    waiting = StartTimes.empty(1).learned(starts_of((0, 900.0, False)), now_s=NOW_S)

    assert waiting.quantile_s.tolist() == [380.0]  # 900 / 3 + 120 * 2 / 3
    assert waiting.learned(Starts.none(), now_s=NOW_S).quantile_s.tolist() == [DEFAULT_STARTUP_S]


def test_lanes_without_news_keep_their_value_and_their_version() -> None:
    first = StartTimes.empty(2).learned(starts_of(*[(1, 40.0, True)] * 3), now_s=NOW_S)

    assert first.quantile_s.tolist() == [DEFAULT_STARTUP_S, 40.0]
    assert first.learned(Starts.none(), now_s=NOW_S) is first
    assert first.learned(starts_of((0, 30.0, True)), now_s=NOW_S).quantile_s.tolist() == pytest.approx([90.0, 40.0])


def test_lanes_follow_their_rows() -> None:
    first = StartTimes.empty(2).learned(starts_of(*[(1, 40.0, True)] * 3), now_s=NOW_S)
    moved = first.aligned(np.array([1, -1]))

    assert moved.quantile_s.tolist() == [40.0, DEFAULT_STARTUP_S]
    assert moved.filled.tolist() == [3, 0]
    assert first.aligned(np.array([0, 1])) is first


def test_a_lane_learns_the_same_alone_and_in_a_fleet() -> None:
    random = np.random.default_rng(5)
    lane = np.sort(random.integers(0, 300, 6000))
    starts = Starts(lane, np.round(random.gamma(4, 30, lane.size)), random.random(lane.size) < 0.7)
    fleet = StartTimes.empty(300).learned(starts, now_s=NOW_S).quantile_s
    alone = [
        StartTimes.empty(1)
        .learned(Starts(lane[lane == i] * 0, starts.duration_s[lane == i], starts.finished[lane == i]), now_s=NOW_S)
        .quantile_s[0]
        for i in range(300)
    ]

    assert fleet.tolist() == alone


STEADY = after(StartTimes.empty(1), *[60.0] * 10)


@pytest.mark.parametrize(
    ("durations_s", "expected_s"),
    [
        pytest.param([600.0], 60.0, id="one-slow-start-changes-nothing"),
        pytest.param([600.0, 60.0, 600.0], 60.0, id="nor-do-two-with-one-between-them"),
        pytest.param([300.0, 240.0, 600.0], 240.0, id="three-in-a-row-raise-to-the-shortest-of-them"),
        pytest.param([64.0] * 20, 60.0, id="a-tenth-more-is-the-same"),
        # Of 16 the lower end is the 0.9 - 1.645 * 0.3 / 4 = 0.777 quantile, the 13th, and the 0.9 quantile the 15th.
        pytest.param([300.0, 60.0, 310.0, 60.0, 320.0, 330.0], 320.0, id="four-of-sixteen-are-not-chance"),
        pytest.param([20.0] * 10, 60.0, id="the-past-is-forgotten-slowly"),
        pytest.param([20.0] * REMEMBERED, 20.0, id="and-forgotten-at-last"),
        pytest.param([600.0] + [60.0] * 40, 60.0, id="a-slow-start-of-long-ago"),
    ],
)
def test_a_value_changes_on_evidence_alone(durations_s: list[float], expected_s: float) -> None:
    assert after(STEADY, *durations_s).quantile_s.tolist() == [expected_s]


def test_a_raised_value_comes_back_once_at_most_one_start_in_memory_is_as_slow() -> None:
    raised = after(STEADY, 300.0, 300.0, 300.0)
    seen = [raised.quantile_s[0]]
    for _ in range(REMEMBERED):
        raised = after(raised, 60.0)
        seen.append(raised.quantile_s[0])

    # The slow ones are 3 of the last 32 until the 30th start-up after them; with the 31st one is left.
    assert seen == [300.0] * 31 + [60.0] * 2


def test_the_first_of_three_start_ups_being_slow_counts_until_it_is_known_to_be_rare() -> None:
    slow, quick = (after(StartTimes.empty(1), *order) for order in ([600.0, 60.0, 60.0], [60.0, 60.0, 600.0]))

    assert quick.quantile_s.tolist() == [80.0]  # 60 * 2 / 3 + 120 / 3, which one slow start does not change
    assert slow.quantile_s.tolist() == [440.0]  # 600 * 2 / 3 + 120 / 3, after two
    assert after(slow, *[60.0] * 28).quantile_s.tolist() == [60.0]


def test_pods_that_start_at_once_are_one_event() -> None:
    """Forty slow pods of one scale-up say no more than one; those of three say that start-ups became slower."""
    once = after(STEADY, *[600.0] * 40, together=40)

    assert once.quantile_s.tolist() == [60.0]
    assert (once.count - STEADY.count).tolist() == [PER_EVENT]
    assert after(once, *[500.0] * 80, together=40).quantile_s.tolist() == [500.0]


def test_thousands_of_pods_are_one_event_and_quickly_learned() -> None:
    crowd = starts_of(*[(0, 600.0, True)] * 5000, together=5000)
    began_s = time.perf_counter()
    times = STEADY.learned(crowd, now_s=NOW_S)
    took_s = time.perf_counter() - began_s

    assert times.quantile_s.tolist() == [60.0]
    assert (times.count - STEADY.count).tolist() == [PER_EVENT]
    assert took_s < 0.5  # a few milliseconds; a loop over pairs would take minutes


def test_pods_under_way_of_one_event_do_not_raise_either() -> None:
    assert after(STEADY, *[900.0] * 40, finished=False, together=40).quantile_s.tolist() == [60.0]
    assert after(STEADY, *[900.0] * 120, finished=False, together=40).quantile_s.tolist() == [900.0]


def test_a_free_node_and_one_that_must_come() -> None:
    mixed = STEADY
    for _ in range(4):
        mixed = after(after(mixed, 60.0, 60.0, 60.0), 240.0, waited=1)

    assert in_force(mixed, Given.FREE) == 60.0
    assert in_force(mixed, Given.NODE) == 240.0
    # 4 of 26 had to wait for a node: more than a tenth, so that the 0.9 quantile of all is theirs.
    # The lower end, 0.9 - 1.645 * 0.3 / sqrt(26) = 0.803, is the 21st of them, and 60 s still.
    assert in_force(mixed) == 60.0
    assert mixed.quantile_s.tolist() == [60.0]
    assert mixed.measured_s(Given.NODE).tolist() == [240.0]
    assert mixed.measured_s(Given.MANY).tolist() == [0.0]


def test_while_pods_wait_for_a_node_the_next_one_is_planned_to_come() -> None:
    known = STEADY
    for _ in range(3):
        known = after(after(known, 60.0), 240.0, waited=1)
    waits = known.learned(starts_of((0, 20.0, False), waited=1), now_s=NOW_S)
    soon, later = (waits.learned(Starts.none(), now_s=NOW_S + age_s) for age_s in (WAITING_S - 1, WAITING_S))

    assert known.quantile_s.tolist() == [60.0]
    assert waits.quantile_s.tolist() == soon.quantile_s.tolist() == [240.0]
    assert soon.waiting(NOW_S + WAITING_S - 1).tolist() == [True]
    assert later.quantile_s.tolist() == [60.0]


def test_a_node_that_was_never_waited_for_takes_three_minutes_more() -> None:
    waits = after(STEADY, 20.0, finished=False, waited=1)

    assert waits.quantile_s.tolist() == [60.0 + NODE_S]
    assert waits.measured_s(Given.NODE).tolist() == [0.0]


def test_a_pod_that_is_never_scheduled_does_not_drag_the_plan_along() -> None:
    times = STEADY
    told = []
    for age_s in range(15, 7200, 15):
        starts = starts_of((0, float(age_s), False), waited=1)
        times = times.learned(starts, now_s=NOW_S + age_s)
        told.append(float(times.quantile_s[0]))

    # While it waits, a third of its time counts for what a node takes: 3600 / 3 + 240 * 2 / 3 = 1360 at the most.
    assert max(told) == 1360.0
    assert in_force(times) == 60.0
    assert told[-1] == 60.0  # after an hour it is no start-up any more
    assert in_force(times, Given.NODE) == 0.0


def test_many_at_once_take_longer_while_so_many_start() -> None:
    many = STEADY
    for _ in range(4):
        many = after(after(many, *[60.0] * 9), *[200.0] * 8, together=8)
    pods = [(0, 5.0, False)] * MANY

    assert many.quantile_s.tolist() == [60.0]
    assert many.learned(starts_of(*pods, together=MANY), now_s=NOW_S).quantile_s.tolist() == [200.0]
    assert many.learned(starts_of(*pods[1:], together=MANY - 1), now_s=NOW_S).quantile_s.tolist() == [60.0]
    assert many.plan_s(np.array([MANY]), now_s=NOW_S).tolist() == [200.0]


def test_a_clock_that_is_set_back_ends_the_waiting() -> None:
    waits = after(STEADY, 20.0, finished=False, waited=1)
    back = waits.learned(starts_of((0, 30.0, True)), now_s=NOW_S - 86_400)

    assert back.waiting(NOW_S - 86_400 + WAITING_S).tolist() == [False]


@dataclass(frozen=True, slots=True)
class Old:
    """What snapshots held before start-ups were told apart."""

    duration_s: FloatArray
    count: IntArray
    pending: BoolArray
    quantile_s: FloatArray


Old.__name__ = "StartTimes"


def test_an_old_snapshot_is_read_and_goes_on() -> None:
    duration_s = np.zeros((2, REMEMBERED))
    duration_s[1, :10] = 60.0
    old = Old(duration_s, np.array([0, 10]), np.array([False, False]), np.array([120.0, 60.0]))
    read = unpack(StartTimes, pack(old))

    assert read.learned(Starts.none(), now_s=NOW_S) is read
    assert read.force.value_s[:, Given.ANY].tolist() == [0.0, 60.0]
    assert read.learned(starts_of((1, 600.0, True)), now_s=NOW_S).quantile_s.tolist() == [120.0, 60.0]
    assert pack(unpack(StartTimes, pack(read))) == pack(read)


TINY = 1e-6  # seconds that a weighted mean may be off by rounding
rows = st.tuples(st.floats(0, 4000), st.booleans(), st.sampled_from([UNKNOWN, 0, 1]), st.sampled_from([1, 2, 7, 5000]))


@given(st.lists(st.lists(rows, max_size=6), min_size=1, max_size=12))
@example([[(0.0, False, 1, 1), (0.0, True, -1, 1), (0.0, True, -1, 1), (3600.0, True, 0, 1)]])
@example([[(0.0, False, 1, 1), (0.0, True, -1, 1), (0.0, True, -1, 1), (1800.0, True, 0, 1)]])
def test_whatever_is_seen_the_plan_stays_between_what_was_seen_and_the_defaults(
    ticks: Sequence[list[tuple[float, bool, int, int]]],
) -> None:
    times, seen_s = StartTimes.empty(1), [DEFAULT_STARTUP_S]
    for tick, each in enumerate(ticks):
        duration_s, finished, waited, together = zip(*each, strict=True) if each else ((), (), (), ())
        starts = Starts(
            np.zeros(len(each), np.int64),
            np.array(duration_s, np.float64),
            np.array(finished, np.bool_),
            np.array(waited, np.int8),
            np.array(together, np.int64),
        )
        times = times.learned(starts, now_s=NOW_S + 15.0 * tick)
        seen_s += duration_s

        assert min(seen_s) - TINY <= times.quantile_s[0] <= min(max(seen_s) + NODE_S, LONGEST_STARTUP_S) + TINY
        assert (times.force.value_s <= LONGEST_STARTUP_S + NODE_S + TINY).all()
        assert pack(unpack(StartTimes, pack(times))) == pack(times)
