"""A past moment of a workload, decided again from the journal."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from controller.cli.times import moment_text
from controller.errors import Rejected, Unavailable
from controller.interventions import in_force_at
from controller.journal import Journal
from controller.loop.recall import recalled
from controller.policy_text import parse_policies
from controller.records import LONGEST_INTERVENTION_S, PolicySet, TargetRef, TickReport
from controller.web import documents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.journal import Intent, Restored, TickRow
    from controller.records import Intervention
    from policies.model import Decision, Fleet, Observation

ORDERS = 5  # that are told of, before a moment and after it
_REACH_TICKS = 4  # a tick speaks for so many intervals after it
_LEAST_REACH_S = 60.0


@dataclass(frozen=True, slots=True)
class Moment:
    """The last tick at or before a moment. `next_at_s` is the first after it, None when there is none."""

    uid: str
    at_s: float
    next_at_s: float | None
    fleet: Fleet
    seen: Observation
    decision: Decision
    policies: Mapping[str, str]  # YAML by uid
    did: tuple[Intent, ...]  # the last orders until then, the newest first
    followed: tuple[Intent, ...]  # the first ones after it, the oldest first
    interventions: Mapping[str, Intervention]  # in force then, by uid

    @property
    def reach_s(self) -> float:
        """How long after it the tick still speaks for the moment; later the daemon was not running."""
        return max(_REACH_TICKS * self.fleet.limits.tick_s, _LEAST_REACH_S)

    @property
    def neighbours(self) -> str:
        """The nearest times known, in words."""
        before = f"the tick before is of {moment_text(self.at_s)}"
        after = "none follows" if self.next_at_s is None else f"the one after of {moment_text(self.next_at_s)}"
        return f"{before}, {after}"

    def document(self) -> dict[str, Any]:
        """As the daemon's API would have told it then. Owners are not recorded. Raises Rejected, not in the fleet."""
        if self.uid not in self.fleet.uid:
            known = ", ".join(self.fleet.uid[:5])
            raise Rejected(f"no policy was in force for {self.uid} at {moment_text(self.at_s)}; there were {known}")
        report = TickReport(
            at_s=self.at_s,
            policies=PolicySet(()),
            fleet=self.fleet,
            seen=self.seen,
            decision=self.decision,
            targets=tuple(_target(self.policies[uid]) for uid in self.fleet.uid),
            owners={},
            outcomes=(),
            sources=(),
            phases_s={},
            quarantined={},
            problems=(),
            interventions=self.interventions,
        )
        last = next((order.outcome for order in self.did if order.outcome is not None), None)
        return dict(documents.workload(report, self.fleet.uid.index(self.uid), last))


async def moment_of(journal_url: str, uid: str, at_s: float) -> Moment:
    """The tick that speaks for `at_s`. Raises Unavailable when there is none so early, and Rejected."""
    journal = await Journal.reader(journal_url)
    try:
        restored = await journal.restore(before_s=at_s, until_s=at_s)
        if restored.snapshot is not None and not _until(restored, at_s):
            # The tick that is wanted is the snapshot's own, so the state before it is needed.
            restored = await journal.restore(before_s=restored.snapshot.at_s, until_s=at_s)
        did = await journal.orders(uid, until_s=at_s, limit=ORDERS)
        followed = await journal.orders_after(uid, at_s, limit=ORDERS)
        told = await journal.interventions(since_s=at_s - LONGEST_INTERVENTION_S)
    finally:
        await journal.close()
    moment = _decided_again(restored, uid, at_s)
    return replace(moment, did=did, followed=followed, interventions=in_force_at(told, moment.at_s))


def _decided_again(restored: Restored, uid: str, at_s: float) -> Moment:
    ticks = _until(restored, at_s)
    later = restored.ticks[len(ticks) :]
    if not ticks:
        first = f"; the first tick known is of {moment_text(later[0].at_s)}" if later else "; the journal is empty"
        raise Unavailable(f"nothing is recorded for {moment_text(at_s)}{first}")
    try:
        recall = recalled(replace(restored, ticks=ticks))
    except ValueError as error:
        raise Rejected(f"the journal cannot be read: {error}") from error
    if recall is None or recall.seen is None or recall.decision is None:
        raise Unavailable(f"nothing is recorded for {moment_text(at_s)}")
    return Moment(
        uid=uid,
        at_s=recall.at_s,
        next_at_s=later[0].at_s if later else None,
        fleet=recall.fleet,
        seen=recall.seen,
        decision=recall.decision,
        policies=json.loads(restored.policies[ticks[-1].fleet_digest]),
        did=(),
        followed=(),
        interventions={},
    )


def _until(restored: Restored, at_s: float) -> tuple[TickRow, ...]:
    return tuple(tick for tick in restored.ticks if tick.at_s <= at_s)


def _target(text: str) -> TargetRef:
    (policy,) = parse_policies(text, source="journal")
    target = policy.spec.target
    return TargetRef(target.api_version, target.kind, policy.metadata.namespace, target.name)
