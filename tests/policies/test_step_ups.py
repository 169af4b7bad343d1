"""Step-up budgets: how many replicas of a namespace, or of the fleet, may come in a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.budget import Budget, budget_from
from policies.explain import steps_of
from policies.fixed import Fixed, FixedBy
from policies.fleet import fleet_of
from policies.guardrails import within_step_ups
from policies.packing import pack
from policies.proposal import Proposal
from policies.snapshot import fleet_from, snapshot_of, state_from
from policies.state import Removals, namespace_id
from policies.subset import fleet_for
from tests.builders import FREE, NOW_S, Ticks, demand, policy, readings

if TYPE_CHECKING:
    from policies.spec import WorkloadPolicy

AT_ONCE = {"scaleUp": {"policies": [{"type": "Pods", "value": 1000, "periodSeconds": 15}]}}


def budget(replicas: int, namespace: str | None = None, window: str = "10m") -> Budget:
    whose = {} if namespace is None else {"namespace": namespace}
    spec = {"stepUp": {"replicas": replicas, "window": window}, **whose}
    document = {"apiVersion": "foresail.dev/v1alpha1", "kind": "Budget", "metadata": {"name": "b"}, "spec": spec}
    return budget_from(document, source="test")


def workload(
    name: str, namespace: str = "shop", *, priority: int = 0, low: int = 1, mode: str = "active"
) -> WorkloadPolicy:
    made = policy(
        name, demand(capacity=10), behavior=AT_ONCE, forecast={"enabled": False}, mode=mode, low=low, high=100
    )
    spec = made.spec.model_copy(update={"priority": priority})
    metadata = made.metadata.model_copy(update={"namespace": namespace})
    return made.model_copy(update={"metadata": metadata, "spec": spec})


def world(*budgets: Budget, priority: int = 0, low: int = 1) -> Ticks:
    """bank/a, shop/b and shop/c with 2 replicas each; `priority` is that of shop/b and `low` its minimum."""
    made = [workload("a", "bank"), workload("b", priority=priority, low=low), workload("c")]
    return Ticks(fleet_of(made, FREE, budgets), [2, 2, 2])


ASKED = (140.0, 84.0, 42.0)  # 70 % of 10 for each replica: 20, 12 and 6 replicas


@pytest.mark.parametrize(
    ("budgets", "priority", "low", "replicas"),
    [
        pytest.param([], 0, 1, [20, 12, 6], id="none"),
        pytest.param([budget(5, "shop")], 0, 1, [20, 3, 6], id="of-a-namespace-the-smallest-rise-first"),
        pytest.param([budget(5, "shop")], 1, 1, [20, 7, 2], id="the-higher-priority-before-the-smaller-rise"),
        pytest.param([budget(5)], 0, 1, [2, 3, 6], id="of-the-fleet"),
        pytest.param([budget(9, "shop"), budget(5)], 0, 1, [2, 3, 6], id="of-both"),
        pytest.param([budget(5, "shop")], 0, 9, [20, 9, 2], id="a-minimum-is-not-delayed-and-counts-first"),
        pytest.param([budget(5, "office")], 0, 1, [20, 12, 6], id="of-a-namespace-without-workloads"),
    ],
)
def test_what_may_come_at_once(budgets: list[Budget], priority: int, low: int, replicas: list[int]) -> None:
    assert world(*budgets, priority=priority, low=low).values(*ASKED) == replicas


def test_what_came_counts_until_its_window_is_over() -> None:
    found = world(budget(5, "shop", window="2m"))
    counts = [found.values(*ASKED)[1] for _ in range(20)]
    assert counts == [3] * 8 + [8] * 8 + [12] * 4


def test_a_restart_does_not_forget_what_came() -> None:
    found = world(budget(5, "shop"))
    for _ in range(2):
        found.values(*ASKED)
    assert found.state is not None
    found.state = state_from(*snapshot_of(found.state))
    assert found.values(*ASKED) == [20, 3, 6]


def test_falls_are_free_and_the_step_is_told() -> None:
    found = world(budget(5, "shop"))
    decision = found.tick(readings(ASKED))
    assert ("step_up_budget", 12, 3) in steps_of(decision, 1)
    calm = Ticks(found.fleet, [20, 12, 6])
    assert [calm.values(7.0, 7.0, 7.0) for _ in range(40)][-1] == [1, 1, 1]


def test_counts_that_people_fix_come_at_once_and_count_first() -> None:
    fixed = Fixed(np.array([0, 40, 0]), np.array([FixedBy.NOBODY, FixedBy.OVERRIDE, FixedBy.NOBODY], np.int8))
    assert world(budget(5, "shop")).values(*ASKED, fixed=fixed) == [20, 40, 2]


def test_workloads_in_shadow_take_nothing_of_it() -> None:
    shadow = Ticks(fleet_of([workload("b"), workload("c", mode="shadow")], FREE, [budget(5, "shop")]), [2, 2])
    assert shadow.values(84.0, 42.0) == [7, 6]


def test_it_is_idempotent_and_lowers_nobody() -> None:
    found, current = world(budget(5, "shop"), budget(9)), np.array([2, 2, 2])
    came = Removals(np.array([NOW_S - 60.0]), np.array([2]), np.array([namespace_id("shop")]))
    counts = (current, np.array([1, 1, 1]))
    once = within_step_ups(Proposal(np.array([20, 12, 1])), found.fleet, came, NOW_S, counts)
    again = within_step_ups(Proposal(once.target), found.fleet, came, NOW_S, counts)
    assert once.target.tolist() == [6, 5, 1]  # 3 for shop, then 4 of the fleet's 7 are left for the bank
    assert again.target.tolist() == once.target.tolist()
    spent = Removals(np.array([NOW_S - 60.0]), np.array([50]), np.array([namespace_id("shop")]))
    assert within_step_ups(Proposal(np.array([20, 12, 1])), found.fleet, spent, NOW_S, counts).target.tolist() == [
        2,
        2,
        1,
    ]


def test_it_survives_packing_and_a_part_of_the_fleet() -> None:
    fleet = world(budget(5, "shop")).fleet
    assert fleet_from(pack(fleet)).budget.step_ups.replicas.tolist() == [5]
    assert Ticks(fleet_for(fleet, np.array([False, True, True])), [2, 2]).values(84.0, 42.0) == [3, 6]
