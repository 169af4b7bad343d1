"""Intervals over days: by hand where days are alike, the judge's where they are not."""

import numpy as np
import pytest

from simulations.intervals import Interval, Intervals, day_intervals
from simulations.replay import Lane
from simulations.serving import Serving
from tests.simulations.shared import judge_module

HOURLY = Serving(step_s=3600.0, capacity=10.0, serving_limit_ratio=0.8, startup_s=3600.0)


def test_days_that_are_alike_leave_no_doubt() -> None:
    # Each day needs 1 replica but for one hour of 5. The plan asks for 5 in that hour, ready an hour later: 40 of
    # 23 x 8 + 40 are late. It pays 23 + 5, and the clairvoyant, who asks an hour earlier, 22 + 10.
    day = np.full(24, 8.0)
    day[12] = 40.0
    plan = np.where(np.arange(24) == 12, 5, 1)
    told = day_intervals(np.tile(plan, 4), Lane(np.tile(day, 4), HOURLY), warmup_steps=24)
    assert told == Intervals(Interval(40 / 224, 40 / 224), Interval(28 / 32, 28 / 32))


def test_the_dwell_is_paid() -> None:
    # One hour more of 5 for the plan and for the clairvoyant: 32 of 36.
    day = np.full(24, 8.0)
    day[12] = 40.0
    plan = np.tile(np.where(np.arange(24) == 12, 5, 1), 3)
    serving = Serving(3600.0, 10.0, 0.8, 3600.0, dwell_s=3600.0)
    told = day_intervals(plan, Lane(np.tile(day, 3), serving), warmup_steps=0)
    assert told is not None
    assert told.cost_ratio == Interval(32 / 36, 32 / 36)


@pytest.mark.parametrize("hours", [0, 24, 71])
def test_less_than_three_days_tell_nothing(hours: int) -> None:
    lane = Lane(np.ones(24 + hours), HOURLY)
    assert day_intervals(np.ones(24 + hours, np.int64), lane, warmup_steps=24) is None


def test_a_load_of_nothing_is_never_late() -> None:
    told = day_intervals(np.ones(72, np.int64), Lane(np.zeros(72), HOURLY), warmup_steps=0)
    assert told == Intervals(Interval(0.0, 0.0), Interval(1.0, 1.0))


def test_another_seed_draws_other_days() -> None:
    lane, plan = _uneven()
    first, again, other = (day_intervals(plan, lane, 24, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_the_late_share_has_the_judges_interval() -> None:
    judge = judge_module("replay")
    lane, plan = _uneven()
    told = day_intervals(plan, lane, 24)
    # The judge's score: whole days after the warm-up, drawn 2000 times with seed 0.
    demand, scored = lane.demand[24:], plan[24:]
    able = judge.ready_replicas(scored, 1) * 10.0 * 0.8
    late = np.where(demand > able + 1e-9, demand, 0.0)
    by_day = [part.reshape(-1, 24).sum(1) for part in (late, demand)]
    drawn = np.random.default_rng(0).integers(0, 13, (2000, 13))
    low, high = np.quantile(by_day[0][drawn].sum(1) / by_day[1][drawn].sum(1), [0.025, 0.975])
    assert told is not None
    assert (told.late.low, told.late.high) == pytest.approx((low, high))
    assert 0 < low < high


def _uneven() -> tuple[Lane, np.ndarray]:
    """Two weeks of a load that a plan meets on some days better than on others."""
    random = np.random.default_rng(3)
    demand = random.gamma(2.0, 20.0, 14 * 24)
    return Lane(demand, HOURLY), np.maximum(1, np.round(demand / 9 + random.normal(0, 2, demand.size))).astype(np.int64)
