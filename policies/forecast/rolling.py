"""Fits and backtests some rows at each horizon: pairs of origin and target, the two experts, and their bands."""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.bands import LEAST_MISS, Misses, band_of
from policies.forecast.features import DIFFERENCES, mean_features, scale_features, seasonal_value
from policies.forecast.governance import Expert
from policies.forecast.ridge import Pairs, rolling_fits, rolling_said
from policies.forecast.shape import DAY_MIN, WEEK_MIN, shape_of

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.forecast.bands import Band
    from policies.forecast.horizon import HorizonFit
    from policies.forecast.shape import Real, Shape
    from policies.history import Window

HORIZONS_MIN = (1, 5, 15, 60, 240, DAY_MIN, 3 * DAY_MIN, WEEK_MIN)
BUCKETS_MIN = tuple(DAY_MIN * quarter // 4 for quarter in (1, 2, 4, 6, 8, 12, 16, 20, 28, 40, 56, 84, 140))
BLOCKS = 6
_STRIDE_SHORT, _STRIDE_LONG = 7, 17

_SHORT_MIN = 15
_ALPHAS, _KEEP = (300.0, 30_000.0), 0.9
_CLIP = 3.0  # times the mean change: what goes beyond says that something else happened
_FEWEST = 100  # pairs behind a ridge fit that may speak
_SEEN = 0.3  # share of pairs with a value one period before, for a period to be judged


def fit_rows(fit: HorizonFit, rows: IntArray, window: Window, every: tuple[int, int]) -> None:
    """Fill in `rows` of `fit` from their `window`, whose samples come each `every[0]` minutes, `every[1]` before its end."""
    units = fit.units(rows)
    shape = shape_of(window, units)
    z = units.z(window.value)
    for place, ahead in enumerate(HORIZONS_MIN):
        at = _origins(window.value.shape[1], ahead, every)
        if at.size == 0:
            continue
        target = at + ahead
        known = shape.known[:, target] & shape.fresh[:, at]
        if not known.any():
            continue
        _fit_horizon(fit, rows, place, _Horizon(shape, z, window, at, ahead, known))


class _Horizon:
    """The pairs of one horizon for some rows."""

    def __init__(self, shape: Shape, z: Real, window: Window, at: IntArray, ahead: int, known: BoolArray) -> None:
        minutes = z.shape[1]
        self.shape, self.at, self.ahead, self.known = shape, at, ahead, known
        target = at + ahead
        self.last = shape.last[:, at]
        self.change = ((z[:, target] - self.last) * known).astype(np.float32)
        self.value = (window.value[:, target] * known).astype(np.float32)
        self.origin_block, self.target_block = at * BLOCKS // minutes, target * BLOCKS // minutes
        apart = np.median(np.diff(at)) if at.size > 1 else 1.0
        self.share = float(min(1.0, apart / max(ahead, 1)))

    def pairs(self, x: Real, y: Real) -> Pairs:
        return Pairs(x, y, self.known, self.origin_block, self.target_block)

    def clipped(self) -> tuple[Real, Real]:
        """The changes, cut at _CLIP times their mean size, and that size `[row]`."""
        size = np.sum(np.abs(self.change), axis=1) / np.maximum(self.known.sum(axis=1), 1)
        size = np.maximum(size, LEAST_MISS).astype(np.float32)
        most = _CLIP * size[:, np.newaxis]
        return np.clip(self.change, -most, most), size

    def misses(self, said: Real, usable: BoolArray) -> Misses:
        return Misses(said, np.where(usable, self.change - said, 0).astype(np.float32), usable, self.last, self.value)


def _fit_horizon(fit: HorizonFit, rows: IntArray, place: int, horizon: _Horizon) -> None:
    units = fit.units(rows)
    sized = horizon.pairs(_known_only(scale_features(horizon.shape, horizon.at, horizon.ahead), horizon.known), horizon.change)

    def keep(expert: Expert, misses: Misses) -> None:
        band = band_of(misses, sized, units, blocks=BLOCKS, share=horizon.share)
        _keep(fit, (rows, expert, place), band)

    said, fit.period_min[rows, place] = _seasonal(horizon)
    keep(Expert.SEASONAL, horizon.misses(said, horizon.known))
    x = mean_features(horizon.shape, horizon.at, horizon.ahead)
    change, unit = horizon.clipped()
    x = _known_only(x, horizon.known)
    x[:, DIFFERENCES] /= unit[:, np.newaxis, np.newaxis]
    pairs = horizon.pairs(x, change / unit[:, np.newaxis])
    coefficient, number = rolling_fits(pairs, BLOCKS, alphas=_ALPHAS, keep=_KEEP)
    usable = horizon.known & (number[:-1] >= _FEWEST).T[:, horizon.origin_block]
    if usable.any():
        most = np.abs(horizon.change).max(axis=1)[:, np.newaxis]
        said, newest = _best(horizon, pairs, coefficient, (usable, unit[:, np.newaxis], most))
        keep(Expert.RIDGE, horizon.misses(said, usable))
        fit.mean[rows, place] = newest * unit[:, np.newaxis]
        fit.mean[rows, place, DIFFERENCES] = newest[:, DIFFERENCES]
        fit.reach[rows, place] = most[:, 0]


def _known_only(x: Real, known: BoolArray) -> Real:
    """`x` `[row, feature, pair]` with zeros where a pair is not known."""
    if not known.all():
        x *= known[:, np.newaxis]
    return x


def _best(horizon, pairs, coefficient, given) -> tuple[Real, FloatArray]:
    """What the ridge with the alpha that missed least says, `[row, pair]`, and its last coefficients."""
    usable, unit, most = given
    said = [np.clip(unit * rolling_said(pairs, each), -most, most) for each in coefficient]
    missed = np.stack([_missed(horizon, each, usable) for each in said])
    best = np.argmin(missed, axis=0)
    chosen = said[0]
    for place in range(1, len(said)):
        chosen = np.where((best == place)[:, np.newaxis], said[place], chosen)
    return chosen, coefficient[best, -1, np.arange(best.size)]


def _keep(fit: HorizonFit, to: tuple[IntArray, Expert, int], band: Band) -> None:
    there = band.number > 0
    fit.middle[to] = band.middle
    fit.spread[to] = np.where(there[:, np.newaxis], band.spread, 0)
    fit.offset[to] = band.offset
    fit.number[to] = band.number
    fit.loss[to] = np.where(there, band.loss, np.inf)
    fit.coverage[to], fit.recent[to], fit.judged[to] = band.coverage, band.recent, band.judged


def _seasonal(horizon: _Horizon) -> tuple[Real, FloatArray]:
    """What the best of the last hour's level, a day and a week before says, `[row, pair]`, and its period `[row]`."""
    level = horizon.shape.means[2][:, horizon.at] - horizon.last
    best, period = level, np.zeros(level.shape[0], np.int32)
    least = _missed(horizon, level, horizon.known)
    for minutes in (DAY_MIN, WEEK_MIN):
        value, there = seasonal_value(horizon.shape, horizon.at, horizon.ahead, minutes)
        said = np.where(there, value - horizon.last, level)
        seen = horizon.known & there
        missed = _missed(horizon, said, seen)
        enough = seen.sum(axis=1) >= _SEEN * horizon.known.sum(axis=1)
        better = enough & (missed < least)
        best, least = np.where(better[:, np.newaxis], said, best), np.where(better, missed, least)
        period = np.where(better, minutes, period).astype(np.int32)
    return best, period


def _missed(horizon: _Horizon, said: Real, seen: BoolArray) -> FloatArray:
    total = np.sum(np.abs(horizon.change - said) * seen, axis=1, dtype=np.float64)
    count = seen.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def _origins(minutes: int, ahead: int, every: tuple[int, int]) -> IntArray:
    """Columns from which a target `ahead` lies in the window, evenly apart, each on a sample of a coarse row.

    They come round to every minute of the hour, so that what happens on the quarter hour is seen.
    """
    step, phase = every
    least = (1 if minutes <= DAY_MIN else _STRIDE_SHORT) if ahead <= _SHORT_MIN else (5 if minutes <= DAY_MIN else _STRIDE_LONG)
    apart = next(each for each in range(-(-least // step) * step, 61 * step, step) if gcd(each, 60) == gcd(step, 60))
    newest = minutes - 1 - phase - ahead
    if ahead % step or newest < 0:
        return np.zeros(0, np.int64)
    return np.arange(newest % apart, newest + 1, apart)
