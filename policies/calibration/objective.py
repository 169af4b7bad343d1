"""A latency objective, and how many events of each window were later than it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.calibration.history import Kind

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from policies.calibration.history import Latencies

_TEXT = re.compile(r"(ttft|itl|latency)=(\d+(?:\.\d+)?)(ms|s)@p(\d{2}(?:\.\d+)?)", re.ASCII)
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class LatencyObjective:
    """A quantile of a latency, and what it may be."""

    kind: Kind
    at_most_s: float
    quantile: float

    @classmethod
    def parse(cls, text: str) -> LatencyObjective:
        """Parse `ttft=500ms@p95`. Raises ValueError."""
        found = _TEXT.fullmatch(text.strip())
        if found is None or float(found[2]) == 0 or float(found[4]) == 0:
            raise ValueError(
                f"must be a latency, a time and a percentile, such as ttft=500ms@p95, itl=40ms@p95 or latency=2s@p99,"
                f" not {text!r}"
            )
        scale = 1000.0 if found[3] == "ms" else 1.0
        return cls(Kind(found[1]), float(found[2]) / scale, float(found[4]) / 100)

    @property
    def allowed(self) -> float:
        """The share that may be later."""
        return 1.0 - self.quantile

    def __str__(self) -> str:
        """As it is parsed."""
        return f"{self.kind}={seconds_text(self.at_most_s)}@p{100 * self.quantile:g}"


def late_events(latencies: Latencies, at_most_s: float) -> tuple[FloatArray, bool]:
    """Events a second that are later, `[window]`, and whether a bucket ends at the objective.

    Between two bounds the count is interpolated, by the logarithm of the latency. Raises ValueError where the
    objective is above the last bound, as nothing is known there.
    """
    bounds_s = latencies.bounds_s
    place = int(np.searchsorted(bounds_s, at_most_s * (1 - _SAME)))
    if not math.isfinite(bounds_s[place]):
        above = f" above {seconds_text(float(bounds_s[-2]))}" if bounds_s.size > 1 else " but the infinite one"
        raise ValueError(
            f"the histogram of {latencies.kind} has no bucket{above}, so that later than"
            f" {seconds_text(at_most_s)} cannot be told; set the server's buckets"
        )
    upper = latencies.below_per_s[:, place]
    if bounds_s[place] <= at_most_s * (1 + _SAME):
        return latencies.per_s - upper, True
    lower = latencies.below_per_s[:, place - 1] if place else np.zeros(upper.size)
    low_s = bounds_s[place - 1] if place else bounds_s[place] / 10
    share = float(np.clip(np.log(at_most_s / low_s) / np.log(bounds_s[place] / low_s), 0, 1))
    return latencies.per_s - (lower + share * (upper - lower)), False


def quantile_s(latencies: Latencies, rows: BoolArray, quantile: float) -> float:
    """A quantile of all events of some windows, interpolated in its bucket; infinite in the last one."""
    below = np.nansum(latencies.below_per_s[rows], axis=0)
    wanted = quantile * below[-1]
    place = int(np.searchsorted(below, wanted))
    low_s = float(latencies.bounds_s[place - 1]) if place else 0.0
    before = float(below[place - 1]) if place else 0.0
    high_s = float(latencies.bounds_s[place])
    return float(low_s + (high_s - low_s) * (wanted - before) / max(float(below[place]) - before, 1e-300))


def seconds_text(time_s: float) -> str:
    """A time in the unit that reads best: 40 ms, 2.5 s."""
    return f"{time_s:.4g}s" if time_s >= 1 else f"{1000 * time_s:.4g}ms"
