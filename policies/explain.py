"""From steps to sentences: what a lane's decision saw, asked for, was narrowed by, and came to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from policies.contradiction import contradiction_sentences
from policies.explain_budget import budget_sentences
from policies.explain_quota import quota_sentences
from policies.explain_split import split_sentences
from policies.frozen import freeze_sentences
from policies.lateness import base_value
from policies.model import UNKNOWN, Action, Hold, Kind, Status, Why, signal_name
from policies.standing import EVIDENCE_S, HEARD_S, awaited_tracks, candidate_name, family_name, margin_of
from policies.startup import MANY, Given
from policies.tournament import GRID

if TYPE_CHECKING:
    from policies.model import Decision, Fleet, Observation
    from policies.proposal import Step
    from policies.standing import Standing

RULE_SENTENCES = {
    "signals": "The signals ask for {after} (Kubernetes' rule; it was {before}).",
    "above_target": "A signal is above its target, so nothing is lowered: {after} instead of {before}.",
    "missing_data": "Some data is not fresh, and only fresh data may lower: {after} instead of {before}.",
    "stabilization": "A stabilisation window keeps {after} instead of {before}.",
    "rate_limit": "The behavior's rate policies allow {after} instead of {before}.",
    "bounds": "The bounds in force ({low} to {high}) make it {after} instead of {before}.",
    "forecast": "The forecast needs {after} once replicas started now are ready, instead of {before}.",
    "tournament": "The one in charge decides alone and orders {after}; Kubernetes' rule said {before}.",
    "pressure": "Signals of pressure ask for {after}, more than the {before} that were ordered.",
    "no_room": "Pods wait for a node, so signals of pressure ask for no more of them: {after} instead of {before}.",
    "rollout": "A rollout is under way, and pods of both templates take load: {after} stay instead of {before}.",
    "consolidation": "A count below {after} was too few just now: signals of pressure rose above their targets after"
    " the last step down. So {after} stays for now instead of {before}.",
    "announced_event": "Until the load shows them, declared events have {after} kept ready instead of {before}.",
    "annotated_replicas": "The annotation foresail.dev/replicas fixes {after}, where {before} was decided.",
    "override": "An override fixes {after}, where {before} was decided.",
    "budget": "Budgets leave {after} instead of {before}.",
    "gpu_quota": "GPU quotas leave {after} instead of {before}.",
    "step_up_budget": "A step-up budget lets no more replicas come for now: {after} instead of {before}.",
    "step_down_budget": "A step-down budget lets no more replicas go for now: {after} instead of {before}.",
    "fleet_breaker": "The fleet breaker lets no more replicas go for now: {after} instead of {before}.",
    "paused": "The policy's mode is paused: {after} stays, where {before} was decided.",
    "paused_by_annotation": "The annotation foresail.dev/paused holds {after}, where {before} was decided.",
    "kill_switch": "The kill switch holds {after}, where {before} was decided.",
    "owned": "Another controller scales this object: {after} stays, where {before} was decided.",
    "no_target": "The target cannot be read: {after} stays, where {before} was decided.",
    "cluster_down": "What is known of the cluster is too old: {after} stays, where {before} was decided.",
    "forbidden": "The API server refuses the change: {after} stays, where {before} was decided.",
    "paused_by_operator": "It was paused by hand: {after} stays, where {before} was decided.",
    "freeze": "A freeze window is in force: {after} stays, where {before} was decided.",
}

HOLD_WORDS = {
    Hold.NONE: "nothing holds it",
    Hold.PAUSED: "the policy's mode is paused",
    Hold.ANNOTATION: "the target has the annotation foresail.dev/paused",
    Hold.KILL_SWITCH: "the kill switch is on, or cannot be read",
    Hold.OWNED: "another controller scales this object",
    Hold.NO_TARGET: "the target cannot be read",
    Hold.CLUSTER_DOWN: "what is known of the cluster is too old",
    Hold.FORBIDDEN: "the API server refused the last change",
    Hold.OPERATOR: "it was paused by hand",
    Hold.FREEZE: "a freeze window is in force",
}

_GIVEN_WORDS = {
    Given.FREE: "on a free node",
    Given.NODE: "when a node must come",
    Given.MANY: f"when {MANY} or more start at once",
}
_IN_MINUTES_S = 120.0  # and longer
_IN_HOURS_S = 3600.0

_FAMILY_WORDS = {
    "largest": "the largest load forecast until replicas started now serve",
    "last": "the load forecast for when replicas started now serve",
    "middle": "the middle of the load forecast for when replicas started now serve and the largest until then",
    "incumbent": "the incumbent, Kubernetes' rule at its own settings",
    "seasonal-naive": "what the load needed at this time yesterday",
}
_FEW = 0.1  # share of the figures that may come from other loads without being told
_TRIMMED = 0.05  # errors

WHY_WORDS = {
    Why.OK: "fresh",
    Why.NO_SERIES: "no series matches",
    Why.SOURCE_DOWN: "the source does not answer",
    Why.BAD_QUERY: "the source refuses the query",
    Why.DEADLINE: "no answer within the deadline",
    Why.TOO_OLD: "the newest sample is too old",
    Why.FROM_THE_FUTURE: "the newest sample lies in the future",
    Why.PARTIAL_SERIES: "some targets are not scraped, so it is a lower bound",
    Why.NOT_FINITE: "the value is not a number that can be used",
    Why.AMBIGUOUS: "several series match",
    Why.UNKNOWN_FRESHNESS: "its age cannot be known, so it may only raise",
    Why.SATURATED: "the workload was saturated, so it is a lower bound",
    Why.NOT_ASKED: "the query budget was used up",
    Why.MASS_DROP: "many workloads fell to nothing at once, so the metrics are doubted and may only raise",
}


def sentences(fleet: Fleet, seen: Observation, decision: Decision, lane: int) -> tuple[str, ...]:
    """The story of one lane's decision, in the order in which it came about."""
    return (
        *signal_sentences(fleet, decision, lane),
        *_demand(decision, lane),
        *contradiction_sentences(decision.contradicted, fleet, lane),
        *_forecast(decision, lane),
        *_standing(decision, lane),
        *_awaited(fleet, seen, decision, lane),
        *_startup(decision, lane),
        *_announced(decision, lane),
        *freeze_sentences(fleet, decision, lane),
        *budget_sentences(fleet, decision, lane),
        *quota_sentences(fleet, seen, decision, lane),
        *_steps(decision, lane),
        _outcome(decision, lane),
        *split_sentences(fleet, seen, decision, lane),
    )


