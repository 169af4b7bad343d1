"""Foresail's own sizing of memory: the peak, and a margin from the container's own largest rises."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from policies.arrays import FloatArray, IntArray, floats
from policies.resources.model import HOUR_S, Recommendation

RING_H = 168
MARGIN, RISES = 0.06, 2.0  # of the peak, and of the largest rise within an hour above the three before
BEFORE_H = 3
BUMP, FADE_PER_HOUR = 1.2, 0.03  # times what a killed container had; how the floor that is left of it falls
DEAD = 0.03


@dataclass(slots=True)
class MemoryState:
    """Hourly peaks in bytes, `[container, hour]`, NaN where nothing was seen. Written to by the functions below."""

    hours: FloatArray
    hour: IntArray  # hours since the first sample, of the last one, [container]; -1 before it
    first_s: FloatArray
    floor: FloatArray  # what a kill leaves, and when, [container]
    floor_s: FloatArray

    @classmethod
    def start(cls, containers: int) -> MemoryState:
        """Nothing was seen of any container."""
        return cls(
            np.full((containers, RING_H), np.nan),
            np.full(containers, -1, np.int64),
            floats(containers, np.nan),
            floats(containers),
            floats(containers),
        )


def observe(state: MemoryState, at_s: FloatArray, usage: FloatArray) -> None:
    """Note usage in bytes, `[container]`; NaN is none."""
    rows = np.flatnonzero(usage >= 0)
    first_s = np.where(np.isnan(state.first_s[rows]), at_s[rows], state.first_s[rows])
    state.first_s[rows] = first_s
    hour = np.maximum(np.floor((at_s[rows] - first_s) / HOUR_S).astype(np.int64), state.hour[rows])
    for passed in range(1, int((hour - state.hour[rows]).max(initial=0)) + 1):
        older = state.hour[rows] + passed <= hour
        state.hours[rows[older], (state.hour[rows[older]] + passed) % RING_H] = np.nan
        if passed >= RING_H:
            break
    state.hour[rows] = hour
    state.hours[rows, hour % RING_H] = np.fmax(state.hours[rows, hour % RING_H], usage[rows])


def killed(state: MemoryState, rows: IntArray, at_s: FloatArray, request: FloatArray) -> None:
    """Note that containers were killed at these requests, `[row]`: the floor remembers the peak and the request."""
    peak = np.nan_to_num(np.fmax.reduce(state.hours[rows], axis=1))
    state.floor[rows] = np.maximum(BUMP * np.maximum(peak, request), _floor(state, at_s, rows))
    state.floor_s[rows] = at_s


def recommended(state: MemoryState, at_s: FloatArray) -> Recommendation:
    """The peak and its margin, no less than what a kill left; NaN where nothing was seen.

    A peak is kept for a week: memory that is never given back, as of a JVM or a model server, stays needed.
    """
    ordered = np.take_along_axis(state.hours, (state.hour[:, None] + 1 + np.arange(RING_H)) % RING_H, axis=1)
    peak = np.fmax.reduce(ordered, axis=1)
    before = np.full_like(ordered, np.nan)
    for lag in range(1, BEFORE_H + 1):
        before[:, lag:] = np.fmax(before[:, lag:], ordered[:, :-lag])
    rise = np.fmax(np.fmax.reduce(ordered - before, axis=1), 0.0)
    own = peak * (1.0 + MARGIN) + RISES * np.nan_to_num(rise)
    target = np.where(np.isnan(peak), np.nan, np.fmax(own, _floor(state, at_s, slice(None))))
    return Recommendation(
        np.where(np.isnan(peak), np.nan, np.fmin(peak, target)), target, target + RISES * np.nan_to_num(rise)
    )


def decided(advice: Recommendation, request: FloatArray) -> FloatArray:
    """The request at a decision, `[container]`: raised to the target, lowered to it where it is 3 % less or more."""
    stays = np.isnan(advice.target) | ((advice.target <= request) & (advice.target > request * (1.0 - DEAD)))
    return np.where(stays, request, advice.target)


def _floor(state: MemoryState, at_s: FloatArray, rows: IntArray | slice) -> FloatArray:
    hours = np.maximum(np.nan_to_num(at_s) - state.floor_s[rows], 0.0) / HOUR_S
    return np.asarray(state.floor[rows] * (1.0 - FADE_PER_HOUR) ** hours)
