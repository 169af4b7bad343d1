"""Counts that people fix, in the decision: above bounds, budgets and the breaker, below holds and quotas."""

from __future__ import annotations

import numpy as np
import pytest

from policies.arrays import integers, small
from policies.engine import decide
from policies.explain import sentences, steps_of
from policies.fixed import Fixed, FixedBy
from policies.fleet import fleet_of
from policies.gpu_room import GpuRoom
from policies.model import RULES, Action, Hold, Limits, Observation, Status, Why
from policies.packing import pack
from policies.snapshot import observation_from
from policies.state import EngineState
from policies.subset import observation_for
from tests.builders import FREE, budget, policy, readings, ready_pods, seen

LOADS = [70.0, 70.0]  # ten replicas at the aim of 7 for each


def fixed(*counts: int | None, by: FixedBy = FixedBy.OVERRIDE) -> Fixed:
    replicas = np.array([count or 0 for count in counts], np.int64)
    return Fixed(replicas, np.array([FixedBy.NOBODY if count is None else by for count in counts], np.int8))


def observed(counts: Fixed | None, *holds: Hold) -> Observation:
    hold = np.array(holds or (Hold.NONE, Hold.NONE), np.int8)
    return seen([10, 10], readings(LOADS), fixed=counts, hold=hold)


FLEET = fleet_of([policy("a", high=20), policy("b", high=20)], FREE)


@pytest.mark.parametrize(
    ("count", "action"),
    [
        pytest.param(3, Action.LOWER, id="lower-than-the-load-needs"),
        pytest.param(15, Action.RAISE, id="higher"),
        pytest.param(50, Action.RAISE, id="above-the-maximum"),
        pytest.param(0, Action.LOWER, id="zero-below-the-minimum"),
        pytest.param(10, Action.KEEP, id="what-is-there"),
    ],
)
@pytest.mark.parametrize(
    ("by", "rule"), [(FixedBy.OVERRIDE, "override"), (FixedBy.ANNOTATION, "annotated_replicas")], ids=str
)
def test_a_fixed_count_stands_whatever_the_load_and_the_bounds(
    count: int, action: Action, by: FixedBy, rule: str
) -> None:
    _, decision = decide(FLEET, EngineState.fresh(FLEET), observed(fixed(count, None, by=by)))
    assert decision.replicas.target.tolist() == [count, 10]
    assert decision.replicas.action[0] == action
    assert RULES[decision.replicas.reason[0]] == rule
    assert RULES[decision.replicas.reason[1]] == "steady"


def test_the_step_is_told() -> None:
    _, decision = decide(FLEET, EngineState.fresh(FLEET), observed(fixed(4, None)))
    assert steps_of(decision, 0) == (("override", 10, 4),)
    assert "An override fixes 4, where 10 was decided." in sentences(FLEET, observed(None), decision, 0)


def test_it_stands_without_any_data() -> None:
    blind = readings([0.0, 0.0], Status.MISSING, Why.SOURCE_DOWN)
    _, decision = decide(FLEET, EngineState.fresh(FLEET), seen([10, 10], blind, fixed=fixed(4, None)))
    assert decision.replicas.target.tolist() == [4, 10]


@pytest.mark.parametrize("hold", [Hold.KILL_SWITCH, Hold.ANNOTATION, Hold.OPERATOR, Hold.OWNED, Hold.CLUSTER_DOWN])
def test_a_hold_is_stronger(hold: Hold) -> None:
    _, decision = decide(FLEET, EngineState.fresh(FLEET), observed(fixed(4, None), hold, Hold.NONE))
    assert (decision.replicas.target[0], decision.replicas.action[0]) == (10, Action.HOLD)
    assert RULES[decision.replicas.reason[0]] != "override"


def test_the_mode_paused_is_stronger() -> None:
    fleet = fleet_of([policy("a", mode="paused"), policy("b")], FREE)
    _, decision = decide(fleet, EngineState.fresh(fleet), observed(fixed(4, None)))
    assert decision.replicas.action.tolist() == [Action.HOLD, Action.KEEP]


def test_the_breaker_does_not_hold_it_up_and_others_keep_their_share() -> None:
    fleet = fleet_of([policy("a"), policy("b")], Limits(removal_ratio=0.1))
    asked = seen([10, 10], readings([70.0, 35.0]), fixed=fixed(1, None))  # b asks for 5, a tenth of 20 may go
    state, decision = decide(fleet, EngineState.fresh(fleet), asked)
    for _ in range(30):  # past the stabilisation window
        asked = seen([10, 10], readings([70.0, 35.0]), asked.now_s + 15.0, fixed=fixed(1, None))
        state, decision = decide(fleet, state, asked)
    assert decision.replicas.target.tolist() == [1, 8]
    assert decision.removal_budget == 2


def test_a_budget_leaves_it_and_the_others_yield() -> None:
    fleet = fleet_of([policy("a"), policy("b")], FREE, [budget("shop", gpus=20)])
    asked = seen([10, 10], readings([140.0, 70.0]), fixed=fixed(15, None), gpus_milli=integers(2, 1000))
    _, decision = decide(fleet, EngineState.fresh(fleet), asked)
    # 20 GPUs: 15 are fixed, which leaves 5; but what runs of b may only go as its rates allow.
    assert decision.replicas.target[0] == 15
    assert decision.replicas.target[1] <= 10


def test_a_quota_of_gpus_stands() -> None:
    room = GpuRoom(
        lane=np.array([0]),
        cap=np.array([0]),
        need_milli=np.array([1000]),
        names=("shop/requests.gpu",),
        left_milli=np.array([3000]),
    )
    asked = seen([10, 10], readings(LOADS), fixed=fixed(15, None), gpu_room=room, pods=ready_pods(10, 10))
    _, decision = decide(FLEET, EngineState.fresh(FLEET), asked)
    assert decision.replicas.target.tolist() == [13, 10]
    assert RULES[decision.replicas.reason[0]] == "gpu_quota"


def test_a_recorded_observation_holds_it_bit_for_bit() -> None:
    before = observed(fixed(4, None))
    again = observation_from(pack(before))
    assert again.fixed is not None
    assert again.fixed.replicas.tolist() == [4, 0]
    assert again.fixed.by.tolist() == [FixedBy.OVERRIDE, FixedBy.NOBODY]
    alone = observation_for(FLEET, before, np.array([False, True]))
    assert alone.fixed is not None
    assert alone.fixed.there.tolist() == [False]


def test_nothing_fixed_changes_nothing() -> None:
    state = EngineState.fresh(FLEET)
    _, without = decide(FLEET, state, observed(None))
    _, none = decide(FLEET, state, observed(Fixed(integers(2), small(2))))
    assert without.replicas.target.tolist() == none.replicas.target.tolist()
    assert without.steps == none.steps == ()
