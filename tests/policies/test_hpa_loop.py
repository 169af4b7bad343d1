"""The compiled HPA rule by hand, in blocks, and where it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import FloatArray, integers
from policies.hpa.behavior import Bounds
from policies.hpa.columns import default_behavior, steadied
from policies.hpa.loop import HpaRule, HpaState, advance, hpa_rule

NAN = float("nan")


def _rule(lanes: int = 1, *, target: float = 0.5, low: int = 1, high: int = 1000, sync_s: float = 30.0) -> HpaRule:
    """Lanes whose replicas serve 100 each."""
    bounds = Bounds(integers(lanes, low), integers(lanes, high))
    targets, behavior = np.full(lanes, target), default_behavior(lanes)
    return hpa_rule(np.full(lanes, 100.0), targets, behavior=behavior, bounds=bounds, sync_s=sync_s)


def _plan(rule: HpaRule, load: list[float], *, runs: int = 1) -> list[int]:
    demand = np.array([load])
    known = np.isfinite(demand)
    plan = advance(rule, HpaState.begun(rule, demand[:, 0]), demand, known=known, runs=runs)[1]
    return [int(count) for count in plan[0]]


@pytest.mark.parametrize(
    ("load", "plan"),
    [
        # 50 a replica. 1000 asks for 20: +4 or x2 a run, 2 -> 6 -> 12 -> 20. 100 asks for 2, once 20 is 300 s old.
        pytest.param([100.0] + [1000.0] * 3 + [100.0] * 11, [2, 6, 12, *[20] * 10, 2, 2], id="rises-and-falls"),
        pytest.param([500.0, 549.0, 551.0], [10, 10, 12], id="within-a-tenth-nothing-changes"),
        pytest.param([500.0, 0.0], [10, 10], id="a-fall-waits-for-its-window"),
        pytest.param([0.0, 0.0], [1, 1], id="never-below-the-smallest-count"),
        # The hole counts as a recommendation to stay at 10, so that the fall waits for ten runs after it.
        pytest.param(
            [500.0] + [100.0] * 5 + [NAN] + [100.0] * 11, [*[10] * 16, 2, 2], id="a-hole-begins-the-window-anew"
        ),
    ],
)
def test_a_plan_by_hand(load: list[float], plan: list[int]) -> None:
    assert _plan(_rule(), load) == plan


def test_the_largest_count_binds() -> None:
    assert _plan(_rule(high=5), [100.0, 1000.0, 1000.0]) == [2, 5, 5]


def test_two_runs_within_a_step_rise_twice() -> None:
    # 2 -> 6 -> 12 in the first step, 12 -> 20 in the next.
    assert _plan(_rule(sync_s=15.0), [100.0, 1000.0, 1000.0], runs=2) == [2, 12, 20]


def test_runs_closer_than_the_rate_policies_period_share_its_budget() -> None:
    # Every 5 s, policies of 15 s: from 2 the three runs of one period may reach max(2 + 4, 2 x 2) = 6 in all. In the
    # fourth run the period begins with the 6 of the first.
    assert _plan(_rule(sync_s=5.0), [100.0, *[1000.0] * 7]) == [2, 6, 6, 6, 12, 12, 12, 20]


def test_a_smallest_count_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="must be at least 1 replica, not 0"):
        _rule(low=0)


def test_a_tolerance_is_taken_as_floats_have_it() -> None:
    # 1.1 - 1 is 0.1000000000000001 in floats, and 1 - 0.9 is 0.09999999999999998.
    rule = _rule()
    told = steadied(default_behavior(1), tolerance_ratio=0.1, window_s=0.0)
    rule = hpa_rule(rule.capacity, rule.target_ratio, behavior=told, bounds=Bounds(rule.low, rule.high), sync_s=30.0)
    assert _plan(rule, [500.0, 550.0]) == [10, 11]
    assert _plan(rule, [500.0, 450.0]) == [10, 10]
    assert _plan(_rule(), [500.0, 550.0]) == [10, 10]


@given(
    load=st.lists(st.one_of(st.just(NAN), st.floats(0.0, 5000.0)), min_size=2, max_size=40),
    cuts=st.lists(st.integers(1, 39), max_size=4),
    runs=st.integers(1, 3),
)
def test_blocks_of_any_size_give_the_same_plan(load: list[float], cuts: list[int], runs: int) -> None:
    demand = _two_lanes(load)
    rule = _rule(2)
    known = np.isfinite(demand)
    start = HpaState.begun(rule, np.array([300.0, 20.0]))
    end, whole = advance(rule, start, demand, known=known, runs=runs)
    state, parts = start, []
    for block in np.split(np.arange(demand.shape[1]), sorted(set(cuts) & set(range(demand.shape[1])))):
        state, part = advance(rule, state, demand[:, block], known=known[:, block], runs=runs)
        parts.append(part)
    assert np.concatenate(parts, axis=1).tolist() == whole.tolist()
    assert repr(state) == repr(end)
    assert repr(start) == repr(HpaState.begun(rule, np.array([300.0, 20.0])))


@given(load=st.lists(st.floats(0.0, 5000.0), min_size=2, max_size=40), more=st.floats(1.0, 3.0))
def test_more_load_never_gives_fewer_replicas_without_tolerance(load: list[float], more: float) -> None:
    # With a tolerance a larger load may stop at a count from which a smaller one goes on.
    demand = np.array([load, [each * more for each in load]])
    exact = steadied(default_behavior(2), tolerance_ratio=0.0, window_s=300.0)
    rule = _rule(2)
    rule = hpa_rule(rule.capacity, rule.target_ratio, behavior=exact, bounds=Bounds(rule.low, rule.high), sync_s=30.0)
    plan = advance(rule, HpaState.begun(rule, demand[:, 0]), demand, known=demand >= 0)[1]
    assert (plan[1] >= plan[0]).all()


def test_a_state_of_other_replicas_goes_on_from_them() -> None:
    rule = _rule(2)
    state = HpaState.at(rule, np.array([3, 9]))
    assert advance(rule, state, np.full((2, 1), 150.0), known=np.ones((2, 1), np.bool_))[1].tolist() == [[3], [9]]
    begun = replace(state, replicas=np.array([3, 4]))
    assert begun.first.tolist() == [3, 9]


def _two_lanes(load: list[float]) -> FloatArray:
    return np.array([load, load[::-1]])
