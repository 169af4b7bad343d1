"""Rules that narrow a proposal whatever asked for it: holds, step budgets, fleet breaker. All are idempotent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers
from policies.budget_terms import FLEET
from policies.model import Hold, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.arrays import BoolArray, IntArray, SmallArray
    from policies.budget_terms import StepLimits
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
    for inside, left in _steps_left(fleet, fleet.budget.step_downs, removals, now_s):
        fall: IntArray = np.where(inside, np.maximum(current - proposal.target, 0), 0)
        stays = fall - granted(fall, max(0, left))
        proposal = proposal.limited_to(proposal.target + stays, rule="step_down_budget")
    return proposal


def within_step_ups(
    proposal: Proposal, fleet: Fleet, additions: Removals, now_s: float, at_least: tuple[IntArray, IntArray]
) -> Proposal:
    """Rises of active lanes within the step-up budgets of namespaces and of the fleet, one after the other.

    The higher priority goes first, then the smallest rise. `at_least` is the current count, below which nothing goes,
    and the count up to which a lane rises whatever the budget, `[lane]`; those rises count first.
    """
    current, least = at_least
    for inside, left in _steps_left(fleet, fleet.budget.step_ups, additions, now_s):
        needed = np.maximum(current, np.minimum(least, proposal.target))
        rise: IntArray = np.where(inside, np.maximum(proposal.target - needed, 0), 0)
        first = int((needed - current)[inside].sum())
        waits = rise - granted(rise, max(0, left - first), fleet.budget.priority)
        proposal = proposal.limited_to(proposal.target - waits, rule="step_up_budget")
    return proposal


def _steps_left(fleet: Fleet, limits: StepLimits, moved: Removals, now_s: float) -> Iterator[tuple[BoolArray, int]]:
    """For each limit the active lanes that it is of, and how many replicas it has left after those that moved."""
    terms = fleet.budget
    for scope, replicas, window_s in zip(limits.scope, limits.replicas, limits.window_s, strict=True):
        since_s = now_s - window_s
        count = moved.since(since_s) if scope == FLEET else moved.since_of(since_s, terms.names[scope])
        yield (fleet.mode == Mode.ACTIVE) & ((scope == FLEET) | (terms.namespace == scope)), int(replicas) - count


def granted(move: IntArray, budget: int, priority: IntArray | None = None) -> IntArray:
    """What `budget` leaves of each move: by `priority`, the higher first, then the smallest, the last one in part."""
    order = np.lexsort((move,) if priority is None else (move, -priority))
    before = np.cumsum(move[order]) - move[order]
    found = integers(move.size)
    found[order] = np.clip(budget - before, 0, move[order])
    return found
