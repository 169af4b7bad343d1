"""What the cluster's users are told as events, and what a report says of owners and sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import structlog

from controller.errors import ForesailError
from controller.records import Event, SourceHealth, Unanswered
from policies.guardrails import HOLD_RULES
from policies.model import Hold, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.ports import Events
    from controller.records import Answer, ClusterView, Outcome, TargetRef
    from policies.model import Fleet, Observation

log = structlog.get_logger("foresail.events")

HELD_WORDS = {
    Hold.KILL_SWITCH: "the kill switch is on, or cannot be read",
    Hold.OWNED: "another controller scales this object",
    Hold.NO_TARGET: "the target cannot be read",
    Hold.CLUSTER_DOWN: "what is known of the cluster is too old",
    Hold.FORBIDDEN: "the API server refuses the change",
}


@dataclass(slots=True)
class Told:
    """Posts an event for every change of scale, and for every active workload that begins to be held."""

    events: Events
    _held: dict[str, Hold] = field(default_factory=dict)

    async def tell(
        self, fleet: Fleet, seen: Observation, targets: Sequence[TargetRef], outcomes: Sequence[Outcome]
    ) -> None:
        """Post what is new. An event that cannot be posted is logged, and not tried again."""
        for event in (*_changes(outcomes), *self._holds(fleet, seen, targets)):
            try:
                await self.events.emit(event)
            except ForesailError as error:
                log.warning("event not posted", reason=event.reason, err=str(error))

    def _holds(self, fleet: Fleet, seen: Observation, targets: Sequence[TargetRef]) -> list[Event]:
        found = []
        held: dict[str, Hold] = {}
        for lane in np.flatnonzero((seen.hold != Hold.NONE) & (fleet.mode == Mode.ACTIVE)).tolist():
            hold, uid = Hold(int(seen.hold[lane])), fleet.uid[lane]
            held[uid] = hold
            if self._held.get(uid) != hold and hold in HELD_WORDS and hold != Hold.NO_TARGET:
                words = f"{HOLD_RULES[hold]}: {HELD_WORDS[hold]}"
                found.append(
                    Event(targets[lane], "ScalingHeld", f"Foresail holds this workload: {words}", warning=True)
                )
        self._held = held
        return found


def _changes(outcomes: Sequence[Outcome]) -> list[Event]:
    found = []
    for outcome in outcomes:
        order = outcome.order
        words = f"from {order.before} to {order.after} replicas ({order.reason})"
        if outcome.result == "applied":
            reason = "ScaledUp" if order.after > order.before else "ScaledDown"
            found.append(Event(order.ref, reason, f"Scaled {words}"))
        elif outcome.result == "rejected":
            found.append(Event(order.ref, "ScalingFailed", f"Not scaled {words}: {outcome.message}", warning=True))
    return found


def owners_of(fleet: Fleet, targets: Sequence[TargetRef], view: ClusterView) -> dict[str, str]:
    """By uid: who else scales the target, or why it cannot be read."""
    found = {}
    for uid, ref in zip(fleet.uid, targets, strict=True):
        target = view.targets.get(ref)
        if target is None:
            found[uid] = f"{ref.kind} {ref.namespace}/{ref.name} is not there"
        elif target.problem or target.owner:
            found[uid] = target.problem or target.owner or ""
    return found


def source_health(answers: Sequence[Answer], elapsed_s: float) -> SourceHealth:
    """How the metrics source fared in one tick."""
    failed = [answer for answer in answers if isinstance(answer, Unanswered)]
    warnings = {warning for answer in answers if not isinstance(answer, Unanswered) for warning in answer.warnings}
    return SourceHealth(
        name="prometheus",
        ok=not failed,
        queries=len(answers),
        failed=len(failed),
        elapsed_s=elapsed_s,
        message=failed[0].message if failed else "",
        warnings=tuple(sorted(warnings)),
    )
