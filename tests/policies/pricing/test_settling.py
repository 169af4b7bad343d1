"""Commitments against use: who is covered, in which order, and what is left unused."""

from __future__ import annotations

import numpy as np
import pytest

from policies.pricing.settling import Settled, settled
from policies.pricing.table import Commitment, PriceError
from tests.policies.pricing.shared import BIG, NODE, SPOT

DOLLAR = 1_000_000
HOUR = np.array([3600], np.int64)
TICKS = 3_600_000_000


def hour(node: float, big: float, spot: float, *commitments: Commitment) -> Settled:
    """An hour of so many nodes at 1, 2 and 0.35."""
    paid_s = np.array([node, big, spot]) * 3600
    price = np.array([DOLLAR, 2 * DOLLAR, 350_000])
    return settled((NODE, BIG, SPOT), price, paid_s.astype(np.int64).reshape(3, 1, 1), HOUR, commitments)


def units(done: Settled) -> list[float]:
    """Committed, unused, on-demand and spot, in the currency."""
    parts = (done.committed, done.unused, done.on_demand, done.spot)
    return [float(part.sum() / TICKS) for part in parts]


def test_without_commitments_all_is_paid_as_it_is_used() -> None:
    assert units(hour(2, 1, 3)) == pytest.approx([0, 0, 4, 1.05])


def test_a_commitment_is_paid_whether_it_is_used_or_not() -> None:
    five = Commitment("five", 3 * DOLLAR, nodes=5, instance_type="m5.large")
    assert units(hour(2, 0, 0, five)) == pytest.approx([1.2, 1.8, 0, 0])
    assert units(hour(0, 0, 4, five)) == pytest.approx([0, 3, 0, 1.4])
    assert units(hour(7, 0, 0, five)) == pytest.approx([3, 0, 2, 0])


def test_the_dearest_use_is_covered_first() -> None:
    one = Commitment("one", 600_000, nodes=1, family="m5")
    assert units(hour(1, 1, 0, one)) == pytest.approx([0.6, 0, 1, 0])


def test_the_narrowest_commitment_applies_first() -> None:
    narrow = Commitment("narrow", 600_000, nodes=1, instance_type="m5.xlarge")
    wide = Commitment("wide", 500_000, nodes=1)
    assert units(hour(1, 1, 0, wide, narrow)) == pytest.approx([1.1, 0, 0, 0])


def test_a_value_covers_use_worth_so_much_an_hour() -> None:
    plan = Commitment("plan", 2 * DOLLAR, value_micros=3 * DOLLAR)
    assert units(hour(2, 1, 0, plan)) == pytest.approx([2, 0, 1, 0])
    assert units(hour(0.5, 0, 0, plan)) == pytest.approx([1 / 3, 5 / 3, 0, 0])


def test_use_is_netted_within_the_hour() -> None:
    # Two nodes for half an hour are one node-hour.
    one = Commitment("one", 600_000, nodes=1)
    assert units(hour(1, 0, 0, one)) == pytest.approx([0.6, 0, 0, 0])


@pytest.mark.parametrize(
    ("commitments", "words"),
    [
        pytest.param(
            (
                Commitment("a", 1, nodes=1, family="m5", region="us-east-1"),
                Commitment("b", 1, value_micros=5, instance_type="m5.large"),
            ),
            "commitment b covers a value, within a, which covers nodes",
            id="a-value-within-nodes",
        ),
        pytest.param(
            (Commitment("a", 1, nodes=1, family="c5"), Commitment("b", 1, nodes=1, region="r")),
            "commitments a and b cover the same nodes in part",
            id="overlap",
        ),
    ],
)
def test_scopes_must_be_nested(commitments: tuple[Commitment, ...], words: str) -> None:
    offers = (
        NODE,
        BIG,
        *(type(NODE)("aws", kind, region) for kind, region in (("c5.x", "r"), ("c5.x", "s"), ("d5.x", "r"))),
    )
    zero = np.zeros((len(offers), 1, 1), np.int64)
    with pytest.raises(PriceError, match=words):
        settled(offers, np.ones(len(offers), np.int64), zero, HOUR, commitments)
