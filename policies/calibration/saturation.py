"""What a replica serves at most: throughput while requests keep waiting or are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.calibration.estimates import Interval, mean_interval

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.calibration.history import History

_LEAST_WINDOWS = 10


def saturated(history: History) -> BoolArray:
    """Windows within a run of pressed ones: the first and the last of a run were pressed in part only, `[window]`."""
    pressed = history.pressed & np.isfinite(history.served_per_s)
    inside = np.zeros(pressed.size, np.bool_)
    if pressed.size > 2:  # noqa: PLR2004 - a window with two neighbours
        near = np.abs(np.diff(history.at_s)) <= 1.5 * history.step_s
        near &= history.group[1:] == history.group[:-1]
        inside[1:-1] = (pressed[:-2] & near[:-1]) & pressed[1:-1] & (pressed[2:] & near[1:])
    return inside


def most_served(history: History, block: IntArray) -> tuple[Interval, int]:
    """Throughput per replica in saturated windows, and how many there are; no interval with too few of them."""
    rows = saturated(history)
    if rows.any() and np.isfinite(waiting := history.waiting[rows]).all():
        rows[rows] = waiting >= np.median(waiting)  # where queues were short they were empty at times
    served = history.served_per_s[rows] / history.replicas[rows]
    if served.size < _LEAST_WINDOWS:
        return Interval(None, None, None), int(rows.sum())
    return mean_interval(served, block[rows]), int(rows.sum())
