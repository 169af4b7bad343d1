"""When a workload will need more than it may have: its maximum of replicas, or a quota."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.outlook import Asked, quantiles

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.events import Spans
    from policies.forecast.horizon import HorizonFit
    from policies.history import Window

LEVELS = (0.5, 0.9)
LEADS_MIN = (5, 15, 30, *range(60, 24 * 60, 60), *range(24 * 60, 7 * 24 * 60 + 1, 180))


def minutes_until_full(fit: HorizonFit, window: Window, room: FloatArray, events: Spans | None = None) -> FloatArray:
    """Minutes from the end of `window` until the load of each row exceeds `room`, `[row, level]` at LEVELS.

    `room` `[row]` is in the unit of the values: replicas times what each serves, or a quota. At 0.5 more likely than
    not, at 0.9 with a tenth's chance at that minute, so the latter comes first. Infinite where it does not within
    seven days, NaN where nothing is said of the row.
    """
    newest = np.array([window.value.shape[1] - 1])
    said = quantiles(fit, window, Asked(newest, LEADS_MIN, LEVELS), events)[:, 0]
    return first_above(said, np.array(LEADS_MIN), room)


def first_above(value: FloatArray, leads_min: IntArray, room: FloatArray) -> FloatArray:
    """The first of `leads_min` at which `value` `[row, lead, level]` exceeds `room` `[row]`, `[row, level]`.

    Infinite where none does, NaN where no lead has a value.
    """
    above = value > room[:, np.newaxis, np.newaxis]
    first = np.where(above.any(axis=1), leads_min[np.argmax(above, axis=1)], np.inf)
    return np.where(np.isnan(value).all(axis=1), np.nan, first)


def of_lanes(minutes: FloatArray, lane: IntArray, lanes: int) -> FloatArray:
    """The earliest of each lane's rows, `[lane, level]`; NaN where nothing is said of any."""
    earliest = np.full((lanes, minutes.shape[1]), np.nan)
    np.fmin.at(earliest, lane, minutes)
    return earliest
