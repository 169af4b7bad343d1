"""The shape of day and week as a sum of harmonics, ridge-fitted for many rows at once."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray

WEEK_MIN = 7 * 24 * 60

# Periods per week. A day's k-th harmonic is 7 k; 7 k - 1 and 7 k + 1 let its size change over the week, which tells
# weekdays from weekends without knowing the users' time zone.
_DAY = (7, 14, 21, 28, 35, 42)
_WEEK = (1, 2, 3, 6, 8, 13, 15)
ORDERS = np.array(_DAY + _WEEK)
FEATURES = 1 + 2 * ORDERS.size

_RIDGE = 1.0  # five minutes' worth of pull towards a flat line
_FILLS = 8  # of holes; with half of the cells missing, 0.4 % of the way to the final fit is left


class Pattern(IntEnum):
    """What a season may consist of."""

    FLAT = 0
    DAY = 1
    WEEK = 2


_USED = {Pattern.FLAT: 0, Pattern.DAY: len(_DAY), Pattern.WEEK: ORDERS.size}


def features_at(minute: IntArray) -> FloatArray:
    """The constant, cosines and sines at minutes since 1970, `[minute, feature]`."""
    phase = 2 * np.pi / WEEK_MIN * (minute % WEEK_MIN)
    angle = phase[:, np.newaxis] * ORDERS
    return np.concatenate([np.ones((minute.size, 1)), np.cos(angle), np.sin(angle)], axis=1)


def fit_season(features: FloatArray, value: FloatArray, known: BoolArray, pattern: Pattern) -> FloatArray:
    """Coefficients `[row, feature]` of `value` `[time, row]` at `features` `[time, feature]`.

    Every row has a known cell. Holes are filled with the row's mean, then again and again with what the fit
    before says there. That keeps one matrix for all rows and converges to the fit of the known cells alone.
    """
    filled = np.where(known, value, np.sum(value * known, axis=0) / np.sum(known, axis=0))
    coefficient = _ridge(features, filled, pattern)
    if known.all():
        return coefficient
    for _ in range(_FILLS):
        filled = np.where(known, value, features @ coefficient.T)
        coefficient = _ridge(features, filled, pattern)
    return coefficient


def _ridge(features: FloatArray, value: FloatArray, pattern: Pattern) -> FloatArray:
    # Loading scikit-learn takes seconds and 60 MB. Forecasts do without; only the process that fits pays.
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    coefficient = np.zeros((value.shape[1], FEATURES))
    used = np.arange(_USED[pattern])
    columns = np.concatenate([1 + used, 1 + ORDERS.size + used])
    if pattern is Pattern.FLAT:
        coefficient[:, 0] = value.mean(axis=0)
        return coefficient
    model = Ridge(alpha=_RIDGE, solver="cholesky").fit(features[:, columns], value)
    coefficient[:, 0] = model.intercept_
    coefficient[:, columns] = model.coef_
    return coefficient
