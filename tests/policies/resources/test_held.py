"""Requests that are held: the budget of changes, restarts, bounds, kills, and a past that is learned at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resources import cpu, held, memory
from policies.resources.held import CPU, MEMORY, PER_DAY, PER_HOUR, Guide, HeldState

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray

MIB = 2.0**20
FIRST = 1_000 * PER_DAY


def guide(count: int, cores: float = 1.0, mib: float = 1000.0) -> Guide:
    """Half as much as the lower bound, twice as much as the upper one; the least is nothing."""
    target = np.tile([cores, mib * MIB], (count, 1))
    return Guide(target / 2, target, target * 2, np.zeros_like(target))


def both(count: int, *, speaks: bool = True) -> BoolArray:
    return np.full((count, 2), speaks, np.bool_)


def lived(state: HeldState, usage: FloatArray, told: Guide) -> FloatArray:
    """The requests after each step of `usage`, `[step, container, resource]`."""
    found = []
    for each in usage:
        held.observe(state, each)
        held.decide(state, told, both(each.shape[0]))
        held.begin(state, told, both(each.shape[0]))
        found.append(state.request.copy())
    return np.stack(found)


def waves(days: int, count: int = 2, seed: int = 0, noise: float = 0.2) -> FloatArray:
    """A day's wave of CPU around a core with noise, and memory around 1000 MiB, `[step, container, resource]`."""
    rng, step = np.random.default_rng(seed), np.arange(days * PER_DAY)[:, None]
    wave = 1.0 + 0.5 * np.sin(2 * np.pi * step / PER_DAY)
    cores = wave * rng.uniform(1 - noise, 1 + noise, (step.size, count))
    return np.stack([cores, 1000 * MIB * rng.uniform(0.95, 1.0, (step.size, count))], axis=2)


def test_a_past_that_is_learned_at_once_is_as_one_that_was_watched() -> None:
    usage = waves(4)
    watched, restored = HeldState.start(2, FIRST), HeldState.start(2, FIRST + usage.shape[0])
    for each in usage:
        held.observe(watched, each)
    held.restore(restored, np.array([1, 0]), usage[:, ::-1], FIRST)
    for mine, other in ((cpu.recommended, watched.cpu), (memory.recommended, watched.memory)):
        again = restored.cpu if mine is cpu.recommended else restored.memory
        np.testing.assert_array_equal(mine(other).target, mine(again).target)  # type: ignore[arg-type] # of one kind
    np.testing.assert_array_equal(watched.seen, restored.seen)


def test_what_was_seen_after_the_past_that_is_learned_is_not_forgotten_of_memory() -> None:
    state = HeldState.start(1, FIRST)
    held.observe(state, np.array([[0.5, 5000 * MIB]]))
    held.restore(state, np.array([0]), waves(2, count=1), FIRST - 2 * PER_DAY)
    assert memory.recommended(state.memory).target[0] >= 1.04 * 5000 * MIB


def test_rows_keep_what_they_know_in_another_order() -> None:
    state, told = HeldState.start(2, FIRST), guide(2)
    lived(state, waves(2), told)
    before = cpu.recommended(state.cpu).target
    state.aligned(np.array([1, -1, 0]))
    after = cpu.recommended(state.cpu).target
    assert (after[0], after[2]) == (before[1], before[0])
    assert np.isnan(after[1])
    assert np.isnan(state.request[1]).all()
    assert state.seen[:, CPU].tolist() == [2 * PER_DAY, 0, 2 * PER_DAY]


@given(seed=st.integers(0, 10_000), noise=st.floats(0.0, 0.9), in_place=st.booleans())
def test_changes_stay_within_their_budget(seed: int, noise: float, in_place: bool) -> None:  # noqa: FBT001 - drawn
    state = HeldState.start(2, FIRST)
    state.in_place[:] = in_place
    told = guide(2, cores=1e-3, mib=1.0)  # far below: nothing is restarted for its sake
    requests = lived(state, waves(4, seed=seed, noise=noise), told)
    changed = requests[1:] != requests[:-1]
    events = changed if in_place else changed.any(axis=2, keepdims=True)
    a_day = 8 if in_place else 1
    assert (events.sum(axis=0) <= 4 * a_day + 1).all()  # one is there from the start
    days = events[: 3 * PER_DAY].reshape(3, PER_DAY, 2, -1).sum(axis=1)
    assert (days <= 2 * a_day).all()


