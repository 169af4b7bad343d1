"""What the horizon layer costs: a refit of 10,000 tracks of two weeks at one minute in a worker, and its forecasts."""

from __future__ import annotations

import os
import platform
import resource
import time

import numpy as np
import pytest

from controller.worker import worker
from policies.forecast.horizon import refit
from policies.forecast.outlook import Asked, quantiles
from policies.history import Window

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1200)]

DAY = 1440
DAYS = 14
START_S = 1_700_006_400
ROWS = 10_000
AT_ONCE = 500


def weeks(rows: int) -> Window:
    """Daily waves with noise, and one minute in a hundred missing."""
    random = np.random.default_rng(1)
    minutes = DAYS * DAY
    value = np.empty((rows, minutes), np.float32)
    for start in range(0, rows, AT_ONCE):
        part = value[start : start + AT_ONCE]
        wave = 2 - np.cos(2 * np.pi * (np.arange(minutes) / DAY - random.random((part.shape[0], 1))))
        part[:] = wave * random.gamma(50, 2, part.shape)
    return Window(START_S, value, random.random((rows, minutes), np.float32) < 0.99)


def refitted(rows: int) -> tuple[float, float, float, bool]:
    """Seconds, peak memory of the process in MB, what the window takes of it, and whether every row is known."""
    window = weeks(rows)
    start = time.perf_counter()
    fit = refit(window, now_s=START_S + 86_400.0 * DAYS, rows=tuple(map(str, range(rows))))
    elapsed = time.perf_counter() - start
    held = (window.value.nbytes + window.known.nbytes) / 1e6
    return elapsed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, held, bool(fit.known.all())


def tell(what: str) -> None:
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"\n{what} [{platform.machine()}, {os.cpu_count()} cores, BLAS threads: {threads}]")  # noqa: T201 - its result


def test_refit_of_10000_tracks_of_two_weeks_in_a_worker() -> None:
    with worker() as executor:
        elapsed, peak, held, known = executor.submit(refitted, ROWS).result(timeout=1000)
    tell(f"horizon refit of {ROWS:,} tracks x {DAYS * DAY:,} minutes: {elapsed:.0f} s, {peak:.0f} MB at its peak,")
    tell(f"of which the window takes {held:.0f} MB")

    assert known
    assert peak < 3000


def test_a_week_of_forecasts_of_1000_tracks() -> None:
    window = weeks(200)
    fit = refit(window, now_s=START_S + 86_400.0 * DAYS, rows=tuple(map(str, range(200))))
    names = tuple(str(row % 200) for row in range(1000))
    recent = Window(window.start_s, np.tile(window.value, (5, 1)), np.tile(window.known, (5, 1)))
    start = time.perf_counter()
    said = quantiles(
        fit.aligned(names), recent, Asked(np.array([DAYS * DAY - 1]), tuple(range(60, 7 * DAY + 1, 60)), (0.5, 0.9))
    )
    tell(f"168 hours ahead for 1,000 tracks: {time.perf_counter() - start:.1f} s")

    assert np.isfinite(said).all()
