"""How long each lane's pods take to become ready, learned from start-ups that finished and from those under way.

Two things drive a start-up: whether a node was free or one had to come, and how many pods started at once. So the
quantile is learned for any start-up and for each of these cases, and the one to plan with follows what is seen now.

Pods that start together are one event: they pull one image and wait for one node, so forty of them say little more than
four. What a single event says changes nothing that is known; see `policies.evidence`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, assert_never

import numpy as np

from policies.arrays import any_by, booleans, count_by, floats, indices, integers, small
from policies.codes import Code
from policies.evidence import ENOUGH, InForce
from policies.model import UNKNOWN
from policies.survival import Times

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.model import Starts

REMEMBERED = 32  # start-ups per lane; with 10 replaced a day, three days
PER_EVENT = 4  # of pods that start at once, so many are remembered
DEFAULT_STARTUP_S = 120.0  # of a lane that has not started a pod yet
NODE_S = 180.0  # how much longer it takes when a node must come, until that was seen
LEAST_STARTUP_S = 1.0  # Kubernetes tells whole seconds; 0 stands for what is not known
LONGEST_STARTUP_S = 3600.0  # no forecast reaches further, and a pod that hangs for hours is no start-up
MANY = 5  # pods that start at once
WAITING_S = 300.0  # after a pod waited for a node, the next one is expected to
DEFAULT_QUANTILE = 0.9

_MOST_TOGETHER = 127
_SURE = 1e-6  # a sum of parts this close below a whole number is that number


class Given(Code):
    """What a start-up time is the quantile of; a column of the tables below."""

    ANY = 0
    FREE = 1  # a node had room
    NODE = 2  # a node had to come, or room had to be made
    MANY = 3  # `MANY` or more started at once


@dataclass(frozen=True, slots=True)
class StartTimes:
    """The last start-up times of each lane, and what they say. Make one with `empty`.

    Columns that an older Foresail's snapshot lacks may be left out: what it remembered counts as started alone, on
    nobody knows what.
    """

    duration_s: FloatArray  # ring of finished start-ups [lane, REMEMBERED]
    count: IntArray  # start-ups remembered ever; the next one is written at count % REMEMBERED [lane]
    pending: BoolArray  # pods were under way when last looked at [lane]
    quantile_s: FloatArray  # `plan_s` for the pods that are under way [lane]
    waited: SmallArray = field(default_factory=partial(small, 0))  # 1: for a node, 0: not, UNKNOWN [lane, REMEMBERED]
    together: SmallArray = field(default_factory=partial(small, 0))  # pods that started at once [lane, REMEMBERED]
    credit: FloatArray = field(default_factory=partial(floats, 0))  # part of a start-up that is to be remembered [lane]
    waited_at_s: FloatArray = field(default_factory=partial(floats, 0))  # when a pod last waited for a node [lane]
    force: InForce = field(default_factory=partial(InForce.nothing, 0, len(Given)))  # quantiles by case [lane, Given]

    def __post_init__(self) -> None:
        """Fill in what was left out."""
        if self.waited.shape == self.duration_s.shape:
            return
        lanes, shape = self.count.size, self.duration_s.shape
        force = InForce.nothing(lanes, len(Given))
        force.value_s[:, Given.ANY] = np.where(self.count > 0, self.quantile_s, 0.0)
        force.known[:, Given.ANY] = np.minimum(self.count, ENOUGH)
        object.__setattr__(self, "waited", np.full(shape, UNKNOWN, np.int8))
        object.__setattr__(self, "together", np.ones(shape, np.int8))
        object.__setattr__(self, "credit", floats(lanes))
        object.__setattr__(self, "waited_at_s", floats(lanes, -np.inf))
        object.__setattr__(self, "force", force)

    @classmethod
    def empty(cls, lanes: int) -> StartTimes:
        """Nothing seen yet: every lane starts in `DEFAULT_STARTUP_S`."""
        return cls(np.zeros((lanes, REMEMBERED)), integers(lanes), booleans(lanes), floats(lanes, DEFAULT_STARTUP_S))

    @property
    def filled(self) -> IntArray:
        """How many start-ups are remembered, `[lane]`."""
        return np.minimum(self.count, REMEMBERED)

    def waiting(self, now_s: float) -> BoolArray:
        """Whether pods wait for a node, or did within `WAITING_S`, `[lane]`."""
        found: BoolArray = self.waited_at_s > now_s - WAITING_S
        return found

    def measured_s(self, given: Given) -> FloatArray:
        """The start-up time in a case, `[lane]`; 0 where none was seen to its end."""
        return np.where(self.force.known[:, given] > 0, self.force.value_s[:, given], 0.0)

    def plan_s(self, starting: IntArray, *, now_s: float) -> FloatArray:
        """The start-up time to plan with where `starting` pods are under way, or would be, `[lane]`.

        The longest of the cases that hold now: that of any start-up; that of waiting for a node while pods do, or did
        within five minutes; that of many at once while so many start.
        """
        value_s, known = self.force.value_s, self.force.known
        any_s = np.where(value_s[:, Given.ANY] > 0, value_s[:, Given.ANY], DEFAULT_STARTUP_S)
        node_s = np.where(value_s[:, Given.NODE] > 0, value_s[:, Given.NODE], any_s + NODE_S)
        many = (starting >= MANY) & (known[:, Given.MANY] == ENOUGH)
        plan_s = np.where(self.waiting(now_s), np.maximum(any_s, node_s), any_s)
        plan_s = np.where(many, np.maximum(plan_s, value_s[:, Given.MANY]), plan_s)
        return np.minimum(plan_s, LONGEST_STARTUP_S)

    def learned(self, starts: Starts, *, now_s: float, quantile: float = DEFAULT_QUANTILE) -> StartTimes:
        """With what was seen since the last call. `starts` lists every start-up under way, each time.

        Until three start-ups of a case are remembered, k of them are averaged with what holds without any, weighted
        k : 3 - k: one of 30 s gives 30 / 3 + 120 * 2 / 3 = 90 s. A pod under way counts as one that takes longer than
        it has so far, by Kaplan and Meier; one under way for more than `LONGEST_STARTUP_S` is no start-up.
        """
        seen = _Seen.of(starts)
        news = self.pending | seen.lanes(self.count.size)  # a pod that went away without getting ready is news as well
        after = self._with_news(seen, indices(news), now_s, quantile) if news.any() else self
        quantile_s = after.plan_s(seen.under_way(self.count.size), now_s=now_s)
        if after is self and np.array_equal(quantile_s, self.quantile_s):
            return self
        return replace(after, quantile_s=quantile_s)

    def aligned(self, source: IntArray) -> StartTimes:
        """Lane i takes what old lane `source[i]` learned; -1 stands for a new lane."""
        if np.array_equal(source, np.arange(self.count.size)):
            return self
        new = StartTimes.empty(source.size)
        to = indices(source >= 0)
        for column in fields(self):
            if column.name != "force":
                getattr(new, column.name)[to] = getattr(self, column.name)[source[to]]
        for given in Given:
            new.force.put(to, given, self.force.of(source[to], given))
        return new

    def _with_news(self, seen: _Seen, news: IntArray, now_s: float, quantile: float) -> StartTimes:
        """With the values of the lanes `news`."""
        waited_at_s = np.minimum(self.waited_at_s, now_s)
        waited_at_s[seen.lane[~seen.finished & (seen.waited == 1)]] = now_s
        after = self._with_finished(seen)
        table, finished = _table(after, seen, news), seen.where(seen.finished).among(news)
        force = self.force.copy()
        for given in Given:
            rows, own = finished.where(finished.holds(given)), table.where(table.holds(given))
            if own.lane.size == 0 and not force.value_s[news, given].any():
                continue
            prior_s = _prior_s(given, force.value_s[news])
            counted = force.of(news, given).counted(rows.lane, rows.duration_s, rows.weight)
            force.put(news, given, counted.moved(own.times(news.size), prior_s, quantile))
        pending = seen.under_way(self.count.size) > 0
        return replace(after, pending=pending, waited_at_s=waited_at_s, force=force)

    def _with_finished(self, seen: _Seen) -> StartTimes:
        """Remember what finished; of an event of many pods, every n-th."""
        rows = seen.where(seen.finished)
        if rows.lane.size == 0:
            return self
        part = np.minimum(PER_EVENT / rows.together, 1.0)
        begin = np.searchsorted(rows.lane, rows.lane)
        total = np.concatenate([[0.0], np.cumsum(part)])
        parts = np.round(self.credit[rows.lane] + total[1:] - total[begin], 6)
        before = np.round(parts - part, 6)
        kept = rows.where(np.floor(parts + _SURE) > np.floor(before + _SURE))
        credit, count = self.credit.copy(), self.count + np.bincount(kept.lane, minlength=self.count.size)
        credit[rows.lane] = parts - np.floor(parts + _SURE)  # the last row of a lane has the last word
        place = (self.count[kept.lane] + np.arange(kept.lane.size) - np.searchsorted(kept.lane, kept.lane)) % REMEMBERED
        duration_s, waited, together = self.duration_s.copy(), self.waited.copy(), self.together.copy()
        duration_s[kept.lane, place] = kept.duration_s
        waited[kept.lane, place], together[kept.lane, place] = kept.waited, np.minimum(kept.together, _MOST_TOGETHER)
        return replace(self, duration_s=duration_s, waited=waited, together=together, credit=credit, count=count)


def _table(learned: StartTimes, seen: _Seen, lanes: IntArray) -> _Seen:
    """What is remembered of `lanes` and what is under way there, sorted by lane and time, finished ones first."""
    row, slot = np.nonzero(np.arange(REMEMBERED) < learned.filled[lanes, np.newaxis])
    of = lanes[row], slot
    pending = seen.where(~seen.finished).among(lanes)
    table = _Seen(
        lane=np.concatenate([row, pending.lane]),
        duration_s=np.concatenate([learned.duration_s[of], pending.duration_s]),
        finished=np.concatenate([booleans(row.size, value=True), pending.finished]),
        waited=np.concatenate([learned.waited[of], pending.waited]),
        together=np.concatenate([learned.together[of], pending.together]),
        weight=np.concatenate([1.0 / np.minimum(learned.together[of], PER_EVENT), pending.weight]),
    )
    return table.where(np.lexsort((~table.finished, table.duration_s, table.lane)))


def _prior_s(given: Given, value_s: FloatArray) -> FloatArray:
    """What holds for a case of which little is known, `[lane]`; `value_s` is in force, `[lane, Given]`."""
    any_s = np.where(value_s[:, Given.ANY] > 0, value_s[:, Given.ANY], DEFAULT_STARTUP_S)
    free_s = np.where(value_s[:, Given.FREE] > 0, value_s[:, Given.FREE], any_s)
    match given:
        case Given.ANY:
            return floats(any_s.size, DEFAULT_STARTUP_S)
        case Given.NODE:
            return free_s + NODE_S
        case _:
            return any_s


@dataclass(frozen=True, slots=True)
class _Seen:
    """Start-ups, a flat table sorted by lane."""

    lane: IntArray
    duration_s: FloatArray
    finished: BoolArray
    waited: SmallArray
    together: IntArray
    weight: FloatArray  # pods of one event weigh 1 together

    @classmethod
    def of(cls, starts: Starts) -> _Seen:
        """Those that can be: no nonsense, nothing that hangs for hours."""
        duration_s, finished = np.maximum(starts.duration_s, LEAST_STARTUP_S), starts.finished
        together = np.clip(starts.together, 1, None)
        seen = cls(starts.lane, duration_s, finished, starts.waited, together, 1 / together)
        with np.errstate(invalid="ignore"):
            return seen.where(
                np.isfinite(duration_s) & (starts.duration_s >= 0) & (finished | (duration_s <= LONGEST_STARTUP_S))
            )

    def where(self, rows: BoolArray | IntArray) -> _Seen:
        """Some of them."""
        return _Seen(*(getattr(self, column.name)[rows] for column in fields(self)))

    def among(self, lanes: IntArray) -> _Seen:
        """Those of the sorted `lanes`, of which all must be, numbered by their place there."""
        return replace(self, lane=np.searchsorted(lanes, self.lane))

    def holds(self, given: Given) -> BoolArray:
        """Which ones are of a case, `[row]`."""
        rows: BoolArray
        match given:
            case Given.ANY:
                rows = booleans(self.lane.size, value=True)
            case Given.FREE:
                rows = self.waited == 0
            case Given.NODE:
                rows = self.waited == 1
            case Given.MANY:
                rows = self.together >= MANY
            case _:
                assert_never(given)
        return rows

    def lanes(self, count: int) -> BoolArray:
        """Which lanes have any, `[lane]`."""
        return any_by(self.lane, booleans(self.lane.size, value=True), count)

    def under_way(self, count: int) -> IntArray:
        """How many have not finished, `[lane]`."""
        return count_by(self.lane, ~self.finished, count)

    def times(self, lanes: int) -> Times:
        """The times alone."""
        return Times(lanes, self.lane, np.minimum(self.duration_s, LONGEST_STARTUP_S), self.finished, self.weight)
