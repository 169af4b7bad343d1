"""One tick's decision for a whole fleet: `decide(fleet, state, seen) -> (state, decision)`, pure and deterministic."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from policies.announced import announced, with_announced
from policies.arrays import any_by, booleans, floats, indices, small, sum_by
from policies.budgeted import within_budgets
from policies.candidates import capacity_per_replica, kubernetes_rule, order_rule, pressure_rule
from policies.censoring import with_censored
from policies.consolidation import consolidated
from policies.contradiction import contradicted, doubted
from policies.fixed import FIXED_RULES, fixed_lanes, with_fixed
from policies.frozen import frozen_at, not_below, with_frozen
from policies.gpu_quota import within_gpu_quota
from policies.guardrails import (
    HOLD_RULES,
    fleet_breaker,
    held,
    holds_of,
    removal_budget,
    within_step_downs,
    within_step_ups,
)
from policies.hpa.behavior import Bounds, longest_period
from policies.lead_time import Orders, advanced, forecast_of
from policies.mass_drop import with_mass_drop
from policies.model import RULES, Action, Decision, Forecast, Hold, Kind, ReplicaPlan, Status
from policies.no_room import without_room
from policies.placed import changed_totals, present_totals
from policies.rollout import while_rolling
from policies.rows import demand_tracks
from policies.schedules import bounds_at
from policies.split import Need, split
from policies.standing import Standing, standing_of
from policies.state import Removals, namespace_id

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.fixed import Fixed
    from policies.lead_time import LeadTime
    from policies.log import Log
    from policies.model import Fleet, Observation
    from policies.proposal import Proposal
    from policies.state import EngineState

_CODE = {rule: code for code, rule in enumerate(RULES)}


def decide(fleet: Fleet, state: EngineState, seen: Observation) -> tuple[EngineState, Decision]:
    """What to do for every lane, given all that was seen.

    Where the tournament has evidence its champion decides, above what pressure asks for; else the larger of the
    Kubernetes rule and the champion's order stands. Declared events raise it, budgets, GPU quotas and guardrails narrow
    it. A count that people have fixed takes the place of all but quotas and holds. What placed lanes come to is split
    over their two objects. Lanes decide the same alone or in a fleet, but for the fleet breaker, budgets and quotas
    that they share, and for falls to nothing of many at once. `seen` must be built for `fleet`; `state` may come from
    another fleet and is aligned first. The returned state takes note of what was recommended; what was carried out
    comes back with the next observation's `applied`.
    """
    state = state.aligned_to(fleet).until(seen.now_s)
    drops, seen = with_mass_drop(fleet, state.drops, seen)
    seen = with_censored(fleet, seen)
    scales, seen = seen, replace(seen, spec_replicas=present_totals(state.split, fleet, seen))
    state = remembered(state, fleet, seen)
    low, high = bounds_at(fleet.schedules, fleet.min_replicas, fleet.max_replicas, now_s=seen.now_s)
    current, frozen = seen.spec_replicas, frozen_at(fleet, seen.fixed, seen.now_s)
    low, seen = not_below(low, high, current, frozen), with_frozen(seen, frozen.still)
    bounds = Bounds(low, high)
    kubernetes = kubernetes_rule(fleet, state, seen, bounds)
    pressed, pressed_log = pressure_rule(fleet, state, seen, bounds, kubernetes.tracks)
    lead, orders, forecast, standing = _lead_time(fleet, state, seen, bounds)
    asked, ahead = order_rule(fleet, state, seen, bounds, orders.replicas)
    advice = kubernetes.proposal
    proposal = _asked(fleet, seen, advice, replace(orders, replicas=asked), pressed)
    demand, demand_known = demand_replicas(fleet, seen)
    filled = np.where(demand_known, demand, 0.0)
    tried = state.tried.after(fleet, seen, filled)
    if fleet.limits.cautious:
        proposal = without_room(proposal, fleet, seen, kubernetes.tracks.replicas, np.maximum(asked, low))
        proposal = while_rolling(proposal, seen, high)
        proposal = consolidated(proposal, tried, seen, filled, high)
    near = announced(fleet, state, seen, bounds)
    proposal = with_announced(proposal, near) if near.name else proposal
    proposal = with_fixed(proposal, seen.fixed)
    proposal, budgeted = within_budgets(proposal, fleet, state, seen, bounds)
    proposal, gpu_shares = within_gpu_quota(proposal, fleet, seen)
    hold = holds_of(fleet, seen.hold)
    budget = removal_budget(fleet, state.removals, seen.now_s, current)
    free = ~fixed_lanes(seen.fixed, fleet.lanes)
    counted = np.where(free, current, 0)
    least = np.where(free, np.maximum(low, 1), proposal.target)  # what a step-up budget does not delay
    proposal = held(proposal, hold, current)
    proposal = within_step_ups(proposal, fleet, state.additions, seen.now_s, (current, least))
    proposal = within_step_downs(proposal, fleet, state.removals, seen.now_s, counted)
    proposal = fleet_breaker(proposal, fleet, budget, counted)
    need = Need(indices(fleet.spot.placed), proposal.target, current, hold, state.starts.quantile_s, budget)
    placed, parts = split(fleet, state.split, scales, need)
    state = replace(
        state,
        split=placed,
        seen=state.seen | (seen.hold != Hold.NO_TARGET),
        zeroed=(state.zeroed & (current == 0)) | ((proposal.target == 0) & (current > 0)),
        advice=kubernetes.log,
        pressed=pressed_log,
        ahead=ahead,
        lead=lead,
        doubt=doubted(state.doubt, fleet, seen),
        drops=drops,
        tried=tried,
    )
    return state, Decision(
        at_s=seen.now_s,
        replicas=_plan(proposal, seen.fixed, current, hold),
        current=current,
        split=parts,
        steps=proposal.steps,
        readings=seen.readings,
        forecast=forecast,
        standing=standing,
        announced=near,
        budget=budgeted,
        gpu_shares=gpu_shares,
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
        contradicted=contradicted(state.doubt, fleet),
        fixed=seen.fixed,
    )


def _lead_time(
    fleet: Fleet, state: EngineState, seen: Observation, bounds: Bounds
) -> tuple[LeadTime, Orders, Forecast, Standing]:
    """The lead-time layer after this observation, and what it says; it rests where no lane is to be forecast."""
    startup_s = state.starts.quantile_s
    if not fleet.forecast.any():
        return state.lead, Orders.none(fleet.lanes), Forecast.none(startup_s), Standing.none(fleet.lanes)
    lead, orders = advanced(state, fleet, seen, bounds)
    return lead, orders, forecast_of(lead, fleet, startup_s), standing_of(lead, fleet)


def _asked(fleet: Fleet, seen: Observation, advice: Proposal, orders: Orders, pressed: IntArray) -> Proposal:
    """The champion's order alone, where it has evidence and all that asks is fresh; else the larger of both, `[lane]`.

    The Kubernetes rule alone decides about zero replicas, and for lanes that are not to be forecast.
    """
    current = seen.spec_replicas
    asks = fleet.tracks.kind != Kind.LATE
    doubtful = any_by(fleet.tracks.lane, asks & (seen.readings.status != Status.FRESH), fleet.lanes)
    ruled = fleet.forecast & (current > 0) & (advice.target > 0)
    alone = ruled & orders.alone & ~doubtful
    order = np.maximum(orders.replicas, 1)
    proposal = advice.where(ruled & ~alone, np.maximum(advice.target, orders.replicas), rule="forecast")
    proposal = proposal.where(alone, order, rule="tournament")
    return proposal.where(alone, np.maximum(order, pressed), rule="pressure")


def remembered(state: EngineState, fleet: Fleet, seen: Observation) -> EngineState:
    """`state` with what this observation tells: changes carried out, start-ups, history, what was learned."""
    rises, falls, removals, additions = state.rises, state.falls, state.removals, state.additions
    if seen.applied.lane.size:
        change = changed_totals(state.split, fleet, seen, seen.spec_replicas)
        rises = _noted(rises, fleet, seen, change, longest_period(fleet.behavior.up))
        falls = _noted(falls, fleet, seen, -change, longest_period(fleet.behavior.down))
        gone = seen.applied.before - seen.applied.after
        downs_s, ups_s = (each.window_s.max(initial=0.0) for each in (fleet.budget.step_downs, fleet.budget.step_ups))
        removals = _with_moved(removals, fleet, seen, gone, max(fleet.limits.removal_window_s, downs_s))
        if ups_s:
            additions = _with_moved(additions, fleet, seen, -gone, ups_s)
    lead = state.lead
    if seen.learned is not None and lead.lanes == fleet.lanes:
        place = {uid: row for row, uid in enumerate(seen.learned.uid)}
        lead = lead.with_lanes(seen.learned.lead, np.array([place.get(uid, -1) for uid in fleet.uid], np.int64))
    history = state.history if seen.backfill is None else state.history.filled_with(seen.backfill)
    tracks = demand_tracks(fleet)
    if tracks.size and fleet.forecast.any():
        reading = seen.readings
        fresh = reading.status[tracks] == Status.FRESH
        history = history.append(seen.now_s, reading.value_milli[tracks] / 1000.0, fresh, reading.age_s[tracks])
        history = history.kept(float(fleet.history_s.max()), seen.now_s)
    starts = state.starts.learned(seen.starts, now_s=seen.now_s)
    return replace(
        state,
        rises=rises,
        falls=falls,
        removals=removals,
        additions=additions,
        history=history,
        lead=lead,
        starts=starts,
    )


def _noted(log: Log, fleet: Fleet, seen: Observation, change: IntArray, keep_s: FloatArray) -> Log:
    """`log` with the changes above 0 of each lane, several of a lane as one, at the time of the last."""
    applied, lanes = seen.applied, fleet.lanes
    total = sum_by(applied.lane, np.maximum(change, 0), lanes)
    at_s = floats(lanes, -np.inf)
    np.maximum.at(at_s, applied.lane, np.minimum(applied.at_s, seen.now_s))
    return log.noted(at_s, total, fleet.behavior.given & (total > 0), keep_s)


def _with_moved(moved: Removals, fleet: Fleet, seen: Observation, change: IntArray, keep_s: float) -> Removals:
    """`moved` with the changes above 0, `[applied]`, without those that are older than `keep_s`."""
    applied, more = seen.applied, change > 0
    recent = moved.at_s > seen.now_s - keep_s
    names = [fleet.uid[lane].partition("/")[0] for lane in applied.lane[more].tolist()]
    return Removals(
        np.concatenate([moved.at_s[recent], np.minimum(applied.at_s[more], seen.now_s)]),
        np.concatenate([moved.count[recent], change[more]]),
        np.concatenate([moved.namespace[recent], np.array([namespace_id(name) for name in names], np.int64)]),
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


def _plan(proposal: Proposal, fixed: Fixed | None, current: IntArray, hold: SmallArray) -> ReplicaPlan:
    """Actions, and for each lane the rule that had the last word."""
    action = small(current.size, Action.KEEP)
    action[proposal.target > current] = Action.RAISE
    action[proposal.target < current] = Action.LOWER
    action[hold != Hold.NONE] = Action.HOLD
    return ReplicaPlan(action, proposal.target, _last_words(proposal, fixed, hold))


def _last_words(proposal: Proposal, fixed: Fixed | None, hold: SmallArray) -> SmallArray:
    """The last rule that changed a lane; of one that people keep where it is, that which keeps it."""
    reason = small(hold.size)
    for step in proposal.steps:
        reason[step.lane] = _CODE[step.rule]
    if fixed is not None:
        for who, rule in FIXED_RULES.items():
            reason[(fixed.by == who) & (fixed.replicas == proposal.target)] = _CODE[rule]
    for code in np.unique(hold) if hold.any() else ():
        if code != Hold.NONE:
            reason[hold == code] = _CODE[HOLD_RULES[Hold(code)]]
    return reason
