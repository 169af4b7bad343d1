"""What a restart knows: the snapshot, taken forward by the ticks that were recorded after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.records import Outcome
from policies.engine import decide
from policies.snapshot import fleet_from, observation_from, state_from
from policies.state import EngineState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.journal import Intent, Restored
    from controller.records import ClusterView
    from policies.model import Decision, Fleet, Observation

PATIENCE_S = 120.0  # how long a watch may lag behind a write


@dataclass(frozen=True, slots=True)
class Recall:
    """The state after the last recorded tick, and that tick itself; `fleet` is the one it was made for."""

    at_s: float
    fleet: Fleet
    state: EngineState
    seen: Observation | None
    decision: Decision | None


def recalled(restored: Restored) -> Recall | None:
    """Decide again what was recorded since the snapshot; None when nothing was recorded.

    Raises ValueError when the bytes are damaged or of a version that this program does not read.
    """
    snapshot, ticks = restored.snapshot, restored.ticks
    fleets = {digest: fleet_from(data) for digest, data in restored.fleets.items()}
    if snapshot is None and not ticks:
        return None
    if snapshot is None:
        fleet = fleets[ticks[0].fleet_digest]
        state = EngineState.fresh(fleet)
        at_s = ticks[0].at_s
    else:
        fleet = fleets[snapshot.fleet_digest]
        state = state_from(snapshot.core, snapshot.blocks)
        at_s = snapshot.at_s
    seen: Observation | None = None
    decision: Decision | None = None
    for tick in ticks:
        fleet, seen, at_s = fleets[tick.fleet_digest], observation_from(tick.observation), tick.at_s
        state, decision = decide(fleet, state, seen)
    return Recall(at_s, fleet, state, seen, decision)


def resolved(
    intents: Sequence[Intent], view: ClusterView, now_s: float
) -> tuple[tuple[Outcome, ...], tuple[Intent, ...]]:
    """How orders ended that no recorded tick took note of, and the orders whose target has not been read since.

    Where no outcome is recorded, they were carried out if the cluster shows their count, or a later order started
    from it.
    """
    told = tuple(intent.outcome for intent in intents if intent.outcome is not None and _final(intent.outcome))
    guessed = [intent for intent in intents if intent.outcome is None or not _final(intent.outcome)]
    unread = [intent for intent in guessed if _unread(view, intent, now_s)]
    waiting = {intent.order.ref for intent in unread}
    found = []
    for index, intent in enumerate(guessed):
        order = intent.order
        if order.ref in waiting:
            continue
        later = [other.order.before for other in guessed[index + 1 :] if other.order.ref == order.ref]
        target = view.targets.get(order.ref)
        shown = None if target is None else target.spec_replicas
        stands = order.after in ([shown] if not later else later[:1])
        found.append(Outcome(order, intent.at_s, "applied" if stands else "unknown"))
    return (*told, *found), tuple(intent for intent in guessed if intent.order.ref in waiting)


def _final(outcome: Outcome) -> bool:
    return outcome.result != "unavailable"


def _unread(view: ClusterView, intent: Intent, now_s: float) -> bool:
    """Whether the target is followed and what is shown of it may be from before the order."""
    target = view.targets.get(intent.order.ref)
    if target is None:
        return False
    same = target.resource_version == intent.order.resource_version and now_s - intent.at_s < PATIENCE_S
    return target.problem is not None or same
