"""What one step of the whole lead-time layer costs for a large fleet, and how many lane-steps a second holds."""

import os
import platform
import time

import numpy as np
import pytest

from policies.arrays import FloatArray, IntArray
from policies.forecast.nearby import LAGS_MIN, Lead, Near, past_of, past_span_min, shapes
from policies.forecast.recursive import Models, forecasts
from policies.tournament import CANDIDATES, Came, Forecasts, Scores, Terms, rulings

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
FIRST_STEP = 56_681_280
KNOWN = 2


def _columns(value: int, lanes: int) -> IntArray:
    return np.full(lanes, value, np.int64)


class _Layer:
    """The layer with a past of random walks; `copied` says whether each call works on copies, as a live tick would."""

    def __init__(self, lanes: int, startup: int) -> None:
        self.random, self.lanes = np.random.default_rng(1), lanes
        self.terms = Terms(
            low=_columns(1, lanes),
            high=_columns(1000, lanes),
            startup=_columns(startup, lanes),
            lag=_columns(1, lanes),
            budget=np.full(lanes, 0.01),
            churn=np.full(lanes, 1.0),
            hold=_columns(0, lanes),
        )
        self.lead = Lead(self.terms.startup, self.terms.lag)
        self.state = Near.empty(lanes), Models.empty(lanes), Scores.empty(lanes)
        self.step = FIRST_STEP

    def loads(self, steps: int) -> FloatArray:
        return np.exp(np.cumsum(self.random.normal(0.0, 0.05, (self.lanes, steps)), axis=1)) * 10.0

    def take(self, demand: FloatArray, *, copied: bool) -> IntArray:
        near, models, scores = self.state
        if copied:
            near, models, scores = near.copied(), models.copied(), scores.copied()
        steps = demand.shape[1]
        before, after = past_span_min(self.lead)
        firsts = np.array([self.step // 2 - lag - before for lag in LAGS_MIN])
        width = before + after + 1 + steps // 2
        past = past_of([self.random.normal(2.3, 0.1, (self.lanes, width)).astype(np.float32) for _ in LAGS_MIN], firsts)
        usable = np.full(demand.shape, KNOWN, np.int64)
        shape = shapes(near, past, self.lead, demand, usable, self.step)
        told = Forecasts(
            forecasts(models, shape, self.lead, learned=np.ones(self.lanes, np.bool_)), shape.base, shape.peak
        )
        nobody = np.full(demand.shape, -1.0)
        orders = rulings(scores, told, Came(demand, usable, nobody, nobody), self.terms).order
        self.state, self.step = (near, models, scores), self.step + steps
        return orders


@pytest.mark.parametrize("startup", [2, 10])
def test_one_step_of_ten_thousand_lanes(startup: int) -> None:
    lanes = 10_000
    layer = _Layer(lanes, startup)
    layer.take(layer.loads(30), copied=False)
    took = []
    for _ in range(7):
        demand = layer.loads(1)
        began_s = time.perf_counter()
        layer.take(demand, copied=True)
        took.append(time.perf_counter() - began_s)
    size = sum(getattr(part, name).nbytes for part in layer.state for name in part.__slots__)
    print(  # noqa: T201 - a benchmark shows its figures
        f"\none step of {lanes} lanes, {CANDIDATES} candidates each, start-up {startup} steps: median "
        f"{np.median(took):.3f} s, most {max(took):.3f} s, state {size / lanes / 1e3:.1f} kB a lane ({MACHINE})"
    )
    assert np.median(took) < 3.0


def test_steps_of_a_thousand_lanes() -> None:
    lanes, steps = 1000, 240
    layer = _Layer(lanes, 2)
    layer.take(layer.loads(30), copied=False)
    demand = layer.loads(steps)
    began_s = time.perf_counter()
    layer.take(demand, copied=False)
    took_s = time.perf_counter() - began_s
    print(f"\n{lanes} lanes: {lanes * steps / took_s:,.0f} lane-steps a second ({MACHINE})")  # noqa: T201
    assert took_s < 120.0
