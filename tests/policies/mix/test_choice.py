"""The expectation is exact, and the mix that is found is the cheapest or nearly."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from policies.arrays import FloatArray, IntArray, integers
from policies.mix.choice import cheapest, expected_short


@pytest.mark.parametrize(
    ("need", "mix", "lost", "short"),
    [
        pytest.param(4, [4, 0], [0.1, 0], 0.4, id="one-pool-loses-all"),  # 0.1 x 4
        pytest.param(4, [2, 2, 0], [0.1, 0.1, 0], 0.4, id="two-halves"),  # 2 x 0.1 x 0.9 x 2 + 0.01 x 4
        pytest.param(4, [4, 4, 0], [0.1, 0.2, 0], 0.08, id="each-covers-all"),  # 0.02 x 4
        pytest.param(6, [4, 4, 2], [0.1, 0.2, 0], 0.08, id="on-demand-is-never-lost"),
        pytest.param(4, [1, 0], [0.5, 0], 3.5, id="too-little-anyway"),  # 0.5 x 3 + 0.5 x 4
        pytest.param(0, [3, 0], [0.5, 0], 0.0, id="nothing-needed"),
    ],
)
def test_what_is_short(need: int, mix: list[int], lost: list[float], short: float) -> None:
    found = expected_short(need, np.array(mix), np.array(lost), np.zeros(need + 1))
    assert found == pytest.approx(short, abs=1e-12)


def test_the_expectation_over_all_patterns_of_many_pools() -> None:
    spot, lost = np.array([1, 3, 2, 2, 1, 4]), np.array([0.3, 0.02, 0.1, 0.5, 0.25, 0.01])
    total = 0.0
    for down in itertools.product((True, False), repeat=6):
        chance = np.prod(np.where(down, lost, 1 - lost))
        total += chance * max(0, 9 - spot[~np.array(down)].sum())
    assert expected_short(9, np.append(spot, 0), np.append(lost, 0.0), np.zeros(10)) == pytest.approx(total)


def _cheapest(
    need: int, limit: list[int], price: FloatArray, lost: FloatArray, worth: list[float], starts: IntArray | None = None
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Mixes, what they cost and what they lack; the last of `limit` is on-demand's, and nothing runs yet."""
    cost, short = np.zeros(len(worth)), np.zeros(len(worth))
    mixes = np.zeros((len(worth), len(limit)), np.int64)
    prices, chances = np.append(price, 1.0), np.append(lost, 0.0)
    starts = mixes[:0] if starts is None else starts
    cheapest(
        need, np.array(limit), prices, chances, integers(len(limit)), np.array(worth), starts, mixes, cost, short
    )  # fmt: skip
    return mixes, cost, short


@pytest.mark.parametrize("seed", range(12))
def test_nothing_much_cheaper_exists_at_any_price_of_shortness(seed: int) -> None:
    random = np.random.default_rng(seed)
    price, lost = random.uniform(0.2, 0.5, 3), random.uniform(0.001, 0.15, 3)
    need, worth = int(random.integers(1, 6)), [4.0, 30.0, 250.0]
    every = [
        np.array(mix) for mix in itertools.product(*[range(need + 3)] * 3, range(need + 1)) if sum(mix) >= need
    ]  # fmt: skip
    risk = np.array([expected_short(need, mix, np.append(lost, 0.0), np.zeros(need + 1)) for mix in every])
    spent = np.array(every) @ np.append(price, 1.0)
    mixes, cost, short = _cheapest(need, [99, 99, 99, need], price, lost, worth)
    assert cost == pytest.approx(mixes @ np.append(price, 1.0))
    for each, value in enumerate(worth):
        best = (spent + value * risk).min()
        assert cost[each] + value * short[each] <= best * 1.01
        alone, *_ = _cheapest(need, [99, 99, 99, need], price, lost, [value], mixes)
        assert alone[0].tolist() == mixes[each].tolist()


@pytest.mark.parametrize(
    ("limit", "mix", "short"),
    [
        pytest.param([0, 0, 4], [0, 0, 4], 0.0, id="no-spot-to-be-had"),
        pytest.param([2, 0, 1], [2, 0, 1], 1.2, id="all-there-is-when-it-is-too-little"),  # 1 + 0.1 x 2
        pytest.param([2, 3, 0], [2, 3, 0], 0.31, id="no-on-demand-spares-fill-the-limits"),
    ],
)
def test_limits(limit: list[int], mix: list[int], short: float) -> None:
    # The last: first lost 0.09 x 1, second 0.09 x 2, both 0.01 x 4, of 4.
    mixes, _, lacking = _cheapest(4, limit, np.array([0.3, 0.4]), np.array([0.1, 0.1]), [100.0])
    assert mixes.tolist() == [mix]
    assert lacking[0] == pytest.approx(short)


def test_a_lane_without_pools_runs_on_demand() -> None:
    mixes, _, _ = _cheapest(3, [3], np.zeros(0), np.zeros(0), [9.0])
    assert mixes.tolist() == [[3]]
