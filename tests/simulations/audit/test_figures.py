"""Cost, lateness and churn of what was seen, and intervals over days."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.audit.case import scored_steps
from simulations.audit.figures import Replicas, interval, outcome
from tests.simulations.audit.builders import DAY, case

NAN = float("nan")


def test_figures_count_scored_steps_only() -> None:
    # A day of warm-up, then a day of which half is missing. A replica serves 8 in time, so 2 serve 16.
    demand = np.full(2 * DAY, 10.0)
    demand[DAY : DAY + 120] = 20.0  # an hour late
    paid = np.full(2 * DAY, 2.0)
    paid[DAY + 720 : DAY + 1440] = 3.0
    known = np.ones(2 * DAY, np.bool_)
    known[DAY + 1440 :] = False
    one = case(demand, paid=paid, known=known)
    found = outcome(one, Replicas("seen", paid, paid), scored_steps(one))
    assert found.replica_hours == pytest.approx(6 * 2 + 6 * 3)
    # 120 of 1440 steps at 20, 1320 at 10: 2400 of 15,600 are late.
    assert found.late_ratio == pytest.approx(2400 / 15_600)
    assert found.churn_per_day == pytest.approx(1 / 0.5)  # one replica in half a day
    assert found.late is None  # one day tells nothing


def test_only_ready_replicas_serve_while_all_are_paid() -> None:
    demand, paid, ready = np.full(2 * DAY, 10.0), np.full(2 * DAY, 2.0), np.full(2 * DAY, 1.0)
    one = case(demand, paid=paid, ready=ready)
    found = outcome(one, Replicas("seen", paid, ready), scored_steps(one))
    assert found.late_ratio == 1.0
    assert found.replica_hours == pytest.approx(48)


def test_missing_replicas_are_no_zeros() -> None:
    paid = np.full(2 * DAY, 2.0)
    paid[DAY:] = NAN
    paid[DAY : DAY + 120] = 2.0
    one = case(np.full(2 * DAY, 10.0), paid=paid)
    found = outcome(one, Replicas("seen", paid, paid), scored_steps(one))
    assert found.replica_hours == pytest.approx(2)
    assert (found.late_ratio, found.churn_per_day) == (0.0, 0.0)


def test_days_that_are_alike_have_a_narrow_interval_and_others_a_wide_one() -> None:
    load, whole = np.full(10, 100.0), np.ones(10, np.bool_)
    alike = interval(np.full(10, 2.0), load, whole)
    assert alike is not None
    assert [alike.low, alike.high] == pytest.approx([0.02, 0.02])
    one_bad_day = interval(np.array([20.0, *[0.0] * 9]), load, whole)
    assert one_bad_day is not None
    # The bad day is drawn 0 times in 0.9^10 = 35 % of the samples and 4 times or more in 1.3 %.
    assert one_bad_day.low == 0.0
    assert one_bad_day.high == pytest.approx(0.06)


def test_the_same_days_give_the_same_interval() -> None:
    late, load = np.arange(8.0), np.arange(8.0) + 90
    whole = np.ones(8, np.bool_)
    assert interval(late, load, whole) == interval(late, load, whole)


@pytest.mark.parametrize(
    ("whole", "load"),
    [
        pytest.param([True, True, False, False], [1.0, 1, 1, 1], id="two-whole-days"),
        pytest.param([True] * 4, [0.0] * 4, id="no-load"),
    ],
)
def test_too_little_has_no_interval(whole: list[bool], load: list[float]) -> None:
    assert interval(np.zeros(4), np.array(load), np.array(whole)) is None
