"""Foresail's own sizing of memory: the peak, and a margin from the container's own largest rises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray, floats
from policies.resources.model import HOUR_S, Recommendation

RING_H = 168
MARGIN, RISES = 0.042, 1.25  # of the peak, and of the largest rise within an hour above the three before
YOUNG_H, YOUNG_MOST = 24.0, 2.0  # both are larger before so many hours were seen, and at most so many times
BEFORE_H = 3
BUMP, FADE_PER_HOUR = 1.2, 0.03  # times what a killed container had; how the floor that is left of it falls
DEAD = 0.03


@dataclass(slots=True)
class MemoryState:
    """Hourly peaks in bytes, `[container, hour]`, NaN where nothing was seen. Written to by the functions below.

    A gap is four hours at most, so that a time without data forgets next to nothing and a rise is not seen across it.
    """

    hours: FloatArray
    kept: IntArray  # hours that were kept so far, [container]
    hour: IntArray  # of the last sample, since the first, [container]; -1 before it
    first_s: FloatArray
    floor: FloatArray  # what a kill leaves, [container]

    @classmethod
    def start(cls, containers: int) -> MemoryState:
        """Nothing was seen of any container."""
        return cls(
            np.full((containers, RING_H), np.nan),
            np.zeros(containers, np.int64),
            np.full(containers, -1, np.int64),
            floats(containers, np.nan),
            floats(containers),
        )


def observe(state: MemoryState, at_s: FloatArray, usage: FloatArray) -> None:
    """Note usage in bytes, `[container]`; NaN is none."""
    rows = np.flatnonzero(usage >= 0)
    state.first_s[rows] = np.where(np.isnan(state.first_s[rows]), at_s[rows], state.first_s[rows])
    hour = np.maximum(np.floor((at_s[rows] - state.first_s[rows]) / HOUR_S).astype(np.int64), state.hour[rows])
    passed = np.minimum(hour - state.hour[rows], BEFORE_H + 1)
    for more in range(1, BEFORE_H + 2):
        on = rows[passed >= more]
        state.kept[on] += 1
        state.hours[on, state.kept[on] % RING_H] = np.nan
        state.floor[on] *= 1.0 - FADE_PER_HOUR
    state.hour[rows] = hour
    here = state.kept[rows] % RING_H
    state.hours[rows, here] = np.fmax(state.hours[rows, here], usage[rows])


def killed(state: MemoryState, rows: IntArray, request: FloatArray) -> None:
    """Note that containers were killed at these requests, `[row]`: the floor remembers the peak and the request."""
    peak = np.nan_to_num(np.fmax.reduce(state.hours[rows], axis=1))
    state.floor[rows] = np.maximum(BUMP * np.maximum(peak, request), state.floor[rows])


def recommended(state: MemoryState) -> Recommendation:
    """The peak and its margin, no less than what a kill left; NaN where nothing was seen.

    The fewer hours were seen, the likelier the next has a new peak: of n + 1 hours that are alike, the last has the
    largest once in n + 1 times. The margin goes with the square root of that, until a day was seen.
    A peak is kept for a week of data: memory that is never given back, as of a JVM or a model server, stays needed.
    """
    ordered = np.take_along_axis(state.hours, (state.kept[:, None] + 1 + np.arange(RING_H)) % RING_H, axis=1)
    peak = np.fmax.reduce(ordered, axis=1)
    before = np.full_like(ordered, np.nan)
    for lag in range(1, BEFORE_H + 1):
        before[:, lag:] = np.fmax(before[:, lag:], ordered[:, :-lag])
    young = np.clip(np.sqrt(YOUNG_H / (state.kept + 1.0)), 1.0, YOUNG_MOST)
    rise = RISES * young * np.nan_to_num(np.fmax(np.fmax.reduce(ordered - before, axis=1), 0.0))
    target = np.where(np.isnan(peak), np.nan, np.fmax(peak * (1.0 + MARGIN * young) + rise, state.floor))
    return Recommendation(np.minimum(peak, target), target, target + rise)


def decided(advice: Recommendation, request: FloatArray) -> FloatArray:
    """The request at a decision, `[container]`: raised to the target, lowered to it where it is 3 % less or more."""
    stays = np.isnan(advice.target) | ((advice.target <= request) & (advice.target > request * (1.0 - DEAD)))
    return np.where(stays, request, advice.target)
