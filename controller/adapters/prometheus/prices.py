"""Prices and bills on a Prometheus: OpenCost's metrics of nodes and containers, and what Karpenter can launch.

Each names its `job`: OpenCost also exports series under names of kube-state-metrics, and others may export its own.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.records import NodePrice, PricesSeen, SignalQuery
from policies.pricing.facts import GIB
from policies.pricing.money import micros
from policies.pricing.table import CapacityType, Offer, PriceTable, no_prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.adapters.prometheus.metered import MeteredPrometheus
    from policies.pricing.shapes import Weights

_PARTS = ("node_cpu_hourly_cost", "node_ram_hourly_cost", "node_gpu_hourly_cost")  # a core, a GiB, a GPU
_ALLOCATED = ("container_cpu_allocation", "container_memory_allocation_bytes", "container_gpu_allocation")
_TOTAL, _SPOT = "node_total_hourly_cost", "kubecost_node_is_spot"
_PRICE = "karpenter_cloudprovider_instance_type_offering_price_estimate"
_AVAILABLE = "karpenter_cloudprovider_instance_type_offering_available"
_OF_POD = r"-([bcdfghjklmnpqrstvwxz2456789]+-[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9]+)"  # the letters of Kubernetes
_OFFERING = ("instance_type", "capacity_type", "zone")


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a node has: cores, bytes and GPUs."""

    cpu_cores: float
    memory_bytes: float
    gpus: float


@dataclass(frozen=True, slots=True)
class OpenCostPrices:
    """What OpenCost bills each node with, in the currency that it is set to. `capacity` is that of nodes by name."""

    prometheus: MeteredPrometheus
    job: str
    currency: str
    capacity: Mapping[str, Capacity]

    async def prices(self, *, at_s: float) -> PricesSeen:
        """Read the prices of all nodes. Raises Unavailable, Rejected and Spent."""
        told = {name: await self._by_node(name, at_s) for name in (_TOTAL, *_PARTS, _SPOT)}
        names = dict.fromkeys(name for metric in (_TOTAL, *_PARTS) for name in told[metric])
        found = {name: self._price(name, told) for name in names}
        priced = {name: price for name, price in found.items() if price is not None}
        return PricesSeen(f"OpenCost (job {self.job})", no_prices(self.currency), priced)

    async def _by_node(self, metric: str, at_s: float) -> Mapping[str, float]:
        text = f'max by (node, instance) ({metric}{{job="{_escaped(self.job)}"}})'
        answer = await self.prometheus.now(SignalQuery(text, ("node", "instance")), at_s=at_s)
        return {node or instance: value for (node, instance), value in answer.items() if _usable(value)}

    def _price(self, name: str, told: Mapping[str, Mapping[str, float]]) -> NodePrice | None:
        """The total, or else the sum of its parts; None where neither is known."""
        has = self.capacity.get(name)
        parts = tuple(told[metric].get(name) for metric in _PARTS)
        amounts = None if has is None else _amounts(parts, has)
        total = told[_TOTAL].get(name)
        if total is None and amounts is not None:
            total = sum(amounts)
        if total is None:
            return None
        spot = told[_SPOT].get(name)
        return NodePrice(micros(total), None if spot is None else spot > 0, _weights(amounts))


@dataclass(frozen=True, slots=True)
class KarpenterPrices:
    """What Karpenter thinks that instance types cost, by zone and capacity type, in USD or what its provider says."""

    prometheus: MeteredPrometheus
    job: str
    currency: str

    async def prices(self, *, at_s: float) -> PricesSeen:
        """Read the prices of all offerings. Raises Unavailable, Rejected and Spent."""
        estimates = await self._by_offering(_PRICE, at_s)
        available = await self._by_offering(_AVAILABLE, at_s)
        offers = [offer for offer, price in estimates.items() if price > 0]
        table = PriceTable(
            self.currency,
            tuple(offers),
            np.array([micros(estimates[offer]) for offer in offers], np.int64),
            np.full(len(offers), at_s),
            (f"Karpenter (job {self.job})",) * len(offers),
        )
        refused = frozenset(offer for offer in offers if available.get(offer) == 0)
        return PricesSeen(f"Karpenter (job {self.job})", table, refused=refused)

    async def _by_offering(self, metric: str, at_s: float) -> Mapping[Offer, float]:
        """By offer; what is neither on-demand nor spot, as a reservation, is left out."""
        text = f'max by ({", ".join(_OFFERING)}) ({metric}{{job="{_escaped(self.job)}"}})'
        answer = await self.prometheus.now(SignalQuery(text, _OFFERING), at_s=at_s)
        kinds = {str(capacity): capacity for capacity in CapacityType}
        return {
            Offer("", instance_type, zone=zone, capacity=kinds[kind]): value
            for (instance_type, kind, zone), value in answer.items()
            if kind in kinds and _usable(value)
        }


def bill_query(namespace: str, workload: str | None, *, job: str) -> str:
    """PromQL for what OpenCost bills a namespace's containers with, an hour: what each was given at its node's price.

    With a workload, the pods of a Deployment or StatefulSet of that name alone. GPUs that are not told of are none.
    """
    pods = "" if workload is None else f',pod=~"{_escaped(re.escape(workload))}{_escaped(_OF_POD)}"'
    labels = f'job="{_escaped(job)}",namespace="{_escaped(namespace)}"{pods}'
    cpu, memory, gpu = (
        f'sum(sum by (node) ({given}{{{labels}}}) * on (node) max by (node) ({price}{{job="{_escaped(job)}"}}))'
        for given, price in zip(_ALLOCATED, _PARTS, strict=True)
    )
    return f"{cpu} + {memory} / {GIB} + ({gpu} or vector(0))"


def _amounts(parts: tuple[float | None, ...], has: Capacity) -> tuple[float, float, float] | None:
    """What a node's CPU, memory and GPUs cost an hour; None where a part that it has is not told."""
    cpu, memory, gpu = parts
    if cpu is None or memory is None or (gpu is None and has.gpus):
        return None
    return cpu * has.cpu_cores, memory * has.memory_bytes / GIB, (gpu or 0.0) * has.gpus


def _weights(amounts: tuple[float, float, float] | None) -> Weights | None:
    if amounts is None or sum(amounts) <= 0:
        return None
    cpu, memory, gpu = (part / sum(amounts) for part in amounts)
    return cpu, memory, gpu


def _usable(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
