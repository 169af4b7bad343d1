"""The expectation is exact, and the mix that is found is the cheapest or nearly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from policies.mix.choice import cheapest, expected_short


@pytest.mark.parametrize(
    ("demand", "spot", "lost", "short"),
    [
        pytest.param(4, [4], [0.1], 0.4, id="one-pool-loses-all"),  # 0.1 x 4
        pytest.param(4, [2, 2], [0.1, 0.1], 0.4, id="two-halves"),  # 2 x 0.1 x 0.9 x 2 + 0.01 x 4
        pytest.param(4, [4, 4], [0.1, 0.2], 0.08, id="each-covers-all"),  # 0.02 x 4
        pytest.param(4, [1], [0.5], 3.5, id="too-little-anyway"),  # 0.5 x 3 + 0.5 x 4
        pytest.param(0, [3], [0.5], 0.0, id="nothing-needed"),
    ],
)
def test_what_is_short(demand: int, spot: list[int], lost: list[float], short: float) -> None:
    found = expected_short(demand, np.array(spot), np.array(lost), np.zeros(demand + 2))
    assert found == pytest.approx(short, abs=1e-12)


def test_the_expectation_over_all_patterns_of_many_pools() -> None:
    spot, lost = np.array([1, 3, 2, 2, 1, 4]), np.array([0.3, 0.02, 0.1, 0.5, 0.25, 0.01])
    total = 0.0
    for down in itertools.product((True, False), repeat=6):
        chance = np.prod(np.where(down, lost, 1 - lost))
        total += chance * max(0, 9 - spot[~np.array(down)].sum())
    assert expected_short(9, spot, lost, np.zeros(11)) == pytest.approx(total)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_much_cheaper_exists(seed: int) -> None:
    random = np.random.default_rng(seed)
    price, lost = random.uniform(0.2, 0.5, 3), random.uniform(0.001, 0.15, 3)
    need, worth = int(random.integers(1, 6)), float(random.choice([4.0, 30.0, 250.0]))

    def cost(part: int, spot: tuple[int, ...]) -> float:
        short = expected_short(need - part, np.array(spot), lost, np.zeros(need + 2))
        return float(part + price @ spot + worth * short)

    mixes = itertools.product(range(need + 1), *[range(need + 3)] * 3)
    best = min(cost(part, spot) for part, *spot in mixes if part + sum(spot) >= need)  # type: ignore[arg-type]
    found, nothing = np.zeros(3, np.int64), np.zeros(3, np.int64)
    terms = np.array([0.0, worth, 0.0])
    part = cheapest(need, need, np.full(3, 99), price, lost, nothing, terms, found)
    assert cost(part, tuple(found)) <= best * 1.01


@pytest.mark.parametrize(
    ("most", "limit", "part", "spot"),
    [
        pytest.param(4, [0, 0], 4, [0, 0], id="no-spot-to-be-had"),
        pytest.param(1, [2, 0], 1, [2, 0], id="all-there-is-when-it-is-too-little"),
        pytest.param(0, [2, 3], 0, [2, 3], id="no-on-demand-spares-fill-the-limits"),
    ],
)
def test_limits(most: int, limit: list[int], part: int, spot: list[int]) -> None:
    found = np.zeros(2, np.int64)
    price, lost, held = np.array([0.3, 0.4]), np.array([0.1, 0.1]), np.zeros(2, np.int64)
    terms = np.array([0.0, 100.0, 0.0])
    assert cheapest(4, most, np.array(limit), price, lost, held, terms, found) == part
    assert found.tolist() == spot


def test_a_lane_without_pools_runs_on_demand() -> None:
    none, numbers = np.zeros(0, np.int64), np.zeros(0)
    assert cheapest(3, 3, none, numbers, numbers, none, np.array([0.0, 9.0, 0.0]), none.copy()) == 3
