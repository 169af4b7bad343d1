"""What the same pods would cost on the cheapest nodes of the types that stand here."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.pricing.cheapest import cheapest
from policies.pricing.shapes import MILLI, NodeShape, Request
from policies.pricing.table import CapacityType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.adapters.kubernetes.inventory import Amounts, StandingPod
    from controller.cost import PricedNode

DAEMON_SET = "DaemonSet"


@dataclass(frozen=True, slots=True)
class Repacked:
    """How many nodes there would be, what they cost an hour, and what no packing costs less than."""

    nodes: int
    micros: int
    bound_micros: int


def repacked(priced: Sequence[PricedNode], pods: Sequence[StandingPod]) -> Repacked:
    """Pack the pods of these nodes anew, those of spot on spot; pods of DaemonSets stand on every node.

    Only what pods ask for counts: not affinity, spread, volumes, nor disruption budgets. Raises ValueError when a pod
    fits on none of the types, as where it was bound to a node that is too small.
    """
    parts = [_packed([each for each in priced if each.offer.capacity is capacity], pods) for capacity in CapacityType]
    return Repacked(*(sum(column) for column in zip(*parts, strict=True)))


def _packed(nodes: Sequence[PricedNode], pods: Sequence[StandingPod]) -> tuple[int, int, int]:
    """Nodes, their price and the bound, for one capacity type."""
    names = {each.node.name for each in nodes}
    daemons: defaultdict[str, list[StandingPod]] = defaultdict(list)
    asked: Counter[Amounts] = Counter()
    first: dict[Amounts, str] = {}
    for pod in pods:
        if pod.node in names and pod.kind == DAEMON_SET:
            daemons[pod.node].append(pod)
        elif pod.node in names:
            asked[pod.asks] += 1
            first.setdefault(pod.asks, f"{pod.namespace}/{pod.workload}")
    if not asked:
        return 0, 0, 0
    requests = [Request(first[asks], asks.cpu_milli, asks.memory_milli, asks.gpu_milli) for asks in asked]
    found = cheapest(list(asked.values()), requests, _shapes(nodes, daemons))
    return len(found.shapes), found.micros, found.bound_micros


def _shapes(nodes: Sequence[PricedNode], daemons: Mapping[str, Sequence[StandingPod]]) -> list[NodeShape]:
    """One shape for each type and price: the node of it that has the least room beside its daemons."""
    found: dict[tuple[str, str, int], NodeShape] = {}
    for each in nodes:
        mine, has = daemons.get(each.node.name, ()), each.node.allocatable
        shape = NodeShape(
            each.offer,
            each.price.micros,
            has.cpu_milli - sum(pod.asks.cpu_milli for pod in mine),
            has.memory_milli - sum(pod.asks.memory_milli for pod in mine),
            has.gpu_milli // MILLI,
            each.node.most_pods - len(mine),
            shares_gpus=True,
        )
        key = (each.offer.provider, each.offer.instance_type, each.price.micros)
        if key not in found or shape.cpu_milli < found[key].cpu_milli:
            found[key] = shape
    return list(found.values())
