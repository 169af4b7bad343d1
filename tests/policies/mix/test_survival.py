"""Hazard by age, and what is learned from losses, refusals and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.mix.columns import (
    EXPECTED_LOSSES,
    KNOWN,
    LOSSES,
    LOST,
    POOL_TRY_S,
    READY,
    REFUSED,
    SEEN_S,
    SINCE_S,
    stacked,
)
from policies.mix.model import Known, PoolMemory
from policies.mix.survival import hazard_now, hazard_per_hour, lane_factor, remember

if TYPE_CHECKING:
    from policies.arrays import FloatArray

HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("age_h", "hazard"),
    [(0.0, 1.25), (0.2, 1.0), (1.2, 0.5), (9.2, 0.1)],  # 1 / (age + 0.8)
)
def test_the_hazard_falls_with_the_age(age_h: float, hazard: float) -> None:
    assert hazard_per_hour(age_h * HOUR_S) == pytest.approx(hazard)


def _seen(
    memory: FloatArray, at_s: float, *, held: int = 0, lost: int = 0, refused: int = 0, dt_s: float = 30.0
) -> bool:
    pools = np.zeros((7, 1))
    pools[READY], pools[LOST], pools[REFUSED] = held, lost, refused
    return remember(at_s, dt_s, 0, pools, memory)


@pytest.fixture
def memory() -> FloatArray:
    return stacked(PoolMemory.unknown(1))


def test_a_pool_that_is_open_at_first_sight_counts_as_an_hour_old(memory: FloatArray) -> None:
    assert _seen(memory, 1e6, held=2, dt_s=0.0)
    assert memory[KNOWN, 0] == Known.OPEN
    assert hazard_now(1e6, 0, memory, 1.0) == pytest.approx(1 / 1.8)


def test_a_pool_that_opens_is_as_old_as_half_the_time_since_it_refused(memory: FloatArray) -> None:
    _seen(memory, 1e6, refused=1)
    assert memory[KNOWN, 0] == Known.CLOSED
    assert _seen(memory, 1e6 + 60, held=1)
    assert memory[SINCE_S, 0] == 1e6 + 30


def test_back_off_doubles_up_to_ten_minutes(memory: FloatArray) -> None:
    waits = []
    for step in range(6):
        _seen(memory, 1e6 + step, refused=1)
        waits.append(memory[POOL_TRY_S, 0] - 1e6 - step)
    assert waits == [60, 120, 240, 480, 600, 600]


def test_a_loss_makes_the_pool_young(memory: FloatArray) -> None:
    _seen(memory, 1e6, held=3)
    _seen(memory, 1e6 + 30, held=1, lost=2)
    assert (memory[KNOWN, 0], memory[SINCE_S, 0], memory[LOSSES, 0]) == (Known.OPEN, 1e6 + 30, 1)
    _seen(memory, 1e6 + 60, lost=1)
    assert memory[KNOWN, 0] == Known.CLOSED


def test_a_pool_seen_again_after_a_while_may_be_younger_than_it_looks(memory: FloatArray) -> None:
    _seen(memory, 1e6, held=1)
    _seen(memory, 1e6 + 4 * HOUR_S, held=1)
    assert HOUR_S < 1e6 + 4 * HOUR_S - memory[SINCE_S, 0] < 5 * HOUR_S


def test_an_open_pool_that_refuses_was_lost_unseen(memory: FloatArray) -> None:
    _seen(memory, 1e6, held=1, dt_s=0.0)
    _seen(memory, 1e6 + HOUR_S, refused=1)
    assert memory[LOSSES, 0] == 1
    assert memory[EXPECTED_LOSSES, 0] == pytest.approx(1 / 2.3)  # an hour at the hazard of 1.5 h
    assert memory[SEEN_S, 0] == 1e6 + HOUR_S


def test_the_factor_of_a_lane_is_shrunk_by_five_losses() -> None:
    memory = stacked(PoolMemory.unknown(2))
    assert lane_factor(0, 2, memory) == 1.0
    memory[EXPECTED_LOSSES] = [3.0, 2.0]
    assert lane_factor(0, 2, memory) == 0.5  # (0 + 5) / (5 + 5)
    memory[LOSSES] = [7.0, 8.0]
    assert lane_factor(0, 2, memory) == 2.0  # (15 + 5) / (5 + 5)
