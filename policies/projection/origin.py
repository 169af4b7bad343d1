"""One lane cut out of a tick, so that the rules can be driven on for it alone."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers, small
from policies.candidates import capacity_per_replica
from policies.codes import Code
from policies.explain import HOLD_WORDS
from policies.fixed import Fixed, FixedBy
from policies.hpa.pods import listed_pods, ready_pods
from policies.model import (
    UNKNOWN,
    Applied,
    Hold,
    Kind,
    Mode,
    Pods,
    PodSamples,
    Source,
    Starts,
    TargetKind,
    Tracks,
)
from policies.places import SpotTerms
from policies.subset import fleet_for, observation_for

if TYPE_CHECKING:
    from policies.arrays import BoolArray
    from policies.budget_terms import BudgetTerms
    from policies.forecast.horizon import HorizonFit
    from policies.gpu_room import GpuRoom
    from policies.model import Decision, Fleet, Limits, Observation, Readings
    from policies.state import EngineState

STEP_S = 60.0  # of what is projected; decisions are taken as often
UNSEEN = (Hold.NO_TARGET, Hold.CLUSTER_DOWN)  # of such lanes nobody knows how many replicas there are


class Actor(Code):
    """Who scales a lane."""

    FORESAIL = 0
    OTHER = 1  # another autoscaler; with `mode: floor` above what Foresail recommends
    NOBODY = 2


@dataclass(frozen=True, slots=True)
class Left:
    """What a tick left for the next one."""

    state: EngineState
    fit: HorizonFit  # what forecasts of demand rest on


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick saw, decided and left, of the whole fleet."""

    fleet: Fleet
    seen: Observation
    decision: Decision
    left: Left


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a lane beside its tick. Times are wall time."""

    asked: int  # replicas that its scale asks for, once the tick's order was carried out
    autoscaled: bool = False  # another autoscaler scales it
    paused_until_s: float = -np.inf  # by people
    override: int | None = None  # the count that people have fixed through the API
    override_until_s: float = -np.inf


@dataclass(frozen=True, slots=True)
class Origin:
    """A lane alone, from where its half hour is driven. `seen` holds what stays as it is meanwhile."""

    fleet: Fleet  # of its demand signals alone, each with a declared capacity
    state: EngineState
    seen: Observation
    fit: HorizonFit
    told: Told
    hold: Hold  # as seen, without the pause of people
    before: int  # replicas that the tick's decision began from
    fixed: Fixed | None  # by people
    fixed_until_s: float
    ready: int  # replicas; UNKNOWN where no pod is seen
    starts: Starts  # under way
    default_startup: bool  # no start was seen yet
    pressure: tuple[str, ...]  # uids of signals that are left out
    placed: bool  # over on-demand and spot

    @property
    def uid(self) -> str:
        """Which lane it is."""
        return self.fleet.uid[0]

    @property
    def at_s(self) -> float:
        """When it begins."""
        return self.seen.now_s

    @property
    def actor(self) -> Actor:
        """Who scales it, once no pause of people holds it."""
        if Mode(int(self.fleet.mode[0])) is Mode.ACTIVE and self.hold is Hold.NONE:
            return Actor.FORESAIL
        other = self.told.autoscaled or bool(self.fleet.aims.incumbent_given[0])
        acts = self.hold is Hold.OWNED or Mode(int(self.fleet.mode[0])) is not Mode.ACTIVE
        return Actor.OTHER if other and acts else Actor.NOBODY

    @property
    def still(self) -> str:
        """Why Foresail changes nothing, in words; empty where it does."""
        mode = Mode(int(self.fleet.mode[0]))
        if self.hold is not Hold.NONE:
            return HOLD_WORDS[self.hold]
        return "" if mode is Mode.ACTIVE else f"the policy's mode is {mode.name.lower()}"

    @property
    def unseen(self) -> str:
        """Why nobody knows how many replicas there are, in words; empty where that is known."""
        if self.hold in UNSEEN:
            return HOLD_WORDS[self.hold]
        return "no pod of it is seen" if self.ready == UNKNOWN else ""


def origin_of(tick: Tick, lane: int, told: Told) -> Origin:
    """One lane of a tick, alone.

    Pods, spot and signals of pressure are left out: they follow from the replicas. What others take of budgets, GPU
    quotas and the fleet breaker is theirs for the half hour.
    """
    fleet, seen, keep = tick.fleet, tick.seen, np.zeros(tick.fleet.lanes, np.bool_)
    keep[lane] = True
    whole = fleet_for(fleet, keep)
    own = observation_for(fleet, replace(seen, readings=tick.decision.readings), keep)
    demand = whole.tracks.kind == Kind.DEMAND
    listed = int(listed_pods(own.pods, 1)[0]) > 0 or int(own.status_replicas[0]) == 0
    hold = Hold(int(seen.hold[lane]))
    fixed, fixed_until_s = _fixed(own, told)
    alone = replace(
        whole,
        tracks=_declared(whole, own, demand),
        spot=SpotTerms.none(),
        budget=_budget(tick, lane, whole.budget),
        limits=_limits(tick, lane),
    )
    state = tick.left.state.aligned_to(alone)
    return Origin(
        fleet=alone,
        state=state,
        seen=replace(
            own,
            spec_replicas=integers(1, told.asked),
            status_replicas=integers(1, told.asked),
            hold=small(1, Hold.NONE),
            readings=_readings(own, demand),
            pods=Pods.none(),
            samples=PodSamples.none(),
            starts=Starts.none(),
            applied=Applied.none(),
            learned=None,
            backfill=None,
            places=None,
            gpu_room=_room(tick, lane, own),
            fixed=None,
        ),
        fit=tick.left.fit.aligned(tuple(compress(whole.tracks.uid, demand))),
        told=told,
        hold=Hold.NONE if hold is Hold.OPERATOR else hold,
        before=int(tick.decision.current[lane]),
        fixed=fixed,
        fixed_until_s=fixed_until_s,
        ready=int(ready_pods(own.pods, 1)[0] // own.pods_per_replica[0]) if listed else UNKNOWN,
        starts=own.starts,
        default_startup=int(state.starts.count[0]) == 0,
        placed=bool(fleet.spot.placed[lane]),
        pressure=tuple(compress(whole.tracks.uid, whole.tracks.kind == Kind.PRESSURE)),
    )


def _fixed(own: Observation, told: Told) -> tuple[Fixed | None, float]:
    """The count that people have fixed, and until when: the annotation wins over an override."""
    if own.fixed is not None and own.fixed.by[0] == FixedBy.ANNOTATION:
        return own.fixed, np.inf
    return None if told.override is None else overridden(told.override), told.override_until_s


def overridden(replicas: int) -> Fixed:
    """An override of one lane."""
    return Fixed(integers(1, replicas), small(1, FixedBy.OVERRIDE))


def _declared(fleet: Fleet, seen: Observation, demand: BoolArray) -> Tracks:
    """The demand signals as totals: what is read by pod, or against a request, by what a replica serves now."""
    tracks = fleet.tracks
    capacity_milli = np.rint(capacity_per_replica(fleet, seen) * 1000).astype(np.int64)
    share = np.where(tracks.target_kind == TargetKind.UTILIZATION, capacity_milli * tracks.target_milli // 100, 0)
    target_milli = np.where(share > 0, share, tracks.target_milli)
    total = replace(
        tracks,
        source=small(demand.size, Source.EXTERNAL),
        target_kind=small(demand.size, TargetKind.AVERAGE_VALUE),
        target_milli=target_milli,
        capacity_milli=np.where(capacity_milli > 0, capacity_milli, UNKNOWN),
        cpu=np.zeros(demand.size, np.bool_),
    )
    columns = {each.name: getattr(total, each.name)[demand] for each in fields(Tracks) if each.name != "uid"}
    return Tracks(uid=tuple(compress(tracks.uid, demand)), **columns)


def _readings(seen: Observation, demand: BoolArray) -> Readings:
    readings = seen.readings
    return replace(readings, **{each.name: getattr(readings, each.name)[demand] for each in fields(readings)})


def _limits(tick: Tick, lane: int) -> Limits:
    """The fleet breaker as it is for the whole fleet, in shares of this lane."""
    limits, current = tick.fleet.limits, tick.decision.current
    active = tick.fleet.mode == Mode.ACTIVE
    gone = tick.left.state.removals.since(tick.seen.now_s - limits.removal_window_s)
    had, own = int(current[active].sum()) + gone, int(current[lane]) + gone
    ratio = limits.removal_ratio if limits.removal_ratio >= 1.0 else had * limits.removal_ratio / max(own, 1)
    return replace(limits, removal_ratio=ratio, tick_s=STEP_S)


def _budget(tick: Tick, lane: int, terms: BudgetTerms) -> BudgetTerms:
    """Caps of the namespace and the fleet without what the others were left; those in shadow use what they use now."""
    told, whole = tick.decision.budget, tick.fleet.budget
    if not told.kept.size:
        return terms
    kept = np.where(tick.fleet.mode == Mode.SHADOW, np.maximum(tick.decision.current, 0), told.kept)
    use = kept[:, np.newaxis] * np.maximum(told.need, 0.0)
    use[lane] = 0.0
    mine = whole.namespace == whole.namespace[lane]
    namespaces = terms.namespaces.copy()
    namespaces[whole.namespace[lane]] -= use[mine].sum(axis=0)
    return replace(terms, namespaces=np.maximum(namespaces, 0.0), fleet=np.maximum(terms.fleet - use.sum(axis=0), 0.0))


def _room(tick: Tick, lane: int, own: Observation) -> GpuRoom | None:
    """What quotas leave once the others have what they were given, with what this lane has taken already."""
    room, whole, shares = own.gpu_room, tick.seen.gpu_room, tick.decision.gpu_shares
    if room is None or whole is None or not shares.given.size:
        return room
    left = shares.left_milli.copy()
    others = (whole.lane != lane) & (tick.fleet.mode[whole.lane] != Mode.SHADOW)
    np.subtract.at(left, whole.cap[others], (shares.given[whole.lane] * whole.need_milli)[others])
    np.add.at(left, room.cap, room.need_milli * max(int(tick.decision.current[lane]), 0))
    return replace(room, left_milli=np.maximum(left, 0))
