"""Step-down budgets: how many replicas of a namespace, or of the fleet, may go in a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.budget import Budget, budget_from
from policies.explain import steps_of
from policies.fixed import Fixed, FixedBy
from policies.fleet import fleet_of
from policies.guardrails import within_step_downs
from policies.packing import pack
from policies.problems import PolicyError
from policies.proposal import Proposal
from policies.snapshot import fleet_from, snapshot_of, state_from
from policies.state import Removals, namespace_id
from policies.subset import fleet_for
from tests.builders import FREE, NOW_S, Ticks, demand, policy, readings

if TYPE_CHECKING:
    from policies.spec import WorkloadPolicy

AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}


def budget(replicas: int, namespace: str | None = None, window: str = "10m") -> Budget:
    whose = {} if namespace is None else {"namespace": namespace}
    spec = {"stepDown": {"replicas": replicas, "window": window}, **whose}
    document = {"apiVersion": "foresail.dev/v1alpha1", "kind": "Budget", "metadata": {"name": "b"}, "spec": spec}
    return budget_from(document, source="test")


def workload(name: str, namespace: str = "shop", mode: str = "active") -> WorkloadPolicy:
    made = policy(name, demand(capacity=10), behavior=AT_ONCE, forecast={"enabled": False}, mode=mode, high=100)
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"namespace": namespace})})


def world(*budgets: Budget) -> Ticks:
    """bank/a with 20 replicas, shop/b with 10 and shop/c with 4, of which one each is needed."""
    made = [workload("a", "bank"), workload("b"), workload("c")]
    return Ticks(fleet_of(made, FREE, budgets), [20, 10, 4])


@pytest.mark.parametrize(
    ("budgets", "replicas"),
    [
        pytest.param([], [1, 1, 1], id="none"),
        pytest.param([budget(5, "shop")], [1, 8, 1], id="of-a-namespace-the-smallest-fall-first"),
        pytest.param([budget(5)], [20, 8, 1], id="of-the-fleet"),
        pytest.param([budget(5, "shop"), budget(20)], [5, 8, 1], id="of-both"),
        pytest.param([budget(5, "shop"), budget(2, "shop")], [1, 8, 4], id="of-two-both-hold"),
        pytest.param([budget(5, "office")], [1, 1, 1], id="of-a-namespace-without-workloads"),
    ],
)
def test_what_may_go_at_once(budgets: list[Budget], replicas: list[int]) -> None:
    assert world(*budgets).values(7, 7, 7) == replicas


def test_what_went_counts_until_its_window_is_over() -> None:
    found = world(budget(5, "shop", window="2m"))
    counts = [found.values(7, 7, 7)[1] for _ in range(20)]
    assert counts == [8] * 8 + [3] * 8 + [1] * 4


def test_a_restart_does_not_forget_what_went() -> None:
    found = world(budget(5, "shop"))
    for _ in range(2):
        found.values(7, 7, 7)
    assert found.state is not None
    found.state = state_from(*snapshot_of(found.state))
    assert found.values(7, 7, 7) == [1, 8, 1]


def test_rises_are_free_and_the_step_is_told() -> None:
    found = world(budget(5, "shop"))
    decision = found.tick(readings((7.0, 7.0, 70.0)))
    assert found.replicas == [1, 5, 8]  # of 4 no more than twice as many at once
    assert ("step_down_budget", 1, 5) in steps_of(decision, 1)


def test_counts_that_people_fix_and_workloads_in_shadow_take_nothing_of_it() -> None:
    fixed = Fixed(np.array([0, 2, 0]), np.array([FixedBy.NOBODY, FixedBy.OVERRIDE, FixedBy.NOBODY], np.int8))
    assert world(budget(2, "shop")).values(7, 7, 7, fixed=fixed) == [1, 2, 2]
    shadow = Ticks(fleet_of([workload("b"), workload("c", mode="shadow")], FREE, [budget(2, "shop")]), [10, 4])
    assert shadow.values(7, 7) == [8, 1]


def test_it_is_idempotent() -> None:
    found, current = world(budget(5, "shop"), budget(9)), np.array([20, 10, 4])
    gone = Removals(np.array([NOW_S - 60.0]), np.array([2]), np.array([namespace_id("shop")]))
    once = within_step_downs(Proposal(np.array([1, 1, 1])), found.fleet, gone, NOW_S, current)
    again = within_step_downs(Proposal(once.target), found.fleet, gone, NOW_S, current)
    assert once.target.tolist() == [16, 10, 1]  # 3 of shop's fall, then 4 + 3 of the fleet's 7
    assert again.target.tolist() == once.target.tolist()


def test_it_survives_packing_and_a_part_of_the_fleet() -> None:
    fleet = world(budget(5, "shop")).fleet
    assert fleet_from(pack(fleet)).budget.step_downs.replicas.tolist() == [5]
    part = fleet_for(fleet, np.array([False, True, True]))
    assert Ticks(part, [10, 4]).values(7, 7) == [8, 1]


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"replicas": 0}, id="none"),
        pytest.param({"replicas": "5"}, id="text"),
        pytest.param({"window": "10m"}, id="without-a-count"),
        pytest.param({"replicas": 5, "window": "2d"}, id="too-long"),
    ],
)
def test_what_is_no_step_down_budget(given: dict[str, object]) -> None:
    document = {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "Budget",
        "metadata": {"name": "b"},
        "spec": {"stepDown": given},
    }
    with pytest.raises(PolicyError, match="stepDown"):
        budget_from(document, source="test")
