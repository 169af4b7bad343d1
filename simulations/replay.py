"""Replay: the decision core that the daemon runs, driven over a load on virtual time.

Lanes are scenarios on the same steps: loads, start-up times, or both. They share every call of `decide`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers, small
from policies.engine import decide
from policies.fleet import fleet_of
from policies.hpa.columns import steadied
from policies.model import UNKNOWN, Applied, Hold, Limits, Observation, Pods, PodSamples, Readings, Starts, Status, Why
from policies.spec import WorkloadPolicy
from policies.state import EngineState
from simulations.contenders import TOLERANCE_RATIO, WINDOW_S, ContenderError, Daemon, Hpa, parse_contender
from simulations.saturation import Saturation, Served, pods_of
from simulations.scenario import Pace, ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.model import Fleet
    from simulations.serving import Serving

REPLICA_UNITS = 1e6  # a load is scaled so that one replica serves this much, far above the milli-unit of the core
LATE_RATIO = 0.01
STARTS_SEEN = 32  # start-ups that a lane has seen when a replay begins
_MILLI = 1000.0
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class ReplayPolicy:
    """Who decides: the Kubernetes rule alone at a target, or the lead-time layer beside it, as the daemon does."""

    text: str
    target_ratio: float | None  # share of a replica's capacity; None = the policy document's default
    forecast: bool  # the lead-time layer decides, once it has evidence
    tolerance_ratio: float = TOLERANCE_RATIO
    window_s: float = WINDOW_S  # stabilisation of falls
    late_ratio: float = LATE_RATIO  # share of requests that may be late: the objective of the lead-time layer

    @classmethod
    def parse(cls, text: str) -> ReplayPolicy:
        """Read ``hpa:0.70``, ``hpa:0.70,tolerance=0.05,window=60s`` or ``predictive``. Raises ReplayError."""
        try:
            contender = parse_contender(text)
        except ContenderError as error:
            if text.startswith("hpa:") and "," in text:
                raise ReplayError(str(error)) from error
            contender = None
        match contender:
            case Hpa():
                return cls.of(contender)
            case Daemon():
                return cls(text, None, forecast=True)
            case _:
                raise ReplayError(
                    f"policy {text!r} is neither predictive nor hpa:TARGET with a share of capacity above 0 and up "
                    "to 1, as in hpa:0.70"
                )

    @classmethod
    def of(cls, hpa: Hpa) -> ReplayPolicy:
        """The Kubernetes rule as it was named."""
        return cls(hpa.text, hpa.target_ratio, False, hpa.tolerance_ratio, hpa.window_s)  # noqa: FBT003 - no forecast


@dataclass(frozen=True, slots=True)
class Lane:
    """One scenario: a load in its own unit, `[step]`, and what serves it."""

    demand: FloatArray
    serving: Serving
    known: BoolArray | None = None  # where the load has data, `[step]`; None = everywhere
    saturation: Saturation | None = None  # a load that is seen as far as it is served


def replay(
    lanes: Sequence[Lane],
    policy: ReplayPolicy,
    pace: Pace,
    *,
    start_s: float = 0.0,
    on_step: Callable[[int], None] | None = None,
) -> IntArray:
    """The plan that the policy makes: replicas that stand at the end of each step, `[lane, step]`.

    A lane begins with the replicas that the first sample needs at the target, all of them ready; their start-ups have
    been seen. Where a load is not known, its reading is missing. `on_step` is told each step before it is decided.
    Where a lane has a saturation, only what the ready replicas serve of a load is seen, as are all lanes' pods. Raises
    ReplayError for lanes of different lengths or none.
    """
    steps = {lane.demand.size for lane in lanes}
    if len(steps) != 1 or steps == {0}:
        raise ReplayError("a replay needs at least one lane, and lanes of the same number of steps")
    cut = any(lane.saturation is not None for lane in lanes)
    drive = (_Cut if cut else _Drive)(lanes, policy, pace, start_s)
    for step in range(drive.plan.shape[1]):
        if on_step is not None:
            on_step(step)
        drive.step(step)
    return drive.plan


class _Drive:
    """The world around the core: what it sees at each decision, and what its decisions bring about."""

    def __init__(self, lanes: Sequence[Lane], policy: ReplayPolicy, pace: Pace, start_s: float) -> None:
        self._pace, self._start_s = pace, start_s
        self._fleet = fleet_for([lane.serving for lane in lanes], policy, pace)
        self._state = EngineState.fresh(self._fleet)
        units = np.array([value_milli(lane.demand, lane.serving) for lane in lanes])
        self._value_milli = units.T.copy()  # [step, lane]
        everywhere = np.ones(units.shape[1], np.bool_)
        known = [everywhere if lane.known is None else lane.known for lane in lanes]
        self._status = np.where(np.array(known).T, Status.FRESH, Status.MISSING).astype(np.int8)  # [step, lane]
        self._startup_s = np.array([lane.serving.startup_s for lane in lanes])
        self._startup_steps = np.array([lane.serving.startup_steps for lane in lanes])
        self.plan = np.zeros((len(lanes), units.shape[1]), np.int64)
        self._replicas = first_replicas(self._value_milli[0], self._fleet)
        self._applied = Applied.none()
        self._risen: dict[int, list[int]] = defaultdict(list)  # lanes whose rise is ready, by the step at which it is
        self._same = small(len(lanes), Hold.NONE), integers(len(lanes), 1), integers(len(lanes), UNKNOWN)

    def step(self, step: int) -> None:
        """Decide as often as a step has it, and keep what stands."""
        before = self._replicas
        sampled = max(0, step - self._pace.lag_steps)
        starts = self._starts(step)
        for sync in range(self._pace.syncs):
            since_s = step * self._pace.step_s + sync * self._pace.sync_s
            age_s = since_s - sampled * self._pace.step_s
            seen = self._seen(self._start_s + since_s, self._read(sampled, age_s))
            self._decide(replace(seen, starts=starts) if sync == 0 else seen)
        self.plan[:, step] = self._replicas
        for lane in np.flatnonzero(self._replicas > before).tolist():
            self._risen[step + max(1, int(self._startup_steps[lane]))].append(lane)

    def _read(self, step: int, age_s: float) -> Readings:
        """The load of a step; a value that is not there is 0 and MISSING, never a zero that was measured."""
        status, unknown = self._status[step], self._same[-1]
        missing = status == Status.MISSING
        why = np.where(missing, Why.NO_SERIES, Why.OK).astype(np.int8)
        value_milli = np.where(missing, 0, self._value_milli[step])
        return Readings(value_milli, np.where(missing, 0.0, age_s), status, why, unknown)

    def _seen(self, now_s: float, readings: Readings) -> Observation:
        free, one, _ = self._same
        return Observation(
            now_s=now_s,
            spec_replicas=self._replicas,
            status_replicas=self._replicas,
            pods_per_replica=one,
            hold=free,
            readings=readings,
            pods=_NO_PODS,
            samples=_NO_SAMPLES,
            starts=_NO_STARTS,
            applied=self._applied,
        )

    def _decide(self, seen: Observation) -> None:
        self._state, decision = decide(self._fleet, self._state, seen)
        target = decision.replicas.target
        changed = np.flatnonzero(target != self._replicas)
        if changed.size == 0:
            self._applied = _NOTHING_APPLIED
            return
        at_s = np.full(changed.size, seen.now_s)
        self._applied = Applied(changed, at_s, self._replicas[changed], target[changed])
        self._replicas = target

    def _starts(self, step: int) -> Starts:
        """Start-ups that finished since the last step; those under way are below the fixed time and teach nothing."""
        if step == 0:
            return self._finished(np.arange(self._replicas.size), np.maximum(self._replicas, STARTS_SEEN))
        due = sorted(set(self._risen.pop(step, ())))
        if not due:
            return _NO_STARTS
        return self._finished(np.array(due), np.array([self._became_ready(lane, step) for lane in due]))

    def _became_ready(self, lane: int, step: int) -> int:
        """Replicas that were asked for a start-up ago and have stood since."""
        rose = step - max(1, int(self._startup_steps[lane]))
        before = self.plan[lane, rose - 1] if rose else 0
        return max(0, int(self.plan[lane, rose:step].min() - before))

    def _finished(self, lane: IntArray, count: IntArray) -> Starts:
        rows = np.repeat(lane, count)
        return Starts(rows, self._startup_s[rows], np.ones(rows.size, np.bool_))


class _Cut(_Drive):
    """A world in which a load is seen as far as it was served."""

    def __init__(self, lanes: Sequence[Lane], policy: ReplayPolicy, pace: Pace, start_s: float) -> None:
        super().__init__(lanes, policy, pace, start_s)
        self._load = self._value_milli / (REPLICA_UNITS * _MILLI)  # [step, lane]
        self._served = Served([lane.saturation or Saturation() for lane in lanes])
        self._ready = self._replicas

    def step(self, step: int) -> None:
        if step == 0:  # what was served before the first decision
            self._see(0)
        super().step(step)
        if step:
            self._see(step)

    def _see(self, step: int) -> None:
        first = np.maximum(0, step - self._startup_steps)
        self._ready = np.array([self.plan[lane, begin : step + 1].min() for lane, begin in enumerate(first.tolist())])
        if step == 0:
            self._ready = self._replicas
        seen = self._served.step(self._load[step], self._ready)
        self._value_milli[step] = np.rint(seen * (REPLICA_UNITS * _MILLI)).astype(np.int64)

    def _seen(self, now_s: float, readings: Readings) -> Observation:
        pods = pods_of(np.minimum(self._ready, self._replicas), self._replicas)
        return replace(super()._seen(now_s, readings), pods=pods)


def fleet_for(serving: Sequence[Serving], policy: ReplayPolicy, pace: Pace) -> Fleet:
    """The fleet that policy documents with defaults make, at the policy's target. The fleet breaker is off."""
    documents = [_document(number, each, policy) for number, each in enumerate(serving)]
    fleet = fleet_of(documents, Limits(removal_ratio=1.0, tick_s=pace.sync_s))
    if policy.target_ratio is None:
        return fleet
    behavior = steadied(fleet.behavior, tolerance_ratio=policy.tolerance_ratio, window_s=policy.window_s)
    target_milli = round(policy.target_ratio * REPLICA_UNITS * _MILLI)
    tracks = replace(fleet.tracks, target_milli=integers(len(serving), target_milli))
    return replace(fleet, behavior=behavior, tracks=tracks)


