"""Foresail's own sizing of memory, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from policies.arrays import floats
from policies.resources import memory
from policies.resources.memory import MemoryState

GIB = float(1 << 30)
NONE = np.zeros(1, np.int64)


def _after(hours: list[float]) -> MemoryState:
    """One sample an hour, in GiB."""
    state = MemoryState.start(1)
    for hour, used in enumerate(hours):
        memory.observe(state, floats(1, 3600.0 * hour), floats(1, used * GIB))
    return state


def _target(state: MemoryState) -> float:
    return float(memory.recommended(state).target[0]) / GIB


@pytest.mark.parametrize(
    ("hours", "target"),
    [
        pytest.param([2.0, 2.0, 2.0, 2.0], 2.168, id="steady-has-twice-the-margin-while-young"),
        pytest.param([2.0] * 11, 2.0 * (1.0 + 0.042 * np.sqrt(2.0)), id="the-twelfth-hour-comes"),
        pytest.param([2.0] * 24, 2.084, id="after-a-day-the-plain-margin"),
        pytest.param([1.0, 1.0, 1.0, 1.5], 1.5 * 1.084 + 2.5 * 0.5, id="and-so-has-the-largest-rise"),
        pytest.param([2.0, 1.0, 1.0, 1.5], 2.0 * 1.084, id="what-was-there-within-three-hours-is-no-rise"),
        pytest.param([1.0, np.nan, np.nan, np.nan, np.nan, 2.0], 2.168, id="after-a-gap-nothing-is-known-of-a-rise"),
        pytest.param([3.0] + [1.0] * 100, 3.126, id="a-peak-is-kept-for-a-week"),
        pytest.param([3.0] + [1.0] * 168, 1.042, id="and-no-longer"),
    ],
)
def test_the_target(hours: list[float], target: float) -> None:
    assert _target(_after(hours)) == pytest.approx(target)


def test_nothing_seen_asks_for_nothing() -> None:
    assert np.isnan(memory.recommended(MemoryState.start(1)).target[0])


def test_a_kill_leaves_a_floor_above_the_peak_that_falls_slowly() -> None:
    state = _after([2.0] * 4)
    memory.killed(state, NONE, floats(1, 1.5 * GIB))
    found = [_target(state)]
    for hour in range(4, 24):
        memory.observe(state, floats(1, 3600.0 * hour), floats(1, 2.0 * GIB))
        found.append(_target(state))
    assert found[0] == pytest.approx(2.4)  # 1.2 x the peak of 2, which is above the request
    assert found[1] == pytest.approx(2.4 * 0.97)
    assert found[-1] == pytest.approx(2.084)


def test_weeks_without_data_lower_nothing() -> None:
    state = _after([4.0, *[1.0] * 23])
    memory.killed(state, NONE, floats(1, 6.0 * GIB))
    before = _target(state)
    memory.observe(state, floats(1, 3600.0 * 24 * 30), floats(1, np.nan))
    assert _target(state) == before
    memory.observe(state, floats(1, 3600.0 * 24 * 30), floats(1, GIB))
    assert _target(state) == pytest.approx(before * 0.97**4)  # a gap is four hours
    for hour in range(100):
        memory.observe(state, floats(1, 3600.0 * (24 * 30 + hour)), floats(1, GIB))
    assert _target(state) == pytest.approx(4.168)  # the peak of before, 24 + 4 + 100 hours of data ago


def test_a_request_falls_only_where_it_is_worth_it() -> None:
    advice = memory.recommended(_after([2.0] * 4))  # 2.168
    asked = np.array([2.2, 2.3, 2.0]) * GIB
    found = [float(memory.decided(advice, floats(1, each))[0]) / GIB for each in asked]
    assert found == pytest.approx([2.2, 2.168, 2.168])
