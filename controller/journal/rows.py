"""What the journal takes and gives: decisions of single workloads, snapshots, and what a restart needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from policies.codes import word_of
from policies.model import RULES, Action, Mode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controller.records import Outcome, ScaleOrder
    from policies.arrays import BoolArray, IntArray
    from policies.model import Decision, Fleet, ReplicaPlan
    from policies.proposal import Step


@dataclass(frozen=True, slots=True)
class StepRow:
    """What one rule changed for one workload."""

    rule: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A decision on one workload. Action and mode are the lower-case names of `Action` and `Mode`."""

    at_s: float
    uid: str
    action: str
    mode: str
    before: int
    target: int
    reason: str
    steps: tuple[StepRow, ...] = ()


@dataclass(frozen=True, slots=True)
class TickRow:
    """One tick: its observation, packed, and the digest of the fleet that it was made for."""

    at_s: float
    fleet_digest: str
    observation: bytes


@dataclass(frozen=True, slots=True)
class Intent:
    """An order, the tick that gave it, and how it ended; None when nobody knows."""

    at_s: float
    order: ScaleOrder
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after the tick at `at_s`: its core and its blocks of history by their start, packed."""

    at_s: float
    fleet_digest: str
    core: bytes
    blocks: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restart needs: the newest snapshot, the ticks after it in order, and their fleets by digest.

    `policies` are the policies' texts as JSON by the same digests. `intents` are the orders of the last recorded tick
    and later ones, of which no recorded observation tells yet, and those of the ten minutes before whose end nobody
    knows: without an outcome, or with `unavailable`.
    """

    snapshot: Snapshot | None
    ticks: tuple[TickRow, ...]
    fleets: Mapping[str, bytes]
    policies: Mapping[str, str]
    intents: tuple[Intent, ...]


@dataclass(frozen=True, slots=True)
class Beginning:
    """From where recorded ticks can be decided again: the ticks after `at_s`, on the state that was known then.

    Without a `snapshot` that is nothing, and all ticks follow. `standing` are the last decisions until then, by uid.
    """

    at_s: float
    snapshot: Snapshot | None
    standing: Mapping[str, DecisionRow]
    ticks: int  # that follow, up to the end asked for


@dataclass(frozen=True, slots=True)
class Page:
    """Some ticks in the order of time, the decisions recorded meanwhile, and the ticks' fleets by digest, packed.

    A decision whose tick is missing had its observation given up, as a journal that was down for long leaves it.
    """

    ticks: tuple[TickRow, ...]
    decisions: tuple[DecisionRow, ...]  # by time
    fleets: Mapping[str, bytes]
    cores: Mapping[float, bytes]  # of the snapshots saved meanwhile, by the tick after which they were
    versions: Mapping[str, str] = field(default_factory=dict)  # of the Foresail that decided, by fleet; empty: unknown


@dataclass(frozen=True, slots=True)
class Explained:
    """The decision that stood at a moment, and its neighbours in time, the oldest first."""

    decision: DecisionRow
    earlier: tuple[DecisionRow, ...]
    later: tuple[DecisionRow, ...]


@dataclass(frozen=True, slots=True)
class JournalHealth:
    """How the journal fares. `problem` is empty while writes succeed; `last_write_at_s` is None before the first."""

    problem: str = ""
    pending: int = 0
    dropped: int = 0
    failures: int = 0
    last_write_at_s: float | None = None


def decision_rows(fleet: Fleet, decision: Decision, before: IntArray, last: Decision | None) -> tuple[DecisionRow, ...]:
    """The rows of a tick: lanes whose scale is to be changed, and lanes whose target or reason is not as in `last`.

    `before` is the scale that was observed, `[lane]`. `last` must be of the same fleet; None, as
    after a change of fleet, keeps every lane.
    """
    told = np.ones(before.size, np.bool_)
    if last is not None:
        told = to_change(fleet, decision.replicas, before) | unlike(decision.replicas, last.replicas)
    return rows_of(fleet, decision, before, np.flatnonzero(told))


def to_change(fleet: Fleet, plan: ReplicaPlan, before: IntArray) -> BoolArray:
    """Lanes whose scale is to be changed, `[lane]`. One that only watches may want for days what nobody does."""
    wanted: BoolArray = (fleet.mode == Mode.ACTIVE) & (plan.target != before)
    return wanted


def unlike(plan: ReplicaPlan, last: ReplicaPlan) -> BoolArray:
    """Lanes whose target, action or reason is not as in `last`, `[lane]`."""
    new: BoolArray = (plan.target != last.target) | (plan.action != last.action) | (plan.reason != last.reason)
    return new


def rows_of(fleet: Fleet, decision: Decision, before: IntArray, lanes: IntArray) -> tuple[DecisionRow, ...]:
    """The rows of some lanes, as `decision_rows` makes them."""
    steps = _steps_of(decision.steps, lanes)
    target, action, reason = decision.replicas.target, decision.replicas.action, decision.replicas.reason
    return tuple(
        DecisionRow(
            at_s=decision.at_s,
            uid=fleet.uid[lane],
            action=word_of(Action, int(action[lane])),
            mode=word_of(Mode, int(fleet.mode[lane])),
            before=int(before[lane]),
            target=int(target[lane]),
            reason=RULES[reason[lane]],
            steps=tuple(steps[lane]),
        )
        for lane in lanes.tolist()
    )


def _steps_of(steps: Iterable[Step], lanes: IntArray) -> dict[int, list[StepRow]]:
    found: dict[int, list[StepRow]] = {lane: [] for lane in lanes.tolist()}
    for step in steps:
        for lane, before, after in _entries(step, lanes):
            found[lane].append(StepRow(step.rule, before, after))
    return found


def _entries(step: Step, lanes: IntArray) -> Iterator[tuple[int, int, int]]:
    rows = np.flatnonzero(np.isin(step.lane, lanes))
    yield from zip(step.lane[rows].tolist(), step.before[rows].tolist(), step.after[rows].tolist(), strict=True)
