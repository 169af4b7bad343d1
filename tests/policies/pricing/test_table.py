"""Looking prices up: places, names that are near, discounts, age."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from policies.pricing.table import (
    DAY_S,
    CapacityType,
    Commitment,
    Discount,
    Offer,
    PriceError,
    PriceTable,
    family_of,
)
from tests.policies.pricing.shared import NODE, SPOT, prices


def table(*rows: tuple[Offer, int]) -> PriceTable:
    offers = tuple(offer for offer, _ in rows)
    return PriceTable("USD", offers, np.array([price for _, price in rows]), np.zeros(len(rows)), ("t",) * len(rows))


ZONE = Offer("aws", "g5.xlarge", "us-east-1", "us-east-1a")
REGION = Offer("aws", "g5.xlarge", "us-east-1")
ANYWHERE = Offer("", "g5.xlarge")


@pytest.mark.parametrize(
    ("offer", "price"),
    [
        pytest.param(ZONE, 1, id="its-own-zone"),
        pytest.param(Offer("aws", "g5.xlarge", "us-east-1", "us-east-1b"), 2, id="the-region-for-another-zone"),
        pytest.param(Offer("aws", "g5.xlarge", "eu-west-1", "eu-west-1a"), 3, id="anywhere-for-another-region"),
        pytest.param(Offer("own", "g5.xlarge"), 3, id="any-provider"),
    ],
)
def test_the_nearest_price_holds(offer: Offer, price: int) -> None:
    assert table((ZONE, 1), (REGION, 2), (ANYWHERE, 3)).price_micros(offer) == price


def test_a_price_by_zone_alone_holds_in_that_zone() -> None:
    karpenter = table((Offer("", "g5.xlarge", zone="us-east-1a"), 7))
    assert karpenter.price_micros(ZONE) == 7


@pytest.mark.parametrize(
    ("offer", "words"),
    [
        pytest.param(
            Offer("aws", "m5.lrge", "us-east-1"), "no instance type 'm5.lrge' (did you mean m5.large?)", id="type"
        ),
        pytest.param(
            Offer("aws", "m5.large", "us-east1"), "no region 'us-east1' (did you mean us-east-1?)", id="region"
        ),
        pytest.param(Offer("aws", "m5.large"), "it names no region; there is us-east-1", id="no-region"),
        pytest.param(
            Offer("aws", "m5.xlarge", "us-east-1", capacity=CapacityType.SPOT),
            "no capacity type 'spot'; there is on-demand",
            id="capacity",
        ),
    ],
)
def test_an_absent_price_names_what_is_near(offer: Offer, words: str) -> None:
    with pytest.raises(PriceError) as raised:
        prices().row(offer)
    assert str(raised.value).startswith(f"no price for {offer}: ")
    assert words in str(raised.value)


def test_an_offer_has_one_price() -> None:
    with pytest.raises(PriceError, match="has two prices"):
        table((NODE, 1), (SPOT, 1), (NODE, 2))


def test_discounts_that_match_are_taken_off_one_after_the_other() -> None:
    less = prices().discounted(
        [Discount(10, family="m5"), Discount(50, capacity=CapacityType.SPOT), Discount(9, "gcp")]
    )
    assert less.price(NODE) == 0.9
    assert less.price(SPOT) == 0.1575  # 0.35 x 0.9 x 0.5


def test_prices_older_than_the_limit_are_told() -> None:
    mixed = replace(table((NODE, 1), (SPOT, 1)), as_of_s=np.array([0, 95 * DAY_S]))
    told = mixed.staleness(100 * DAY_S)
    assert told is not None
    assert (told.rows, told.oldest_s, told.example) == (1, 100 * DAY_S, NODE)
    assert str(told).startswith("prices older than 90 days: 1; the oldest (aws m5.large on-demand in us-east-1)")
    assert mixed.staleness(100 * DAY_S, of=[mixed.row(SPOT)]) is None
    assert mixed.staleness(89 * DAY_S) is None


@pytest.mark.parametrize(
    ("provider", "instance_type", "family"),
    [
        ("aws", "m5.large", "m5"),
        ("gcp", "n2-standard-4", "n2"),
        ("azure", "Standard_D4s_v5", "Dsv5"),
        ("azure", "Standard_NC24ads_A100_v4", "NCadsA100v4"),
        ("own", "rack", "rack"),
    ],
)
def test_families(provider: str, instance_type: str, family: str) -> None:
    assert family_of(provider, instance_type) == family


def test_commitments_cover_what_they_match_and_never_spot() -> None:
    broad = Commitment("c", 1, nodes=1)
    assert (broad.covers(NODE), broad.covers(SPOT)) == (True, False)
    assert not Commitment("c", 1, nodes=1, region="eu-west-1").covers(NODE)
    assert Commitment("c", 1, value_micros=1, family="m5").covers(NODE)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="neither-nodes-nor-value"),
        pytest.param({"nodes": 1, "value_micros": 1}, id="both"),
        pytest.param({"nodes": 1, "upfront_ratio": 1.5}, id="upfront"),
    ],
)
def test_a_commitment_that_is_none_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="commitment c: "):
        Commitment("c", 1, **given)


def test_what_is_due_upfront() -> None:
    # Half of 0.63 an hour for 8,760 hours.
    assert Commitment("1y", 630_000, nodes=1, upfront_ratio=0.5).upfront_micros == 2_759_400_000
