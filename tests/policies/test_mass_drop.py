"""Many workloads that fall to nothing at once are not believed for an hour; one alone is, and so is a slow fall."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.explain import sentences
from policies.fleet import fleet_of
from policies.mass_drop import Drops
from policies.model import Limits, Status, Why
from policies.snapshot import snapshot_of, state_from
from tests.builders import TICK_S, Ticks, demand, policy, readings, seen

LIMITS = Limits(removal_ratio=1.0, mass_drop=True)
AT_ONCE = {"scaleDown": {"stabilizationWindowSeconds": 0}}


def world(lanes: int = 4, *, limits: Limits = LIMITS) -> Ticks:
    """Workloads that have had a load of 70, which takes ten replicas, for two minutes."""
    signal = demand(capacity=10)
    made = [policy(f"w{lane}", signal, behavior=AT_ONCE, forecast={"enabled": False}) for lane in range(lanes)]
    found = Ticks(fleet_of(made, limits), [10] * lanes)
    for _ in range(8):
        found.values(*[70.0] * lanes)
    return found


def after(found: Ticks, seconds: float, *values: float) -> list[int]:
    """The counts decided after these values have been read for so long."""
    for _ in range(round(seconds / TICK_S)):
        found.values(*values)
    return found.replicas


@pytest.mark.parametrize(
    ("values", "replicas"),
    [
        pytest.param((0, 0, 0, 0), [10, 10, 10, 10], id="all-at-once"),
        pytest.param((0, 0, 0, 70), [10, 10, 10, 10], id="three-of-four"),
        pytest.param((0, 2, 3, 70), [10, 10, 10, 10], id="to-a-twentieth-at-the-most"),
        pytest.param((0, 0, 70, 70), [1, 1, 10, 10], id="two-are-not-many"),
        pytest.param((0, 0, 14, 70), [1, 1, 2, 10], id="a-fifth-is-left-of-the-third"),
        pytest.param((0, 0, 0, 140), [10, 10, 10, 20], id="others-rise-meanwhile"),
    ],
)
def test_what_falls_at_once(values: tuple[float, ...], replicas: list[int]) -> None:
    assert after(world(), 600, *values) == replicas


def test_three_of_many_are_believed() -> None:
    assert after(world(7), 300, 0, 0, 0, 70, 70, 70, 70) == [1, 1, 1, 10, 10, 10, 10]


def test_without_the_rule_all_are_believed() -> None:
    assert after(world(limits=replace(LIMITS, mass_drop=False)), 60, 0, 0, 0, 0) == [1, 1, 1, 1]


def test_the_reading_says_so_and_explain_too() -> None:
    found = world()
    decision = found.tick(readings((0.0, 0.0, 0.0, 70.0)))
    assert decision.readings.status.tolist() == [Status.STALE] * 3 + [Status.FRESH]
    assert decision.readings.why.tolist() == [Why.MASS_DROP] * 3 + [Why.OK]
    told = sentences(found.fleet, seen([10] * 4, readings((0.0, 0.0, 0.0, 70.0))), decision, 0)
    doubt = "many workloads fell to nothing at once, so the metrics are doubted and may only raise"
    assert any(each.startswith(f"Signal load is 0, 0 s old ({doubt})") for each in told)


def test_a_load_that_comes_back_is_believed_at_once_whatever_it_is() -> None:
    found = world()
    after(found, 600, 0, 0, 0, 0)
    assert after(found, TICK_S, 70, 35, 0, 105) == [10, 5, 10, 15]


def test_after_an_hour_it_must_be_true() -> None:
    found = world()
    assert after(found, 3540, 0, 0, 0, 0) == [10] * 4
    assert after(found, 120, 0, 0, 0, 0) == [1] * 4
    assert after(found, 600, 0, 0, 0, 0) == [1] * 4


def test_falls_within_five_minutes_are_one_and_the_first_are_lowered_before_it_is_known() -> None:
    found = world()
    after(found, 120, 0, 70, 70, 70)
    after(found, 120, 0, 0, 70, 70)
    assert after(found, 120, 0, 0, 0, 70) == [1, 1, 10, 10]


def test_falls_an_hour_apart_are_each_believed() -> None:
    found = world()
    after(found, 3600, 0, 70, 70, 70)
    after(found, 3600, 0, 0, 70, 70)
    assert after(found, 3600, 0, 0, 0, 70) == [1, 1, 1, 10]


def test_a_fall_that_takes_two_hours_is_believed_as_it_goes() -> None:
    found = world()
    for step in range(480):
        found.values(*[70.0 * 0.5 ** (step / 80)] * 4)  # half in twenty minutes, to a 64th
    assert found.replicas == [1] * 4


def test_small_loads_that_come_and_go_are_not_looked_at() -> None:
    """Four, which is less than half a replica, on and off in three of five workloads."""
    made = [policy(f"w{lane}", demand(capacity=10), behavior=AT_ONCE, forecast={"enabled": False}) for lane in range(5)]
    found = Ticks(fleet_of(made, LIMITS), [1] * 5)
    for step in range(40):
        decision = found.tick(readings((70.0, 70.0, *[4.0 * (step % 2)] * 3)))
        assert decision.readings.status.tolist() == [Status.FRESH] * 5


def test_what_is_missing_meanwhile_changes_nothing() -> None:
    found = world()
    after(found, 60, 0, 0, 0, 0)
    found.tick(readings((0.0,) * 4, Status.MISSING, Why.SOURCE_DOWN))
    assert after(found, 60, 0, 0, 0, 0) == [10] * 4


def test_a_restart_remembers_the_doubt() -> None:
    found = world()
    after(found, 60, 0, 0, 0, 0)
    assert found.state is not None
    found.state = state_from(*snapshot_of(found.state))
    assert after(found, 600, 0, 0, 0, 0) == [10] * 4


def test_a_clock_that_is_set_back_doubts_no_longer_than_an_hour_from_then() -> None:
    found = world()
    after(found, 60, 0, 0, 0, 0)
    found.now_s -= 86_400.0
    assert after(found, 3540, 0, 0, 0, 0) == [10] * 4
    assert after(found, 120, 0, 0, 0, 0) == [1] * 4


def test_rows_follow_their_workloads() -> None:
    drops = Drops(0.0, np.array([1.0, 2.0]), np.array([5.0, np.inf]), np.array([6.0, np.inf]))
    moved = drops.aligned(np.array([-1, 0]))
    assert (moved.lately.tolist(), moved.fell_s.tolist(), moved.doubted_s.tolist()) == (
        [0.0, 1.0],
        [np.inf, 5.0],
        [np.inf, 6.0],
    )


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, 30.0, 70.0, 200.0]), min_size=4, max_size=4), max_size=12))
def test_it_never_has_fewer_replicas_than_without_it(loads: list[list[float]]) -> None:
    with_rule, without = world(), world(limits=replace(LIMITS, mass_drop=False))
    for values in loads:
        pairs = zip(with_rule.values(*values), without.values(*values), strict=True)
        assert all(more >= less for more, less in pairs)
