"""The examples of docs/costs.md, worked there by hand: the bill agrees to the cent, and the page says the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.pricing.bill import Bill, Kind, bill
from policies.pricing.facts import GIB, built_in_prices
from policies.pricing.money import cents, micros
from policies.pricing.nodes import node_pool
from policies.pricing.shapes import NodeShape, Request
from policies.pricing.table import CapacityType, Commitment, Offer, PriceTable
from policies.pricing.usage import NodeLife, Served, Usage, replica_pool

if TYPE_CHECKING:
    from policies.arrays import IntArray

PAGE = Path(__file__).resolve().parents[3] / "docs" / "costs.md"
GIB_MILLI = GIB * 1000


def in_cents(found: Bill) -> int:
    return cents(int(found.total[0]))


def spans(step_s: int, *parts: tuple[int, int]) -> IntArray:
    """One lane of counts, each for so many seconds."""
    return np.concatenate([np.full(seconds // step_s, count) for count, seconds in parts])[None]


def test_one_model_on_gpu_nodes() -> None:
    model = Offer("aws", "g5.xlarge", "us-east-1")
    replicas = spans(300, (2, 1800), (5, 2700), (3, 2700))
    pool = replica_pool("model", model, replicas, NodeLife(startup_s=240, release_s=120 + 60, minimum_s=60))
    served = Served("model", requests=np.array([73_000.0]), late=np.zeros(1), tokens=np.array([36.7e6]))
    found = bill(Usage(300, (pool,), (served,)), built_in_prices())

    assert found.node_seconds.tolist() == [[26_280]]
    assert in_cents(found) == 734
    assert [cents(int(each.sum())) for each in found.split[:, :, 0]] == [704, 30]
    assert round(found.per_request[0], 7) == 0.0001006
    assert round(found.per_million_tokens[0], 4) == 0.2001
    assert "= **7.34 USD**: 25,200 s = 7.0 hours x 1.006 = 7.04" in PAGE.read_text()


def test_two_workloads_that_share_nodes_and_a_commitment() -> None:
    offer = Offer("", "node")
    prices = PriceTable("USD", (offer,), np.array([micros(0.384)]), np.zeros(1), ("by hand",))
    shape = NodeShape(offer, micros(0.384), 7600, 28 * GIB_MILLI)
    requests = [Request("chat", 1500, 4 * GIB_MILLI), Request("index", 600, 6 * GIB_MILLI)]
    pool = node_pool(np.array([[[8, 12, 10, 6]], [[4, 4, 6, 4]]]), requests, shape)
    found = bill(Usage(3600, (pool,)), prices, [Commitment("three", 3 * micros(0.242), nodes=3)])

    assert pool.nodes.tolist() == [[3, 4, 3, 2]]
    assert [cents(int(each)) for each in found.hourly[:, 0].sum(axis=0)] == [73, 111, 73, 73]
    assert in_cents(found) == 329
    assert in_cents(bill(Usage(3600, (pool,)), prices)) == 461
    split = found.split[:, :, 0]
    assert cents(int(split[2, Kind.UNUSED])) == 24
    assert [cents(int(each)) for each in split.sum(axis=1) - split[:, Kind.UNUSED]] == [166, 53, 86]
    assert "**all** | **3.29** |" in PAGE.read_text()


def test_spot_with_an_interruption_and_late_requests_that_cost() -> None:
    on_demand, spot = Offer("", "node"), Offer("", "node", capacity=CapacityType.SPOT)
    prices = PriceTable("USD", (on_demand, spot), np.array([micros(1.0), micros(0.35)]), np.zeros(2), ("by hand",) * 2)
    launched = (
        replica_pool("chat", on_demand, spans(60, (1, 1200), (4, 1500), (1, 900))),
        replica_pool("chat", spot, spans(60, (3, 1200), (0, 1200), (3, 1200))),
    )
    served = Served("chat", requests=np.array([9600.0]), late=np.array([600.0]), late_micros=micros(0.002))
    found = bill(Usage(60, launched, (served,)), prices)

    assert found.by_kind[:, 0] == pytest.approx([0, 0, 2.25, 0.70, 1.20])
    assert in_cents(found) == 415
    assert "| **all** | | **4.15** |" in PAGE.read_text()
