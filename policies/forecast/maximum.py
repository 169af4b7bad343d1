"""When a workload will need more than it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

LEVELS = (0.5, 0.9)
LOW = 0.1  # where the band begins that people are shown; with it and 0.9, four times in five the load is within
LEADS_MIN = (5, 15, 30, *range(60, 24 * 60, 60), *range(24 * 60, 7 * 24 * 60 + 1, 180))


def first_above(value: FloatArray, leads_min: IntArray, room: FloatArray | IntArray) -> FloatArray:
    """The first of `leads_min` at which `value` `[row, lead, level]` exceeds `room` `[row, lead]`, `[row, level]`.

    At the median more likely than not, at 0.9 with a tenth's chance at that minute, so the latter comes first.
    Infinite where none does, NaN where no lead has a value.
    """
    above = value > room[:, :, np.newaxis]
    first = np.where(above.any(axis=1), leads_min[np.argmax(above, axis=1)], np.inf)
    return np.where(np.isnan(value).all(axis=1), np.nan, first)
