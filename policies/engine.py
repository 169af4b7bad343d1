"""One tick's decision for a whole fleet: `decide(fleet, state, seen) -> (state, decision)`, pure and deterministic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import any_by, booleans, floats, small, sum_by
from policies.candidates import capacity_per_replica, forecast_rule, kubernetes_rule, look_ahead
from policies.censoring import with_censored
from policies.guardrails import HOLD_RULES, fleet_breaker, held, holds_of, removal_budget
from policies.hpa.behavior import Bounds, longest_period
from policies.model import RULES, Action, Decision, Hold, ReplicaPlan, Status
from policies.schedules import bounds_at
from policies.state import Removals, demand_tracks

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.log import Log
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal, Step
    from policies.state import EngineState

_CODE = {rule: code for code, rule in enumerate(RULES)}


def decide(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
    """What to do for every lane, given all that was seen.

    The larger of the Kubernetes rule and the forecast stands; guardrails narrow it. `seen` must be built for
    `fleet`; `state` may come from another fleet and is aligned first. The returned state takes note of what was
    recommended; what was carried out comes back with the next observation's `applied`.
    """
    seen = with_censored(fleet, seen)
    state = remembered(state.aligned_to(fleet).until(seen.now_s), fleet, seen)
    low, high = bounds_at(fleet.schedules, fleet.min_replicas, fleet.max_replicas, now_s=seen.now_s)
    bounds, current = Bounds(low, high), seen.spec_replicas
    kubernetes = kubernetes_rule(fleet, state, seen, bounds)
    forecast = look_ahead(fleet, state, seen)
    asked, ahead = forecast_rule(fleet, state, seen, bounds, forecast)
    advice = kubernetes.proposal
    proposal = advice.limited_to(np.maximum(advice.target, asked), rule="forecast")
    hold = holds_of(fleet, seen.hold)
    budget = removal_budget(fleet, state.removals, seen.now_s, current)
    proposal = fleet_breaker(held(proposal, hold, current), fleet, budget, current)
    demand, demand_known = demand_replicas(fleet, seen)
    state = replace(
        state,
        seen=state.seen | (seen.hold != Hold.NO_TARGET),
        zeroed=(state.zeroed & (current == 0)) | ((proposal.target == 0) & (current > 0)),
        advice=kubernetes.log,
        ahead=ahead,
    )
    return state, Decision(
        at_s=seen.now_s,
        replicas=_plan(proposal, current, hold),
        steps=proposal.steps,
        readings=seen.readings,
        forecast=forecast,
        min_replicas=low,
        max_replicas=high,
        kubernetes=advice.target,
        proposed=kubernetes.tracks.replicas,
        demand=demand,
        demand_known=demand_known,
        startup_s=state.starts.quantile_s,
        starts=state.starts,
        hold=hold,
        removal_budget=budget,
        conditions=kubernetes.conditions,
    )


def remembered(state: EngineState, fleet: Fleet, seen: Observation) -> EngineState:
    """`state` with what this observation tells: changes carried out, start-ups, history, a fit that came in."""
    rises, falls, removals = state.rises, state.falls, state.removals
    if seen.applied.lane.size:
        change = seen.applied.after - seen.applied.before
        rises = _noted(rises, fleet, seen, change, longest_period(fleet.behavior.up))
        falls = _noted(falls, fleet, seen, -change, longest_period(fleet.behavior.down))
        removals = _with_removals(removals, fleet, seen)
    history = state.history if seen.backfill is None else state.history.filled_with(seen.backfill)
    tracks = demand_tracks(fleet)
    if tracks.size and fleet.forecast.any():
        reading = seen.readings
        fresh = reading.status[tracks] == Status.FRESH
        history = history.append(seen.now_s, reading.value_milli[tracks] / 1000.0, fresh, reading.age_s[tracks])
        history = history.kept(float(fleet.history_s.max()), seen.now_s)
    fit = state.fit if seen.fit is None else seen.fit.aligned(state.rows)
    starts = state.starts.learned(seen.starts, now_s=seen.now_s)
    return replace(state, rises=rises, falls=falls, removals=removals, history=history, fit=fit, starts=starts)


def _noted(log: Log, fleet: Fleet, seen: Observation, change: IntArray, keep_s: FloatArray) -> Log:
    """`log` with the changes above 0 of each lane, several of a lane as one, at the time of the last."""
    applied, lanes = seen.applied, fleet.lanes
    total = sum_by(applied.lane, np.maximum(change, 0), lanes)
    at_s = floats(lanes, -np.inf)
    np.maximum.at(at_s, applied.lane, np.minimum(applied.at_s, seen.now_s))
    return log.noted(at_s, total, fleet.behavior.given & (total > 0), keep_s)


def _with_removals(removals: Removals, fleet: Fleet, seen: Observation) -> Removals:
    applied = seen.applied
    falls = applied.after < applied.before
    recent = removals.at_s > seen.now_s - fleet.limits.removal_window_s
    return Removals(
        np.concatenate([removals.at_s[recent], np.minimum(applied.at_s[falls], seen.now_s)]),
        np.concatenate([removals.count[recent], (applied.before - applied.after)[falls]]),
    )


def demand_replicas(fleet: Fleet, seen: Observation) -> tuple[FloatArray, BoolArray]:
    """The largest demand of each lane in replicas at the serving limit, and whether it is known, `[lane]`."""
    tracks, lanes = demand_tracks(fleet), fleet.lanes
    if tracks.size == 0:
        return floats(lanes), booleans(lanes)
    lane = fleet.tracks.lane[tracks]
    serving = capacity_per_replica(fleet, seen)[tracks] * fleet.serving_limit_ratio[lane]
    known = (seen.readings.status[tracks] != Status.MISSING) & (serving > 0)
    largest = floats(lanes)
    np.maximum.at(largest, lane[known], seen.readings.value_milli[tracks][known] / 1000.0 / serving[known])
    return largest, any_by(lane, known, lanes)


def _plan(proposal: Proposal, current: IntArray, hold: SmallArray) -> ReplicaPlan:
    """Actions, and for each lane the rule that had the last word."""
    action = small(current.size, Action.KEEP)
    action[proposal.target > current] = Action.RAISE
    action[proposal.target < current] = Action.LOWER
    action[hold != Hold.NONE] = Action.HOLD
    return ReplicaPlan(action, proposal.target, _last_words(proposal.steps, hold))


def _last_words(steps: tuple[Step, ...], hold: SmallArray) -> SmallArray:
    reason = small(hold.size)
    for step in steps:
        reason[step.lane] = _CODE[step.rule]
    for code in np.unique(hold) if hold.any() else ():
        if code != Hold.NONE:
            reason[hold == code] = _CODE[HOLD_RULES[Hold(code)]]
    return reason
