"""`foresail cost`: what a cluster costs now, by workload, namespace and capacity type. Changes nothing."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.cost_output import Form, written
from controller.cli.exits import PARTIAL
from controller.cli.flags import loaded, with_settings
from controller.cli.priced import PriceOptions, inventory_of, price_settings, price_sources
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from controller.cost import ClusterCost, Wanted
    from controller.settings import Loaded


@with_settings(price_settings())
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

    Every node has the price of the first that knows it: OpenCost, Karpenter, your own file, built-in list prices.
    Exit code 4 when some node has none.
    """
    from controller.cost import Wanted

    try:
        stale_after_s = parse_duration_s(stale_after)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--stale-after") from error
    options = PriceOptions(prices, opencost_job, karpenter_job, currency)
    wanted = Wanted(currency, time.time(), stale_after_s, repack)
    found, unread = asyncio.run(_cost(options, wanted, loaded(flags)))
    written(found, unread, output)
    if found.unpriced:
        raise typer.Exit(PARTIAL)


async def _cost(options: PriceOptions, wanted: "Wanted", settings: "Loaded") -> "tuple[ClusterCost, str | None]":
    """The costs, and why the sources on Prometheus were not read where that was so. Raises ForesailError."""
    from controller.cost import built_in, cluster_cost

    inventory = await inventory_of(settings)
    sources, unread = await price_sources(options, settings, inventory, wanted.at_s)
    return cluster_cost(inventory, [*sources, built_in()], wanted), unread
