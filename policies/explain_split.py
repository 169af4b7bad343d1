"""From a split to sentences: what stands on spot and on demand, why, and what that has left short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.model import Hold

if TYPE_CHECKING:
    from policies.model import Decision, Fleet, Observation
    from policies.split import Split

SPLIT_SENTENCES = {
    "spot_hedge": "What spot costs, and how soon it may be taken back, leave {after} of {before} on demand.",
    "notice": "Spot replicas are announced to go: {after} on demand instead of {before}.",
    "on_demand_backfill": "Spot replicas were taken back and are not replaced yet: {after} on demand, not {before}.",
    "spot_not_ready": "Nothing goes on demand before spot replicas that replace it are ready: {after}, not {before}.",
    "held": "The workload is held: {after} stay on demand, where {before} were decided.",
    "moves_breaker": "The fleet breaker lets no more replicas move for now: {after} on demand instead of {before}.",
}
_HELD = {
    Hold.ANNOTATION: "it has the annotation foresail.dev/paused",
    Hold.OWNED: "another controller scales it",
    Hold.NO_TARGET: "it cannot be read",
    Hold.FORBIDDEN: "the API server refused its last change",
}


def split_sentences(fleet: Fleet, seen: Observation, decision: Decision, lane: int) -> tuple[str, ...]:
    """The story of one lane's base and surge; nothing for a lane without placement."""
    parts, places = decision.split, seen.places
    row = int(parts.lane.searchsorted(lane))
    if places is None or row == parts.lane.size or parts.lane[row] != lane:
        return ()
    told = [_standing(parts, row)] if places.known[lane] else []
    hold = Hold(int(places.hold[lane]))
    if hold is not Hold.NONE:
        told.append(f"The surge stays as it is, because {_HELD.get(hold, 'it is held')}.")
    elif not places.known[lane]:
        told.append("Where its spot replicas stand is not known, as nodes cannot be read, so all is on demand.")
    short, most = 100 * float(parts.short_ratio[row]), 100 * float(fleet.spot.short_ratio[lane])
    if places.known[lane]:
        told.append(f"Spot has left {short:.2g} % of the replicas short of late; {most:g} % may be.")
    base, surge = (int(each[row]) for each in (parts.base, parts.surge))
    outcome = f"Placement: {parts.on_demand[row]} on demand (now {base}) and {parts.spot[row]} on spot (now {surge})."
    return (*told, *_steps(parts, lane), outcome)


def _standing(parts: Split, row: int) -> str:
    """What stands where."""
    zones = parts.zones
    words = [_zone(parts, each) for each in range(zones.lane.size) if zones.lane[each] == row]
    shown = [each for each in words if each]
    return f"On spot: {'; '.join(shown)}." if shown else "Nothing stands on spot."


def _zone(parts: Split, row: int) -> str:
    zones = parts.zones
    counts = {
        "ready": zones.ready[row],
        "starting": zones.starting[row],
        "announced to go": zones.noticed[row],
        "refused a node": zones.waiting[row],
        "taken back just now": zones.lost[row],
    }
    words = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"{zones.name[row]} {words}".strip() if words else ""


def _steps(parts: Split, lane: int) -> tuple[str, ...]:
    found = []
    for step in parts.steps:
        place = int(step.lane.searchsorted(lane))
        if place < step.lane.size and step.lane[place] == lane:
            words = SPLIT_SENTENCES[step.rule]
            found.append(words.format(before=int(step.before[place]), after=int(step.after[place])))
    return tuple(found)
