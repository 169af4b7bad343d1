"""The recommender of Kubernetes' vertical autoscaler (1.7), for thousands of containers as arrays.

Source: kubernetes/autoscaler, vertical-pod-autoscaler/pkg/recommender.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, floats, integers
from policies.resources.amounts import MAX_AMOUNT
from policies.resources.estimators import AtLeast, Margin, Percentile, Seen, WhileYoung, confidence_of, pod_minimum
from policies.resources.histogram import CPU, MEMORY, Buckets, Histograms
from policies.resources.model import DAY_S, Recommendation, Resource
from policies.resources.peaks import NEVER_S, Peaks, applied

if TYPE_CHECKING:
    from policies.resources.estimators import Estimator

HALF_LIFE_S, INTERVALS = DAY_S, 8
CPU_WEIGHT = 0.1
POD_LEAST = {"cpu": 25.0, "memory": 250.0 * (1 << 20)}  # thousandths of a core; bytes
PER_UNIT = {"cpu": 1000.0, "memory": 1.0}
_MARGIN = 0.15
TARGET_SHARE = 0.9
LOWER, TARGET, UPPER = (Margin(Percentile(share), _MARGIN) for share in (0.5, TARGET_SHARE, 0.95))
_BUCKETS: dict[str, Buckets] = {"cpu": CPU, "memory": MEMORY}


@dataclass(slots=True)
class VpaState:
    """What the recommender remembers of one resource, `[container]`. Written to by the functions below."""

    resource: Resource
    histograms: Histograms
    peaks: Peaks
    first_s: FloatArray
    last_s: FloatArray
    samples: IntArray

    @classmethod
    def start(cls, containers: int, resource: Resource) -> VpaState:
        """Nothing was seen of any container."""
        never = floats(containers, NEVER_S)
        histograms = Histograms.empty(containers, _BUCKETS[resource], HALF_LIFE_S)
        return cls(resource, histograms, Peaks.none(containers), never, never.copy(), integers(containers))


def observe(state: VpaState, at_s: FloatArray | float, usage: FloatArray) -> BoolArray:
    """Note usage in cores or bytes at a time, `[container]`; NaN is none. Returns where it counts.

    A sample that is not later than the last one (memory: that is older), or below 0, does not count.
    """
    at_s = np.broadcast_to(np.asarray(at_s, np.float64), usage.shape)
    rows = np.flatnonzero(usage >= 0)
    if state.resource == "cpu":
        rows = rows[at_s[rows] > state.last_s[rows]]
        state.histograms.add(rows, usage[rows], CPU_WEIGHT, at_s[rows])
    else:
        change = state.peaks.sample(rows, at_s[rows], usage[rows].astype(np.int64))
        applied(state.histograms, rows, change)
        rows = rows[change.counts]
    state.first_s[rows] = np.where(np.isneginf(state.first_s[rows]), at_s[rows], state.first_s[rows])
    state.last_s[rows] = np.maximum(state.last_s[rows], at_s[rows])
    state.samples[rows] += 1
    counts = np.zeros(usage.shape, np.bool_)
    counts[rows] = True
    return counts


def killed(state: VpaState, rows: IntArray, at_s: FloatArray, requested_bytes: IntArray) -> BoolArray:
    """Note that these containers were killed for want of memory, `[row]`. Returns where it counts."""
    change = state.peaks.kill(rows, at_s, requested_bytes)
    applied(state.histograms, rows, change)
    return change.counts


def recommended(state: VpaState, containers_per_pod: IntArray | int = 1) -> Recommendation:
    """Bounds and target of each container; NaN where nothing was seen."""
    per_unit = PER_UNIT[state.resource]
    lifespan_s = np.where(state.samples > 0, state.last_s - np.where(state.samples > 0, state.first_s, 0.0), 0.0)
    seen = Seen(state.histograms, per_unit, confidence_of(lifespan_s, state.samples, DAY_S))
    least = pod_minimum(POD_LEAST[state.resource], np.broadcast_to(containers_per_pod, state.samples.shape))
    ways: tuple[Estimator, ...] = (WhileYoung(LOWER, 0.001, -2.0), TARGET, WhileYoung(UPPER, 1.0, 1.0))
    empty = state.histograms.is_empty()
    lower, target, upper = (
        np.where(empty, np.nan, np.minimum(AtLeast(way, least)(seen), MAX_AMOUNT) / per_unit) for way in ways
    )
    return Recommendation(lower, target, upper)


def expired(age_s: FloatArray, *, interval_s: float = DAY_S, intervals: int = INTERVALS) -> BoolArray:
    """Whether a history is dropped, `[container]`: nothing came for all its intervals, which are 8 days.

    `age_s` is that of the last sample, or of the history itself where there was none.
    """
    return np.asarray(age_s >= interval_s * intervals, np.bool_)