def steps_of(decision: Decision, lane: int) -> tuple[tuple[str, int, int], ...]:
    """The steps that touched a lane: rule, count before, count after."""
    return tuple(found for step in decision.steps if (found := _of_lane(step, lane)) is not None)


def signal_sentences(fleet: Fleet, decision: Decision, lane: int) -> tuple[str, ...]:
    """What each signal of a lane was, how far that can be trusted, and how many replicas it asks for."""
    first, end = np.searchsorted(fleet.tracks.lane, [lane, lane + 1])
    return tuple(_reading(fleet, decision, track) for track in range(first, end))


def _reading(fleet: Fleet, decision: Decision, track: int) -> str:
    name = signal_name(fleet.tracks.uid[track])
    reading = decision.readings
    why = WHY_WORDS[Why(int(reading.why[track]))]
    if reading.status[track] == Status.MISSING:
        return f"Signal {name} is missing: {why}."
    value, age = base_value(fleet.tracks, reading, track), f"{reading.age_s[track]:.0f} s old ({why})"
    if fleet.tracks.kind[track] == Kind.LATE:
        return f"Signal {name} says that {100 * value:.3g} % of the requests are late, {age}."
    proposed = int(decision.proposed[track])
    return f"Signal {name} is {value:g}, {age}{'' if proposed == UNKNOWN else f'; it asks for {proposed}'}."


def _demand(decision: Decision, lane: int) -> tuple[str, ...]:
    if not decision.demand_known[lane]:
        return ()
    demand, alone = decision.demand[lane], int(decision.kubernetes[lane])
    told = f"Demand fills {demand:.1f} replicas to the serving limit; Kubernetes' rule alone would have {alone}."
    return (told,)