def test_restarted_containers_are_looked_at_once_a_day_in_their_own_hour() -> None:
    state = HeldState.start(24, FIRST)
    state.turn[:] = np.arange(24)
    usage = waves(5, count=24)
    usage[3 * PER_DAY :, :, CPU] *= 0.2  # all fall at once
    requests = lived(state, usage, guide(24, cores=1e-3, mib=1.0))[3 * PER_DAY :]
    fell = (requests[1:, :, CPU] < requests[:-1, :, CPU]).nonzero()
    hours = {int(row): (int(step) + 2) // PER_HOUR % 24 for step, row in zip(*fell, strict=True)}
    assert len(hours) == 24
    assert all(hour == row for row, hour in hours.items())


def test_a_restart_is_never_due_where_the_vertical_autoscaler_would_leave_it() -> None:
    state, told = HeldState.start(2, FIRST), guide(2)
    state.in_place[1] = True
    lived(state, waves(4), told)
    found = held.bounds(state, told)
    assert (found.lower[0] <= told.lower[0]).all()
    assert (found.upper[0] >= told.upper[0]).all()
    np.testing.assert_allclose(found.lower[1], 0.98 * state.request[1])
    np.testing.assert_allclose(found.upper[1], 1.02 * state.request[1])


def test_a_restarted_container_is_raised_beyond_its_budget_to_where_it_would_be_restarted_for() -> None:
    state = HeldState.start(1, FIRST)
    lived(state, waves(3, count=1), guide(1, cores=0.1))
    state.left[:] = 0.0
    [request] = lived(state, waves(1, count=1)[:1], guide(1, cores=20.0))
    assert request[0, CPU] == 20.0


@pytest.mark.parametrize("in_place", [True, False])
def test_use_above_the_request_raises_at_once_where_a_change_is_left(in_place: bool) -> None:  # noqa: FBT001 - a case
    state = HeldState.start(1, FIRST)
    state.in_place[:] = in_place
    lived(state, waves(4, count=1), guide(1, cores=0.1, mib=1.0))
    state.left[:] = 1.0
    [request] = lived(state, np.array([[[6.0, 4000 * MIB]]]), guide(1, cores=0.1, mib=1.0))
    assert request[0, CPU] >= 1.1 * 6.0 * 0.98
    assert request[0, MEMORY] >= 1.04 * 4000 * MIB


def test_a_kill_raises_beyond_the_budget_and_only_what_foresail_speaks_for() -> None:
    state = HeldState.start(2, FIRST)
    lived(state, waves(2), guide(2))
    state.left[:] = 0.0
    before = state.request.copy()
    speaks = np.array([[True, True], [True, False]])
    held.killed(state, np.array([0, 1]), np.array([2000 * MIB, 2000 * MIB]), speaks)
    assert state.request[0, MEMORY] == 1.2 * 2000 * MIB
    assert state.request[1, MEMORY] == before[1, MEMORY]


def test_a_hole_in_the_data_lowers_nothing() -> None:
    state, told = HeldState.start(2, FIRST), guide(2, cores=1e-3, mib=1.0)
    state.in_place[0] = True
    lived(state, waves(4), told)
    before = state.request.copy()
    requests = lived(state, np.full((2 * PER_DAY, 2, 2), np.nan), told)
    assert (requests >= before).all()


def test_enough_is_seen_after_three_days_of_cpu_and_a_day_of_memory() -> None:
    state = HeldState.start(1, FIRST)
    seen = []
    for each in waves(3, count=1):
        seen.append(held.ready(state)[0].tolist())
        held.observe(state, each)
    assert [seen[0], seen[PER_DAY]] == [[False, False], [False, True]]
    assert seen[PER_DAY - 1] == [False, False]
    assert held.ready(state)[0].tolist() == [True, True]
