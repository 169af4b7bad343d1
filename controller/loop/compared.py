"""Where decisions made again differ from those that the daemon recorded.

The journal holds the decisions that told something new. So two things are compared: what a row says, and whether there
is one. Of the first differences it tells at which rule they part, and what was read then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from controller.journal import rows_of, to_change, unlike
from policies.arrays import booleans, integers, small
from policies.explain import signal_sentences
from policies.model import RULES, Action, ReplicaPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from controller.journal import DecisionRow
    from controller.loop.again import Decided
    from policies.arrays import BoolArray, IntArray
    from policies.model import Fleet

MOST_TOLD = 10
NOT_RECORDED = "not recorded"
NEEDLESSLY_RECORDED = "recorded without need"
NOT_IN_FLEET = "not in the fleet"
UNOBSERVED = "no observation"

_ACTION = {action.name.lower(): int(action) for action in Action}
_RULE = {rule: code for code, rule in enumerate(RULES)}
_STRANGE = -1  # an action or a rule of another version


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as the daemon recorded it: the fields of one workload's decision, or that it was recorded at all.

    `rule` is the first that spoke otherwise, empty where none did; `read` says what the workload's signals were.
    """

    at_s: float
    uid: str
    fields: tuple[str, ...]
    recorded: str
    decided: str
    rule: str = ""
    read: tuple[str, ...] = ()


