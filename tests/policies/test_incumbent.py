"""The autoscaler in place, in shadow: its target, tolerance, window of falls, rates and bounds."""

import numpy as np
import pytest

from policies.arrays import integers
from policies.incumbent import Incumbent, Settings, orders_of


def settings(
    target: float = 0.875, tolerance: float = 0.1, window: int = 10, low: int = 1, high: int = 100
) -> Settings:
    return Settings(np.array([target]), np.array([tolerance]), integers(1, window), integers(1, low), integers(1, high))


def orders(demand: list[float], usable: list[int] | None = None, of: Settings | None = None) -> list[int]:
    loads = np.array([demand])
    known = np.full(loads.shape, 2, np.int64) if usable is None else np.array([usable], np.int64)
    row: list[int] = orders_of(Incumbent.empty(1), loads, known, of or settings())[0].tolist()
    return row


def test_it_rises_to_its_target_at_once_and_falls_after_its_window() -> None:
    # 7 / 0.875 = 8 and 14 / 0.875 = 16; the last recommendation of 16 is in the window of ten steps for ten more.
    assert orders([7.0, 14.0, *[7.0] * 11]) == [8, *[16] * 11, 8]


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        pytest.param(7.6, 8, id="8.6-percent-above-is-within-the-tolerance"),
        pytest.param(7.8, 9, id="11.4-percent-above-is-not"),
        pytest.param(6.4, 8, id="8.6-percent-below-is-within-the-tolerance"),
    ],
)
def test_tolerance(demand: float, expected: int) -> None:
    assert orders([7.0, *[demand] * 12])[-1] == expected


def test_a_rise_is_held_to_its_rates() -> None:
    assert orders([1.75, 70.0, 70.0]) == [2, 10, 40]  # 2 + 2 x 4, then twice twice
    assert orders([7.0, 70.0]) == [8, 32]


def test_a_hole_keeps_its_count_and_bounds_hold() -> None:
    assert orders([7.0, 0.0, 0.0, 7.0], [2, 0, 0, 2]) == [8, 8, 8, 8]
    assert orders([700.0, 0.0], of=settings(low=3, high=5, window=0)) == [5, 3]


def test_blocks_of_any_length_give_the_same() -> None:
    demand = np.random.default_rng(1).gamma(20, 1, (2, 60))
    usable = np.where(np.random.default_rng(2).random((2, 60)) < 0.2, 0, 2)
    both = Settings(np.full(2, 0.8), np.full(2, 0.05), integers(2, 7), integers(2, 1), integers(2, 40))
    whole, state = orders_of(Incumbent.empty(2), demand, usable, both), Incumbent.empty(2)
    parts = [orders_of(state, demand[:, [step]], usable[:, [step]], both) for step in range(60)]
    assert (np.concatenate(parts, axis=1) == whole).all()
