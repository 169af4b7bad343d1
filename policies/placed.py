"""What is remembered of the lanes with placement: what was ordered, what was lost, and the zones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import IntArray, indices, integers
from policies.mix.model import MixState
from policies.model import UNKNOWN, Hold, Mode
from policies.places import Zones

if TYPE_CHECKING:
    from policies.model import Fleet, Observation

_STARTING, _WAITING = 1, 2  # rows of counts
FORGOTTEN_S = 86_400.0  # a zone in which nothing was seen for so long is as one that never was


@dataclass(frozen=True, slots=True)
class SplitState:
    """What is remembered of the placed lanes, `[placed]`, and of their zones, `[zone]`."""

    uid: tuple[str, ...]
    began: IntArray  # the total that the last decision began from
    total: IntArray  # the total that it came to; UNKNOWN where it was not to be carried out
    base: IntArray  # replicas of the base: as they were asked for then, and ordered, `[placed, 2]`
    surge: IntArray  # and of the surge
    missing: IntArray  # spot replicas taken back and not made good
    zone_lane: IntArray  # row of `uid`, sorted
    zone_name: tuple[str, ...]  # sorted within a lane
    mix: MixState

    @classmethod
    def none(cls) -> SplitState:
        """No lane is placed."""
        pair = np.zeros((0, 2), np.int64)
        nothing = integers(0)
        return cls((), nothing, nothing, pair, pair, nothing, nothing, (), MixState.start(0, 0))

    def aligned_to(self, uid: tuple[str, ...]) -> SplitState:
        """This state for these placed lanes: those that went are forgotten, new ones have seen nothing."""
        if uid == self.uid:
            return self
        place = {each: row for row, each in enumerate(self.uid)}
        lane = np.array([place.get(each, -1) for each in uid], np.int64)
        number = {old: new for new, old in enumerate(lane.tolist()) if old >= 0}
        zones = sorted(
            (number[old], name, row)
            for row, (old, name) in enumerate(zip(self.zone_lane.tolist(), self.zone_name, strict=True))
            if old in number
        )
        rows = np.array([row for *_, row in zones], np.int64)
        return SplitState(
            uid=uid,
            began=_taken(self.began, lane, UNKNOWN),
            total=_taken(self.total, lane, UNKNOWN),
            base=_taken(self.base, lane, UNKNOWN),
            surge=_taken(self.surge, lane, UNKNOWN),
            missing=_taken(self.missing, lane, 0),
            zone_lane=np.array([new for new, *_ in zones], np.int64),
            zone_name=tuple(name for _, name, _ in zones),
            mix=self.mix.aligned(lane, rows),
        )


def placed_uids(fleet: Fleet) -> tuple[str, ...]:
    """The lanes with placement."""
    return tuple(fleet.uid[lane] for lane in indices(fleet.spot.placed).tolist())


def present_totals(state: SplitState, fleet: Fleet, seen: Observation) -> IntArray:
    """How many replicas each lane is asked to have now, `[lane]`.

    Of a placed lane the scales may ask for more: spares, and what stands in for spot that is taken back. So it is the
    total that was decided last, as long as both scales are as they were then or as they were ordered, a surge that
    cannot be read among them; else their sum.
    """
    lane = indices(fleet.spot.placed)
    if not lane.size or seen.places is None:
        return seen.spec_replicas
    surge, asked = seen.places.surge[lane], seen.spec_replicas[lane]
    base = asked - surge
    unseen = seen.places.hold[lane] == Hold.NO_TARGET
    ours = (state.base == base[:, None]).any(axis=1) & (unseen | (state.surge == surge[:, None]).any(axis=1))
    known = ours & (state.total != UNKNOWN) & (fleet.mode[lane] == Mode.ACTIVE)
    total = seen.spec_replicas.copy()
    total[lane] = np.where(known, np.where(unseen, state.total, np.minimum(asked, state.total)), asked)
    return total


def changed_totals(state: SplitState, fleet: Fleet, seen: Observation, present: IntArray) -> IntArray:
    """By how much each change that was carried out changed its lane's total, one entry for each row of `applied`.

    Of a placed lane, what moves from one object to the other changes nothing: the total went from where the last
    decision began to what is `present` now, whatever the orders were.
    """
    applied = seen.applied
    change = applied.after - applied.before
    placed = fleet.spot.placed[applied.lane]
    if not placed.any():
        return change
    began = present.copy()
    lane = indices(fleet.spot.placed)
    began[lane] = np.where(state.total != UNKNOWN, state.began, present[lane])
    first = np.concatenate([[True], applied.lane[1:] != applied.lane[:-1]])
    return np.where(placed, np.where(first, (present - began)[applied.lane], 0), change)


def with_zones(state: SplitState, seen: Zones, now_s: float) -> SplitState:
    """This state with a row for every zone that is seen, and none for those that were not for a day.

    `seen.lane` counts the placed lanes. One of which no zone is known has a row without a name, for what is to come.
    """
    before = list(zip(state.zone_lane.tolist(), state.zone_name, strict=True))
    young = (state.mix.pools.seen_s > now_s - FORGOTTEN_S).tolist()
    keys = {key for key, kept in zip(before, young, strict=True) if kept and key[1]}
    keys |= {key for key in zip(seen.lane.tolist(), seen.name, strict=True) if key[1]}
    keys |= {(lane, "") for lane in set(range(len(state.uid))) - {lane for lane, _ in keys}}
    rows = sorted(keys)
    if rows == before:
        return state
    place = {key: row for row, key in enumerate(before)}
    source = np.array([place.get(key, -1) for key in rows], np.int64)
    return replace(
        state,
        zone_lane=np.array([lane for lane, _ in rows], np.int64),
        zone_name=tuple(name for _, name in rows),
        mix=state.mix.aligned(np.arange(len(state.uid), dtype=np.int64), source),
    )


def in_zones(state: SplitState, seen: Zones) -> Zones:
    """What is seen, in the rows of `state.zone_lane`; zeros for zones in which nothing is.

    What is not on a node yet counts where more is wanted than stands there: the scheduler has not said where.
    """
    place = {key: row for row, key in enumerate(zip(state.zone_lane.tolist(), state.zone_name, strict=True))}
    keys = list(zip(seen.lane.tolist(), seen.name, strict=True))
    counts = np.zeros((5, len(place)), np.int64)
    told = np.stack([seen.ready, seen.starting, seen.waiting, seen.noticed, seen.lost])
    for row, key in enumerate(keys):
        if key in place:
            counts[:, place[key]] += told[:, row]
    for row, key in enumerate(keys):
        if key not in place:
            first, end = np.searchsorted(state.zone_lane, [key[0], key[0] + 1])
            lacking = state.mix.pools.wanted[first:end] - counts[:3, first:end].sum(axis=0)
            for kind in (_STARTING, _WAITING):
                for _ in range(int(told[kind, row])):
                    most = int(np.argmax(lacking))
                    counts[kind, first + most] += 1
                    lacking[most] -= 1
    return Zones(state.zone_lane, state.zone_name, *counts)


def _taken(values: IntArray, source: IntArray, empty: int) -> IntArray:
    """Rows of `values` by their number, `empty` for -1."""
    found = np.full((source.size, *values.shape[1:]), empty, np.int64)
    found[source >= 0] = values[source[source >= 0]]
    return found