@dataclass(slots=True)
class Agreement:
    """How far decisions made again are those that were recorded. A decision is one of one workload at one tick."""

    ticks: int = 0
    equal_ticks: int = 0
    decisions: int = 0
    equal_targets: int = 0
    equal_actions: int = 0
    equal_reasons: int = 0
    recorded: int = 0  # rows, which are compared in all their fields
    equal_recorded: int = 0
    whole: int = 0  # ticks that recorded workloads of which nothing was new, as the first of a daemon or a fleet does
    differing: int = 0  # differences, of which the first are kept
    snapshots: int = 0  # states saved, which are compared bit for bit
    equal_snapshots: int = 0
    unequal_snapshot_at_s: float | None = None  # the first
    unobserved: int = 0  # rows whose observation was given up, so that they cannot be decided again
    versions: set[str] = field(default_factory=set)  # of the Foresail that decided, as far as that is recorded
    first: list[Difference] = field(default_factory=list)
    workloads: set[str] = field(default_factory=set)
    unequal_workloads: set[str] = field(default_factory=set)

    @property
    def equal(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return self.decisions > 0 and self.differing == 0 and self.snapshots == self.equal_snapshots

    def differ(self, difference: Difference) -> None:
        """Take note of a difference."""
        self.differing += 1
        self.unequal_workloads.add(difference.uid)
        if len(self.first) < MOST_TOLD:
            self.first.append(difference)


class Comparison:
    """Compares tick after tick, from `since_s` on, the workloads named, or all."""

    def __init__(self, standing: Mapping[str, DecisionRow], *, since_s: float, workloads: Collection[str] = ()) -> None:
        """Begin with the decisions that stood before the first tick, by uid."""
        self.agreement = Agreement()
        self._since_s, self._chosen = since_s, frozenset(workloads)
        self._before: Mapping[str, DecisionRow] = standing
        self._last: _Standing | None = None

    def take(self, tick: Decided) -> None:
        """Compare one tick."""
        last = self._last
        if last is None or tick.changed:
            last = _Standing.of(tick.fleet, {} if tick.changed else self._before)
        now = last.with_rows(tick)
        self._last = now
        if tick.at_s >= self._since_s:
            self._compare(tick, last, now)

    def unobserved(self, rows: Iterable[DecisionRow]) -> None:
        """Take note of rows that no observation belongs to."""
        for row in rows:
            if row.at_s >= self._since_s and self._counts(row.uid):
                self.agreement.unobserved += 1
                self.agreement.differ(Difference(row.at_s, row.uid, (UNOBSERVED,), _words(row), "-"))

    def _counts(self, uid: str) -> bool:
        return not self._chosen or uid in self._chosen

    def _compare(self, tick: Decided, last: _Standing, now: _Standing) -> None:
        said, before, decided = self.agreement, tick.decision.current, tick.decision.replicas
        counted = np.array([self._counts(uid) for uid in tick.fleet.uid], np.bool_)
        must = to_change(tick.fleet, decided, before) | (unlike(decided, last.plan) & last.known) | tick.changed
        same = _Same.of(now.plan, decided)
        compared = counted & now.known
        said.ticks += 1
        said.snapshots += tick.remembered is not None
        said.equal_snapshots += bool(tick.remembered)
        if tick.remembered is False and said.unequal_snapshot_at_s is None:
            said.unequal_snapshot_at_s = tick.at_s
        said.versions |= {tick.version} - {""}
        said.decisions += int(compared.sum())
        said.equal_targets += int((same.target & compared).sum())
        said.equal_actions += int((same.action & compared).sum())
        said.equal_reasons += int((same.reason & compared).sum())
        said.workloads |= {tick.fleet.uid[lane] for lane in np.flatnonzero(compared).tolist()}
        said.whole += bool(now.recorded.all() and (tick.changed or not must.all()))
        found = said.differing
        idle = ~must & (decided.target == before)
        self._rows(tick, now.recorded & counted, needless=now.recorded & idle & ~now.recorded.all())
        self._absent(tick, counted & ~now.recorded & must, last)
        for uid in sorted(row.uid for row in tick.rows.values() if row.uid not in tick.fleet.uid):
            if self._counts(uid):
                said.differ(Difference(tick.at_s, uid, (NOT_IN_FLEET,), _words(tick.rows[uid]), "-"))
        said.equal_ticks += said.differing == found

    def _rows(self, tick: Decided, recorded: BoolArray, *, needless: BoolArray) -> None:
        """Compare rows with those that would be recorded now, field by field."""
        said = self.agreement
        lanes = np.flatnonzero(recorded)
        again = rows_of(tick.fleet, tick.decision, tick.decision.current, lanes)
        said.recorded += lanes.size
        for lane, decided in zip(lanes.tolist(), again, strict=True):
            row = tick.rows[decided.uid]
            fields = tuple(name for name in _FIELDS if getattr(row, name) != getattr(decided, name))
            fields += (NEEDLESSLY_RECORDED,) if needless[lane] else ()
            said.equal_recorded += not fields
            if fields:
                said.differ(_parted(tick, lane, fields, (_words(row), _words(decided), _rule(row, decided))))

    def _absent(self, tick: Decided, lanes: BoolArray, last: _Standing) -> None:
        """Take note of lanes without a row, of which there should be one."""
        places = np.flatnonzero(lanes)
        for lane, decided in zip(
            places.tolist(), rows_of(tick.fleet, tick.decision, tick.decision.current, places), strict=True
        ):
            told = last.words(lane), _words(decided), decided.reason
            self.agreement.differ(_parted(tick, lane, (NOT_RECORDED,), told))


_FIELDS = ("target", "action", "reason", "before", "mode", "steps")


@dataclass(frozen=True, slots=True)
class _Standing:
    """The last decision of each lane as recorded, `[lane]`."""

    plan: ReplicaPlan
    known: BoolArray
    recorded: BoolArray  # at this very tick

    @classmethod
    def of(cls, fleet: Fleet, rows: Mapping[str, DecisionRow]) -> _Standing:
        """What rows say, by uid; the others are not known."""
        lanes = fleet.lanes
        plan = ReplicaPlan(small(lanes), integers(lanes), small(lanes))
        return cls(plan, booleans(lanes), booleans(lanes)).put(fleet, rows)

    def with_rows(self, tick: Decided) -> _Standing:
        """After a tick's rows."""
        return replace(self, recorded=booleans(self.known.size)).put(tick.fleet, tick.rows)

    def put(self, fleet: Fleet, rows: Mapping[str, DecisionRow]) -> _Standing:
        """With what rows say, by uid, as recorded."""
        found = [(lane, rows[uid]) for lane, uid in enumerate(fleet.uid) if uid in rows] if rows else []
        if not found:
            return self
        lanes: IntArray = np.array([lane for lane, _ in found], np.int64)
        target, action, reason = self.plan.target.copy(), self.plan.action.copy(), self.plan.reason.copy()
        target[lanes] = [row.target for _, row in found]
        action[lanes] = [_ACTION.get(row.action, _STRANGE) for _, row in found]
        reason[lanes] = [_RULE.get(row.reason, _STRANGE) for _, row in found]
        known, recorded = self.known.copy(), self.recorded.copy()
        known[lanes] = recorded[lanes] = True
        return _Standing(ReplicaPlan(action, target, reason), known, recorded)

    def words(self, lane: int) -> str:
        """A lane's decision, for people."""
        if not self.known[lane]:
            return "-"
        action, reason = int(self.plan.action[lane]), int(self.plan.reason[lane])
        names = "?" if action == _STRANGE else Action(action).name.lower(), "?" if reason == _STRANGE else RULES[reason]
        return f"as before: {names[0]} to {int(self.plan.target[lane])}, {names[1]}"


@dataclass(frozen=True, slots=True)
class _Same:
    """Which of two plans' columns agree, `[lane]`."""

    target: BoolArray
    action: BoolArray
    reason: BoolArray

    @classmethod
    def of(cls, one: ReplicaPlan, other: ReplicaPlan) -> _Same:
        return cls(one.target == other.target, one.action == other.action, one.reason == other.reason)


def _parted(tick: Decided, lane: int, fields: tuple[str, ...], told: tuple[str, str, str]) -> Difference:
    """What differs of a lane at a tick, with what was read of it. `told`: recorded, decided now, the rule."""
    read = signal_sentences(tick.fleet, tick.decision, lane)
    return Difference(tick.at_s, tick.fleet.uid[lane], fields, *told, read)


def _rule(recorded: DecisionRow, decided: DecisionRow) -> str:
    """The first rule that spoke in one way there and in another here; the last word where all spoke alike."""
    for one, other in zip_longest(recorded.steps, decided.steps):
        if one != other:
            return min((step.rule for step in (one, other) if step), key=lambda rule: _RULE.get(rule, _STRANGE))
    return decided.reason


def _words(row: DecisionRow) -> str:
    steps = "; ".join(f"{step.rule} {step.before} -> {step.after}" for step in row.steps)
    return f"{row.action} from {row.before} to {row.target}, {row.reason}, {row.mode}{steps and f' ({steps})'}"
