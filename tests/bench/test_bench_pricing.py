"""What a bill costs to make: 256 scenarios of 30 days at one minute, and packing anew at every step."""

from __future__ import annotations

import os
import platform
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from policies.pricing.bill import bill
from policies.pricing.facts import GIB, built_in_prices, machines
from policies.pricing.nodes import nodes_for
from policies.pricing.shapes import Request, shape_of
from policies.pricing.table import CapacityType, Commitment, Offer
from policies.pricing.usage import NodeLife, Usage, replica_pool

if TYPE_CHECKING:
    from policies.arrays import IntArray

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]

SCENARIOS, MINUTES = 256, 30 * 1440
ON_DEMAND = Offer("aws", "g5.xlarge", "us-east-1")
SPOT = Offer("aws", "g5.xlarge", "us-east-1", capacity=CapacityType.SPOT)
COMMITTED = [Commitment("1y", 5 * 630_000, nodes=5)]


def walks(*shape: int) -> IntArray:
    """Replicas that rise and fall by one a minute at most, about 20."""
    steps = np.random.default_rng(1).integers(-1, 2, shape)
    return np.abs(20 + np.cumsum(steps, axis=-1)).astype(np.int64)


def tell(what: str) -> None:
    print(f"\n{what} [{platform.machine()}, {os.cpu_count()} cores]")  # noqa: T201 - its result


@pytest.mark.parametrize(
    ("life", "limit_s"),
    [
        pytest.param(NodeLife(), 2.0, id="replica-prices"),
        pytest.param(NodeLife(startup_s=300, release_s=660, minimum_s=60), 5.0, id="start-up-and-release"),
    ],
)
def test_a_bill_of_256_scenarios(life: NodeLife, limit_s: float) -> None:
    replicas = walks(SCENARIOS, MINUTES)
    usage = Usage(60, tuple(replica_pool("chat", offer, replicas, life) for offer in (ON_DEMAND, SPOT)))
    bill(usage, built_in_prices(), COMMITTED)  # compiles
    began_s = time.perf_counter()
    found = bill(usage, built_in_prices(), COMMITTED)
    took_s = time.perf_counter() - began_s
    rate = 2e-6 * replicas.size / took_s
    tell(f"two pools, {SCENARIOS} x {MINUTES:,} steps: {took_s:.2f} s, {rate:.0f} million steps a s")

    assert (found.hourly.sum(axis=(0, 2)) == found.total).all()
    assert took_s < limit_s


def test_packing_anew_at_every_step() -> None:
    offer = Offer("aws", "g5.12xlarge", "us-east-1")
    shape = shape_of(offer, built_in_prices().price_micros(offer), machines()["aws", "g5.12xlarge"])
    requests = [
        Request("llm", 3000, 12 * GIB * 1000, 1000),
        Request("web", 500, GIB * 1000),
        Request("db", 1800, GIB * 1000),
    ]
    replicas = walks(3, 16, MINUTES)
    nodes_for(replicas[:, :, :60], requests, shape)  # compiles
    began_s = time.perf_counter()
    needed = nodes_for(replicas, requests, shape)
    took_s = time.perf_counter() - began_s
    tell(f"three workloads, 16 x {MINUTES:,} steps, up to {needed.nodes.max()} nodes: {took_s:.1f} s")

    assert (needed.nodes >= -(-replicas[0] // 4)).all()
    assert took_s < 30
