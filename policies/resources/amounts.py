"""Whole amounts of a resource, thousandths of a core or bytes, as Kubernetes' vertical autoscaler reckons with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

MAX_AMOUNT = 10**14


def amounts_of(values: FloatArray) -> IntArray:
    """Cut to whole numbers from 0 to 1e14, `[any]`: 0.125 is 0, -50.5 is 0, infinity is 1e14."""
    return np.clip(np.nan_to_num(values, nan=0.0, posinf=MAX_AMOUNT), 0, MAX_AMOUNT).astype(np.int64)


def milli_of(cores: FloatArray) -> IntArray:
    """Thousandths of a core: 0.069946 is 69."""
    return amounts_of(np.asarray(cores) * 1000.0)


def scaled(amounts: IntArray, factor: FloatArray | float) -> IntArray:
    """Amounts times a factor, cut to whole numbers: 4 x 2.124 is 8."""
    with np.errstate(invalid="ignore"):  # none x infinity
        return amounts_of(np.asarray(amounts, np.float64) * factor)


def rounded_up(amounts: IntArray, multiple: int) -> IntArray:
    """The next multiples: 100 by sevens is 105. Raises ValueError for a multiple that is not above 0."""
    if multiple <= 0:
        raise ValueError(f"an amount is rounded up to multiples above 0, not of {multiple}")
    return -(-np.asarray(amounts, np.int64) // multiple) * multiple
