"""Knative's rule on a load: by hand, in blocks, with gaps; its test tables are in tests/conformance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.arrays import integers
from policies.hpa.behavior import Bounds
from policies.kpa import KpaRule, KpaSettings, KpaState, advance

NAN = float("nan")


def _rule(lanes: int = 1, *, high: int = 1000, **settings: float) -> KpaRule:
    """Lanes whose replicas should serve 10 each, on steps of 30 s: the stable window has 2 steps, that of panic 1."""
    bounds = Bounds(integers(lanes, 1), integers(lanes, high))
    return KpaRule(KpaSettings(**settings), np.full(lanes, 10.0), bounds, 30.0)  # type: ignore[arg-type]  # floats


def _plan(rule: KpaRule, load: list[float]) -> list[int]:
    demand = np.array([load])
    plan = advance(rule, rule.begun(demand[:, 0]), demand, known=np.isfinite(demand))[1]
    return [int(count) for count in plan[0]]


@pytest.mark.parametrize(
    ("load", "plan"),
    [
        pytest.param([40.0, 60.0, 60.0], [4, 5, 6], id="the-mean-of-two-steps"),
        # 80 needs twice the 4 there are: panic at once, and for 60 s more nothing is lowered.
        pytest.param([40.0, 80.0, 10.0, 10.0, 10.0], [4, 8, 8, 8, 4], id="panic-at-twice-the-replicas"),
        pytest.param([40.0, 0.0, 0.0, 0.0], [4, 2, 1, 1], id="halved-at-most-and-never-below-the-smallest"),
        pytest.param([40.0, NAN, NAN, 40.0], [4, 4, 4, 4], id="a-hole-changes-nothing"),
        # Twice the load is seen after the hole; the mean is over what is known.
        pytest.param([40.0, NAN, 60.0, 60.0], [4, 4, 6, 6], id="the-mean-of-what-is-known"),
    ],
)
def test_a_plan_by_hand(load: list[float], plan: list[int]) -> None:
    assert _plan(_rule(), load) == plan


def test_the_largest_count_binds() -> None:
    assert _plan(_rule(high=5), [40.0, 80.0]) == [4, 5]


def test_falls_wait_for_the_delay() -> None:
    # 90 s of delay on ticks of 30 s: the count of three steps ago is forgotten.
    assert _plan(_rule(scale_down_delay_s=90.0, tick_s=30.0), [40.0, *[20.0] * 5]) == [4, 4, 4, 3, 2, 2]


def test_a_new_autoscaler_of_several_replicas_begins_in_panic() -> None:
    rule = _rule()
    state = KpaState.created(np.array([7]), rule.settings, now_s=0.0)
    assert (state.panic_since_s.tolist(), state.max_panic.tolist()) == ([0.0], [7])


@given(
    load=st.lists(st.one_of(st.just(NAN), st.floats(0.0, 5000.0)), min_size=2, max_size=40),
    cut=st.integers(1, 39),
    delay_s=st.sampled_from([0.0, 60.0]),
)
def test_blocks_of_any_size_give_the_same_plan(load: list[float], cut: int, delay_s: float) -> None:
    rule = _rule(2, scale_down_delay_s=delay_s)
    demand = np.array([load, load[::-1]])
    known = np.isfinite(demand)
    start = rule.begun(np.array([300.0, 20.0]))
    end, whole = advance(rule, start, demand, known=known)
    half, first = advance(rule, start, demand[:, :cut], known=known[:, :cut])
    state, second = advance(rule, half, demand[:, cut:], known=known[:, cut:])
    assert np.concatenate([first, second], axis=1).tolist() == whole.tolist()
    assert repr(state) == repr(end)
    assert repr(start) == repr(rule.begun(np.array([300.0, 20.0])))