def _document(number: int, serving: Serving, policy: ReplayPolicy) -> WorkloadPolicy:
    name = f"lane-{number:06d}"  # sorts as it counts
    demand = {"kind": "demand", "name": "load", "query": "load", "capacityPerReplica": REPLICA_UNITS}
    return WorkloadPolicy.model_validate(
        {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "WorkloadPolicy",
            "metadata": {"name": name, "namespace": "replay"},
            "spec": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
                "mode": "active",
                "replicas": {"min": serving.min_replicas, "max": serving.max_replicas},
                "signals": [demand],
                "objective": {"servingLimit": serving.serving_limit_ratio, "late": policy.late_ratio},
                "forecast": {"enabled": policy.forecast},
            },
        }
    )


def value_milli(demand: FloatArray, serving: Serving) -> IntArray:
    """A load as its reading has it, `[step]`."""
    return np.rint(demand / serving.capacity * (REPLICA_UNITS * _MILLI)).astype(np.int64)


def first_replicas(value_milli: IntArray, fleet: Fleet) -> IntArray:
    """Replicas that a load needs at the target, `[lane]`."""
    needed = np.ceil(value_milli / fleet.tracks.target_milli - _NOISE).astype(np.int64)
    return np.clip(needed, fleet.min_replicas, fleet.max_replicas)


_NO_PODS, _NO_SAMPLES, _NO_STARTS, _NOTHING_APPLIED = Pods.none(), PodSamples.none(), Starts.none(), Applied.none()
