"""What history and forecast cost: a refit of 1,000 tracks, a forecast and an append of 10,000."""

import os
import platform
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from policies.arrays import booleans, floats
from policies.forecast.seasonal import SeasonalFit, predict, refit
from policies.history import History, Window

pytestmark = pytest.mark.bench

MINUTES = 7 * 1440
START_S = 1_700_006_400
END_S = START_S + MINUTES * 60.0


def week(rows: int) -> Window:
    random = np.random.default_rng(1)
    shape = 2 - np.cos(2 * np.pi * (np.arange(MINUTES) / 1440 - random.random((rows, 1))))
    known = random.random((rows, MINUTES)) < 0.99
    value = shape * random.gamma(50, 2, shape.shape) * known
    return Window(START_S, value.astype(np.float32), known)


def fleet(rows: int) -> SeasonalFit:
    fit = refit(week(64), now_s=END_S, rows=tuple(str(row) for row in range(64)))
    return fit.aligned(tuple(str(row % 64) for row in range(rows)))


def median_ms(act: Callable[[], object], times: int) -> float:
    act()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return 1e3 * float(np.median(taken))


def tell(what: str) -> None:
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"\n{what} [{platform.machine()}, {os.cpu_count()} cores, BLAS threads: {threads}]")  # noqa: T201 - its result


def test_refit_of_1000_tracks_of_a_week() -> None:
    window, rows = week(1000), tuple(str(row) for row in range(1000))
    refit(week(1), now_s=END_S, rows=("warm",))
    start, processor = time.perf_counter(), time.process_time()
    fit = refit(window, now_s=END_S, rows=rows)
    elapsed, used = time.perf_counter() - start, time.process_time() - processor
    tracemalloc.start()
    refit(Window(START_S, window.value[:128], window.known[:128]), now_s=END_S, rows=rows[:128])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tell(f"refit of 1,000 tracks x 10,080 minutes: {elapsed:.1f} s, {used:.1f} s of processor")
    tell(f"memory beside the window's 50 MB: {peak / 1e6:.0f} MB at most, whatever the number of tracks")

    assert fit.known.all()
    assert peak < 300e6


def test_forecast_of_10000_tracks() -> None:
    fit, rows = fleet(10_000), 10_000
    value, lead_s = floats(rows, 100.0), np.random.default_rng(2).uniform(30, 300, rows)
    known, quantile = booleans(rows, value=True), floats(rows, 0.99)
    took = median_ms(
        lambda: predict(fit, at_s=END_S, value=value, known=known, lead_s=lead_s, quantile=quantile), times=20
    )
    tell(f"forecast of 10,000 tracks: {took:.1f} ms median")


def test_append_to_10000_tracks() -> None:
    rows = 10_000
    value, known, age_s = floats(rows, 100.0), booleans(rows, value=True), floats(rows, 10.0)
    history = History.empty(rows).append(START_S, value, known, age_s)
    took = median_ms(lambda: history.append(START_S + 1800.0, value, known, age_s).kept(7 * 86400, START_S), times=50)
    tell(f"append to 10,000 tracks: {took:.2f} ms median")
