"""How the replicas that a lane needs are split: an on-demand base, and a spot surge beside it.

How many are needed is decided before, as without placement. The hedger (`policies.mix`) says how many of them to
have on spot; the rules here see to it that nothing is taken away before what stands in for it is ready.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from policies.arrays import floats, integers, small, sum_by
from policies.guardrails import granted
from policies.mix.hedge import hedged
from policies.mix.model import NO_LIMIT, PLAN_EVERY_S, Lanes, Pools
from policies.model import UNKNOWN, Hold, Mode
from policies.placed import in_zones, with_zones
from policies.places import Zones
from policies.proposal import Proposal, Step

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.mix.model import MixPlan
    from policies.model import Fleet, Observation
    from policies.placed import SplitState
    from policies.places import Places

SPLIT_RULES = (
    "spot_hedge",  # what the hedger asks for, beside the policy's own minimum
    "notice",  # for spot replicas that are announced to go
    "on_demand_backfill",  # for spot replicas that were taken back and are not replaced yet
    "spot_not_ready",  # nothing goes on demand before what replaces it is ready
    "held",  # the lane is
    "moves_breaker",  # the fleet breaker, for what moves from one to the other
)  # names of steps, whose counts are replicas on demand, in the order in which the rules speak


@dataclass(frozen=True, slots=True)
class Split:
    """What was decided for the placed lanes, `[placed]`, and from what."""

    lane: IntArray
    on_demand: IntArray
    spot: IntArray
    base: IntArray  # replicas that the base's scale asks for now
    surge: IntArray
    reason: SmallArray  # the row of SPLIT_RULES that had the last word on the base; UNKNOWN for none
    short_ratio: FloatArray  # share of what was due that was missing of late
    missing: IntArray  # spot replicas taken back and not made good
    zones: Zones  # as seen; `lane` counts the placed lanes
    steps: tuple[Step, ...]  # by lane of the fleet; counts are replicas on demand

    @classmethod
    def none(cls) -> Split:
        """No lane is placed."""
        nothing, few = integers(0), np.zeros(0, np.int8)
        return cls(*(nothing,) * 5, few, floats(0), nothing, Zones.none(), ())


@dataclass(frozen=True, slots=True)
class Need:
    """What was decided before, `[lane]` of the fleet; `lane` are those with placement."""

    lane: IntArray
    replicas: IntArray  # in total
    current: IntArray  # that the decision began from
    hold: SmallArray
    startup_s: FloatArray
    budget: int  # replicas that the fleet breaker lets go


def split(fleet: Fleet, state: SplitState, seen: Observation, need: Need) -> tuple[SplitState, Split]:
    """Base and surge of each placed lane. `state` must be aligned to `fleet`."""
    lane, places = need.lane, seen.places
    if not lane.size or places is None:
        return state, Split.none()
    zones = replace(places.zones, lane=np.searchsorted(lane, places.zones.lane).astype(np.int64))
    state = with_zones(state, zones, seen.now_s)
    scales = seen.spec_replicas[lane] - places.surge[lane], places.surge[lane]
    ground = Ground.of(state, in_zones(state, zones), places, need, scales)
    mix, plan = hedged(ground.lanes(fleet, need), ground.pools(fleet), state.mix, now_s=seen.now_s)
    on_demand, spot = guarded(fleet, ground, plan, need)
    unseen = places.hold[lane] == Hold.NO_TARGET
    acted = (fleet.mode[lane] == Mode.ACTIVE) & ~ground.held
    state = replace(
        state,
        began=need.current[lane],
        total=np.where(acted, ground.need, UNKNOWN),
        base=np.stack([ground.base, on_demand.target], axis=1),
        surge=np.where(unseen[:, None], state.surge, np.stack([ground.surge, spot], axis=1)),
        missing=ground.missing,
        mix=mix,
    )
    due = mix.lanes.due
    return state, Split(
        lane=lane,
        on_demand=on_demand.target,
        spot=spot,
        base=ground.base,
        surge=ground.surge,
        reason=_last_words(on_demand),
        short_ratio=np.where(due > 0, mix.lanes.short / np.maximum(due, 1e-9), 0.0),
        missing=ground.missing,
        zones=zones,
        steps=tuple(replace(step, lane=lane[step.lane]) for step in on_demand.steps),
    )


@dataclass(frozen=True, slots=True)
class Ground:
    """What is there when the plan is made, `[placed]`."""

    lane: IntArray
    zones: Zones
    need: IntArray
    held: BoolArray
    known: BoolArray  # what spot does
    free: BoolArray  # the surge may be changed
    base: IntArray  # as the scales ask for
    surge: IntArray
    base_ready: IntArray
    base_starting: IntArray
    base_waiting: IntArray
    ready: IntArray  # spot replicas that are ready and not announced to go
    noticed: IntArray
    missing: IntArray  # spot replicas taken back and not made good

    @classmethod
    def of(
        cls, state: SplitState, zones: Zones, places: Places, need: Need, scales: tuple[IntArray, IntArray]
    ) -> Ground:
        """Take the placed lanes' part of what was seen; `scales` are what base and surge ask for."""
        lane, (base, surge) = need.lane, scales
        count, known = lane.size, places.known[lane]
        noticed = sum_by(zones.lane, zones.noticed, count)
        ready = np.maximum(sum_by(zones.lane, zones.ready, count) - noticed, 0)
        lost = state.missing + sum_by(zones.lane, zones.lost, count)
        return cls(
            lane=lane,
            zones=zones,
            need=need.replicas[lane],
            held=need.hold[lane] != Hold.NONE,
            known=known,
            free=places.hold[lane] == Hold.NONE,
            base=base,
            surge=surge,
            base_ready=places.base_ready[lane],
            base_starting=places.base_starting[lane],
            base_waiting=places.base_waiting[lane],
            ready=ready,
            noticed=noticed,
            missing=np.where(known, np.clip(lost, 0, np.maximum(surge - noticed - ready, 0)), 0),
        )

    def lanes(self, fleet: Fleet, need: Need) -> Lanes:
        """What the hedger is told of each lane: the part of it that is its own to place."""
        least = np.minimum(fleet.spot.min_on_demand[self.lane], self.need)
        served = np.minimum(self.need, self.base_ready + self.ready + self.noticed + self.missing)
        return Lanes(
            need=self.need - least,
            due=np.maximum(served - least, 0),
            startup_s=need.startup_s[self.lane],
            notice_s=floats(self.lane.size),
            objective=fleet.spot.short_ratio[self.lane],
            on_demand_price=floats(self.lane.size, 1.0),
            on_demand_ready=np.maximum(self.base_ready - least, 0),
            on_demand_starting=np.minimum(self.base_starting, np.maximum(self.base - least, 0)),
            on_demand_refused=self.base_waiting > 0,
            on_demand_limit=integers(self.lane.size, NO_LIMIT),
            phase_s=np.array([crc32(fleet.uid[lane].encode()) % PLAN_EVERY_S for lane in self.lane], np.float64),
        )

    def pools(self, fleet: Fleet) -> Pools:
        """What the hedger is told of each zone.

        The scheduler chooses zones. So none may be counted on for more than what stands there and its part of what is
        still to come, nor tried while something stands elsewhere. Replicas that are announced to go count as gone,
        but those of a zone that goes as a whole. Spot that nobody can see, or that is not ours to change, takes none.
        """
        zones, row, count = self.zones, self.zones.lane, self.lane.size
        there = zones.ready + zones.starting
        whole = zones.noticed >= there
        leaving = np.where(whole, 0, zones.noticed)
        open_zones = sum_by(row, (there > 0).astype(np.int64), count)
        coming = np.maximum(self.need - sum_by(row, there, count), 0)
        part = -(-coming // np.maximum(open_zones, 1))
        tried = (there > 0) | (open_zones == 0)[row]
        usable = (self.known & self.free)[row] & tried
        return Pools(
            lane=row,
            price=fleet.spot.price_ratio[self.lane][row],
            limit=np.where(usable, there + part[row], 0),
            ready=np.maximum(zones.ready - leaving, 0),
            starting=np.maximum(zones.starting - np.maximum(leaving - zones.ready, 0), 0),
            noticed=np.where(whole, zones.noticed, 0),
            lost=zones.lost,
            refused=zones.waiting > 0,
        )

    @property
    def leaving(self) -> IntArray:
        """Replicas announced to go that the hedger does not see, `[placed]`."""
        zones = self.zones
        partly = zones.noticed < zones.ready + zones.starting
        return sum_by(zones.lane, np.where(partly, zones.noticed, 0), self.lane.size)


def guarded(fleet: Fleet, now: Ground, plan: MixPlan, need: Need) -> tuple[Proposal, IntArray]:
    """The hedger's plan within the rules: the base as a proposal that begins with all on demand, and the surge.

    A surge that nobody can see or that is not ours to change stays as it is. Where spot goes or is missing, what is
    started on spot in its place does not count before it is ready.
    """
    count, least = now.lane.size, np.minimum(fleet.spot.min_on_demand[now.lane], now.need)
    usable = now.known & now.free
    spot = np.where(usable, sum_by(now.zones.lane, plan.wanted, count) + now.leaving, now.surge)
    spot = np.where(now.need > 0, spot, np.where(now.free, 0, now.surge))
    base = Proposal(now.need).where(usable, np.minimum(plan.on_demand + least, now.need), rule="spot_hedge")
    there = np.minimum(now.ready, spot)
    base = base.where(now.known & ~now.free, np.maximum(now.need - there, least), rule="spot_hedge")
    counted = np.where(now.known, np.maximum(np.minimum(spot, now.surge) - now.noticed, 0), 0)
    base = _at_least(base, np.where(now.noticed > 0, now.need - counted, 0), rule="notice")
    counted = np.maximum(counted - now.missing, 0)
    base = _at_least(base, np.where(now.missing > 0, now.need - counted, 0), rule="on_demand_backfill")
    base = _at_least(base, np.minimum(now.base, now.need - there), rule="spot_not_ready")
    stays = np.minimum(now.surge, np.maximum(now.need - np.minimum(now.base_ready, base.target), 0))
    spot = np.where(now.known & now.free, np.maximum(spot, stays), spot)
    base = base.where(now.held, now.base, rule="held")
    spot = np.where(now.held, now.surge, spot)
    return _within_breaker(fleet, now, base, spot, need)


def _at_least(base: Proposal, low: IntArray, *, rule: str) -> Proposal:
    return base.limited_to(np.maximum(base.target, low), rule=rule)


def _within_breaker(fleet: Fleet, now: Ground, base: Proposal, spot: IntArray, need: Need) -> tuple[Proposal, IntArray]:
    """Both objects' falls within what the fleet breaker lets go, beyond those that the totals were granted."""
    if fleet.limits.removal_ratio >= 1.0:
        return base, spot
    active = fleet.mode == Mode.ACTIVE
    falls = np.maximum(need.current - need.replicas, 0)
    falls_base, falls_spot = np.maximum(now.base - base.target, 0), np.maximum(now.surge - spot, 0)
    moved = np.where(active[now.lane], np.maximum(falls_base + falls_spot - falls[now.lane], 0), 0)
    kept = moved - granted(moved, max(0, need.budget - int(falls[active].sum())))
    kept_base = np.minimum(kept, falls_base)
    return base.limited_to(base.target + kept_base, rule="moves_breaker"), spot + kept - kept_base


def _last_words(base: Proposal) -> SmallArray:
    reason = small(base.target.size, UNKNOWN)
    for step in base.steps:
        reason[step.lane] = SPLIT_RULES.index(step.rule)
    return reason
