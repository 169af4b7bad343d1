"""Synthetic load: each shape by hand, and the same bytes for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulations.traffic import (
    Daily,
    FlashCrowd,
    FlashCrowds,
    LevelShift,
    Noise,
    Outage,
    Ramp,
    Shape,
    Traffic,
    Weekly,
    generate,
)

MONDAY_S = 1_700_438_400.0  # 2023-11-20 00:00 UTC
EVERYTHING = (
    Daily(),
    Weekly(),
    Noise(0.2, 600.0),
    Ramp(3600.0, 7200.0, 2.0),
    FlashCrowd(1800.0, 5.0),
    FlashCrowds(4.0),
    Outage(9000.0, 600.0, rebound=1.5),
    LevelShift(40000.0, 1.3),
)


def _at(shape: Shape, step_s: float, count: int, start_s: float = MONDAY_S) -> list[float]:
    load = generate(Traffic(100.0, (shape,)), start_s=start_s, steps=count, step_s=step_s)
    return [round(float(value), 6) for value in load]


def test_a_level_alone_is_constant() -> None:
    assert generate(Traffic(7.0), start_s=0.0, steps=3, step_s=60.0).tolist() == [7.0, 7.0, 7.0]


def test_daily() -> None:
    # From midnight every 7 h: 02:00 is the low; 00:00, 07:00, 14:00, 21:00.
    assert _at(Daily(0.5, 14.0), 7 * 3600.0, 3)[2] == 150.0
    assert _at(Daily(0.5, 14.0), 2 * 3600.0, 2)[1] == 50.0


def test_a_compressed_day() -> None:
    # A day of 240 s peaks at 12/24 of it.
    assert _at(Daily(0.5, 12.0, day_s=240.0), 120.0, 3, start_s=0.0) == [50.0, 150.0, 50.0]


def test_weekly() -> None:
    assert _at(Weekly(), 86400.0, 8) == [100.0, 100.0, 100.0, 100.0, 100.0, 60.0, 50.0, 100.0]


def test_ramp() -> None:
    assert _at(Ramp(60.0, 120.0, 3.0), 60.0, 5) == [100.0, 100.0, 200.0, 300.0, 300.0]


def test_level_shift() -> None:
    assert _at(LevelShift(120.0, 0.5), 60.0, 4) == [100.0, 100.0, 50.0, 50.0]


def test_flash_crowd() -> None:
    # Up to 5 times within 120 s; one fade later 1 + 4 / e = 2.471518.
    assert _at(FlashCrowd(60.0, 5.0, 120.0, 60.0), 60.0, 5) == [100.0, 100.0, 300.0, 500.0, 247.151776]


def test_outage_with_a_rebound() -> None:
    # 1.5 times right after the end; one fade later 1 + 0.5 / e = 1.18394.
    assert _at(Outage(60.0, 120.0, 0.1, 1.5, 60.0), 60.0, 5) == [100.0, 10.0, 10.0, 150.0, 118.393972]


def test_noise_has_mean_one_and_the_spread_asked_for() -> None:
    logs = np.log(generate(Traffic(1.0, (Noise(0.3, 600.0),), seed=5), start_s=0.0, steps=200_000, step_s=60.0))
    assert logs.std() == pytest.approx(0.3, abs=0.01)
    assert np.exp(logs).mean() == pytest.approx(1.0, abs=0.02)
    # After one step of 60 s the correlation is exp(-0.1) = 0.905.
    assert np.corrcoef(logs[1:], logs[:-1])[0, 1] == pytest.approx(0.905, abs=0.01)


def test_noise_without_correlation_is_independent() -> None:
    logs = np.log(generate(Traffic(1.0, (Noise(0.3),), seed=5), start_s=0.0, steps=100_000, step_s=60.0))
    assert np.corrcoef(logs[1:], logs[:-1])[0, 1] == pytest.approx(0.0, abs=0.02)


def test_flash_crowds_come_as_often_as_asked() -> None:
    load = generate(Traffic(1.0, (FlashCrowds(2.0, fade_s=60.0),), seed=3), start_s=0.0, steps=1440 * 50, step_s=60.0)
    begins = int(((load[1:] > 1.2) & (load[:-1] <= 1.2)).sum())
    assert 70 <= begins <= 130  # 2 a day for 50 days, some meet


@given(seed=st.integers(0, 2**32), steps=st.integers(0, 2000))
def test_same_seed_same_bytes(seed: int, steps: int) -> None:
    spec = Traffic(50.0, EVERYTHING, seed)
    first, second = (generate(spec, start_s=MONDAY_S, steps=steps, step_s=60.0) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert first.shape == (steps,)
    assert (first >= 0).all()


def test_another_seed_is_another_load() -> None:
    spec = Traffic(50.0, EVERYTHING, 1)
    first, second = (generate(each, start_s=MONDAY_S, steps=500, step_s=60.0) for each in (spec, replace(spec, seed=2)))
    assert not np.array_equal(first, second)


def test_a_shape_more_leaves_the_random_ones_as_they_were() -> None:
    plain, more = Traffic(1.0, (Noise(0.2),), 9), Traffic(1.0, (Noise(0.2), LevelShift(0.0, 2.0)), 9)
    first, second = (generate(each, start_s=0.0, steps=100, step_s=60.0) for each in (plain, more))
    assert np.array_equal(first * 2, second)
