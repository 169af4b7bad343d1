"""Loads that are seen as far as they are served: the objective holds where only a lower bound of the load is known."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.replay import Lane, ReplayPolicy, replay
from simulations.saturation import Saturation, Served, pods_of
from simulations.scenario import Pace
from simulations.serving import Serving, figures
from simulations.traffic import Daily, Noise, Traffic, generate

MONDAY_S = 1_700_438_400.0
DAY = 2880
SERVING = Serving(step_s=30.0, capacity=1.0, serving_limit_ratio=0.8, startup_s=120.0)
CASES = [Saturation(), Saturation(0.8), Saturation(0.9), Saturation(1.0), Saturation(0.9, retries=1.5)]


def test_what_is_not_served_comes_back() -> None:
    served = Served([Saturation(0.8), Saturation(1.0, retries=1.5), Saturation()])
    ready = np.array([10, 10, 10])
    assert served.step(np.array([12.0, 12.0, 12.0]), ready).tolist() == [8.0, 10.0, 12.0]
    assert served.step(np.array([5.0, 5.0, 5.0]), ready).tolist() == [5.0, 8.0, 5.0]  # 5 + 1.5 x 2
    assert served.step(np.array([5.0, 5.0, 5.0]), ready).tolist() == [5.0, 5.0, 5.0]


def test_pods_that_start_are_not_ready() -> None:
    pods = pods_of(np.array([2, 0]), np.array([3, 1]))
    assert pods.lane.tolist() == [0, 0, 0, 1]
    assert pods.ready.tolist() == [1, 1, 0, 0]


def test_the_objective_holds_within_a_third_where_only_what_is_served_is_seen() -> None:
    shapes = (Daily(0.6), Noise(0.15, 300.0))
    load = generate(Traffic(12.0, shapes, 3), start_s=MONDAY_S, steps=2 * DAY, step_s=30.0)
    lanes = [Lane(load, SERVING, saturation=case) for case in CASES]
    plans = replay(lanes, ReplayPolicy("predictive", None, forecast=True), Pace(), start_s=MONDAY_S)
    late = [figures(plan[DAY:], load[DAY:], SERVING).late_ratio for plan in plans]
    assert max(late) <= 0.013
    costs = [figures(plan[DAY:], load[DAY:], SERVING).cost_ratio for plan in plans]
    assert max(costs) == pytest.approx(costs[0], rel=0.05)
