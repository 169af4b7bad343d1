"""What the engine remembers from tick to tick, and the one place where lanes are matched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from policies.arrays import BoolArray, FloatArray, IntArray, booleans, integers
from policies.consolidation import Tried
from policies.contradiction import Doubt
from policies.history import History
from policies.lead_time import LeadTime
from policies.log import Log
from policies.mass_drop import Drops
from policies.placed import SplitState, placed_uids
from policies.rows import demand_rows
from policies.startup import StartTimes

if TYPE_CHECKING:
    from policies.model import Fleet

VERSION = 3


@dataclass(frozen=True, slots=True)
class Removals:
    """Replicas taken away by Foresail in the whole fleet, or those that it added, oldest first."""

    at_s: FloatArray
    count: IntArray
    namespace: IntArray = field(default_factory=partial(integers, 0))  # by `namespace_id`

    def __post_init__(self) -> None:
        """Removals of before namespaces were noted are of none."""
        if self.namespace.size != self.at_s.size:
            object.__setattr__(self, "namespace", integers(self.at_s.size))

    @classmethod
    def none(cls) -> Removals:
        """Nothing was removed."""
        return cls(np.zeros(0), np.zeros(0, np.int64))

    def until(self, now_s: float) -> Removals:
        """Removals from the future, as a clock that was set back leaves them, count as of `now_s`."""
        return self if (self.at_s <= now_s).all() else replace(self, at_s=np.minimum(self.at_s, now_s))

    def since(self, at_s: float) -> int:
        """How many replicas it was after `at_s`."""
        return int(self.count[self.at_s > at_s].sum())

    def since_of(self, at_s: float, namespace: str) -> int:
        """How many of them in a namespace."""
        return int(self.count[(self.at_s > at_s) & (self.namespace == namespace_id(namespace))].sum())


def namespace_id(name: str) -> int:
    """A namespace as a number, which stays the same whatever other namespaces there are."""
    return crc32(name.encode())


@dataclass(frozen=True, slots=True)
class EngineState:
    """State of every lane, `[lane]`, and of every demand track (`rows`, in the order of the fleet's tracks)."""

    version: int
    uid: tuple[str, ...]
    rows: tuple[str, ...]
    seen: BoolArray  # the lane's first count is in its log
    zeroed: BoolArray  # scaled to zero by decision, so that it may be woken
    advice: Log  # what the Kubernetes rule recommended, unstabilised
    pressed: Log  # what it recommended on signals of pressure alone
    ahead: Log  # what the lead-time layer ordered, before a written window
    rises: Log
    falls: Log
    starts: StartTimes
    removals: Removals
    history: History
    lead: LeadTime
    split: SplitState = field(default_factory=SplitState.none)
    doubt: Doubt = field(default_factory=Doubt.none)  # of declared capacities [row]
    drops: Drops = field(default_factory=Drops.none)  # of loads that fell to nothing [row]
    tried: Tried = field(default_factory=Tried.none)  # what became of falls
    additions: Removals = field(default_factory=Removals.none)  # noted while a step-up budget asks for them

    @classmethod
    def fresh(cls, fleet: Fleet) -> EngineState:
        """A state that has seen nothing."""
        none = Log.empty(0)
        nothing = cls(
            version=VERSION,
            uid=(),
            rows=(),
            seen=booleans(0),
            zeroed=booleans(0),
            advice=none,
            pressed=none,
            ahead=none,
            rises=none,
            falls=none,
            starts=StartTimes.empty(0),
            removals=Removals.none(),
            history=History.empty(0),
            lead=LeadTime.empty(0),
        )
        return nothing.aligned_to(fleet)

    def until(self, now_s: float) -> EngineState:
        """This state where nothing was noted after `now_s`, whatever the clock said before it was set back."""
        noted = (self.advice, self.pressed, self.ahead, self.rises, self.falls, self.removals, self.additions)
        if not any(table.at_s.size and table.at_s.max() > now_s for table in noted):
            return self
        return replace(
            self,
            advice=self.advice.until(now_s),
            pressed=self.pressed.until(now_s),
            ahead=self.ahead.until(now_s),
            rises=self.rises.until(now_s),
            falls=self.falls.until(now_s),
            removals=self.removals.until(now_s),
            additions=self.additions.until(now_s),
        )

    def aligned_to(self, fleet: Fleet) -> EngineState:
        """This state in the order of `fleet`: lanes that went are forgotten, new ones start fresh."""
        rows, split = demand_rows(fleet), self.split.aligned_to(placed_uids(fleet))
        lead_lanes = fleet.lanes if fleet.forecast.any() else 0  # it rests where no lane is to be forecast
        if self.uid is fleet.uid and self.rows is rows and self.lead.lanes == lead_lanes and split is self.split:
            return self
        if self.uid == fleet.uid and self.rows == rows:
            lead = self.lead if self.lead.lanes == lead_lanes else LeadTime.empty(lead_lanes)
            return replace(self, uid=fleet.uid, rows=rows, lead=lead, split=split)
        lane, row = _source(self.uid, fleet.uid), _source(self.rows, rows)
        return replace(
            self,
            uid=fleet.uid,
            rows=rows,
            seen=_taken(self.seen, lane),
            zeroed=_taken(self.zeroed, lane),
            advice=self.advice.aligned(lane),
            pressed=self.pressed.aligned(lane),
            ahead=self.ahead.aligned(lane),
            rises=self.rises.aligned(lane),
            falls=self.falls.aligned(lane),
            starts=self.starts.aligned(lane),
            history=self.history.aligned(row),
            lead=self.lead.aligned(lane) if lead_lanes and self.lead.lanes else LeadTime.empty(lead_lanes),
            split=split,
            doubt=self.doubt.aligned(row),
            drops=self.drops.aligned(row),
            tried=self.tried.aligned(lane),
        )


def _source(old: tuple[str, ...], new: tuple[str, ...]) -> IntArray:
    place = {uid: index for index, uid in enumerate(old)}
    return np.array([place.get(uid, -1) for uid in new], np.int64)


def _taken(values: BoolArray, source: IntArray) -> BoolArray:
    if values.size == 0:
        return booleans(source.size)
    return np.where(source >= 0, values[source], False)  # noqa: FBT003 - a fill value, as in np.where
