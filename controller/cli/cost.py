"""`foresail cost`: what a cluster costs now, by workload, namespace and capacity type. Changes nothing."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.cost_output import Form, written
from controller.cli.exits import PARTIAL
from controller.cli.flags import loaded, with_settings
from controller.errors import ForesailError
from controller.settings import DEFAULT, catalogue
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.adapters.kubernetes.inventory import Inventory
    from controller.adapters.prometheus.metered import MeteredPrometheus
    from controller.cost import ClusterCost
    from controller.ports import PriceFeed
    from controller.records import PricesSeen
    from controller.settings import Loaded

QUERIES = 20  # more than both feeds ask
_SETTINGS = ("kubeconfig", "context")
_OF_THE_DAEMON = ("prometheus_concurrency", "prometheus_query_budget")


@dataclass(frozen=True, slots=True)
class _Options:
    prices: Path | None
    opencost_job: str
    karpenter_job: str
    currency: str
    stale_after_s: float
    repack: bool


@with_settings(
    each
    for each in catalogue()
    if each.name in _SETTINGS or (each.name.startswith("prometheus_") and each.name not in _OF_THE_DAEMON)
)
def cost(
    prices: Annotated[
        Path | None,
        typer.Option(help="Prices of your own, YAML or CSV, for nodes that OpenCost and Karpenter tell no price of."),
    ] = None,
    opencost_job: Annotated[str, typer.Option(help="Job under which Prometheus scrapes OpenCost.")] = "opencost",
    karpenter_job: Annotated[str, typer.Option(help="Job under which Prometheus scrapes Karpenter.")] = "karpenter",
    currency: Annotated[
        str, typer.Option(help="Currency of the sum, and of OpenCost's and Karpenter's prices.")
    ] = "USD",
    stale_after: Annotated[str, typer.Option(help="Warn of prices that are older than this.")] = "90d",
    repack: Annotated[
        bool,
        typer.Option("--repack", help="Also pack the same pods anew, on the cheapest of these node types."),
    ] = False,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the costs.")] = Form.TABLE,
    **flags: object,
) -> None:
    """Tell what a cluster costs now, by workload, namespace and capacity type. Nothing is changed anywhere.

    Every node has the price of the first that knows it: OpenCost, Karpenter, your own file, built-in list prices. Exit
    code 4 when some node has none.
    """
    try:
        stale_after_s = parse_duration_s(stale_after)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--stale-after") from error
    options = _Options(prices, opencost_job, karpenter_job, currency, stale_after_s, repack)
    found, unread = asyncio.run(_cost(options, loaded(flags)))
    written(found, unread, output)
    if found.unpriced:
        raise typer.Exit(PARTIAL)


async def _cost(options: _Options, settings: "Loaded") -> "tuple[ClusterCost, str | None]":
    """The costs, and why the sources on Prometheus were not read where that was so. Raises ForesailError."""
    from controller.cost import Wanted, built_in, cluster_cost

    at_s = time.time()
    inventory = await _inventory(settings)
    sources, unread = await _sources(options, settings, inventory, at_s)
    wanted = Wanted(options.currency, at_s, options.stale_after_s, options.repack)
    return cluster_cost(inventory, [*sources, built_in()], wanted), unread


async def _inventory(settings: "Loaded") -> "Inventory":
    from controller.adapters.kubernetes.inventory import read_inventory
    from controller.clients.kubernetes import connect

    session = await connect(kubeconfig=settings.settings.kubeconfig, context=settings.settings.context)
    async with session:
        return await read_inventory(session)


async def _sources(
    options: _Options, settings: "Loaded", inventory: "Inventory", at_s: float
) -> "tuple[list[PricesSeen], str | None]":
    """What each source tells. A Prometheus that nobody named may be away."""
    from controller.adapters.price_files import PriceFile
    from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
    from controller.clients.access import prometheus_access

    own = [await PriceFile(options.prices).prices(at_s=at_s)] if options.prices else []
    unread: str | None = None
    told: list[PricesSeen] = []
    try:
        async with MeteredPrometheus(prometheus_access(settings.settings), Budget(QUERIES)) as prometheus:
            told.extend([await feed.prices(at_s=at_s) for feed in _feeds(prometheus, options, inventory)])
    except ForesailError as error:
        if settings.origins["prometheus_url"] != DEFAULT:
            raise type(error)(f"{error}; check --prometheus-url and the other --prometheus-... options") from error
        unread = f"OpenCost and Karpenter were not asked for prices: {error}; name it with --prometheus-url"
    return [*told, *own], unread


def _feeds(prometheus: "MeteredPrometheus", options: _Options, inventory: "Inventory") -> "Sequence[PriceFeed]":
    from controller.adapters.prometheus.prices import Capacity, KarpenterPrices, OpenCostPrices

    capacity = {
        node.name: Capacity(node.has.cpu_milli / 1000, node.has.memory_milli / 1000, node.has.gpu_milli / 1000)
        for node in inventory.nodes
    }
    return (
        OpenCostPrices(prometheus, options.opencost_job, options.currency, capacity),
        KarpenterPrices(prometheus, options.karpenter_job, options.currency),
    )
