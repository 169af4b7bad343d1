"""The lead-time layer on recorded loads: budgets kept, blocks of any length, flash crowds, dips, bounds, start-ups."""

from dataclasses import replace

import numpy as np
import pytest

from policies.arrays import FloatArray, IntArray
from simulations import daemon
from simulations.lead_time import fits, plans
from simulations.scenario import Pace, Scenario
from simulations.serving import Serving, figures, late
from simulations.traffic import Daily, Noise, Traffic, generate

MONDAY_S = 1_700_438_400.0
DAY = 2880
SERVING = Serving(step_s=30.0, capacity=100.0, serving_limit_ratio=0.8, startup_s=60.0)


def scenario(demand: FloatArray, serving: Serving = SERVING) -> Scenario:
    known = np.isfinite(demand)
    return Scenario(np.where(known, demand, 0.0), known, MONDAY_S, Pace(), serving)


def days(count: int, *, noise: float = 0.1, seed: int = 1) -> FloatArray:
    """A load of 15 replicas on average, with a daily wave."""
    traffic = Traffic(1200.0, (Daily(0.6), Noise(noise, 300.0)), seed)
    return generate(traffic, start_s=MONDAY_S, steps=count * DAY, step_s=30.0)


def plan(demand: FloatArray, serving: Serving = SERVING, *, forecast: bool = True, objective: float = 0.01) -> IntArray:
    row: IntArray = plans([scenario(demand, serving)], objective, forecast=forecast)[0]
    return row


@pytest.mark.parametrize("startup_s", [60.0, 300.0])
@pytest.mark.parametrize("forecast", [pytest.param(True, id="models"), pytest.param(False, id="reactive")])
def test_the_budget_is_kept_and_not_left_unspent(forecast: bool, startup_s: float) -> None:  # noqa: FBT001
    demand, serving = days(6), replace(SERVING, startup_s=startup_s)
    scored = figures(plan(demand, serving, forecast=forecast)[DAY:], demand[DAY:], serving)
    assert 0.003 < scored.late_ratio < 0.012
    assert scored.cost_ratio < 1.25


def test_a_smaller_budget_is_later_less_and_costs_more() -> None:
    demand = days(5)
    loose, tight = (figures(plan(demand, objective=each)[DAY:], demand[DAY:], SERVING) for each in (0.02, 0.002))
    assert tight.late_ratio < 0.005 < loose.late_ratio
    assert tight.cost_ratio > loose.cost_ratio


def test_blocks_of_any_length_and_lanes_of_any_company_give_the_same_plan() -> None:
    lanes = [scenario(days(1, seed=seed)) for seed in (1, 2)]
    lanes[1] = replace(lanes[1], serving=replace(SERVING, startup_s=300.0))
    together = plans(lanes, 0.01, forecast=True)
    for block_steps in (1, 7, 1000):
        assert (plans(lanes, 0.01, forecast=True, block_steps=block_steps) == together).all()
    alone = np.concatenate([plans([each], 0.01, forecast=True) for each in lanes])
    assert (alone == together).all()


def test_a_flash_crowd_does_not_keep_the_days_after_it_dear() -> None:
    """Ten times the load for half an hour on day three; two days later the plan costs what it costs without."""
    calm, crowd = days(6), days(6)
    crowd[2 * DAY : 2 * DAY + 60] *= 10.0
    after = slice(5 * DAY, 6 * DAY)
    dear, usual = plan(crowd)[after].sum(), plan(calm)[after].sum()
    assert dear < 1.15 * usual


def test_a_jump_like_none_before_is_not_expected_to_go_away() -> None:
    """Noise that comes and goes teaches that changes go back; a jump of twenty times its size does not."""
    demand, serving = days(5, noise=0.05), replace(SERVING, startup_s=300.0)
    hour = slice(4 * DAY, 4 * DAY + 120)
    demand[hour] *= 2.5
    ahead, behind = (late(plan(demand, serving, forecast=each), demand, serving) for each in (True, False))
    assert 0.0 < ahead[hour].sum() < 1.5 * behind[hour].sum()


def test_short_dips_are_taken_for_missing_samples_once_they_have_been_seen() -> None:
    """A sample of zero every two hours: after a day of them the plan no longer follows."""
    demand = days(3, noise=0.03)
    holed = demand.copy()
    holed[::240] = 0.0
    late = slice(2 * DAY, 3 * DAY)
    ratio = plan(holed)[late].sum() / plan(demand)[late].sum()
    assert 0.97 < ratio < 1.03


def test_a_hole_in_the_load_never_lowers() -> None:
    demand = days(2)
    demand[DAY + 600 : DAY + 700] = np.nan
    made = plan(demand)
    assert (np.diff(made[DAY + 601 : DAY + 701]) >= 0).all()


def test_orders_stay_within_bounds_and_lateness_above_the_maximum_drives_nobody() -> None:
    """The maximum is reached every noon; the nights cost no more than with a maximum that is never reached."""
    demand = days(5)
    bounded = replace(SERVING, min_replicas=3, max_replicas=18)
    made, free = plan(demand, bounded), plan(demand)
    assert made.min() >= 3
    assert made.max() == 18
    nights = demand[4 * DAY :] < 80.0 * 12
    assert made[4 * DAY :][nights].mean() < 1.1 * free[4 * DAY :][nights].mean()


def test_an_empty_and_a_constant_load_need_what_they_need() -> None:
    assert plan(np.zeros(DAY))[-1] == 1
    assert plan(np.full(2 * DAY, 790.0))[-1] == 10  # 790 / 80 = 9.9


@pytest.mark.parametrize("pace", [Pace(step_s=60.0, sync_s=60.0), Pace(metric_delay_s=0.0), Pace(metric_delay_s=150.0)])
def test_other_paces_are_for_decide_itself(pace: Pace) -> None:
    assert fits(scenario(days(1)))
    assert not fits(replace(scenario(days(1)), pace=pace))


@pytest.mark.parametrize("metric_delay_s", [30.0, 60.0])
@pytest.mark.parametrize("startup_s", [60.0, 600.0])
def test_the_fast_drive_decides_as_decide_does(startup_s: float, metric_delay_s: float) -> None:
    """Over the first day, in which the Kubernetes rule takes part, and after it; with holes in both."""
    demand = days(2)[: DAY + 500]
    demand[700:730] = demand[DAY + 200 : DAY + 210] = np.nan
    lane = replace(scenario(demand, replace(SERVING, startup_s=startup_s)), pace=Pace(metric_delay_s=metric_delay_s))
    assert (plans([lane], 0.01) == daemon.plans([lane], 0.01)).all()
