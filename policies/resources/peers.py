"""KRR's simple strategy, and the plain peak, as contenders.

Source: robusta-dev/krr, strategy `simple`: of 14 days, the 95th percentile of CPU; the largest memory and 15 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats, integers
from policies.resources.model import DAY_S, HOUR_S, Containers, Present, Recommendation, Resource, amount_text, followed

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

HISTORY_S = 14 * DAY_S
LEAST_SPAN_S = 3 * HOUR_S  # and 100 samples, which at KRR's own step of 75 s are there sooner
CPU_PERCENTILE, MEMORY_MARGIN = 95.0, 0.15
LEAST = {"cpu": 0.010, "memory": 100e6}
_ROOM = 1024  # columns at first


@dataclass(slots=True)
class Past:
    """The samples of the last 14 days, `[container, place]`, the oldest overwritten. Written to by its method."""

    resource: Resource
    at_s: FloatArray
    usage: FloatArray
    most: int  # places that 14 days take
    noted: int = 0

    def note(self, at_s: FloatArray, usage: FloatArray) -> None:
        """Take a sample of each container, NaN where there is none."""
        room = self.usage.shape[1]
        if self.noted == room < self.most:
            wider = ((0, 0), (0, min(room, self.most - room)))
            self.at_s, self.usage = (np.pad(each, wider, constant_values=np.nan) for each in (self.at_s, self.usage))
        place = self.noted % self.usage.shape[1]
        self.at_s[:, place], self.usage[:, place] = at_s, usage
        self.noted += 1

    def recent(self, at_s: FloatArray) -> FloatArray:
        """Usage of the 14 days before a time, `[container, sample]`; NaN elsewhere."""
        return np.where(self.at_s > (at_s - HISTORY_S)[:, None], self.usage, np.nan)


@dataclass(frozen=True, slots=True)
class Krr:
    """A percentile of CPU, or the largest memory and a margin, of 14 days; nothing before 3 hours."""

    name: str = "krr"

    def start(self, containers: Containers) -> Past:
        """See Method."""
        count = containers.step_s.size
        most = int(HISTORY_S / containers.step_s.min(initial=HISTORY_S)) + 1
        at_s = np.full((count, min(_ROOM, most)), np.nan)
        return Past(containers.resource, at_s, at_s.copy(), most)

    def observe(self, state: Past, at_s: FloatArray, usage: FloatArray) -> Past:
        """See Method."""
        state.note(at_s, usage)
        return state

    def killed(self, state: Past, rows: IntArray, at_s: FloatArray, request: FloatArray) -> Past:
        """Kills are no part of the strategy."""
        del rows, at_s, request
        return state

    def recommend(self, state: Past, at_s: FloatArray) -> Recommendation:
        """See Method: bounds are the target itself, for KRR has none."""
        recent = state.recent(at_s)
        seen = np.isfinite(recent)
        enough = _span_s(state.at_s, seen) >= LEAST_SPAN_S
        target = floats(at_s.size, np.nan)
        if state.resource == "cpu":
            target[enough] = _percentile(recent[enough], seen[enough])
        else:
            target[enough] = np.nanmax(recent[enough], axis=1, initial=0.0) * (1.0 + MEMORY_MARGIN)
        target = np.maximum(target, LEAST[state.resource])
        return Recommendation(target, target, target)

    def decided(self, state: Past, at_s: FloatArray, advice: Recommendation, present: Present) -> FloatArray:
        """See Method."""
        del state, at_s
        return followed(advice.target, present.request)

    def urgent(self, state: Past, at_s: FloatArray, present: Present) -> FloatArray:
        """Nothing is urgent."""
        del state, at_s
        return present.request

    def why(self, state: Past, row: int) -> str:
        """See Method."""
        last_s = np.fmax.reduce(state.at_s[row], keepdims=True)
        recent = state.recent(np.broadcast_to(last_s, state.at_s.shape[:1]))[row]
        if state.resource == "cpu":
            return f"in {np.isfinite(recent).sum()} samples of 14 days, 95 % of use is at most this"
        return f"the most in 14 days is {amount_text(float(np.fmax.reduce(recent)), 'memory')}, and 15 % more"


@dataclass(frozen=True, slots=True)
class StaticPeak:
    """The largest use before the first request, for ever."""

    name: str = "static"

    def start(self, containers: Containers) -> FloatArray:
        """See Method: the peak, `[container]`."""
        return floats(containers.step_s.size, np.nan)

    def observe(self, state: FloatArray, at_s: FloatArray, usage: FloatArray) -> FloatArray:
        """See Method."""
        del at_s
        return np.fmax(state, usage)

    def killed(self, state: FloatArray, rows: IntArray, at_s: FloatArray, request: FloatArray) -> FloatArray:
        """Kills change nothing."""
        del rows, at_s, request
        return state

    def recommend(self, state: FloatArray, at_s: FloatArray) -> Recommendation:
        """See Method."""
        del at_s
        return Recommendation(state, state, state)

    def decided(self, state: FloatArray, at_s: FloatArray, advice: Recommendation, present: Present) -> FloatArray:
        """The first request stands."""
        del state, at_s
        return np.where(np.isnan(present.request), advice.target, present.request)

    def urgent(self, state: FloatArray, at_s: FloatArray, present: Present) -> FloatArray:
        """Nothing is urgent."""
        del state, at_s
        return present.request

    def why(self, state: FloatArray, row: int) -> str:
        """See Method."""
        del state, row
        return "the most that was ever used"


def _span_s(at_s: FloatArray, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FloatArray:
    """From the first of the samples to the last, `[container]`; below 0 where there are none."""
    last_s = np.where(seen, at_s, -np.inf).max(axis=1, initial=-np.inf)
    return np.asarray(last_s - np.where(seen, at_s, np.inf).min(axis=1, initial=np.inf), np.float64)


def _percentile(usage: FloatArray, seen: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FloatArray:
    """The percentile of each row's samples, `[row]`, which sorts far quicker than np.nanpercentile."""
    ordered = np.sort(usage, axis=1)  # NaN come last
    rank = (seen.sum(axis=1) - 1) * (CPU_PERCENTILE / 100.0)
    low = rank.astype(np.int64)
    rows = np.arange(low.size, dtype=np.int64)
    high = np.minimum(low + 1, integers(low.size) + seen.sum(axis=1) - 1)
    return np.asarray(ordered[rows, low] + (rank - low) * (ordered[rows, high] - ordered[rows, low]), np.float64)
