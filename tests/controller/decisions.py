"""Decisions of small fleets, made by the engine, for tests of what is shown and recorded of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers, small
from policies.engine import decide
from policies.fleet import fleet_of
from policies.model import (
    RULES,
    UNKNOWN,
    Action,
    Applied,
    Hold,
    Observation,
    Pods,
    PodSamples,
    Readings,
    ReplicaPlan,
    Starts,
    Status,
    Why,
)
from policies.spec import LateSignal, policy_from
from policies.standing import Standing
from policies.state import EngineState
from policies.tournament import INCUMBENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.model import Decision, Fleet
    from policies.spec import WorkloadPolicy


@dataclass(frozen=True, slots=True)
class Decided:
    """What one tick saw, decided and left for the next."""

    fleet: Fleet
    seen: Observation
    decision: Decision
    state: EngineState


def policy(uid: str, mode: str = "active") -> WorkloadPolicy:
    namespace, name = uid.split("/")
    document = {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "WorkloadPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "mode": mode,
            "replicas": {"min": 1, "max": 9},
            "signals": [{"name": "rps", "kind": "demand", "query": "sum(r)", "capacityPerReplica": 10}],
        },
    }
    return policy_from(document, source="test")


def decided(*uids: str, load: Sequence[float] | None = None, replicas: int = 3, hold: Hold = Hold.NONE) -> Decided:
    """A first tick of workloads with `replicas` each, all ready, under `load` per second."""
    fleet = fleet_of([policy(uid) for uid in uids])
    lanes = fleet.lanes
    readings = Readings.missing(lanes, Why.NO_SERIES)
    if load is not None:
        milli = np.array([1000 * each for each in load], np.int64)
        readings = Readings(milli, np.full(lanes, 5.0), small(lanes), small(lanes), integers(lanes, UNKNOWN))
    count = lanes * replicas
    seen = Observation(
        now_s=1_000.0,
        spec_replicas=integers(lanes, replicas),
        status_replicas=integers(lanes, replicas),
        pods_per_replica=integers(lanes, 1),
        hold=small(lanes, hold),
        readings=readings,
        pods=Pods(
            lane=np.repeat(np.arange(lanes), replicas),
            phase=small(count, 1),
            deleted=np.zeros(count, np.bool_),
            ready=small(count, 1),
            started_age_s=np.full(count, 3600.0),
            transition_age_s=np.full(count, 3500.0),
        ),
        samples=PodSamples.none(),
        starts=Starts.none(),
        applied=Applied.none(),
    )
    state, decision = decide(fleet, EngineState.fresh(fleet), seen)
    return Decided(fleet, seen, decision, state)


def measured(*, slow_ratio: float, status: Status = Status.FRESH) -> Decided:
    """A tick of shop/chat whose demand cannot be read, beside a signal that tells how many requests are late.

    Its pods took 60 s on free nodes; nine waited 240 s for a node, and another one waits now.
    """
    row = policy("shop/chat")
    late = LateSignal(kind="late", name="slow", query="slow")
    row = row.model_copy(update={"spec": row.spec.model_copy(update={"signals": (*row.spec.signals, late)})})
    fleet, plain = fleet_of([row]), decided("shop/chat")
    readings = Readings(
        value_milli=np.array([0, round(slow_ratio * 1e6)]),
        age_s=np.full(2, 5.0),
        status=np.array([Status.MISSING, status], np.int8),
        why=np.array([Why.NO_SERIES, Why.OK if status == Status.FRESH else Why.TOO_OLD], np.int8),
        targets=integers(2, UNKNOWN),
    )
    waited = np.array([0] * 9 + [1] * 10, np.int8)
    starts = Starts(integers(19), np.where(waited, 240.0, 60.0), np.arange(19) < 18, waited)
    seen = replace(plain.seen, readings=readings, starts=starts)
    state, decision = decide(fleet, EngineState.fresh(fleet), seen)
    return Decided(fleet, seen, decision, state)


def with_standing(made: Decided, *in_charge: int, known_h: float = 36.0) -> Decided:
    """The same tick with a candidate in charge of each lane, and figures of its own for everyone."""
    lanes = len(in_charge)
    standing = Standing(
        candidate=np.array([[each, 45, INCUMBENT] if each != UNKNOWN else [UNKNOWN] * 3 for each in in_charge]),
        trim=np.full(lanes, 0.25),
        cost=np.tile([8.5, 9.0, 11.0], (lanes, 1)),
        late=np.tile([0.007, 0.008, 0.002], (lanes, 1)),
        elsewhere=np.full(lanes, 0.125),
        realised=np.full(lanes, 0.006),
        budget=np.full(lanes, 0.01),
        known=np.full(lanes, round(120 * known_h)),
        sharing=np.zeros(lanes, np.int64),
    )
    return replace(made, decision=replace(made.decision, standing=standing))


def with_plan(decision: Decision, *, target: Sequence[int], reason: Sequence[str], current: int = 3) -> Decision:
    """The same decision with another plan; actions follow from `current`."""
    aims = np.array(target, np.int64)
    action = np.select([aims > current, aims < current], [Action.RAISE, Action.LOWER], Action.KEEP).astype(np.int8)
    return replace(decision, replicas=ReplicaPlan(action, aims, np.array([*map(RULES.index, reason)], np.int8)))
