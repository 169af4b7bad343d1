"""What a series looks like at a minute: its level over several spans, its season and its restlessness.

Values stand on a scale with 0 at the row's usual level, so that what is not known may be 0 in a sum of differences.
Everything at minute t comes from minutes up to t.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.history import Window

Real = NDArray[np.float32]
Number = TypeVar("Number", np.float64, np.int32)
AnyReal = TypeVar("AnyReal", NDArray[np.float32], NDArray[np.float64])

DAY_MIN = 24 * 60
WEEK_MIN = 7 * DAY_MIN
LEAST_GROUND, MOST_GROUND = 0.05, 6.0
SPANS_MIN = (5, 15, 60, 240, DAY_MIN)
NEAR_MIN = 11  # the season is read from a mean over so many minutes around its time
FRESH_MIN = 60  # a value older than this is not the level of now
RESTLESS = 0.003
_LARGEST_Z = 60.0


@dataclass(frozen=True, slots=True)
class Units:
    """On which scale a row is modelled: `z = ln(value / scale + ground) - ln(1 + ground)`, `[row]`.

    Far above `scale * ground` changes count as ratios, far below as differences; `ground` is how much the row changes
    from sample to sample, so that a smooth load is seen as ratios and a count that is mostly 0 nearly as it is.
    """

    scale: FloatArray
    ground: FloatArray

    @classmethod
    def of(cls, window: Window) -> Units:
        """Of the known values of `window`: the mean, and the mean change as a share of it."""
        known = window.known & np.isfinite(window.value)
        value = np.where(known, np.maximum(window.value, 0), 0)
        count = known.sum(axis=1)
        mean = value.sum(axis=1, dtype=np.float64) / np.maximum(count, 1)
        scale = np.where(mean > 0, np.maximum(mean, np.finfo(np.float32).tiny), 1.0)
        change = np.zeros(mean.size)
        for row in range(mean.size):
            change[row] = np.abs(np.diff(value[row, known[row]])).sum(dtype=np.float64)
        restless = change / np.maximum(count - 1, 1) / scale
        return cls(scale, np.clip(3 * restless, LEAST_GROUND, MOST_GROUND))

    def taken(self, rows: IntArray) -> Units:
        """Those of `rows`."""
        return Units(self.scale[rows], self.ground[rows])

    def z(self, value: FloatArray | Real) -> Real:
        """`value` `[row, ...]` on the scale on which models work."""
        shape = (self.scale.size, *(1,) * (value.ndim - 1))
        scale, ground = self.scale.reshape(shape), self.ground.reshape(shape).astype(np.float32)
        relative = (np.maximum(value, 0) / scale).astype(np.float32)
        found: Real = np.log(relative + ground) - np.log1p(ground)
        return found

    def value(self, z: AnyReal) -> FloatArray:
        """The value that `z` `[row, ...]` stands for; never below 0."""
        found: FloatArray = self.relative(z) * self.scale.reshape(self.scale.size, *(1,) * (z.ndim - 1))
        return found

    def relative(self, z: AnyReal) -> AnyReal:
        """The value that `z` `[row, ...]` stands for as a share of the scale, as exactly as `z`; never below 0."""
        ground = self.ground.reshape(self.scale.size, *(1,) * (z.ndim - 1)).astype(z.dtype)
        relative: AnyReal = np.minimum(z, z.dtype.type(_LARGEST_Z))
        np.exp(relative, out=relative)
        relative *= 1 + ground
        relative -= ground
        return np.maximum(relative, 0, out=relative)


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns over the minutes of a window, `[row, minute]`; the first of `start_min` since 1970."""

    start_min: int
    known: NDArray[np.bool_]
    last: Real  # newest known value, or a mean where that is old
    fresh: NDArray[np.bool_]  # whether it is not old
    means: tuple[Real, ...]  # over SPANS_MIN
    near: Real  # over NEAR_MIN around the minute
    near_known: NDArray[np.bool_]
    apart: Real  # how the very minute differs from `near`, 0 where it is not known
    restless: tuple[Real, ...]  # ln of the mean change from minute to minute, over 10, 60 and 240 minutes


