"""Holds and the fleet breaker."""

import numpy as np
import pytest

from policies.engine import decide
from policies.fleet import fleet_of
from policies.guardrails import fleet_breaker, removal_budget
from policies.model import RULES, Limits
from policies.proposal import Proposal
from policies.state import EngineState, Removals
from tests.builders import NOW_S, Ticks, policy, readings, seen

QUICK = {"scaleDown": {"stabilizationWindowSeconds": 0}}
TENTH = Limits(removal_ratio=0.1)


def lanes(*modes: str, limits: Limits = TENTH) -> Ticks:
    rows = [policy(f"lane-{lane}", behavior=QUICK, mode=mode, high=1000) for lane, mode in enumerate(modes)]
    return Ticks(fleet_of(rows, limits), [])


def gone(*rows: tuple[float, int]) -> Removals:
    ago_s, count = zip(*rows, strict=True) if rows else ((), ())
    return Removals(NOW_S - np.array(ago_s, np.float64), np.array(count, np.int64))


@pytest.mark.parametrize(
    ("removals", "expected"),
    [
        pytest.param(gone(), 10, id="a-tenth-of-a-hundred"),
        pytest.param(gone((30, 4)), 6, id="what-went-counts-and-was-there-before"),  # (100 + 4) / 10 - 4
        pytest.param(gone((30, 4), (599, 5)), 1, id="for-ten-minutes"),  # 109 / 10 = 10, and 9 went
        pytest.param(gone((30, 4), (600, 5)), 6, id="and-no-longer"),
        pytest.param(gone((30, 40)), 0, id="never-below-none"),
    ],
)
def test_budget(removals: Removals, expected: int) -> None:
    world = lanes("active")

    assert removal_budget(world.fleet, removals, NOW_S, np.array([100])) == expected


def test_the_smallest_falls_go_first_and_the_last_one_in_part() -> None:
    world = lanes("active", "active", "active")
    current, wanted = np.array([50, 30, 20]), np.array([10, 27, 18])
    proposal = fleet_breaker(Proposal(wanted), world.fleet, 10, current)

    assert proposal.target.tolist() == [45, 27, 18]  # 2 + 3 + 5 of 40
    assert [(step.rule, step.lane.tolist()) for step in proposal.steps] == [("fleet_breaker", [0])]


def test_ten_minutes_of_falls() -> None:
    """100 replicas that nobody needs: 10 go at once, the next 9 ten minutes later."""
    world = lanes("active", "active")
    world.replicas = [60, 40]
    totals = [sum(world.values(7, 7)) for _ in range(41)]

    assert totals == [90] * 40 + [81]
    assert RULES[world.tick(readings([7, 7])).replicas.reason[0]] == "fleet_breaker"


def test_at_least_one_may_go() -> None:
    world = lanes("active")
    world.replicas = [3]

    assert [world.values(7)[0] for _ in range(41)] == [2] * 40 + [1]


def test_rises_are_free_and_replace_nothing() -> None:
    world = lanes("active", "active")
    world.replicas = [10, 10]

    assert world.values(140, 7) == [20, 8]


def test_only_active_lanes_count() -> None:
    """Shadow lanes fall as they like, on paper, and their replicas do not enlarge the share."""
    world = lanes("active", "shadow", "floor")
    world.replicas = [10, 1000, 500]

    assert world.values(7, 7, 7) == [9, 1, 1]


def test_a_held_lane_takes_nothing_of_the_budget() -> None:
    world = lanes("active", "active")
    _, decision = decide(
        world.fleet,
        EngineState.fresh(world.fleet),
        seen([50, 50], readings([7, 7]), hold=np.array([4, 0], np.int8)),
    )

    assert decision.replicas.target.tolist() == [50, 40]


def test_what_one_decision_wanted_and_nobody_carried_out_is_not_counted() -> None:
    world = lanes("active")
    for _ in range(3):
        world.replicas, world.pending = [100], []
        assert world.values(7) == [90]


@pytest.mark.parametrize(("ratio", "left"), [(1.0, 1), (0.5, 50)])
def test_a_ratio_of_one_switches_it_off(ratio: float, left: int) -> None:
    world = lanes("active", limits=Limits(removal_ratio=ratio))
    world.replicas = [100]

    assert world.values(7) == [left]


def test_a_clock_that_was_set_back_does_not_stop_falls_for_ever() -> None:
    world = lanes("active")
    world.replicas = [100]
    world.values(7)
    world.now_s -= 86400

    assert [world.values(7)[0] for _ in range(41)] == [90] * 40 + [81]
