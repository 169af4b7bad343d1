"""One workload's past on equal steps: load, replicas where they are known, and what serves it. Gaps stay gaps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans
from simulations.protocol import grid
from simulations.serving import DAY_S

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray
    from simulations.audit.autoscaler import Autoscaler, Finding
    from simulations.load_file import Load
    from simulations.serving import Serving

_SHORT_DAYS = 7.5
_WARMUP_DAYS, _SHORT_WARMUP_DAYS = 3, 1
_SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Track:
    """A load on equal steps: wall time, demand (bridged where it is not `known`), `[step]`."""

    at_s: FloatArray
    demand: FloatArray
    known: BoolArray

    @property
    def warmup_steps(self) -> int:
        """Steps that only warm policies up: 3 days, or 1 day of a history of a week or less."""
        span_s = float(self.at_s[-1] - self.at_s[0])
        days = _WARMUP_DAYS if span_s > _SHORT_DAYS * DAY_S else _SHORT_WARMUP_DAYS
        return int(days * DAY_S / float(self.at_s[1] - self.at_s[0]))


@dataclass(frozen=True, slots=True)
class Seen:
    """Replicas as they were, `[step]`, NaN where nobody knows: all of them (paid), and those that were ready."""

    paid: FloatArray
    ready: FloatArray


@dataclass(frozen=True, slots=True)
class Measure:
    """How the load is measured: PromQL for a policy, its unit, and where the incumbent aims, in shares of capacity."""

    query: str
    unit: str
    target_ratio: float
    from_request: bool = False  # the query tells use by pod, and the pods' request is the capacity


@dataclass(frozen=True, slots=True)
class Case:
    """One workload to audit. `seen` is None for a load without replicas; the incumbent is then replayed."""

    autoscaler: Autoscaler
    track: Track
    serving: Serving
    measure: Measure
    seen: Seen | None = None
    replica_hour_price: float | None = None
    findings: tuple[Finding, ...] = field(default=())

    @property
    def name(self) -> str:
        """Namespace and name of the workload."""
        return self.autoscaler.uid


def track_of_load(load: Load, *, step_s: float) -> Track:
    """Put the samples of a load on steps, as a backtest does. A step within a gap of the samples is not known.

    Raises ProtocolError with fewer than two measured samples.
    """
    steps = grid(load, step_s=step_s)
    return Track(steps.at_s, steps.demand, steps.known)


def track_of_points(at_s: FloatArray, value: FloatArray, *, step_s: float) -> Track | None:
    """Put points `[point]`, NaN where missing, on steps, each held until the next; None with fewer than two known.

    What is before the first known point is cut off. Gaps are bridged with the value before them, for replay alone:
    they are not known.
    """
    held = np.flatnonzero(np.isfinite(value))
    if held.size < 2:  # noqa: PLR2004 - a span needs two ends
        return None
    at_s, value = at_s[held[0] :], value[held[0] :]
    known = np.isfinite(value)
    newest = np.maximum.accumulate(np.where(known, np.arange(value.size), 0))
    finer = round(float(at_s[1] - at_s[0]) / step_s)
    steps_s = at_s[0] + step_s * np.arange(value.size * finer)
    return Track(steps_s, np.repeat(np.maximum(0.0, value[newest]), finer), np.repeat(known, finer))


def on_track(track: Track, at_s: FloatArray, value: FloatArray) -> FloatArray:
    """Points `[point]` on equal times as they stand at each step of a track, NaN where missing or outside."""
    if at_s.size < 2:  # noqa: PLR2004 - a distance needs two times
        return np.full(track.at_s.size, np.nan)
    index = np.floor((track.at_s - at_s[0]) / float(at_s[1] - at_s[0]) + _SLACK).astype(np.int64)
    inside = (index >= 0) & (index < at_s.size)
    return np.where(inside, value[np.clip(index, 0, at_s.size - 1)], np.nan)


def scored_steps(case: Case) -> BoolArray:
    """Steps after the warm-up on which the load, and where replicas were seen they too, are known, `[step]`."""
    track = case.track
    late_enough = booleans(track.at_s.size)
    late_enough[track.warmup_steps :] = True
    known = track.known & late_enough
    if case.seen is not None:
        known &= np.isfinite(case.seen.paid) & np.isfinite(case.seen.ready)
    return known
