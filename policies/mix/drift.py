"""How the level of demand moves from week to week: where it is, its trend, and how far it may stray from it.

The weekly level is a random walk with a trend, seen with noise (the local level model with drift of Harvey 1989,
Forecasting, Structural Time Series Models and the Kalman Filter). How much of the movement is noise, and how much
stays, is what explains the weeks best; a trend is believed as far as it stands out of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray

YEAR_WEEKS = 52
FEWEST_WEEKS = 8  # to tell a trend from noise at all
_TREND_SD = 0.5 / YEAR_WEEKS  # before anything is seen, most trends are within +-0.5 a year: x0.6 to x1.65
_SPREAD, _SPREAD_WEEKS = 0.02, 8  # before anything is seen, 2 % a week, a belief worth eight weeks
_SPREADS = np.array([0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.09])
_NOISE_RATIOS = np.array([0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])  # noise's variance over the walk's


@dataclass(frozen=True, slots=True)
class Drift:
    """The logarithm of the weekly mean: its level now, and how it goes on, a week."""

    level: float
    trend: float
    trend_sd: float  # how unsure the trend is
    spread: float  # standard deviation of a week's step of the walk


def drift_of(weekly_mean: FloatArray) -> Drift:
    """Learn from weekly means, `[week]`, all above 0, NaN where a week is not known; the last 53 count.

    Raises ValueError where the last 53 know fewer than 8.
    """
    seen = np.log(weekly_mean[-YEAR_WEEKS - 1 :])
    if np.isfinite(seen).sum() < FEWEST_WEEKS:
        raise ValueError(f"{np.isfinite(seen).sum()} known weeks tell no trend; {FEWEST_WEEKS} would")
    first = int(np.argmax(np.isfinite(seen)))
    walk = np.repeat(_SPREADS**2, _NOISE_RATIOS.size)
    noise = np.tile(_NOISE_RATIOS, _SPREADS.size) * walk
    likelihood = -0.5 * _SPREAD_WEEKS * (np.log(walk) + _SPREAD**2 / walk)
    level, trend = np.full(walk.size, seen[first]), np.zeros(walk.size)
    level_var, both_var, trend_var = noise.copy(), np.zeros(walk.size), np.full(walk.size, _TREND_SD**2)
    for value in seen[first + 1 :]:
        level = level + trend
        level_var, both_var = level_var + 2 * both_var + trend_var + walk, both_var + trend_var
        if not np.isfinite(value):
            continue
        missed, expected = value - level, level_var + noise
        likelihood -= 0.5 * (np.log(expected) + missed**2 / expected)
        level_gain, trend_gain = level_var / expected, both_var / expected
        level, trend = level + level_gain * missed, trend + trend_gain * missed
        trend_var = trend_var - trend_gain * both_var
        both_var, level_var = both_var - level_gain * both_var, level_var - level_gain * level_var
    best = int(np.argmax(likelihood))
    return Drift(
        level=float(level[best]),
        trend=float(trend[best]),
        trend_sd=float(np.sqrt(trend_var[best])),
        spread=float(np.sqrt(walk[best])),
    )
