"""What a cluster costs now: its nodes at the prices of the first source that knows each, split by what pods ask for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.cost.repack import Repacked, repacked
from controller.errors import Rejected
from controller.records import NodePrice, PricesSeen
from policies.pricing.facts import built_in_prices
from policies.pricing.hourly import HourlyCost, Standing, hourly_cost
from policies.pricing.shapes import MAX_PODS, MILLI, NodeShape, Request
from policies.pricing.table import CapacityType, Offer, PriceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.adapters.kubernetes.inventory import Inventory, StandingNode, StandingPod

BUILT_IN = "built-in prices"


@dataclass(frozen=True, slots=True)
class PricedNode:
    """A node with its price, and the place of the source that told it."""

    node: StandingNode
    offer: Offer
    price: NodePrice
    source: int
    row: int | None  # of that source's table; None where it told the node by name


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A node that is not in the sum, and why."""

    node: str
    pods: int
    why: str


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """A workload."""

    namespace: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class ClusterCost:
    """The cost of an hour, and what it rests on. `owners` are those of `hourly`, which has idle room last."""

    currency: str
    at_s: float
    owners: tuple[Owner, ...]
    pods: tuple[int, ...]  # of each owner, on nodes that have a price
    hourly: HourlyCost
    sources: tuple[tuple[str, int], ...]  # and how many nodes each priced
    nodes: int
    unpriced: tuple[Unpriced, ...]
    warnings: tuple[str, ...]
    repacked: Repacked | None = None  # the same pods on the cheapest nodes, where that was asked for


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to tell: the currency, of which time, from which age on prices are warned of, and whether to pack anew."""

    currency: str
    at_s: float
    stale_after_s: float
    repack: bool = False


def built_in() -> PricesSeen:
    """The prices that are built in, as a source."""
    return PricesSeen(BUILT_IN, built_in_prices())


def priced_nodes(
    nodes: Sequence[StandingNode], sources: Sequence[PricesSeen], currency: str
) -> tuple[list[PricedNode], list[Unpriced], list[str]]:
    """Price nodes by the first source that knows each; and warnings. Raises Rejected: a currency does not fit."""
    asked, warnings = _in_currency(sources, currency)
    found = [_priced(node, asked, 0) for node in nodes]
    priced = [each for each in found if isinstance(each, PricedNode)]
    return priced, [each for each in found if isinstance(each, Unpriced)], warnings


def cluster_cost(inventory: Inventory, sources: Sequence[PricesSeen], wanted: Wanted) -> ClusterCost:
    """Price every node by the first source that knows it. Raises Rejected: currencies or commitments do not fit."""
    asked, warnings = _in_currency(sources, wanted.currency)
    standing = Counter(pod.node for pod in inventory.pods)
    found = [_priced(node, asked, standing[node.name]) for node in inventory.nodes]
    priced = [each for each in found if isinstance(each, PricedNode)]
    pods, owners = _owned(inventory.pods, {each.node.name for each in priced})
    counted = Counter(map(_owner, pods))
    commitments = [each for source in asked for each in source.commitments]
    try:
        hourly = hourly_cost(_standing(priced, pods, owners), len(owners), commitments)
        anew = repacked(priced, pods) if wanted.repack else None
    except ValueError as error:
        raise Rejected(str(error)) from error
    return ClusterCost(
        currency=wanted.currency,
        at_s=wanted.at_s,
        owners=tuple(owners),
        pods=tuple(counted[owner] for owner in owners),
        hourly=hourly,
        sources=tuple(
            (source.source, sum(each.source == place for each in priced)) for place, source in enumerate(asked)
        ),
        nodes=len(inventory.nodes),
        unpriced=tuple(each for each in found if isinstance(each, Unpriced)),
        warnings=(*warnings, *_warnings(priced, pods, asked, wanted)),
        repacked=anew,
    )


def _in_currency(sources: Sequence[PricesSeen], currency: str) -> tuple[list[PricesSeen], list[str]]:
    """The sources in this currency; built-in prices in another are left out, others refused."""
    kept, warnings = [], []
    for source in sources:
        if source.table.currency == currency:
            kept.append(source)
        elif source.source == BUILT_IN:
            warnings.append(f"{BUILT_IN} are in {source.table.currency} and were left out; the sum is in {currency}")
        else:
            raise Rejected(f"{source.source}: in {source.table.currency}, and the sum is in {currency}: set --currency")
    return kept, warnings


def _priced(node: StandingNode, sources: Sequence[PricesSeen], pods: int) -> PricedNode | Unpriced:
    capacity = CapacityType.SPOT if node.spot else CapacityType.ON_DEMAND
    offer = Offer(node.provider, node.instance_type, node.region, node.zone, capacity)
    whys = []
    for place, source in enumerate(sources):
        if (told := source.nodes.get(node.name)) is not None:
            spot = node.spot if told.spot is None else told.spot
            bought = replace(offer, capacity=CapacityType.SPOT if spot else CapacityType.ON_DEMAND)
            return PricedNode(node, bought, told, place, None)
        if not node.instance_type or not source.table.offers:
            continue
        try:
            row = source.table.row(offer)
        except PriceError as error:
            whys.append(f"{source.source}: {error}")
            continue
        return PricedNode(node, offer, NodePrice(int(source.table.micros[row])), place, row)
    if not node.instance_type:
        whys = ["it has no label node.kubernetes.io/instance-type, and OpenCost tells no price of it"]
    why = whys[0] if whys else "there is no source of prices; give --prices"
    return Unpriced(node.name, pods, why)


def _owner(pod: StandingPod) -> Owner:
    return Owner(pod.namespace, pod.kind, pod.workload)


def _owned(pods: Sequence[StandingPod], priced: set[str]) -> tuple[list[StandingPod], dict[Owner, int]]:
    """The pods on nodes with a price, and their workloads in order, each with its place."""
    kept = [pod for pod in pods if pod.node in priced]
    return kept, {owner: place for place, owner in enumerate(sorted({_owner(pod) for pod in kept}))}


def _standing(priced: Sequence[PricedNode], pods: Sequence[StandingPod], owners: dict[Owner, int]) -> Standing:
    place = {each.node.name: number for number, each in enumerate(priced)}
    shapes = [node_shape(each) for each in priced]
    ratios = [shapes[place[pod.node]].node_ratio(_request(pod)) for pod in pods]
    return Standing(
        offers=tuple(each.offer for each in priced),
        micros=np.array([each.price.micros for each in priced], np.int64),
        node=np.array([place[pod.node] for pod in pods], np.int64),
        owner=np.array([owners[_owner(pod)] for pod in pods], np.int64),
        ratio=np.array(ratios, np.float64),
    )


def node_shape(each: PricedNode) -> NodeShape:
    """A node that stands, as a shape: its room for pods and its price."""
    has = each.node.allocatable
    gpus = -(-has.gpu_milli // MILLI)
    shape = NodeShape(each.offer, each.price.micros, has.cpu_milli, has.memory_milli, gpus, MAX_PODS, shares_gpus=True)
    return replace(shape, weights=each.price.weights)


def _request(pod: StandingPod) -> Request:
    return Request(pod.workload, pod.asks.cpu_milli, pod.asks.memory_milli, pod.asks.gpu_milli)


def _warnings(
    priced: Sequence[PricedNode], pods: Sequence[StandingPod], sources: Sequence[PricesSeen], wanted: Wanted
) -> list[str]:
    """Prices that are old, and pods that ask for nothing, whose cost shows as idle room."""
    found = []
    for place, source in enumerate(sources):
        rows = {each.row for each in priced if each.source == place and each.row is not None}
        if (stale := source.table.staleness(wanted.at_s, wanted.stale_after_s, of=rows)) is not None:
            found.append(f"{source.source}: {stale}")
        if refused := sorted(map(str, {source.table.offers[row] for row in rows} & source.refused)):
            found.append(f"{source.source}: nodes like these stand here and cannot be had now: {', '.join(refused)}")
    silent = [pod for pod in pods if not pod.asks.cpu_milli and not pod.asks.memory_milli and not pod.asks.gpu_milli]
    if silent:
        found.append(
            f"pods that ask for nothing share no cost: {len(silent)}, such as {silent[0].namespace}/{silent[0].name};"
            " set their requests"
        )
    return found
