"""Short ways to a policy, a fleet, an observation and a forecast, for tests of the decision core."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from policies.arrays import booleans, integers, small
from policies.budget import budget_from
from policies.engine import decide
from policies.fleet import fleet_of
from policies.forecast.nearby import STEP_S
from policies.lead_time import LeadTime, Learned
from policies.model import UNKNOWN, Applied, Limits, Observation, Pods, PodSamples, Readings, Starts, Status, Why
from policies.spec import WorkloadPolicy
from policies.state import EngineState
from policies.tournament import EVIDENCE_STEPS, HEARD_STEPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.budget import Budget
    from policies.model import Decision, Fleet

NOW_S = 1_700_006_400.0  # a Wednesday, 00:00 UTC
TICK_S = 15.0
FREE = Limits(removal_ratio=1.0)  # the fleet breaker is off

Document = dict[str, Any]


def demand(name: str = "load", capacity: object = 10) -> Document:
    """A demand signal; at the default serving limit of 0.8 the Kubernetes rule aims at 7 for a capacity of 10."""
    return {"kind": "demand", "name": name, "query": name, "capacityPerReplica": capacity}


def requested(name: str = "cpu", resource: str = "cpu") -> Document:
    """A demand signal whose capacity is the pods' request; the Kubernetes rule aims at 70 % of it."""
    return {"kind": "demand", "name": name, "query": name, "capacityFromRequest": {"resource": resource}}


def pressure(name: str = "queue", average: object = None, value: object = None, *, per_pod: bool = False) -> Document:
    """A pressure signal with a target per replica or in total."""
    target = {"averageValue": average} if value is None else {"value": value}
    return {"kind": "pressure", "name": name, "query": name, "target": target, "perPod": per_pod}


def late(name: str = "slow") -> Document:
    """A signal that measures the share of late requests."""
    return {"kind": "late", "name": name, "query": name}


def policy(name: str = "web", *signals: Document, low: int = 1, high: int = 100, **spec: object) -> WorkloadPolicy:
    """An active policy; `spec` adds or replaces fields, as in `mode="shadow"` or `behavior={...}`."""
    replicas = {"min": low, "max": high, "schedules": spec.pop("schedules", [])}
    document = {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "WorkloadPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "mode": "active",
            "replicas": replicas,
            "signals": list(signals) or [demand()],
            **spec,
        },
    }
    return WorkloadPolicy.model_validate(document, by_alias=True, by_name=False)


def budget(namespace: str | None = "shop", **caps: object) -> Budget:
    """A budget of a namespace, or of the fleet; `caps` are usdPerHour and gpus."""
    spec = {**({} if namespace is None else {"namespace": namespace}), **caps}
    document = {"apiVersion": "foresail.dev/v1alpha1", "kind": "Budget", "metadata": {"name": "b"}, "spec": spec}
    return budget_from(document, source="test")


def one(*signals: Document, limits: Limits = FREE, **spec: Any) -> Fleet:  # noqa: ANN401 - fields of a document
    """A fleet of one lane without a fleet breaker."""
    return fleet_of([policy("web", *signals, **spec)], limits)


def readings(
    values: Sequence[float], status: object = Status.FRESH, why: object = Why.OK, age_s: float = 0.0
) -> Readings:
    """Values in base units, `[track]`; status and why for all tracks or each."""
    count = len(values)
    return Readings(
        value_milli=np.array([round(value * 1000) for value in values], np.int64),
        age_s=np.full(count, float(age_s)),
        status=np.broadcast_to(np.asarray(status, np.int8), (count,)).copy(),
        why=np.broadcast_to(np.asarray(why, np.int8), (count,)).copy(),
        targets=integers(count, UNKNOWN),
    )


def seen(replicas: Sequence[int], read: Readings, now_s: float = NOW_S, **more: Any) -> Observation:  # noqa: ANN401
    """What is seen of lanes with these counts; `more` replaces fields of the observation."""
    lanes = len(replicas)
    plain = Observation(
        now_s=now_s,
        spec_replicas=np.array(replicas, np.int64),
        status_replicas=np.array(replicas, np.int64),
        pods_per_replica=integers(lanes, 1),
        hold=small(lanes),
        readings=read,
        pods=Pods.none(),
        samples=PodSamples.none(),
        starts=Starts.none(),
        applied=Applied.none(),
    )
    return replace(plain, **more)


def applied(*rows: tuple[int, float, int, int]) -> Applied:
    """Rows of (lane, at_s, before, after)."""
    lane, at_s, before, after = zip(*rows, strict=True)
    columns = np.array(lane), np.array(at_s, np.float64), np.array(before), np.array(after)
    return Applied(*columns)


def ready_pods(*counts: int) -> Pods:
    """So many running and ready pods in each lane, started an hour ago."""
    lane = np.repeat(np.arange(len(counts)), counts)
    hour = np.full(lane.size, 3600.0)
    return Pods(lane, small(lane.size, 1), booleans(lane.size), small(lane.size, 1), hour, hour.copy())


def samples(track: int, *values: float, request: float = 1.0) -> PodSamples:
    """One fresh sample per pod, from row 0 of the pods on, with each pod's request."""
    count = len(values)
    return PodSamples(
        track=integers(count, track),
        pod=np.arange(count),
        present=booleans(count, value=True),
        value_milli=np.array([round(value * 1000) for value in values], np.int64),
        age_s=np.zeros(count),
        window_s=np.full(count, 60.0),
        request_milli=integers(count, round(request * 1000)),
    )


def ordering(fleet: Fleet, *orders: int, alone: bool = False, at_s: float = NOW_S) -> Learned:
    """What the lead-time layer orders, by lane, until its step after `at_s`; `alone` with evidence enough."""
    lead = LeadTime.empty(fleet.lanes)
    lead.scores.own[:, 0] = orders
    lead.scores.in_charge[:] = 0
    lead.scores.known[:] = EVIDENCE_STEPS if alone else HEARD_STEPS
    return Learned(fleet.uid, replace(lead, step=int(at_s // STEP_S)))


@dataclass
class Ticks:
    """Decides tick after tick and carries every decision of a lane that may be written out at once."""

    fleet: Fleet
    replicas: list[int]
    now_s: float = NOW_S
    state: EngineState | None = None
    pending: list[tuple[int, float, int, int]] = field(default_factory=list)

    def tick(self, read: Readings, *, after_s: float = TICK_S, **more: Any) -> Decision:  # noqa: ANN401
        """One tick, `after_s` after the last; afterwards `replicas` are those decided."""
        self.now_s += after_s
        changes = applied(*self.pending) if self.pending else Applied.none()
        observation = seen(self.replicas, read, self.now_s, **({"applied": changes} | more))
        self.state, decision = decide(self.fleet, self.state or EngineState.fresh(self.fleet), observation)
        target = decision.replicas.target.tolist()
        pairs = enumerate(zip(self.replicas, target, strict=True))
        self.pending = [(lane, self.now_s, old, new) for lane, (old, new) in pairs if old != new]
        self.replicas = target
        return decision

    def values(self, *values: float, **more: Any) -> list[int]:  # noqa: ANN401 - fields of an observation
        """One tick with fresh values; the counts decided."""
        self.tick(readings(values), **more)
        return self.replicas
