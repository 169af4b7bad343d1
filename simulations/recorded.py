"""Loads that a daemon recorded, tick by tick, as scenarios: arrays in, one scenario a workload out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.protocol import Grid, warmup_of
from simulations.serving import DAY_S, Serving

if TYPE_CHECKING:
    from policies.arrays import FloatArray

_REACH_TICKS = 2  # a reading stands for so many usual distances between ticks
_WARMUP_RATIO = 0.25


@dataclass(frozen=True, slots=True)
class RecordedLoad:
    """What a daemon saw of one workload, `[tick]`, and what its policy says."""

    name: str
    at_s: FloatArray  # wall times, rising
    demand: FloatArray  # in replicas at the serving limit, NaN where no reading was fresh
    serving_limit_ratio: float
    replicas: tuple[int, int]  # smallest and largest number
    startup_s: float
    late_ratio: float  # share of requests that may be late
    past: int = 0  # so many of the first are from before the time that is asked for, to learn from

    def serving(self, *, step_s: float, startup_s: float | None = None, dwell_s: float = 0.0) -> Serving:
        """What serves it: one replica serves 1 at the serving limit. Zero replicas are not replayed: at least 1."""
        low, high = (max(1, bound) for bound in self.replicas)
        startup_s = self.startup_s if startup_s is None else startup_s
        limit = self.serving_limit_ratio
        return Serving(step_s, 1 / limit, limit, startup_s, low, high, dwell_s)

    def grid(self, step_s: float) -> Grid | None:
        """The load on steps that are multiples of `step_s` in wall time; None where no reading is fresh.

        A step takes the newest reading up to it. It is known when that is fresh and no older than a step or two usual
        ticks; else the last fresh reading bridges the gap, for scoring alone.
        """
        fresh = np.isfinite(self.demand)
        if not fresh.any():
            return None
        at_s, demand = self.at_s[fresh], self.demand[fresh]
        first_s = np.ceil(at_s[0] / step_s) * step_s
        steps_s = np.arange(first_s, max(first_s, float(self.at_s[-1])) + step_s / 2, step_s)
        apart_s = np.diff(self.at_s[self.past :])
        usual_s = float(np.median(apart_s)) if apart_s.size else step_s
        row = np.searchsorted(self.at_s, steps_s, side="right") - 1
        known = fresh[row] & (steps_s - self.at_s[row] <= max(step_s, _REACH_TICKS * usual_s))
        bridged = demand[np.searchsorted(at_s, steps_s, side="right") - 1]
        return Grid(steps_s, np.maximum(0.0, bridged), step_s, known)


def warmup_s(load: RecordedLoad, grid: Grid) -> float:
    """How much of a recorded load is not scored unless said otherwise: its past, and no less than of a load file.

    Of a file's warm-up, at most a quarter of the load.
    """
    length_s = float(grid.at_s[-1] - grid.at_s[0])
    past_s = float(load.at_s[load.past] - grid.at_s[0])
    return max(past_s, min(warmup_of(max(length_s, DAY_S)), _WARMUP_RATIO * length_s))
