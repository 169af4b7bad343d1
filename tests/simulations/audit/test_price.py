"""Prices from flags."""

from __future__ import annotations

import pytest

from simulations.audit.price import Price, Size, replica_hour


@pytest.mark.parametrize(
    ("texts", "size", "expected"),
    [
        pytest.param(["0.40/replica-hour"], Size(), 0.40, id="replica"),
        pytest.param(["0.40"], Size(), 0.40, id="plain-is-a-replica"),
        pytest.param(["0.04/cpu-hour", "2.50/gpu-hour"], Size(8, 2), 0.04 * 8 + 2.5 * 2, id="cores-and-gpus-add-up"),
        pytest.param(["2.50/gpu-hour"], Size(8), None, id="no-gpus-known"),
        pytest.param([], Size(8), None, id="no-price"),
    ],
)
def test_a_replica_hour_costs_the_sum_of_its_parts(texts: list[str], size: Size, expected: float | None) -> None:
    assert replica_hour([Price.parse(text) for text in texts], size) == (expected and pytest.approx(expected))


@pytest.mark.parametrize("text", ["cheap", "1/day", "-1/cpu-hour", "1/cpu"])
def test_what_is_no_price_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is no price: write AMOUNT/replica-hour"):
        Price.parse(text)
