"""What one step of the whole lead-time layer costs for a large fleet, and how many lane-steps a second holds."""

import os
import platform
import time

import numpy as np
import pytest

from policies.arrays import FloatArray, IntArray
from policies.contest import Came, Terms
from policies.incumbent import Settings
from policies.lead_time import KNOWN, Bound, LeadTime, decided, past_around
from policies.packing import pack
from policies.tournament import CANDIDATES

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
FIRST_STEP = 56_681_280


def _columns(value: int, lanes: int) -> IntArray:
    return np.full(lanes, value, np.int64)


def _bound(lanes: int, startup: int) -> Bound:
    low, high, nothing = _columns(1, lanes), _columns(1000, lanes), np.zeros(lanes)
    terms = Terms(
        low=low,
        high=high,
        startup=_columns(startup, lanes),
        lag=_columns(1, lanes),
        budget=np.full(lanes, 0.01),
        as_incumbent=nothing > 0,
        hour=np.full(lanes, np.inf),
        price=nothing,
        churn=np.full(lanes, 1.0),
        hold=_columns(0, lanes),
        slo=nothing > 0,
        acted=nothing > 0,
    )
    return Bound(terms, Settings(np.full(lanes, 0.875), np.full(lanes, 0.1), _columns(10, lanes), low, high))


class _Layer:
    """The layer with a past of random walks; `copied` says whether each call works on copies, as a live tick does."""

    def __init__(self, lanes: int, startup: int) -> None:
        self.random, self.lanes = np.random.default_rng(1), lanes
        self.bound, self.state, self.step = _bound(lanes, startup), LeadTime.empty(lanes), FIRST_STEP

    def loads(self, steps: int) -> FloatArray:
        return np.exp(np.cumsum(self.random.normal(0.0, 0.05, (self.lanes, steps)), axis=1)) * 10.0

    def take(self, demand: FloatArray, *, copied: bool) -> IntArray:
        state = self.state.copied() if copied else self.state
        past = past_around(self._window, self.step, demand.shape[1], self.bound.lead)
        nobody = np.full(demand.shape, -1.0)
        came = Came(demand, np.full(demand.shape, KNOWN, np.int64), nobody, nobody)
        made = decided(state, past, came, self.bound, self.step)
        self.state, self.step = state, self.step + demand.shape[1]
        return made.order

    def _window(self, first_min: int, end_min: int) -> np.ndarray:
        return self.random.normal(2.3, 0.1, (self.lanes, end_min - first_min)).astype(np.float32)


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
    began_s = time.perf_counter()
    packed = len(pack(layer.state))
    pack_s = time.perf_counter() - began_s
    print(  # noqa: T201 - a benchmark shows its figures
        f"\none step of {lanes} lanes, {CANDIDATES} candidates each, start-up {startup} steps: median "
        f"{np.median(took):.3f} s, most {max(took):.3f} s; packed in {pack_s:.1f} s into "
        f"{packed / lanes / 1e3:.1f} kB a lane ({MACHINE})"
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
