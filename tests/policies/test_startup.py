"""Start-up times: the Kaplan-Meier quantile with pods under way as not yet known."""

import numpy as np
import pytest

from policies.model import Starts
from policies.startup import DEFAULT_STARTUP_S, LONGEST_STARTUP_S, REMEMBERED, StartTimes


def starts_of(*rows: tuple[int, float, bool]) -> Starts:
    """Rows of (lane, duration_s, finished)."""
    lane, duration_s, finished = zip(*rows, strict=True) if rows else ((), (), ())
    return Starts(np.array(lane, np.int64), np.array(duration_s, np.float64), np.array(finished, np.bool_))


def learned_s(*rows: tuple[float, bool], quantile: float = 0.9) -> float:
    starts = starts_of(*((0, duration_s, finished) for duration_s, finished in rows))
    return float(StartTimes.empty(1).learned(starts, quantile).quantile_s[0])


@pytest.mark.parametrize(
    ("rows", "expected_s"),
    [
        pytest.param([], 120.0, id="nothing-seen"),
        pytest.param([(30, True)], 90.0, id="one-counts-a-third"),  # 30 / 3 + 120 * 2 / 3
        pytest.param([(30, True), (60, True)], 80.0, id="two-count-two-thirds"),  # 60 * 2 / 3 + 120 / 3
        pytest.param([(30, True), (60, True), (45, True)], 60.0, id="three-speak-alone"),
        pytest.param([(float(10 * i), True) for i in range(1, 11)], 90.0, id="the-ninth-of-ten"),
        pytest.param([(20, False)], 120.0, id="under-way-for-less-than-the-default"),
        pytest.param([(500, False)], 500.0, id="under-way-for-longer-than-the-default"),
        pytest.param([(50, True)] * 20 + [(300, False)], 300.0, id="overdue-raises-to-its-time-so-far"),
        # 4 finished at 10, 20, 30, 40 and two under way at 25: S = 5/6, 4/6, (1/2) 4/6, 0.
        pytest.param([(10, True), (20, True), (25, False), (25, False), (30, True), (40, True)], 40.0, id="censored"),
        pytest.param([(99999, False)], LONGEST_STARTUP_S, id="a-pod-that-hangs-is-no-start-up"),
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
    slow = StartTimes.empty(1).learned(starts_of(*[(0, 600.0, True)] * 5))
    for _ in range(REMEMBERED):
        slow = slow.learned(starts_of((0, 20.0, True)))

    assert slow.quantile_s.tolist() == [20.0]
    assert slow.filled.tolist() == [REMEMBERED]


def test_a_pod_that_went_away_no_longer_counts() -> None:
    waiting = StartTimes.empty(1).learned(starts_of((0, 900.0, False)))

    assert waiting.quantile_s.tolist() == [900.0]
    assert waiting.learned(Starts.none()).quantile_s.tolist() == [DEFAULT_STARTUP_S]


def test_lanes_without_news_keep_their_value_and_their_version() -> None:
    first = StartTimes.empty(2).learned(starts_of(*[(1, 40.0, True)] * 3))

    assert first.quantile_s.tolist() == [DEFAULT_STARTUP_S, 40.0]
    assert first.learned(Starts.none()) is first
    assert first.learned(starts_of((0, 30.0, True))).quantile_s.tolist() == pytest.approx([90.0, 40.0])


def test_lanes_follow_their_rows() -> None:
    first = StartTimes.empty(2).learned(starts_of(*[(1, 40.0, True)] * 3))
    moved = first.aligned(np.array([1, -1]))

    assert moved.quantile_s.tolist() == [40.0, DEFAULT_STARTUP_S]
    assert moved.filled.tolist() == [3, 0]
    assert first.aligned(np.array([0, 1])) is first


def test_a_lane_learns_the_same_alone_and_in_a_fleet() -> None:
    random = np.random.default_rng(5)
    lane = np.sort(random.integers(0, 300, 6000))
    starts = Starts(lane, np.round(random.gamma(4, 30, lane.size)), random.random(lane.size) < 0.7)
    fleet = StartTimes.empty(300).learned(starts).quantile_s
    alone = [
        StartTimes.empty(1)
        .learned(Starts(lane[lane == i] * 0, starts.duration_s[lane == i], starts.finished[lane == i]))
        .quantile_s[0]
        for i in range(300)
    ]

    assert fleet.tolist() == alone
