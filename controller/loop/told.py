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
    from collections.abc import Iterator, Sequence

    from controller.collect.questions import Questions
    from controller.ports import Events
    from controller.records import Answer, ClusterView, Outcome, TargetRef
    from policies.arrays import SmallArray
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
    _held: dict[TargetRef, Hold] = field(default_factory=dict)

    async def tell(self, fleet: Fleet, seen: Observation, objects: Questions, outcomes: Sequence[Outcome]) -> None:
        """Post what is new. An event that cannot be posted is logged, and not tried again."""
        for event in (*_changes(outcomes), *self._holds(fleet, seen, objects)):
            try:
                await self.events.emit(event)
            except ForesailError as error:
                log.warning("event not posted", reason=event.reason, err=str(error))

    def _holds(self, fleet: Fleet, seen: Observation, objects: Questions) -> list[Event]:
        found = []
        held = dict(_held(fleet, seen.hold, objects.targets))
        if seen.places is not None:
            held |= _held(fleet, seen.places.hold, objects.surges)
        for ref, hold in held.items():
            if self._held.get(ref) != hold and hold in HELD_WORDS and hold != Hold.NO_TARGET:
                words = f"{HOLD_RULES[hold]}: {HELD_WORDS[hold]}"
                found.append(Event(ref, "ScalingHeld", f"Foresail holds this workload: {words}", warning=True))
        self._held = held
        return found


def _held(fleet: Fleet, hold: SmallArray, objects: Sequence[TargetRef | None]) -> Iterator[tuple[TargetRef, Hold]]:
    """The objects of active lanes that are held, and why."""
    for lane in np.flatnonzero((hold != Hold.NONE) & (fleet.mode == Mode.ACTIVE)).tolist():
        ref = objects[lane]
        if ref is not None:
            yield ref, Hold(int(hold[lane]))


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


def owners_of(fleet: Fleet, objects: Questions, view: ClusterView) -> dict[str, str]:
    """By uid: who else scales its target, or its surge, or why they cannot be read."""
    found = {}
    for uid, target, surge in zip(fleet.uid, objects.targets, objects.surges, strict=True):
        refs = (target,) if surge is None else (target, surge)
        if words := [said for ref in refs if (said := _owner(ref, view))]:
            found[uid] = "; ".join(words)
    return found


def _owner(ref: TargetRef, view: ClusterView) -> str | None:
    target = view.targets.get(ref)
    return f"{ref.kind} {ref.namespace}/{ref.name} is not there" if target is None else target.problem or target.owner


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