def shape_of(window: Window, units: Units) -> Shape:
    """The columns of `window`, `[row, minute]`, on the scale `units`."""
    known = window.known & np.isfinite(window.value)
    z = np.where(known, units.z(window.value), 0).astype(np.float32)
    total, count = _sums(z), _counts(known)
    means: list[Real] = []
    for span in reversed(SPANS_MIN):
        longer = means[-1] if means else np.zeros_like(z)
        means.append(_mean(_over(total, span), _over(count, span), longer))
    means.reverse()
    last, fresh = _newest(z, known, means[2])
    around, there = _around(total, NEAR_MIN), _around(count, NEAR_MIN)
    near = _mean(around, there, means[2])
    change = np.abs(np.diff(last, axis=1, prepend=last[:, :1]))
    moved = _sums(change)
    steady = np.arange(1, z.shape[1] + 1, dtype=np.float64)
    restless = tuple(
        np.log((_over(moved, span) / np.minimum(steady, span)).astype(np.float32) + np.float32(RESTLESS))
        for span in (10, 60, 240)
    )
    apart = np.subtract(last, near, out=np.zeros_like(z), where=known)
    return Shape(window.start_s // 60, known, last, fresh, tuple(means), near, there > 0, apart, restless)


def _sums(z: Real) -> FloatArray:
    total = np.zeros((z.shape[0], z.shape[1] + 1))
    np.cumsum(z, axis=1, dtype=np.float64, out=total[:, 1:])
    return total


def _counts(known: NDArray[np.bool_]) -> NDArray[np.int32]:
    total = np.zeros((known.shape[0], known.shape[1] + 1), np.int32)
    np.cumsum(known, axis=1, dtype=np.int32, out=total[:, 1:])
    return total


def _over(total: NDArray[Number], span: int) -> NDArray[Number]:
    """Sums over the `span` minutes that end with each."""
    over = total[:, 1:].copy()
    if span < over.shape[1]:
        over[:, span:] -= total[:, 1:-span]
    return over


def _around(total: NDArray[Number], span: int) -> NDArray[Number]:
    """Sums over the minutes up to `span // 2` before and after each, as far as the window goes."""
    half, minutes = span // 2, total.shape[1] - 1
    minute = np.arange(minutes)
    around: NDArray[Number] = total[:, np.minimum(minute + half + 1, minutes)] - total[:, np.maximum(minute - half, 0)]
    return around


def _mean(total: FloatArray, count: NDArray[np.int32], otherwise: Real) -> Real:
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    empty = count == 0
    if empty.any():
        mean[empty] = otherwise[empty]
    return mean


def _newest(z: Real, known: NDArray[np.bool_], otherwise: Real) -> tuple[Real, NDArray[np.bool_]]:
    minute = np.arange(z.shape[1], dtype=np.int32)
    at = np.maximum.accumulate(np.where(known, minute, -1), axis=1)
    fresh = (at >= 0) & (minute - at < FRESH_MIN)
    return np.where(fresh, np.take_along_axis(z, np.maximum(at, 0), axis=1), otherwise), fresh


def lag_of(ahead_min: int, period_min: int) -> int:
    """The fewest whole periods that lie behind what is known when forecasting `ahead_min` ahead."""
    return -(-ahead_min // period_min) * period_min


def season_of(shape: Shape, ahead_min: int, period_min: int) -> tuple[Real, NDArray[np.bool_]]:
    """The column to read the season from at `at + ahead_min - lag_of(...)`, and where it is known.

    That is `near`, but where this looks beyond `at`: there the mean up to the minute stands in.
    """
    if lag_of(ahead_min, period_min) - ahead_min >= NEAR_MIN // 2:
        return shape.near, shape.near_known
    return shape.means[0], shape.fresh
