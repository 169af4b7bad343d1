"""Size and count together: each case with its arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resources.one_plan import (
    GIB_MILLI,
    Counts,
    Finding,
    OnePlan,
    Signal,
    Sizes,
    UnitPrices,
    one_plan,
    words_of,
)

UNBOUND = 2**31


def plan(
    now: tuple[int, float],
    wanted: tuple[int, float],
    *,
    replicas: int = 10,
    most: int = UNBOUND,
    signal: Signal = Signal.FREE,
    prices: tuple[float, float, float] = (0.03, 0.004, 0.0),
) -> OnePlan:
    """Of one workload; sizes are millicores and GiB."""
    sizes = [Sizes(np.array([cpu], np.int64), np.array([int(gib * GIB_MILLI)], np.int64)) for cpu, gib in (now, wanted)]
    counts = Counts(np.array([replicas]), np.array([most]), np.array([signal], np.int8))
    return one_plan(sizes[0], counts, sizes[1], UnitPrices(*(np.array([price]) for price in prices)))


def test_a_count_that_does_not_follow_the_size_stays() -> None:
    found = plan((1000, 4), (400, 2))
    assert found.replicas[0] == 10
    assert found.before[0] == pytest.approx(10 * (1 * 0.03 + 4 * 0.004))  # 0.46
    assert found.after[0] == pytest.approx(10 * (0.4 * 0.03 + 2 * 0.004))  # 0.20
    assert found.finding[0] == Finding.NONE


def test_a_smaller_request_that_only_makes_more_replicas_stays_and_memory_alone_is_sized() -> None:
    # Resized: 10 x 1000 / 400 = 25 replicas, 25 x (0.4 x 0.03 + 2 x 0.004) = 0.50; kept: 10 x (0.03 + 0.008) = 0.38.
    found = plan((1000, 4), (400, 2), signal=Signal.CPU)
    assert (found.replicas[0], found.sizes.cpu_milli[0], found.sizes.memory_milli[0]) == (10, 1000, 2 * GIB_MILLI)
    assert found.after[0] == pytest.approx(0.38)
    assert found.finding[0] == Finding.SIZE_KEPT
    assert "capacityPerReplica" in words_of(int(found.finding[0]), Signal.CPU)


def test_a_request_that_is_too_small_is_raised_and_fewer_replicas_are_counted() -> None:
    # 10 x 400 / 1000 = 4 replicas.
    found = plan((400, 1), (1000, 1), signal=Signal.CPU)
    assert (found.replicas[0], found.sizes.cpu_milli[0]) == (4, 1000)
    assert found.after[0] == pytest.approx(4 * (0.03 + 0.004))
    assert found.finding[0] == Finding.FED_BY_SIZE


def test_rounding_up_makes_a_little_smaller_request_dearer() -> None:
    # 10 x 1000 / 990 = 10.1: 11 replicas of 990 are more than 10 of 1000. At 500 the same is asked for, and no less.
    for smaller in (990, 500):
        found = plan((1000, 0), (smaller, 0), signal=Signal.CPU)
        assert (found.replicas[0], found.finding[0]) == (10, Finding.SIZE_KEPT)


def test_memory_that_is_scaled_on_is_kept_and_the_cpu_beside_it_sized() -> None:
    # Resized: 3 x 4 / 2 = 6 replicas, 6 x (0.1 x 0.03 + 2 x 0.004) = 0.066; kept: 3 x (0.1 x 0.03 + 4 x 0.004) = 0.057.
    found = plan((1000, 4), (100, 2), replicas=3, signal=Signal.MEMORY)
    assert (found.replicas[0], found.sizes.cpu_milli[0], found.sizes.memory_milli[0]) == (3, 100, 4 * GIB_MILLI)


def test_without_prices_less_of_one_and_no_more_of_the_other_is_taken() -> None:
    nothing = (np.nan, np.nan, np.nan)
    assert plan((1000, 0), (400, 0), signal=Signal.CPU, prices=nothing).finding[0] == Finding.SIZE_KEPT
    free = plan((1000, 4), (400, 2), prices=nothing)
    assert (free.sizes.cpu_milli[0], free.replicas[0]) == (400, 10)
    assert np.isnan(free.before[0])
    assert np.isnan(free.after[0])


def test_no_room_for_more_replicas_keeps_the_size() -> None:
    found = plan((1000, 4), (400, 2), signal=Signal.CPU, most=12, prices=(0.0, 0.0, -1.0))
    assert (found.replicas[0], found.sizes.cpu_milli[0]) == (10, 1000)


@given(
    now=st.integers(1, 64_000),
    wanted=st.integers(1, 64_000),
    replicas=st.integers(0, 500),
    signal=st.sampled_from(Signal),
)
def test_a_plan_never_offers_less_of_what_scales_it_than_there_is(
    now: int, wanted: int, replicas: int, signal: Signal
) -> None:
    """The whole of the request that is scaled on serves the load of now, whatever size is chosen."""
    found = plan((now, 1), (wanted, 1), replicas=replicas, signal=signal)
    if signal is Signal.CPU:
        assert found.replicas[0] * found.sizes.cpu_milli[0] >= replicas * now
    else:
        assert found.replicas[0] == replicas


@given(now=st.integers(1, 64_000), wanted=st.integers(1, 64_000), replicas=st.integers(1, 500))
def test_planning_again_from_a_plan_changes_nothing(now: int, wanted: int, replicas: int) -> None:
    found = plan((now, 1), (wanted, 1), replicas=replicas, signal=Signal.CPU)
    again = plan(
        (int(found.sizes.cpu_milli[0]), 1),
        (int(found.sizes.cpu_milli[0]), 1),
        replicas=int(found.replicas[0]),
        signal=Signal.CPU,
    )
    assert again.replicas[0] == found.replicas[0]
    assert again.finding[0] == Finding.NONE
