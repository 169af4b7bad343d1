"""Array types and the few constructors and segment operations that the core shares.

Zeros have a way of their own: a tick of one lane makes dozens of small arrays, and np.full takes five times as long.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
SmallArray = NDArray[np.int8]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

INT64_MAX = 2**63 - 1
_SUMS_BELOW = 9.2e18  # a sum in floats below this has not overflown in int64


def integers(count: int, value: int = 0) -> IntArray:
    """`count` equal int64 values."""
    return np.full(count, value, np.int64) if value else np.zeros(count, np.int64)


def small(count: int, value: int = 0) -> SmallArray:
    """`count` equal codes."""
    return np.full(count, value, np.int8) if value else np.zeros(count, np.int8)


def floats(count: int, value: float = 0.0) -> FloatArray:
    """`count` equal floats."""
    return np.full(count, value, np.float64) if value else np.zeros(count, np.float64)


def booleans(count: int, value: bool = False) -> BoolArray:  # noqa: FBT001, FBT002 - a fill value, as in np.full
    """`count` equal truth values."""
    return np.full(count, value, np.bool_) if value else np.zeros(count, np.bool_)


def indices(mask: BoolArray) -> IntArray:
    """Where `mask` is true; `np.flatnonzero` takes four times as long on a fleet of one lane."""
    return mask.nonzero()[0]


def any_by(group: IntArray, rows: BoolArray, count: int) -> BoolArray:
    """Whether any row of each group is true, `[group]`."""
    found = booleans(count)
    found[group[rows]] = True
    return found


def count_by(group: IntArray, rows: BoolArray, count: int) -> IntArray:
    """How many rows of each group are true, `[group]`."""
    return np.bincount(group[rows], minlength=count)[:count]


def max_by(group: IntArray, values: IntArray, count: int, *, empty: int) -> IntArray:
    """The largest value of each group, `[group]`; `empty` for a group without rows."""
    largest = integers(count, empty)
    np.maximum.at(largest, group, values)
    return largest


def sum_by(group: IntArray, values: IntArray, count: int) -> IntArray:
    """The exact int64 sum of each group of values from 0 on, `[group]`; the largest int64 where it would overflow."""
    total = integers(count)
    np.add.at(total, group, values)
    about = np.bincount(group, weights=values, minlength=count)[:count]
    return np.where(about < _SUMS_BELOW, total, INT64_MAX)
