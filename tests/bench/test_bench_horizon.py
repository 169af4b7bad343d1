"""What the horizon layer costs: 10,000 lanes of two weeks at one minute in a worker beside the ticks, and forecasts."""

from __future__ import annotations

import os
import platform
import time

import numpy as np
import pytest

from policies.forecast.horizon import refit
from policies.forecast.outlook import Asked, quantiles
from policies.history import Window
from tests.integration.beside import gone_through

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


def tell(what: str) -> None:
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "all")
    print(f"\n{what} [{platform.machine()}, {os.cpu_count()} cores, BLAS threads: {threads}]")  # noqa: T201 - its result


async def test_10000_lanes_of_two_weeks_gone_through_in_a_worker_beside_the_ticks() -> None:
    gone = await gone_through(ROWS, DAYS)
    noticed = gone.noticed
    tell(f"refit of {ROWS:,} lanes x {DAYS * DAY:,} minutes and a look ahead: {gone.elapsed_s:.0f} s beside the ticks,")
    tell(f"{gone.worked_s:.0f} s of the worker's processor")
    tell(
        f"peaks: worker {gone.worker_mb:.0f} MB, owner {gone.own_mb:.0f} MB, of which history {gone.history_mb:.0f} MB"
    )
    tell(
        f"at worst the event loop was {1e3 * noticed.loop_s:.0f} ms late and /livez took {1e3 * noticed.live_s:.0f} ms"
    )

    assert gone.plans.told_at(float(gone.plans.made_at_s[0])).all()
    assert gone.worker_mb + gone.own_mb < 3000
    assert max(noticed.loop_s, noticed.live_s) < 1.0


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