def _forecast(decision: Decision, lane: int) -> tuple[str, ...]:
    forecast = decision.forecast
    if not forecast.known[lane]:
        return ()
    margin = ""
    if decision.standing.candidate[lane, 0] < GRID:
        margin = f", {forecast.upper[lane]:.1f} with the margin of the one in charge"
    told = f"In {_time(forecast.lead_s[lane])} demand is forecast to need {forecast.median[lane]:.1f} replicas{margin}"
    return (f"{told}; the one in charge orders {forecast.replicas[lane]}.",)


def _standing(decision: Decision, lane: int) -> tuple[str, ...]:
    """Who is in charge, what it and the others cost and missed, and on what evidence."""
    standing = decision.standing
    if not standing.there[lane]:
        return ()
    told = f"In charge: {_doing(standing, lane)}.{_sharing(standing, lane)}"
    known_s = float(standing.known_s[lane])
    if not standing.proven[lane]:
        alone = f"Kubernetes' rule stands alone until it has {_span(HEARD_S)}"
        return told, f"Evidence: {_span(known_s)} of {_span(EVIDENCE_S)}; {alone}."
    real = (
        f"Late were {_percent(standing.realised[lane])} of the load over"
        f" {_span(known_s, 14, 'about two weeks')}; {_percent(standing.budget[lane])} may be."
    )
    larger = "the larger of its order and Kubernetes' rule stands"
    evidence = f"Evidence: {_span(known_s)} of {_span(EVIDENCE_S)}; until then {larger}."
    if known_s >= EVIDENCE_S:
        evidence = f"Evidence: {_span(EVIDENCE_S)} and more, so it decides alone while all data is fresh."
    return told, _figures(standing, lane), real, evidence


def _awaited(fleet: Fleet, seen: Observation, decision: Decision, lane: int) -> tuple[str, ...]:
    """Why the load adds no evidence now, where it does not."""
    tracks = np.flatnonzero(awaited_tracks(fleet, seen, decision.readings) & (fleet.tracks.lane == lane)).tolist()
    if not tracks:
        return ()
    why = " and ".join(_absence(fleet, decision, track) for track in tracks)
    rule = "a load counts only while all demand signals are fresh"
    if decision.standing.there[lane]:
        return (f"No evidence is added now, because {why}; {rule}.",)
    return (f"Evidence: none, because {why}; {rule}. Until then Kubernetes' rule stands alone.",)


def _absence(fleet: Fleet, decision: Decision, track: int) -> str:
    name, readings = signal_name(fleet.tracks.uid[track]), decision.readings
    why = WHY_WORDS[Why(int(readings.why[track]))]
    match Status(int(readings.status[track])):
        case Status.FRESH:
            return f"nobody knows what a replica serves of signal {name}"
        case Status.MISSING:
            return f"signal {name} is missing ({why})"
        case _:
            return f"signal {name} is not fresh ({why})"


def _doing(standing: Standing, lane: int) -> str:
    """What the one in charge orders for."""
    candidate = int(standing.candidate[lane, 0])
    words = _FAMILY_WORDS[family_name(candidate)]
    if candidate >= GRID:
        return words
    (scales, hold_s), trim = margin_of(candidate), float(standing.trim[lane])
    margin, held = scales + trim, f", held {_time(hold_s)}" if hold_s else ""
    if abs(margin) < _TRIMMED:
        return f"{words}{held}"
    trimmed = f" ({scales:g} and a trim of {trim:+.1f})" if abs(trim) >= _TRIMMED else ""
    return f"{words}, {'plus' if margin > 0 else 'minus'} {abs(margin):.1f} of its usual errors{trimmed}{held}"


def _sharing(standing: Standing, lane: int) -> str:
    """How many others have a share in its order."""
    others = int(standing.sharing[lane])
    if others == 1:
        return " Another that is nearly as good has a share in its order."
    return f" {others} more that are nearly as good have a share in its order." if others else ""


