"""A short log of timed counts per lane."""

import numpy as np

from policies.arrays import INT64_MAX, integers, sum_by
from policies.log import Log

BOTH = np.ones(2, np.bool_)
KEEP_S = np.full(2, 60.0)


def noted(*rows: tuple[float, int]) -> Log:
    log = Log.empty(2)
    for at_s, value in rows:
        log = log.noted(at_s, integers(2, value), BOTH, KEEP_S)
    return log


def test_largest_and_smallest_of_entries_strictly_younger_than_the_window() -> None:
    log, start = noted((0, 9), (10, 3), (20, 5)), integers(2, 4)

    assert log.largest(60.0, np.array([60.0, 61.0]), start=start).tolist() == [5, 9]
    assert log.smallest(70.0, np.array([60.0, 61.0]), start=start).tolist() == [4, 3]
    assert log.smallest(70.0, np.zeros(2), start=start).tolist() == [4, 4]


def test_an_entry_that_is_too_old_is_written_over() -> None:
    log = noted((0, 1), (10, 2), (75, 3))

    assert log.value.tolist() == [[1, 3]] * 2  # the last of the two that are too old
    assert log.used.tolist() == [2, 2]


def test_lanes_are_noted_on_their_own() -> None:
    log = Log.empty(2).noted(5.0, np.array([7, 8]), np.array([False, True]), KEEP_S)

    assert log.used.tolist() == [0, 1]
    assert log.largest(6.0, KEEP_S, start=integers(2)).tolist() == [0, 8]
    assert log.noted(9.0, integers(2), np.zeros(2, np.bool_), KEEP_S) is log


def test_sums_of_rows() -> None:
    log = noted((0, 1), (10, 2), (20, 4))

    assert log.sum_since(21.0, np.array([0, 0, 1]), np.array([5.0, 15.0, 60.0])).tolist() == [4, 6, 7]


def test_lanes_follow_their_rows() -> None:
    log = Log.empty(2).noted(5.0, np.array([7, 8]), BOTH, KEEP_S).aligned(np.array([1, -1, 0]))

    assert log.largest(6.0, np.full(3, 60.0), start=integers(3)).tolist() == [8, 0, 7]
    assert log.used.tolist() == [1, 0, 1]


def test_entries_from_the_future_count_as_of_now() -> None:
    log = noted((150, 1), (200, 2))

    assert log.until(200.0) is log
    assert log.until(160.0).at_s.tolist() == [[150.0, 160.0]] * 2


def test_sums_saturate_and_do_not_turn_negative() -> None:
    large = np.array([2**62, 2**62, 2**62, 5], np.int64)

    assert sum_by(np.array([0, 0, 1, 2]), large, 4).tolist() == [INT64_MAX, 2**62, 5, 0]
