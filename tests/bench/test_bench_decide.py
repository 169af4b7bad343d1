"""What one tick of the decision core costs: 10,000 lanes with their pods and forecasts, and a single lane."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.arrays import booleans
from policies.engine import decide
from policies.fleet import fleet_of
from policies.model import Limits, Pods
from policies.state import EngineState
from tests.builders import NOW_S, TICK_S, budget, demand, policy, pressure, readings, ready_pods, seen

if TYPE_CHECKING:
    from policies.model import Fleet

pytestmark = pytest.mark.bench

LANES, PODS = 10_000, 6
WARM_UP, TIMED = 25, 60  # after 21 ticks the windows are full
ONE_LANE_TICKS = 4000
FLEET_MS, STEP_MS, BUDGET_MS, LANE_MS = 20.0, 1000.0, 500.0, 1.0  # the aims, medians
NOISE = 5  # a shared machine may be this much slower; more than that is a regression


def fleet_with(lanes: int, *, two_signals: bool) -> Fleet:
    """Lanes with a demand; every second one with a pressure besides, where asked."""
    signals = [[demand()], [demand(), pressure(average=50)] if two_signals else [demand()]]
    return fleet_of([policy(f"lane-{lane:05d}", *signals[lane % 2]) for lane in range(lanes)], Limits())


def ticks_ms(fleet: Fleet, pods: Pods, count: int, *, forecast: bool = True) -> np.ndarray:
    """Milliseconds of each tick, with fresh random values around the replicas' target."""
    random = np.random.default_rng(0)
    fleet = fleet if forecast else replace(fleet, forecast=booleans(fleet.lanes))
    state, took, replicas = EngineState.fresh(fleet), [], [PODS] * fleet.lanes
    for tick in range(count):
        read = readings(random.uniform(20, 55, fleet.tracks.lane.size).tolist(), age_s=10)
        given = seen(replicas, read, NOW_S + tick * TICK_S, pods=pods)
        began_s = time.perf_counter()
        state, _ = decide(fleet, state, given)
        took.append(1e3 * (time.perf_counter() - began_s))
    return np.array(took)


def tell(what: str, took: np.ndarray, aim_ms: float) -> None:
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(  # noqa: T201 - a benchmark shows its figures
        f"\n{what}: median {np.median(took):.2f} ms (aim {aim_ms:g} ms), "
        f"p95 {np.quantile(took, 0.95):.2f} ms, fastest {took.min():.2f} ms "
        f"[{platform.machine()}, {os.cpu_count()} cores, BLAS threads: {threads}, Python {platform.python_version()}]"
    )


@pytest.mark.parametrize("forecast", [pytest.param(True, id="forecast"), pytest.param(False, id="no-forecast")])
def test_ten_thousand_lanes(forecast: bool) -> None:  # noqa: FBT001 - a column of the table
    fleet = fleet_with(LANES, two_signals=True)
    took = ticks_ms(fleet, ready_pods(*[PODS] * LANES), WARM_UP + TIMED, forecast=forecast)[WARM_UP:]
    tracks = fleet.tracks.lane.size
    what = f"decide, {LANES} lanes, {tracks} tracks, {PODS * LANES} pods, forecast {'on' if forecast else 'off'}"
    within, steps = (took[1::2], took[::2]) if took[0] > took[1] else (took[::2], took[1::2])
    tell(f"{what}, within a step of the lead-time layer" if forecast else what, within, FLEET_MS)
    if forecast:
        tell(f"{what}, a tick with a step of it", steps, STEP_MS)
        assert np.median(steps) < NOISE * STEP_MS

    assert np.median(within) < NOISE * FLEET_MS


@pytest.mark.parametrize(
    ("gpus", "aim_ms"),
    [pytest.param(10 * LANES, FLEET_MS, id="suffice"), pytest.param(5 * LANES, BUDGET_MS, id="bind")],
)
def test_ten_thousand_lanes_under_budgets(gpus: int, aim_ms: float) -> None:
    """A GPU for each replica, three priorities; about 5.4 replicas are asked for by each lane."""
    made = [policy(f"lane-{lane:05d}", demand(), priority=lane % 3, budget={"replicaGpus": 1}) for lane in range(LANES)]
    fleet = fleet_of(made, Limits(), [budget(gpus=gpus), budget(None, gpus=gpus)])
    took = ticks_ms(fleet, ready_pods(*[PODS] * LANES), WARM_UP + TIMED, forecast=False)[WARM_UP:]
    tell(f"decide, {LANES} lanes, forecast off, {gpus} GPUs for the namespace and the fleet", took, aim_ms)

    assert np.median(took) < NOISE * aim_ms


def test_one_lane() -> None:
    took = ticks_ms(fleet_with(1, two_signals=False), Pods.none(), ONE_LANE_TICKS)[WARM_UP:]
    tell("decide, one lane, as a replay makes it", took, LANE_MS)

    assert np.median(took) < NOISE * LANE_MS
