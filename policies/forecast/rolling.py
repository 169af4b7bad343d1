"""Fits and backtests some rows at each horizon: pairs of origin and target, the two experts, and their bands."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.bands import LEAST_MISS, Misses, Setting, band_of
from policies.forecast.features import DIFFERENCES, mean_features, scale_features, seasonal_value, taken
from policies.forecast.governance import Expert
from policies.forecast.ridge import Pairs, emptied, rolling_fits, rolling_said
from policies.forecast.shape import DAY_MIN, WEEK_MIN, shape_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.forecast.bands import Band
    from policies.forecast.horizon import HorizonFit
    from policies.forecast.shape import Real, Shape
    from policies.history import Window

HORIZONS_MIN = (1, 5, 15, 60, 240, DAY_MIN, 3 * DAY_MIN, WEEK_MIN)
BUCKETS_MIN = tuple(DAY_MIN * quarter // 4 for quarter in (1, 2, 4, 6, 8, 12, 16, 20, 28, 40, 56, 84, 140))
BLOCKS = 6
_APART, _APART_YOUNG = (11, 7, 17), (1, 1, 5)  # minutes between origins, up to each of _UP_TO_MIN ahead and beyond

_UP_TO_MIN = (5, 15)
_ALPHAS, _KEEP = (300.0, 30_000.0), 0.9
_CLIP = 3.0  # times the mean change: what goes beyond says that something else happened
_FEWEST = 100  # pairs behind a ridge fit that may speak
_SEEN = 0.3  # share of pairs with a value one period before, for a period to be judged


def fit_rows(fit: HorizonFit, rows: IntArray, window: Window, every: tuple[int, int]) -> None:
    """Fill in `rows` of `fit` from their `window`.

    Samples come each `every[0]` minutes, the newest `every[1]` minutes before the window's end.
    """
    units = fit.units(rows)
    shape = shape_of(window, units)
    z = units.z(window.value)
    for place, ahead in enumerate(HORIZONS_MIN):
        at = _origins(window.value.shape[1], ahead, every)
        known = taken(shape.known, at + ahead) & taken(shape.fresh, at)
        if known.any():
            _fit_horizon(fit, (rows, place), _Horizon.of(shape, (z, window.value), at, known, ahead))


@dataclass(frozen=True, slots=True)
class _Horizon:
    """The pairs of one horizon for some rows, `[row, pair]` or `[pair]`."""

    shape: Shape
    at: IntArray  # origins
    ahead: int
    known: BoolArray  # both ends are
    last: Real
    change: Real  # from `last` to the target, 0 where not known
    value: Real  # that came, 0 where not known
    origin_block: IntArray
    target_block: IntArray
    share: float  # of the pairs that are independent

    @classmethod
    def of(cls, shape: Shape, values: tuple[Real, Real], at: IntArray, known: BoolArray, ahead: int) -> _Horizon:
        """Pairs from origins `at`; `values` are those of the window, in z and as they are."""
        z, value = values
        minutes, target, last = z.shape[1], at + ahead, taken(shape.last, at)
        apart = float(at[1] - at[0]) if at.size > 1 else 1.0
        return cls(
            shape=shape,
            at=at,
            ahead=ahead,
            known=known,
            last=last,
            change=((taken(z, target) - last) * known).astype(np.float32),
            value=(taken(value, target) * known).astype(np.float32),
            origin_block=at * BLOCKS // minutes,
            target_block=target * BLOCKS // minutes,
            share=min(1.0, apart / ahead),
        )

    def pairs(self, x: Real, y: Real) -> Pairs:
        """`y` at features `x`, which are set to 0 where a pair is not known."""
        emptied(x, self.known)
        return Pairs(x, y, self.known, self.origin_block, self.target_block)

    def clipped(self) -> tuple[Real, Real]:
        """The changes, cut at _CLIP times their mean size, and that size `[row]`."""
        size = np.sum(np.abs(self.change), axis=1) / np.maximum(np.count_nonzero(self.known, axis=1), 1)
        size = np.maximum(size, LEAST_MISS).astype(np.float32)
        most = _CLIP * size[:, np.newaxis]
        return np.clip(self.change, -most, most), size

    def misses(self, said: Real, usable: BoolArray) -> Misses:
        """What `said` missed."""
        miss = ((self.change - said) * usable).astype(np.float32)
        return Misses(said, miss, usable, self.last, self.value)

    def missed(self, said: Real, seen: BoolArray) -> FloatArray:
        """The mean size of what `said` missed where `seen`, `[row]`; infinite where nothing was."""
        total = np.einsum("rp,rp->r", np.abs(self.change - said), seen.astype(np.float32)).astype(np.float64)
        count = np.count_nonzero(seen, axis=1)
        return np.where(count > 0, total / np.maximum(count, 1), np.inf)


def _fit_horizon(fit: HorizonFit, to: tuple[IntArray, int], horizon: _Horizon) -> None:
    rows, place = to
    units = fit.units(rows)
    sized = horizon.pairs(scale_features(horizon.shape, horizon.at, horizon.ahead), horizon.change)

    def keep(expert: Expert, said: Real, usable: BoolArray) -> None:
        misses = horizon.misses(said, usable)
        band = band_of(misses, sized, units, Setting(horizon.ahead, BLOCKS, horizon.share))
        _keep(fit, (rows, expert, place), band)

    said, fit.period_min[rows, place] = _seasonal(horizon)
    keep(Expert.SEASONAL, said, horizon.known)
    ridge = _ridge(horizon)
    if ridge.usable.any():
        keep(Expert.RIDGE, ridge.said, ridge.usable)
        fit.mean[rows, place], fit.reach[rows, place] = ridge.coefficient, ridge.reach


@dataclass(frozen=True, slots=True)
class _Ridge:
    """The ridge that missed least, as the fit before each origin had it, and its newest coefficients."""

    said: Real  # [row, pair]
    usable: BoolArray  # enough pairs stood behind it [row, pair]
    coefficient: FloatArray  # [row, feature]
    reach: Real  # the largest change there was [row]


def _ridge(horizon: _Horizon) -> _Ridge:
    x = mean_features(horizon.shape, horizon.at, horizon.ahead)
    change, unit = horizon.clipped()
    x[:, DIFFERENCES] /= unit[:, np.newaxis, np.newaxis]
    pairs = horizon.pairs(x, change / unit[:, np.newaxis])
    coefficient, number = rolling_fits(pairs, BLOCKS, alphas=_ALPHAS, keep=_KEEP)
    usable = horizon.known & (number[:-1] >= _FEWEST).T[:, horizon.origin_block]
    reach = np.abs(horizon.change).max(axis=1)
    most = reach[:, np.newaxis]
    said = [np.clip(unit[:, np.newaxis] * rolling_said(pairs, each), -most, most) for each in coefficient]
    best = np.argmin([horizon.missed(each, usable) for each in said], axis=0)
    newest = coefficient[best, -1, np.arange(best.size)]
    scaled = newest * unit[:, np.newaxis]
    scaled[:, DIFFERENCES] = newest[:, DIFFERENCES]
    return _Ridge(np.stack(said)[best, np.arange(best.size)], usable, scaled, reach)


def _keep(fit: HorizonFit, to: tuple[IntArray, Expert, int], band: Band) -> None:
    there = band.number > 0
    fit.middle[to] = band.middle
    fit.spread[to] = np.where(there[:, np.newaxis], band.spread, 0)
    fit.offset[to] = band.offset
    fit.number[to] = band.number
    fit.loss[to] = np.where(there, band.loss, np.inf)
    fit.coverage[to], fit.recent[to], fit.judged[to] = band.coverage, band.recent, band.judged


def _seasonal(horizon: _Horizon) -> tuple[Real, NDArray[np.int32]]:
    """What the best of the last hour's level, a day and a week before says, `[row, pair]`, and its period `[row]`."""
    level = taken(horizon.shape.means[2], horizon.at) - horizon.last
    best, period = level, np.zeros(level.shape[0], np.int32)
    least = horizon.missed(level, horizon.known)
    for minutes in (DAY_MIN, WEEK_MIN):
        value, there = seasonal_value(horizon.shape, horizon.at, horizon.ahead, minutes)
        said = np.where(there, value - horizon.last, level)
        seen = horizon.known & there
        missed = horizon.missed(said, seen)
        better = (np.count_nonzero(seen, axis=1) >= _SEEN * np.count_nonzero(horizon.known, axis=1)) & (missed < least)
        best, least = np.where(better[:, np.newaxis], said, best), np.where(better, missed, least)
        period = np.where(better, minutes, period).astype(np.int32)
    return best, period


def _origins(minutes: int, ahead: int, every: tuple[int, int]) -> IntArray:
    """Columns from which a target `ahead` lies in the window, evenly apart, each on a sample of a coarse row.

    They come round to every minute of the hour, so that what happens on the quarter hour is seen.
    """
    step, phase = every
    least = (_APART_YOUNG if minutes <= DAY_MIN else _APART)[bisect_left(_UP_TO_MIN, ahead)]
    newest = minutes - 1 - phase - ahead
    if ahead % step or newest < 0:
        return np.zeros(0, np.int64)
    first = -(-least // step) * step
    apart = next(each for each in range(first, first + 60 * step, step) if gcd(each, 60) == gcd(step, 60))
    return np.arange(newest % apart, newest + 1, apart)
