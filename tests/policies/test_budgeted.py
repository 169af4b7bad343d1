"""What budgets leave, case by case: caps, priorities, what may not go, and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from policies.arrays import integers
from policies.engine import decide
from policies.explain import sentences
from policies.explain_budget import budget_problems
from policies.fleet import fleet_of
from policies.mix.budgets import Resource, Scope
from policies.model import RULES, UNKNOWN, Hold, Limits, Status
from policies.state import EngineState
from tests.builders import FREE, Ticks, budget, policy, readings, ready_pods, seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.budget import Budget
    from policies.model import Decision, Fleet
    from policies.spec import WorkloadPolicy
    from tests.builders import Document

STEADY = 7.0  # of load: what one replica has at the Kubernetes rule's target


def behavior(down: int) -> Document:
    """So many replicas a minute may go, and 100 come."""
    rates = ({"type": "Pods", "value": value, "periodSeconds": 60} for value in (100, down))
    up, falls = ({"stabilizationWindowSeconds": 0, "policies": [rate]} for rate in rates)
    return {"scaleUp": up, "scaleDown": falls}


def lane(name: str, priority: int = 0, gpus: object = 1, **spec: Any) -> WorkloadPolicy:  # noqa: ANN401 - fields of a document
    """A workload that is not forecast, so that it asks for what its load is now, at once in both directions."""
    given = {
        "behavior": behavior(100),
        "forecast": {"enabled": False},
        "budget": {"replicaGpus": gpus},
        "priority": priority,
    }
    return policy(name, **{**given, **spec})


def decided(
    policies: Sequence[WorkloadPolicy],
    budgets: Sequence[Budget],
    now: Sequence[int],
    wants: Sequence[int],
    limits: Limits = FREE,
    **more: Any,  # noqa: ANN401 - fields of an observation
) -> tuple[Fleet, Decision]:
    fleet = fleet_of(policies, limits, budgets)
    read = readings([STEADY * count for count in wants], more.pop("status", Status.FRESH))
    return fleet, decide(fleet, EngineState.fresh(fleet), seen(now, read, **more))[1]


@pytest.mark.parametrize(
    ("policies", "caps", "now", "wants", "kept"),
    [
        pytest.param([lane("a"), lane("b")], {"gpus": 10}, [3, 3], [5, 5], [5, 5], id="what-fits-is-kept"),
        pytest.param([lane("a", 10), lane("b")], {"gpus": 8}, [3, 3], [5, 5], [5, 3], id="the-lower-priority-yields"),
        pytest.param([lane("a"), lane("b", 10)], {"gpus": 8}, [5, 3], [5, 5], [3, 5], id="running-ones-go-for-it"),
        pytest.param(
            [lane("a"), lane("b")], {"gpus": 8}, [5, 3], [5, 9], [5, 3], id="equals-do-not-displace-each-other"
        ),
        pytest.param([lane("a"), lane("b")], {"gpus": 8}, [5, 1], [3, 9], [3, 5], id="what-one-gives-up-another-has"),
        # 9 GPUs: minima take 2 + 1, and 6 more are 3 replicas of a, or 3 replicas of b and 1 of a.
        pytest.param([lane("a", 0, 2), lane("b")], {"gpus": 9}, [1, 1], [4, 4], [2, 4], id="most-replicas-are-kept"),
        pytest.param([lane("a", low=4), lane("b", 9)], {"gpus": 5}, [4, 1], [4, 6], [4, 1], id="minima-come-first"),
        pytest.param([lane("a", 0, 0), lane("b")], {"gpus": 2}, [1, 1], [9, 3], [9, 2], id="without-gpus-it-is-free"),
        pytest.param(
            [
                lane("a", 5, objective={"prices": {"replicaHour": 2}}),
                lane("b", objective={"prices": {"replicaHour": 3}}),
            ],
            {"usdPerHour": 12},
            [1, 1],
            [3, 3],
            [3, 2],  # 3 x 2 + 2 x 3
            id="money",
        ),
    ],
)
def test_a_namespace_has_a_cap(
    policies: list[WorkloadPolicy], caps: dict[str, Any], now: list[int], wants: list[int], kept: list[int]
) -> None:
    assert decided(policies, [budget(**caps)], now, wants)[1].replicas.target.tolist() == kept
    assert decided(policies, [budget(None, **caps)], now, wants)[1].replicas.target.tolist() == kept, "as for the fleet"
    elsewhere = [budget("other", gpus=1, usdPerHour=1)]
    assert decided(policies, elsewhere, now, wants)[1].replicas.target.tolist() == wants


def test_a_workload_has_a_cap_of_its_own() -> None:
    own = lane("a", budget={"gpus": 7, "replicaGpus": 2})
    fleet, decision = decided([own, lane("b")], [], [1, 1], [5, 5])
    assert decision.replicas.target.tolist() == [3, 5]
    assert (decision.budget.scope[0], decision.budget.resource[0]) == (Scope.WORKLOAD, Resource.GPUS)
    (told,) = (line for line in sentences(fleet, seen([1, 1], decision.readings), decision, 0) if "budget of" in line)
    assert told == "The workload's own budget of 7 GPUs leaves 3 of 5 replicas: a replica takes 2 GPUs."


def test_of_two_caps_the_one_that_leaves_less_is_told() -> None:
    own = lane("a", budget={"gpus": 4, "replicaGpus": 1})
    _, decision = decided([own], [budget(gpus=2)], [4], [9])
    assert (decision.replicas.target.tolist(), decision.budget.scope.tolist()) == ([2], [Scope.NAMESPACE])
    _, decision = decided([own], [budget(gpus=6)], [4], [9])
    assert (decision.replicas.target.tolist(), decision.budget.scope.tolist()) == ([4], [Scope.WORKLOAD])


def test_a_cap_below_the_minimum_is_told_with_whose_it_is() -> None:
    own = lane("b", low=3, budget={"gpus": 2, "replicaGpus": 1})
    fleet, decision = decided([lane("a"), own], [budget(None, gpus=3)], [1, 3], [2, 4])
    assert decision.replicas.target.tolist() == [1, 3]
    assert budget_problems(fleet, decision) == tuple(
        f"budget of {whose}: minima and replicas that may not go now take {uses} GPUs, above {cap} GPUs;"
        " lower minima or raise the budget"
        for whose, uses, cap in (("shop/b", 3, 2), ("the fleet", 4, 3))
    )
    fleet, decision = decided([lane("a"), own], [], [1, 3], [2, 4])
    (told,) = budget_problems(fleet, decision)
    assert told.startswith("budget of shop/b: ")


def test_a_saturated_workload_yields_to_a_higher_priority() -> None:
    """What it is asked for is known to be no less than it serves, which is more than it has."""
    _, decision = decided([lane("a"), lane("b", 5)], [budget(gpus=8)], [5, 3], [9, 5], pods=ready_pods(5, 3))
    assert decision.readings.status.tolist() == [Status.CENSORED, Status.CENSORED]
    assert decision.replicas.target.tolist() == [3, 5]


def test_what_its_pods_ask_for_counts_where_the_policy_does_not_say() -> None:
    policies = [lane("a", budget=None), lane("b", budget=None), lane("c")]
    asked = np.array([2000, UNKNOWN, 9000])
    fleet, decision = decided(policies, [budget(gpus=5)], [1, 1, 1], [2, 9, 9], gpus_milli=asked)
    assert decision.budget.need[:, Resource.GPUS].tolist() == [2, UNKNOWN, 1]
    # 5 GPUs: minima take 2 + 1, and of c two more fit; of b nobody knows what it takes.
    assert decision.replicas.target.tolist() == [1, 9, 3]
    (told,) = budget_problems(fleet, decision)
    assert told == (
        "budgets: how many GPUs a replica asks for is not known of 1 (shop/b), so no budget binds them;"
        " set spec.budget.replicaGpus"
    )


@pytest.mark.parametrize("hold", [Hold.OWNED, Hold.ANNOTATION, Hold.KILL_SWITCH])
def test_held_workloads_use_what_they_use_now(hold: Hold) -> None:
    policies = [lane("a", -10), lane("b", 10)]
    held = np.array([hold, Hold.NONE], np.int8)
    _, decision = decided(policies, [budget(gpus=8)], [5, 2], [1, 9], hold=held)
    assert decision.replicas.target.tolist() == [5, 3]
    _, paused = decided([lane("a", mode="paused"), lane("b", 10)], [budget(gpus=8)], [5, 2], [1, 9])
    assert paused.replicas.target.tolist() == [5, 3]


def test_a_target_that_is_not_there_uses_nothing() -> None:
    held = np.array([Hold.NO_TARGET, Hold.NONE], np.int8)
    _, decision = decided([lane("a", 9), lane("b")], [budget(gpus=8)], [UNKNOWN, 2], [9, 9], hold=held)
    assert decision.replicas.target.tolist() == [UNKNOWN, 8]


def test_missing_data_is_not_lowered_for_anybody() -> None:
    status = np.array([Status.MISSING, Status.FRESH], np.int8)
    fleet, decision = decided([lane("a", -1), lane("b", 5)], [budget(gpus=4)], [6, 2], [6, 9], status=status)
    assert decision.replicas.target.tolist() == [6, 1]
    (told,) = budget_problems(fleet, decision)
    assert told == (
        "budget of namespace shop: minima and replicas that may not go now take 7 GPUs, above 4 GPUs;"
        " lower minima or raise the budget"
    )


def test_written_rates_and_the_fleet_breaker_bound_how_fast_replicas_go() -> None:
    policies = [lane("a", behavior=behavior(2)), lane("b", 5)]
    _, decision = decided(policies, [budget(gpus=10)], [9, 1], [9, 9])
    assert decision.replicas.target.tolist() == [7, 3], "of 9 two may go, and they are there for the other"
    _, broken = decided([lane("a"), lane("b", 5)], [budget(gpus=10)], [9, 1], [9, 9], Limits(removal_ratio=0.3))
    assert broken.replicas.target.tolist() == [6, 9], "the rise is at once, the fall by 3 of 10"
    assert [step.rule for step in broken.steps][-2:] == ["budget", "fleet_breaker"]


def test_shadow_uses_what_it_has_and_is_told_what_it_would() -> None:
    policies = [lane("a", 10, mode="shadow"), lane("b")]
    fleet, decision = decided(policies, [budget(gpus=8)], [5, 2], [7, 9])
    # In shadow it would have 7 of 8; as it is, it has 5 and leaves 3.
    assert decision.replicas.target.tolist() == [7, 3]
    assert any(
        "leaves 3 of 9 replicas: workloads of higher priority keep 5 GPUs," in line
        for line in sentences(fleet, seen([5, 2], decision.readings), decision, 1)
    )
    _, alone = decided([lane("a", 10, mode="shadow"), lane("b", mode="shadow")], [budget(gpus=8)], [5, 2], [7, 9])
    assert alone.replicas.target.tolist() == [7, 1]


def test_of_an_on_demand_base_and_a_surge_the_total_counts() -> None:
    surge = {"spot": {"target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a-spot"}}}
    _, decision = decided([lane("a", placement=surge)], [budget(gpus=4)], [2], [9])
    assert decision.replicas.target.tolist() == [4]


def test_after_it_has_yielded_it_stays_so() -> None:
    fleet = fleet_of([lane("a"), lane("b"), lane("c", 5)], FREE, [budget(gpus=10)])
    world = Ticks(fleet, [4, 4, 2])
    loads = STEADY * np.array([6.0, 6.0, 4.0])
    first = world.values(*loads)
    assert (sum(first), first[2]) == (10, 4)
    assert [world.values(*loads) for _ in range(5)] == [first] * 5


def test_nothing_is_computed_without_caps() -> None:
    _, decision = decided([lane("a"), lane("b", 7)], [], [3, 3], [5, 5])
    assert decision.budget.wanted.size == 0
    assert decision.replicas.target.tolist() == [5, 5]


def test_it_is_told_whose_budget_and_who_keeps_the_rest() -> None:
    fleet, decision = decided([lane("a", 10), lane("b"), lane("c")], [budget(gpus=9)], [5, 2, 1], [5, 5, 1])
    lines = sentences(fleet, seen([5, 2, 1], decision.readings), decision, 1)
    assert (
        "The namespace's budget of 9 GPUs leaves 3 of 5 replicas: workloads of higher priority keep 5 GPUs,"
        " others keep 1 GPU, a replica takes 1 GPU."
    ) in lines
    assert "Budgets leave 3 instead of 5." in lines
    assert RULES[decision.replicas.reason[1]] == "budget"
    assert not any("udget" in line for line in sentences(fleet, seen([5, 2, 1], decision.readings), decision, 0))


def test_money_is_told_in_the_currency_of_the_prices() -> None:
    prices = {"prices": {"replicaHour": 1.25}}
    fleet, decision = decided([lane("a", objective=prices)], [budget(None, usdPerHour=4)], [1], [5])
    told = sentences(fleet, seen([1], decision.readings), decision, 0)
    assert "The fleet's budget of 4 an hour leaves 3 of 5 replicas: a replica takes 1.25 an hour." in told


def test_no_lane_at_all() -> None:
    fleet = fleet_of([], FREE, [budget(None, gpus=1)])
    _, decision = decide(fleet, EngineState.fresh(fleet), seen([], readings([]), gpus_milli=integers(0)))
    assert decision.replicas.target.size == 0
