"""What a model sees at an origin for a horizon: differences of levels, seasons and habits, and the time it speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.shape import DAY_MIN, HOURS, NEAR_MIN, WEEK_MIN, lag_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from policies.arrays import IntArray
    from policies.forecast.shape import Real, Shape

_DAY_ORDERS = np.array([7, 14, 21, 28])  # per week
_WEEK_ORDERS = np.array([1, 2, 3])
_HOUR_ORDERS = np.array([168, 336, 504, 672, 1008, 2016])  # per week: an hour and its parts
_LOCAL, _SEASON, _HABIT = 11, 9, 2
DIFFERENCES = slice(1, 1 + _LOCAL + _SEASON + _HABIT)  # features that are in z as the change is
MEAN_FEATURES = 1 + _LOCAL + _SEASON + _HABIT + 2 * (_DAY_ORDERS.size + _WEEK_ORDERS.size + _HOUR_ORDERS.size)
SCALE_FEATURES = 7 + 4 + 12


def mean_features(shape: Shape, at: IntArray, ahead_min: int) -> Real:
    """Features `[row, origin, feature]` at columns `at` of the window, of the change from `last` to `ahead_min` on."""
    x = np.empty((shape.last.shape[0], at.size, MEAN_FEATURES), np.float32)
    x[:, :, 0] = 1
    _local(shape, at, x[:, :, 1 : 1 + _LOCAL])
    _season(shape, at, ahead_min, x[:, :, 1 + _LOCAL : 1 + _LOCAL + _SEASON])
    _habit(shape, at, ahead_min, x[:, :, 1 + _LOCAL + _SEASON : 1 + _LOCAL + _SEASON + _HABIT])
    x[:, :, 1 + _LOCAL + _SEASON + _HABIT :] = _waves(
        shape.start_min + at + ahead_min, np.concatenate([_DAY_ORDERS, _WEEK_ORDERS, _HOUR_ORDERS])
    )
    return x


def scale_features(shape: Shape, at: IntArray, ahead_min: int) -> Real:
    """Features `[row, origin, feature]` of how far such a forecast may miss."""
    x = np.empty((shape.last.shape[0], at.size, SCALE_FEATURES), np.float32)
    x[:, :, 0] = 1
    for place, column in enumerate(shape.restless, start=1):
        x[:, :, place] = column[:, at]
    x[:, :, 4] = _back(shape.restless[1], at + ahead_min - lag_of(ahead_min, DAY_MIN))
    x[:, :, 5] = shape.means[2][:, at]
    x[:, :, 6] = np.abs(shape.last[:, at] - shape.means[2][:, at])
    x[:, :, 7:] = _waves(shape.start_min + at + ahead_min, np.concatenate([_DAY_ORDERS[:2], _HOUR_ORDERS]))
    return x


def seasonal_value(shape: Shape, at: IntArray, ahead_min: int, period_min: int) -> tuple[Real, NDArray[np.bool_]]:
    """What was measured whole periods before `at + ahead_min`, `[row, origin]`, and whether anything was."""
    then = at + ahead_min - lag_of(ahead_min, period_min)
    return _back(shape.near, then), np.where(then >= 0, shape.near_known[:, np.maximum(then, 0)], False)


def _back(column: Real, then: IntArray) -> Real:
    return np.where(then >= 0, column[:, np.maximum(then, 0)], np.float32(0))


def _local(shape: Shape, at: IntArray, x: Real) -> None:
    levels = (shape.last, *shape.means)
    for place, (shorter, longer) in enumerate(zip(levels[:-1], levels[1:], strict=True)):
        x[:, :, place] = shorter[:, at] - longer[:, at]
    x[:, :, 5] = levels[-1][:, at]
    for place, (level, since) in enumerate(((0, 1), (0, 5), (1, 15), (3, 60), (5, DAY_MIN)), start=6):
        before = at - since
        x[:, :, place] = np.where(before >= 0, levels[level][:, at] - levels[level][:, np.maximum(before, 0)], 0)


def _season(shape: Shape, at: IntArray, ahead_min: int, x: Real) -> None:
    """For a day, two days and a week ago: the change that followed, the level then, and the change of the day's mean."""
    last = shape.last[:, at]
    places = ((DAY_MIN, 0), (DAY_MIN, DAY_MIN), (WEEK_MIN, 0))
    for place, (period, more) in enumerate(places):
        now_at, then_at = at - period - more, at + ahead_min - lag_of(ahead_min, period) - more
        now, then = _back(shape.near, now_at), _back(shape.near, then_at)
        now_known = np.where(now_at >= 0, shape.near_known[:, np.maximum(now_at, 0)], False)
        then_known = np.where(then_at >= 0, shape.near_known[:, np.maximum(then_at, 0)], False)
        x[:, :, 3 * place] = np.where(now_known & then_known, then - now, 0)
        x[:, :, 3 * place + 1] = np.where(now_known, now - last, 0)
        x[:, :, 3 * place + 2] = np.where(now_at >= 0, shape.means[4][:, at] - shape.means[4][:, np.maximum(now_at, 0)], 0)


def _habit(shape: Shape, at: IntArray, ahead_min: int, x: Real) -> None:
    """How the very minute differed from those around it, in past hours and on past days."""
    for place, period in enumerate((60, DAY_MIN)):
        lag = lag_of(ahead_min, period)
        total = np.zeros(x.shape[:2], np.float32)
        number = np.zeros(x.shape[:2], np.float32)
        for turn in range(HOURS):
            then = at + ahead_min - lag - turn * period
            inside = np.maximum(then, 0)
            there = (then >= 0) & shape.known[:, inside]
            total += np.where(there, shape.last[:, inside] - shape.near[:, inside], 0)
            number += there
        x[:, :, place] = total / np.maximum(number, 1)


def _waves(minute: IntArray, orders: IntArray) -> Real:
    """Sines and cosines at minutes since 1970, `[minute, wave]`."""
    angle = (2 * np.pi / WEEK_MIN) * (minute % WEEK_MIN)[:, np.newaxis] * orders
    return np.concatenate([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
