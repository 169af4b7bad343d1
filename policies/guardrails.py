"""Rules that narrow a proposal whatever asked for it: holds, step-down budgets, fleet breaker. All are idempotent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers
from policies.budget_terms import FLEET
from policies.model import Hold, Mode

if TYPE_CHECKING:
    from policies.arrays import IntArray, SmallArray
    from policies.model import Fleet
    from policies.proposal import Proposal
    from policies.state import Removals

HOLD_RULES = {
    Hold.PAUSED: "paused",
    Hold.ANNOTATION: "paused_by_annotation",
    Hold.KILL_SWITCH: "kill_switch",
    Hold.OWNED: "owned",
    Hold.NO_TARGET: "no_target",
    Hold.CLUSTER_DOWN: "cluster_down",
    Hold.FORBIDDEN: "forbidden",
    Hold.OPERATOR: "paused_by_operator",
    Hold.FREEZE: "freeze",
}


def holds_of(fleet: Fleet, hold: SmallArray) -> SmallArray:
    """The holds seen, and `PAUSED` for lanes whose policy says so, `[lane]`."""
    return np.where((fleet.mode == Mode.PAUSED) & (hold == Hold.NONE), Hold.PAUSED, hold).astype(np.int8)


def held(proposal: Proposal, hold: SmallArray, current: IntArray) -> Proposal:
    """Lanes with a hold stay at the current count; the step names the hold."""
    if not hold.any():
        return proposal
    for code, rule in HOLD_RULES.items():
        target = np.where(hold == code, current, proposal.target)
        proposal = proposal.limited_to(target, rule=rule)
    return proposal


def removal_budget(fleet: Fleet, removals: Removals, now_s: float, current: IntArray) -> int:
    """Replicas that may still go: a share of what the active lanes had when the window began, and at least one."""
    limits = fleet.limits
    gone = removals.since(now_s - limits.removal_window_s)
    had = int(current[fleet.mode == Mode.ACTIVE].sum()) + gone
    return max(0, max(1, int(had * limits.removal_ratio)) - gone)


def fleet_breaker(proposal: Proposal, fleet: Fleet, budget: int, current: IntArray) -> Proposal:
    """Falls of active lanes within `budget` replicas in all; the smallest falls go first, the last one in part.

    A lane whose `current` is 0 has nothing to lose.
    """
    fall: IntArray = np.where(fleet.mode == Mode.ACTIVE, np.maximum(current - proposal.target, 0), 0)
    if fleet.limits.removal_ratio >= 1.0 or int(fall.sum()) <= budget:
        return proposal
    return proposal.limited_to(proposal.target + (fall - granted(fall, budget)), rule="fleet_breaker")


def within_step_downs(
    proposal: Proposal, fleet: Fleet, removals: Removals, now_s: float, current: IntArray
) -> Proposal:
    """Falls of active lanes within the step-down budgets of namespaces and of the fleet, one after the other.

    They are shared as the fleet breaker shares. A lane whose `current` is 0 has nothing to lose.
    """
    terms = fleet.budget
    table = zip(terms.step_downs.scope, terms.step_downs.replicas, terms.step_downs.window_s, strict=True)
    for scope, replicas, window_s in table:
        since_s = now_s - window_s
        gone = removals.since(since_s) if scope == FLEET else removals.since_of(since_s, terms.names[scope])
        inside = (fleet.mode == Mode.ACTIVE) & ((scope == FLEET) | (terms.namespace == scope))
        fall: IntArray = np.where(inside, np.maximum(current - proposal.target, 0), 0)
        stays = fall - granted(fall, max(0, int(replicas) - gone))
        proposal = proposal.limited_to(proposal.target + stays, rule="step_down_budget")
    return proposal


def granted(fall: IntArray, budget: int) -> IntArray:
    """What `budget` lets go of each fall: the smallest first, the last one in part."""
    order = np.argsort(fall, kind="stable")
    before = np.cumsum(fall[order]) - fall[order]
    found = integers(fall.size)
    found[order] = np.clip(budget - before, 0, fall[order])
    return found
