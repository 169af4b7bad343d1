"""What a core, a GiB and a GPU cost on the nodes on which a workload stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.cost import PricedNode, Wanted, built_in, in_currency, priced_node, shape_of_node
from policies.pricing.money import MICROS
from policies.pricing.shapes import MILLI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.adapters.kubernetes.inventory import StandingNode
    from controller.records import PricesSeen
    from controller.vertical.workloads import Workload

GIB = 2.0**30


class NodeRates(NamedTuple):
    """What a core, a GiB and a GPU of a node cost an hour: its price, shared among them by their weights."""

    core: float
    gib: float
    gpu: float


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of the nodes that have a price, by name, and what is to be said of the others."""

    currency: str
    by_node: Mapping[str, NodeRates]
    warnings: tuple[str, ...] = ()

    def of(self, workload: Workload) -> tuple[float, float, float]:
        """Mean price of a core, of a GiB, and of the GPUs of one replica, an hour; NaN where no node has a price."""
        known = [(pod, self.by_node[pod.node]) for pod in workload.pods if pod.node in self.by_node]
        if not known:
            return (np.nan, np.nan, np.nan)
        rows = np.array([(rate.core, rate.gib, rate.gpu * pod.gpu_milli / MILLI) for pod, rate in known])
        core, gib, gpus = rows.mean(axis=0).tolist()
        return core, gib, gpus


def rates_of(nodes: Sequence[StandingNode], sources: Sequence[PricesSeen], wanted: Wanted) -> Rates:
    """The rates by the first source that knows each node. Raises Rejected: currencies do not fit."""
    asked, warnings = in_currency([*sources, built_in()], wanted.currency)
    found = [priced_node(node, asked, 0) for node in nodes]
    priced = [each for each in found if isinstance(each, PricedNode)]
    if len(priced) < len(nodes):
        warnings.append(f"{len(nodes) - len(priced)} of {len(nodes)} nodes have no price; see foresail cost")
    return Rates(wanted.currency, {each.node.name: _rates(each) for each in priced}, tuple(warnings))


def _rates(each: PricedNode) -> NodeRates:
    shape = shape_of_node(each)
    cpu, memory, gpu = shape.weights or shape.default_weights()
    price, cores, gib = each.price.micros / MICROS, shape.cpu_milli / MILLI, shape.memory_milli / MILLI / GIB
    return NodeRates(
        price * cpu / cores if cores else 0.0,
        price * memory / gib if gib else 0.0,
        price * gpu / shape.gpus if shape.gpus else 0.0,
    )