def _figures(standing: Standing, lane: int) -> str:
    """What those of the standing cost and missed in shadow, each once; without its trim, as they compete."""
    first, second, incumbent = standing.candidate[lane].tolist()
    words = ["it cost", f"the runner-up ({candidate_name(second)})", "the incumbent"]
    shown = range(2 if incumbent in (first, second) else 3)
    told = "; ".join(
        f"{words[who]} {standing.cost[lane, who]:.1f} replicas and was {_percent(standing.late[lane, who])} late"
        for who in shown
    )
    share = float(standing.elsewhere[lane])
    other = f" {100 * share:.0f} % of these figures is what such candidates do on other loads." if share > _FEW else ""
    return f"In shadow over {_span(float(standing.known_s[lane]), 7, 'about a week')} {told}.{other}"


def _startup(decision: Decision, lane: int) -> tuple[str, ...]:
    """What starts take, as far as they were seen, and why another time is planned with."""
    starts = decision.starts
    measured = {given: float(starts.measured_s(given)[lane]) for given in Given}
    known = [f"{_time(measured[given])} {words}" for given, words in _GIVEN_WORDS.items() if measured[given] > 0]
    waits = bool(starts.waiting(decision.at_s)[lane])
    if not known and measured[Given.ANY] > 0:
        known = [_time(measured[Given.ANY])]
    if not known and not waits:
        return ()
    told = f"Starts take {', '.join(known)}; " if known else "No start was seen yet; "
    why = ", because pods wait for a node or did just now" if waits else ""
    return (f"{told}the plan looks {_time(float(decision.startup_s[lane]))} ahead{why}.",)


def _announced(decision: Decision, lane: int) -> tuple[str, ...]:
    """The declared events that are near, and what they need."""
    near = decision.announced
    first, end = np.searchsorted(near.lane, [lane, lane + 1]).tolist()
    return tuple(_event(decision, row) for row in range(first, end))


def _event(decision: Decision, row: int) -> str:
    near = decision.announced
    since_s, replicas = decision.at_s - float(near.begins_s[row]), int(near.replicas[row])
    when = f"began {_time(since_s)} ago" if since_s >= 0 else f"begins in {_time(-since_s)}"
    if replicas == UNKNOWN:
        return f"Event {near.name[row]} {when}; what its load needs is not known, so it asks for nothing."
    return f"Event {near.name[row]} {when}; the load before it and what is declared need {replicas}."


def _time(time_s: float) -> str:
    return f"{time_s:.0f} s" if time_s < _IN_MINUTES_S else f"{round(time_s / 60, 1):g} min"


def _span(time_s: float, most_days: float = math.inf, words: str = "") -> str:
    """Evidence of so long; in `words` where memory does not reach so far."""
    if time_s > most_days * 86_400:
        return words
    return f"{round(time_s / 3600, 1):g} h" if time_s >= _IN_HOURS_S else _time(time_s)


def _percent(share: float) -> str:
    return f"{round(100 * share, 2):g} %"


def _steps(decision: Decision, lane: int) -> tuple[str, ...]:
    low, high = decision.min_replicas[lane], decision.max_replicas[lane]
    return tuple(
        RULE_SENTENCES[rule].format(before=before, after=after, low=low, high=high)
        for rule, before, after in steps_of(decision, lane)
    ) or ("No rule asks for a change.",)


def _outcome(decision: Decision, lane: int) -> str:
    target, current = int(decision.replicas.target[lane]), int(decision.current[lane])
    match Action(int(decision.replicas.action[lane])):
        case Action.RAISE:
            return f"Decision: raise from {current} to {target}."
        case Action.LOWER:
            return f"Decision: lower from {current} to {target}."
        case Action.HOLD:
            words = HOLD_WORDS[Hold(int(decision.hold[lane]))]
            return f"Decision: hold{'' if current == 0 else f' at {current}'}, because {words}."
        case _:
            return f"Decision: keep {current}."


def _of_lane(step: Step, lane: int) -> tuple[str, int, int] | None:
    place = step.lane.searchsorted(lane)
    if place == step.lane.size or step.lane[place] != lane:
        return None
    return step.rule, int(step.before[place]), int(step.after[place])
