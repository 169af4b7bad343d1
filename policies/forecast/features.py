"""What a model sees at an origin for a horizon: differences of levels, of seasons and of habits, and the time."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from policies.forecast.shape import DAY_MIN, NEAR_MIN, WEEK_MIN, lag_of, season_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import BoolArray, IntArray
    from policies.forecast.shape import Real, Shape

Item = TypeVar("Item", np.float32, np.bool_)

_DAY_ORDERS = np.array([7, 14, 21, 28])  # per week
_WEEK_ORDERS = np.array([1, 2, 3])
_HOUR_ORDERS = np.array([168, 336, 504, 672, 1008, 2016])  # per week: an hour and its parts
_MEAN_ORDERS = np.concatenate([_DAY_ORDERS, _WEEK_ORDERS, _HOUR_ORDERS])
_SCALE_ORDERS = np.concatenate([_DAY_ORDERS[:2], _HOUR_ORDERS])
HOURS, DAYS = 6, 3  # of which a minute's habit is taken
_LOCAL, _SEASON, _HABIT = 11, 9, 2
DIFFERENCES = slice(1, 1 + _LOCAL + _SEASON + _HABIT)  # features that are in z as the change is
MEAN_FEATURES = DIFFERENCES.stop + 2 * _MEAN_ORDERS.size
SCALE_FEATURES = 7 + 2 * _SCALE_ORDERS.size


def mean_features(shape: Shape, at: IntArray, ahead_min: int) -> Real:
    """Features `[row, feature, origin]` at columns `at` of the window, of the change from `last` to `ahead_min` on."""
    x = np.empty((shape.last.shape[0], MEAN_FEATURES, at.size), np.float32)
    x[:, 0] = 1
    _local(shape, at, x[:, 1 : 1 + _LOCAL])
    _season(shape, at, ahead_min, x[:, 1 + _LOCAL : 1 + _LOCAL + _SEASON])
    _habit(shape, at, ahead_min, x[:, 1 + _LOCAL + _SEASON : DIFFERENCES.stop])
    x[:, DIFFERENCES.stop :] = _waves(shape.start_min + at + ahead_min, _MEAN_ORDERS)
    return x


def scale_features(shape: Shape, at: IntArray, ahead_min: int) -> Real:
    """Features `[row, feature, origin]` of how far such a forecast may miss."""
    x = np.empty((shape.last.shape[0], SCALE_FEATURES, at.size), np.float32)
    x[:, 0] = 1
    for place, column in enumerate(shape.restless, start=1):
        x[:, place] = taken(column, at)
    x[:, 4] = taken(shape.restless[1], at + ahead_min - lag_of(ahead_min, DAY_MIN))
    x[:, 5] = taken(shape.means[2], at)
    np.abs(taken(shape.last, at) - x[:, 5], out=x[:, 6])
    x[:, 7:] = _waves(shape.start_min + at + ahead_min, _SCALE_ORDERS)
    return x


def seasonal_value(shape: Shape, at: IntArray, ahead_min: int, period_min: int) -> tuple[Real, BoolArray]:
    """What was measured whole periods before `at + ahead_min`, `[row, origin]`, and whether anything was."""
    return _season_at(shape, at + ahead_min - lag_of(ahead_min, period_min), ahead_min, period_min)


def taken(column: NDArray[Item], at: IntArray) -> NDArray[Item]:
    """A table `[row, minute]` at minutes `at`, 0 where they lie before it; quicker where they are evenly apart."""
    apart = int(at[1] - at[0]) if at.size > 1 else 0
    if apart <= 0 or not (np.diff(at) == apart).all():
        found: NDArray[Item] = column[:, np.maximum(at, 0)]
        found[:, at < 0] = 0
        return found
    before = min(max(-(int(at[0]) // apart), 0), at.size)
    found = np.empty((column.shape[0], at.size), column.dtype)
    found[:, :before] = 0
    if before < at.size:
        found[:, before:] = column[:, int(at[before]) : int(at[-1]) + 1 : apart]
    return found


def _season_at(shape: Shape, then: IntArray, ahead_min: int, period_min: int) -> tuple[Real, BoolArray]:
    column, known = season_of(shape, ahead_min, period_min)
    return taken(column, then), taken(known, then)


def _local(shape: Shape, at: IntArray, x: Real) -> None:
    levels = [taken(column, at) for column in (shape.last, *shape.means)]
    for place, (shorter, longer) in enumerate(pairwise(levels)):
        np.subtract(shorter, longer, out=x[:, place])
    x[:, 5] = levels[-1]
    columns = (shape.last, *shape.means)
    for place, (level, since) in enumerate(((0, 1), (0, 5), (1, 15), (3, 60), (5, DAY_MIN)), start=6):
        np.subtract(levels[level], taken(columns[level], at - since), out=x[:, place])
        x[:, place, at < since] = 0


def _season(shape: Shape, at: IntArray, ahead_min: int, x: Real) -> None:
    """For a day, two days and a week ago: the change that followed, the level then, how the day's mean changed."""
    last, mean = taken(shape.last, at), taken(shape.means[4], at)
    for place, (period, more) in enumerate(((DAY_MIN, 0), (DAY_MIN, DAY_MIN), (WEEK_MIN, 0))):
        now_at, then_at = at - period - more, at + ahead_min - lag_of(ahead_min, period) - more
        now, (then, then_known) = taken(shape.near, now_at), _season_at(shape, then_at, ahead_min, period)
        now_known = taken(shape.near_known, now_at)
        np.multiply(then - now, now_known & then_known, out=x[:, 3 * place])
        np.multiply(now - last, now_known, out=x[:, 3 * place + 1])
        np.subtract(mean, taken(shape.means[4], now_at), out=x[:, 3 * place + 2])
        x[:, 3 * place + 2, now_at < 0] = 0


def _habit(shape: Shape, at: IntArray, ahead_min: int, x: Real) -> None:
    """How the very minute differed from those around it, in past hours and on past days."""
    for place, (period, turns) in enumerate(((60, HOURS), (DAY_MIN, DAYS))):
        newest = at + ahead_min - lag_of(ahead_min + NEAR_MIN // 2, period)
        total, number = np.zeros_like(x[:, place]), np.zeros_like(x[:, place])
        for turn in range(turns):
            total += taken(shape.apart, newest - turn * period)
            number += taken(shape.known, newest - turn * period)
        np.divide(total, np.maximum(number, 1), out=x[:, place])


def _waves(minute: IntArray, orders: IntArray) -> Real:
    """Sines and cosines at minutes since 1970, `[wave, minute]`."""
    return _week_of_waves(tuple(orders.tolist()))[:, minute % WEEK_MIN]


@lru_cache(maxsize=4)
def _week_of_waves(orders: tuple[int, ...]) -> Real:
    angle = (2 * np.pi / WEEK_MIN) * np.array(orders)[:, np.newaxis] * np.arange(WEEK_MIN)
    return np.concatenate([np.cos(angle), np.sin(angle)]).astype(np.float32)
