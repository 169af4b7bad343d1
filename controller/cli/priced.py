"""What stands in a cluster and what its nodes cost, as the commands that tell of money read it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from controller.errors import ForesailError
from controller.settings import DEFAULT, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.adapters.kubernetes.inventory import Inventory
    from controller.adapters.prometheus.metered import MeteredPrometheus
    from controller.ports import PriceFeed
    from controller.records import PricesSeen
    from controller.settings import Loaded, Setting

QUERIES = 20  # more than both feeds ask
_SETTINGS = ("kubeconfig", "context")
_OF_THE_DAEMON = ("prometheus_concurrency", "prometheus_query_budget")


@dataclass(frozen=True, slots=True)
class PriceOptions:
    """Where prices come from beside those that are built in."""

    prices: Path | None
    opencost_job: str
    karpenter_job: str
    currency: str


def price_settings() -> "Iterator[Setting]":
    """The settings by which such a command reaches Kubernetes and Prometheus."""
    for each in catalogue():
        if each.name in _SETTINGS or (each.name.startswith("prometheus_") and each.name not in _OF_THE_DAEMON):
            yield each


async def inventory_of(settings: "Loaded") -> "Inventory":
    """List nodes and pods. Raises ForesailError."""
    from controller.adapters.kubernetes.inventory import read_inventory
    from controller.clients.kubernetes import connect

    session = await connect(kubeconfig=settings.settings.kubeconfig, context=settings.settings.context)
    async with session:
        return await read_inventory(session)


async def price_sources(
    options: PriceOptions, settings: "Loaded", inventory: "Inventory", at_s: float
) -> "tuple[list[PricesSeen], str | None]":
    """What each source tells, and why those on Prometheus were not read. One that nobody named may be away."""
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


def _feeds(prometheus: "MeteredPrometheus", options: PriceOptions, inventory: "Inventory") -> "Sequence[PriceFeed]":
    from controller.adapters.prometheus.prices import Capacity, KarpenterPrices, OpenCostPrices

    capacity = {
        node.name: Capacity(node.has.cpu_milli / 1000, node.has.memory_milli / 1000, node.has.gpu_milli / 1000)
        for node in inventory.nodes
    }
    return (
        OpenCostPrices(prometheus, options.opencost_job, options.currency, capacity),
        KarpenterPrices(prometheus, options.karpenter_job, options.currency),
    )
