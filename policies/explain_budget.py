"""From budgets to sentences: which cap withholds replicas and for whom, and what is wrong with budgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.mix.budgets import Resource, Scope
from policies.model import UNKNOWN, Mode

if TYPE_CHECKING:
    from policies.arrays import BoolArray, IntArray
    from policies.budget_terms import BudgetTerms
    from policies.mix.budgets import Unkept
    from policies.model import Decision, Fleet

_NAMED = 3  # workloads that a problem names
_NEEDS = {
    Resource.USD_PER_HOUR: ("the price of a replica", "spec.objective.prices.replicaHour"),
    Resource.GPUS: ("how many GPUs a replica asks for", "spec.budget.replicaGpus"),
}


def budget_sentences(fleet: Fleet, decision: Decision, lane: int) -> tuple[str, ...]:
    """Which cap leaves a lane less than it asks for, and who has the rest; nothing where none does."""
    told = decision.budget
    scope = Scope(int(told.scope[lane])) if told.scope.size else Scope.NONE
    if scope is Scope.NONE:
        return ()
    resource, kept = Resource(int(told.resource[lane])), int(told.kept[lane])
    row = lane if scope is Scope.WORKLOAD else int(fleet.budget.namespace[lane])
    use = np.maximum(told.need[:, resource], 0.0) * _counted(fleet, decision, lane)
    within = _under(fleet.budget, scope, row)
    higher = float(use[within & (fleet.budget.priority > fleet.budget.priority[lane])].sum())
    others = float(use[within].sum()) - higher - float(use[lane])
    keep = ((higher, "workloads of higher priority keep"), (others, "others keep"))
    why = [f"{words} {amount_text(amount, resource)}" for amount, words in keep if amount > 0]
    each = f"a replica takes {amount_text(float(told.need[lane, resource]), resource)}"
    cap = amount_text(cap_of(fleet.budget, scope, row, resource), resource)
    whose = {Scope.WORKLOAD: "workload's own", Scope.NAMESPACE: "namespace's"}.get(scope, "fleet's")
    return (
        f"The {whose} budget of {cap} leaves {kept} of {int(told.wanted[lane])} replicas: {', '.join([*why, each])}.",
    )


def budget_problems(fleet: Fleet, decision: Decision) -> tuple[str, ...]:
    """Caps that do not hold, and workloads that caps cannot bind; one line each."""
    told = decision.budget
    if not told.wanted.size:
        return ()
    unkept = [_broken(fleet, each) for each in told.unkept]
    return (*unkept, *(line for resource in Resource for line in _unknown(fleet, decision, resource)))


def cap_of(terms: BudgetTerms, scope: Scope, row: int, resource: Resource) -> float:
    """A cap; `row` is a lane for a workload's own, and a row of the namespaces' caps for a namespace's."""
    table = {Scope.WORKLOAD: terms.own, Scope.NAMESPACE: terms.namespaces}.get(scope)
    return float(terms.fleet[resource] if table is None else table[row, resource])


def amount_text(amount: float, resource: Resource) -> str:
    """An amount in words: 8 GPUs, 12.5 an hour in the currency of the prices."""
    if resource is Resource.GPUS:
        return f"{amount:g} GPU{'' if amount == 1 else 's'}"
    return f"{round(amount, 2):g} an hour"


def _counted(fleet: Fleet, decision: Decision, lane: int) -> IntArray:
    """The replicas that a lane's share reckons with, `[lane]`: of shadow, as others see it, those that are there."""
    kept, shadow = decision.budget.kept, fleet.mode == Mode.SHADOW
    return kept if shadow[lane] else np.where(shadow, np.maximum(decision.current, 0), kept)


def _under(terms: BudgetTerms, scope: Scope, row: int) -> BoolArray:
    """The lanes under a cap."""
    lanes = np.arange(terms.priority.size)
    under: BoolArray = lanes >= 0
    if scope is Scope.WORKLOAD:
        under = lanes == row
    elif scope is Scope.NAMESPACE:
        under = terms.namespace == row
    return under


def _broken(fleet: Fleet, unkept: Unkept) -> str:
    """A cap that what may not go breaks."""
    whose, mend = "budget of the fleet", "lower minima or raise the budget"
    if unkept.scope is Scope.WORKLOAD:
        whose = f"budget of {fleet.uid[unkept.row]}"
    elif unkept.scope is Scope.NAMESPACE:
        whose = f"budget of namespace {fleet.budget.names[unkept.row]}"
    uses, cap = amount_text(unkept.floors, unkept.resource), amount_text(unkept.cap, unkept.resource)
    return f"{whose}: minima and replicas that may not go now take {uses}, above {cap}; {mend}"


def _unknown(fleet: Fleet, decision: Decision, resource: Resource) -> tuple[str, ...]:
    """The workloads of which it is not known what they take of what is capped."""
    terms = fleet.budget
    capped = np.isfinite(np.minimum(terms.own, terms.namespaces[terms.namespace])[:, resource])
    capped |= bool(np.isfinite(terms.fleet[resource]))
    lanes = np.flatnonzero(capped & (decision.budget.need[:, resource] == UNKNOWN)).tolist()
    if not lanes:
        return ()
    what, mend = _NEEDS[resource]
    named = ", ".join(fleet.uid[lane] for lane in lanes[:_NAMED]) + (", ..." if len(lanes) > _NAMED else "")
    return (f"budgets: {what} is not known of {len(lanes)} ({named}), so no budget binds them; set {mend}",)
