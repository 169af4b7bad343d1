"""Money in whole numbers: prices in millionths of the currency an hour, amounts in the ticks that they add up to.

A tick is a price of one millionth an hour, paid for one second: a price times node-seconds is ticks, without rounding,
and 3,600,000,000 ticks are one unit of the currency. int64 holds 2.5 billion units.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

MICROS: Final = 1_000_000  # in one unit of the currency
HOUR_S: Final = 3600
HOURS_A_MONTH: Final = 730.0  # 365 days of 24 hours, by 12
TICKS: Final = MICROS * HOUR_S  # in one unit of the currency


def micros(price: float) -> int:
    """A price in millionths, to the nearest: 0.0416 is 41,600. Raises ValueError: below 0, or no finite number."""
    if not math.isfinite(price) or price < 0:
        raise ValueError(f"a price must be a number from 0 on, not {price:g}")
    return round(price * MICROS)


def amount(ticks: int) -> float:
    """Ticks in units of the currency."""
    return ticks / TICKS


def amounts(ticks: IntArray) -> FloatArray:
    """The same of an array, of whatever shape."""
    return np.asarray(ticks / TICKS, np.float64)


def cents(ticks: int) -> int:
    """Ticks in hundredths of the currency, half a hundredth rounded up; exact. 12,600,000,000 ticks are 350."""
    return (2 * ticks * 100 + TICKS) // (2 * TICKS)
