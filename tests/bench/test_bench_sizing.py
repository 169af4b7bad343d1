"""How long 20,000 containers of 8 days take to size, and one tick of them, beside the VPA recommender's method."""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.resources.methods import METHODS, Aims
from policies.resources.model import Containers, Present

if TYPE_CHECKING:
    from policies.arrays import FloatArray
    from policies.resources.model import Method

pytestmark = pytest.mark.bench

CONTAINERS, DAYS, STEP_S = 20_000, 8, 60.0
DAY = 1440


def _usage(rng: np.random.Generator, sample: int, level: FloatArray) -> FloatArray:
    """A wave of a day, noise, and a burst now and then, in cores."""
    wave = 1.0 + 0.6 * np.sin(2 * np.pi * (sample % DAY) / DAY)
    burst = np.where(rng.random(level.size) < 0.001, 4.0, 1.0)
    return np.asarray(level * wave * burst * rng.uniform(0.8, 1.2, level.size))


@pytest.mark.parametrize("name", ["vpa", "foresail"])
def test_full_pass_and_tick(name: str) -> None:
    rng = np.random.default_rng(0)
    level = rng.lognormal(-1.0, 1.0, CONTAINERS)
    method: Method[Any] = METHODS[name](Aims())
    small = method.start(Containers("cpu", np.full(2, STEP_S)))
    for sample in range(61):  # compiled before the clock runs
        small = method.observe(small, np.full(2, sample * STEP_S), np.ones(2))
    method.recommend(small, np.full(2, 61 * STEP_S))
    state, spent_s = method.start(Containers("cpu", np.full(CONTAINERS, STEP_S))), 0.0
    for sample in range(DAYS * DAY):
        usage, at_s = _usage(rng, sample, level), np.full(CONTAINERS, sample * STEP_S)
        began_s = time.process_time()
        state = method.observe(state, at_s, usage)
        spent_s += time.process_time() - began_s
    at_s = np.full(CONTAINERS, DAYS * DAY * STEP_S)
    began_s = time.process_time()
    advice = method.recommend(state, at_s)
    told_s = time.process_time() - began_s
    present = Present(advice.target, np.full(CONTAINERS, 8.0))
    ticks = []
    for minute in range(60):
        usage = _usage(rng, DAYS * DAY + minute, level)
        began_s = time.process_time()
        state = method.observe(state, at_s + minute * STEP_S, usage)
        method.urgent(state, at_s, present)
        ticks.append(time.process_time() - began_s)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(  # noqa: T201 - a benchmark's figures
        f"\n{name}: {CONTAINERS:,} containers x {DAYS} days of minutes: {spent_s:.1f} s of CPU, "
        f"recommend {told_s:.2f} s, "
        f"a usual tick {1000 * float(np.median(ticks)):.1f} ms, that of the hour {1000 * max(ticks):.0f} ms, "
        f"peak memory of the process {peak_mib:.0f} MiB"
    )
    assert np.isfinite(advice.target).all()
