"""The price feeds on a server that answers OpenCost's and Karpenter's metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
from controller.adapters.prometheus.prices import Capacity, KarpenterPrices, OpenCostPrices
from controller.clients.http import HttpAccess
from controller.errors import Unavailable
from controller.records import NodePrice
from policies.pricing.facts import GIB
from policies.pricing.table import CapacityType, Offer
from tests.controller.adapters.prometheus_server import AT_S, refused, serving, vector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from controller.ports import PriceFeed
    from controller.records import PricesSeen

Samples = tuple[tuple[dict[str, str], str], ...]


async def read(answers: Mapping[str, Samples], *, opencost: bool) -> tuple[PricesSeen, list[str]]:
    """What a feed reads from a server that answers each metric by its name, and what it asked."""

    def answer(form: Mapping[str, str]) -> web.Response:
        name = form["query"].partition("(")[2].partition("(")[2].partition("{")[0]
        return vector(*answers.get(name, ()))

    async with serving() as server:
        server.answer = answer
        async with MeteredPrometheus(HttpAccess(server.url, timeout_s=5), Budget(20, 0)) as prometheus:
            capacity = {"a": Capacity(4, 16 * GIB, 1), "b": Capacity(2, 8 * GIB, 0)}
            feed: PriceFeed = (
                OpenCostPrices(prometheus, 'open"cost', "USD", capacity)
                if opencost
                else KarpenterPrices(prometheus, "karpenter", "USD")
            )
            return await feed.prices(at_s=AT_S), server.asked()


async def test_opencost_tells_nodes_by_name() -> None:
    seen, asked = await read(
        {
            "node_total_hourly_cost": (({"node": "a"}, "1.2"), ({"instance": "c"}, "0.5"), ({"node": "d"}, "NaN")),
            "node_cpu_hourly_cost": (({"node": "a"}, "0.05"), ({"node": "b"}, "0.03")),
            "node_ram_hourly_cost": (({"node": "a"}, "0.025"), ({"node": "b"}, "0.004")),
            "node_gpu_hourly_cost": (({"node": "a"}, "0.6"),),
            "kubecost_node_is_spot": (({"node": "a"}, "0"), ({"node": "b"}, "1")),
        },
        opencost=True,
    )
    a, b, c = (seen.nodes[name] for name in "abc")
    assert (a.micros, a.spot) == (1_200_000, False)
    assert a.weights == pytest.approx((0.2 / 1.2, 0.4 / 1.2, 0.6 / 1.2))
    assert (b.micros, b.spot) == (92_000, True)  # 2 x 0.03 + 8 x 0.004
    assert c == NodePrice(500_000)
    assert set(seen.nodes) == {"a", "b", "c"}
    assert asked[0] == 'max by (node, instance) (node_total_hourly_cost{job="open\\"cost"})'


async def test_karpenter_tells_offers_and_which_cannot_be_had() -> None:
    def of(kind: str, zone: str = "us-east-1a") -> dict[str, str]:
        return {"instance_type": "g5.xlarge", "capacity_type": kind, "zone": zone}

    seen, _ = await read(
        {
            "karpenter_cloudprovider_instance_type_offering_price_estimate": (
                (of("on-demand"), "1.006"),
                (of("spot"), "0.41"),
                (of("reserved"), "0"),
                (of("spot", "us-east-1b"), "0"),
            ),
            "karpenter_cloudprovider_instance_type_offering_available": ((of("on-demand"), "1"), (of("spot"), "0")),
        },
        opencost=False,
    )
    spot = Offer("", "g5.xlarge", zone="us-east-1a", capacity=CapacityType.SPOT)
    assert seen.table.price(Offer("aws", "g5.xlarge", "us-east-1", "us-east-1a")) == 1.006
    assert seen.table.price(spot) == 0.41
    assert len(seen.table.offers) == 2
    assert seen.refused == {spot}


async def test_no_metrics_are_no_prices() -> None:
    seen, _ = await read({}, opencost=True)
    assert (seen.nodes, seen.table.offers) == ({}, ())


async def test_a_server_that_fails_is_told() -> None:
    async with serving() as server:
        server.answer = lambda _: refused(503, "unavailable", "starting")
        async with MeteredPrometheus(HttpAccess(server.url, timeout_s=5), Budget(20, 0)) as prometheus:
            with pytest.raises(Unavailable, match="starting"):
                await KarpenterPrices(prometheus, "karpenter", "USD").prices(at_s=AT_S)
