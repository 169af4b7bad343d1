"""Free GPUs that pods cannot use, pods that wait for some, and what moving pods together would free."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from controller.cost import node_shape
from controller.cost.finding import Finding, Kind, counted, money, named
from controller.cost.repack import DAEMON_SET
from policies.gpus.fragments import Standing, emptied, fragments
from policies.pricing.nodes import Headroom
from policies.pricing.shapes import MILLI, NodeShape, Request
from policies.pricing.table import CapacityType, Offer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from controller.adapters.kubernetes.inventory import Inventory, StandingPod
    from controller.cost import PricedNode
    from controller.cost.gpu_tables import GpuTables

_STATIC = "Node"  # who owns the pods that a kubelet starts by itself
_STAYS = frozenset({"Pod"})  # nobody starts such a pod again elsewhere


@dataclass(frozen=True, slots=True)
class _Kind:
    """Nodes with one resource, of one instance type and capacity type: pods may move among them."""

    resource: str
    rows: tuple[int, ...]  # of the supply table


@dataclass(frozen=True, slots=True)
class _Size:
    """What one pod asks for, how many there are and wait, and one workload that is so."""

    request: Request
    namespace: str
    types: frozenset[str]  # instance types that it stands on
    waiting: int


def packing_findings(inventory: Inventory, tables: GpuTables, priced: Sequence[PricedNode]) -> Iterator[Finding]:
    """Look at each resource of its own: a MIG profile is not a GPU."""
    prices = {each.node.name: each for each in priced}
    for resource in dict.fromkeys(tables.supply.resource):
        rows = [row for row, name in enumerate(tables.supply.resource) if name == resource]
        sizes = _sizes(inventory, tables, resource)
        yield from _waiting(sizes, tables, rows)
        yield from _fragmented(inventory, tables, rows, sizes)
        yield from _stranded(inventory, tables, rows, sizes)
        for kind in _kinds(tables, rows, resource):
            yield from _repacked(inventory, tables, kind, (sizes, prices))


def _sizes(inventory: Inventory, tables: GpuTables, resource: str) -> list[_Size]:
    """The distinct requests of pods that have or want this resource, the largest first."""
    types = {node.name: node.instance_type for node in tables.nodes}
    found: dict[tuple[int, int, int], _Size] = {}
    for pod in (*inventory.pods, *inventory.waiting):
        devices = dict(pod.gpus).get(resource, 0)
        if devices < MILLI or (pod.node and pod.node not in types):
            continue
        key = (pod.asks.cpu_milli, pod.asks.memory_milli, devices)
        on = frozenset({types[pod.node]} if pod.node else ())
        before = found.get(key) or _Size(Request(pod.workload, *key), pod.namespace, frozenset(), 0)
        found[key] = replace(before, types=before.types | on, waiting=before.waiting + (not pod.node))
    return sorted(found.values(), key=lambda size: -size.request.gpu_milli)


def _free(inventory: Inventory, tables: GpuTables, rows: Sequence[int]) -> Headroom:
    """Room on the nodes of these rows beside all pods that stand there."""
    names = [tables.nodes[int(tables.supply.node[row])].name for row in rows]
    used: dict[str, list[int]] = {name: [0, 0, 0] for name in names}
    for pod in inventory.pods:
        if (taken := used.get(pod.node)) is not None:
            taken[0] += pod.asks.cpu_milli
            taken[1] += pod.asks.memory_milli
            taken[2] += 1
    nodes = [tables.nodes[int(tables.supply.node[row])] for row in rows]
    has = np.array([(each.allocatable.cpu_milli, each.allocatable.memory_milli, each.most_pods) for each in nodes])
    left = np.maximum(has.reshape(-1, 3) - np.array([used[name] for name in names]).reshape(-1, 3), 0)
    gpus = np.maximum(tables.supply.devices[list(rows)] - tables.supply.asked[list(rows)], 0)
    return Headroom(left[:, 0], left[:, 1], left[:, 2], gpus)


def _waiting(sizes: Sequence[_Size], tables: GpuTables, rows: Sequence[int]) -> Iterator[Finding]:
    supply = tables.supply
    free = int(np.maximum(supply.devices[rows] - supply.asked[rows], 0).sum())
    for size in sizes:
        if size.waiting:
            resource, each = supply.resource[rows[0]], size.request.gpu_milli // MILLI
            yield Finding(
                kind=Kind.WAITING,
                namespace=size.namespace,
                what=size.request.workload,
                resource=resource,
                devices=size.waiting * each,
                per_month=None,
                why=f"{counted(size.waiting, 'pod')} with {each} each waiting for a node; {free} are free in all",
                mend="see what is idle or fragmented; else add nodes",
            )


def _fragmented(
    inventory: Inventory, tables: GpuTables, rows: Sequence[int], sizes: Sequence[_Size]
) -> Iterator[Finding]:
    """Sizes of which a pod more would fit if free devices were together, and fits nowhere by their number."""
    for size in sizes:
        mine = _for(size, tables, rows)
        if not mine:
            continue
        parts = fragments(_free(inventory, tables, mine), [size.request])
        lacks = max(1, size.waiting) - int(parts.by_count.sum())
        more = min(lacks, int(parts.together[0]) - int(parts.by_count.sum()))
        if more < 1:
            continue
        each = int(parts.asked[0])
        left = parts.free - parts.by_count[:, 0] * each
        most, room = int(parts.free.max(initial=0)), int(parts.by_count.sum())
        yield Finding(
            kind=Kind.FRAGMENTED,
            namespace=size.namespace,
            what=size.request.workload,
            resource=tables.supply.resource[rows[0]],
            devices=more * each,
            per_month=money(left * tables.supply.micros[list(mine)]),
            why=f"a pod asks for {each}; {int(parts.free.sum())} are free on"
            f" {counted(int((parts.free > 0).sum()), 'node')}, at most {most} on one: room for {room},"
            f" and together for {int(parts.together[0])}",
            mend="move pods together (see repack), or schedule small ones so that they fill nodes"
            " (scheduler scoring MostAllocated)",
        )


def _stranded(
    inventory: Inventory, tables: GpuTables, rows: Sequence[int], sizes: Sequence[_Size]
) -> Iterator[Finding]:
    """Free devices that no size can use, because CPU, memory or pods are used up beside them."""
    if not sizes:
        return
    for instance_type, mine in _by_type(tables, rows).items():
        own = [size for size in sizes if instance_type in size.types or not size.types]
        if not own:
            continue
        lost = fragments(_free(inventory, tables, mine), [size.request for size in own]).stranded
        if not (count := int(lost.sum())):
            continue
        names = [tables.nodes[int(tables.supply.node[row])].name for row, each in zip(mine, lost, strict=True) if each]
        yield Finding(
            kind=Kind.STRANDED,
            namespace="",
            what=str(tables.pools[mine[0]]),
            resource=tables.supply.resource[rows[0]],
            devices=count,
            per_month=money(lost * tables.supply.micros[mine]),
            why=f"{count} free ones on {named(names)} have too little CPU or memory beside them for any such pod",
            mend="lower what other pods there ask for (`foresail recommend resources`), or keep them off these nodes",
        )


def _repacked(
    inventory: Inventory,
    tables: GpuTables,
    kind: _Kind,
    known: tuple[Sequence[_Size], Mapping[str, PricedNode]],
) -> Iterator[Finding]:
    """Nodes of one kind that would be empty if pods stood together."""
    sizes, prices = known
    nodes = [tables.nodes[int(tables.supply.node[row])] for row in kind.rows]
    standing = _standing(inventory, tables, kind, prices)
    done = emptied(standing)
    if not done.nodes:
        return
    rows = [kind.rows[place] for place in done.nodes]
    micros = [prices[nodes[place].name].price.micros if nodes[place].name in prices else np.nan for place in done.nodes]
    larger = [size.request for size in sizes if nodes[0].instance_type in size.types or not size.types]
    before, after = (fragments(room, larger).fitting.sum(axis=0) for room in (standing.free, done.free))
    gained = [
        f"{int(more)} more of {request.workload} ({request.gpu_milli // MILLI} each)"
        for request, more in zip(larger, after - before, strict=True)
        if more > 0
    ]
    fit = f"; or room for {' or '.join(gained[:2])}" if gained else ""
    yield Finding(
        kind=Kind.REPACK,
        namespace="",
        what=str(tables.pools[kind.rows[0]]),
        resource=kind.resource,
        devices=int(tables.supply.devices[rows].sum()),
        per_month=money(np.array(micros)),
        why=f"{counted(done.moved, 'pod')} in free room of other nodes would leave"
        f" {counted(len(done.nodes), 'node')} empty"
        f" ({named([nodes[place].name for place in done.nodes])}){fit}",
        mend="drain these nodes, or let the cluster's autoscaler consolidate; affinity, spread, volumes and disruption"
        " budgets were not looked at",
    )


def _standing(inventory: Inventory, tables: GpuTables, kind: _Kind, prices: Mapping[str, PricedNode]) -> Standing:
    nodes = [tables.nodes[int(tables.supply.node[row])] for row in kind.rows]
    place = {node.name: number for number, node in enumerate(nodes)}
    pods: list[Counter[Request]] = [Counter() for _ in nodes]
    fixed = np.array([len(node.gpus) > 1 for node in nodes], np.bool_)
    for pod in inventory.pods:
        if pod.node in place and pod.kind not in (DAEMON_SET, _STATIC):
            pods[place[pod.node]][_request(pod, kind.resource)] += 1
            fixed[place[pod.node]] |= pod.kind in _STAYS
    return Standing(
        _shape(nodes[0].name, prices, tables, kind), _free(inventory, tables, kind.rows), tuple(pods), fixed
    )


def _request(pod: StandingPod, resource: str) -> Request:
    """Pods that ask for the same are the same, whosever they are."""
    return Request("", pod.asks.cpu_milli, pod.asks.memory_milli, dict(pod.gpus).get(resource, 0) // MILLI * MILLI)


def _shape(name: str, prices: Mapping[str, PricedNode], tables: GpuTables, kind: _Kind) -> NodeShape:
    """What a node of this kind has; its price does not matter for what fits."""
    if name in prices:
        return replace(node_shape(prices[name]), gpus=int(tables.supply.devices[kind.rows[0]]))
    node = tables.nodes[int(tables.supply.node[kind.rows[0]])]
    offer = Offer(node.provider, node.instance_type, node.region, node.zone, CapacityType.ON_DEMAND)
    has = node.allocatable
    return NodeShape(
        offer, 0, has.cpu_milli, has.memory_milli, int(tables.supply.devices[kind.rows[0]]), shares_gpus=True
    )


def _kinds(tables: GpuTables, rows: Sequence[int], resource: str) -> Iterator[_Kind]:
    groups: dict[tuple[str, bool], list[int]] = {}
    for row in rows:
        node = tables.nodes[int(tables.supply.node[row])]
        groups.setdefault((node.instance_type, node.spot), []).append(row)
    yield from (_Kind(resource, tuple(mine)) for mine in groups.values())


def _by_type(tables: GpuTables, rows: Sequence[int]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(tables.nodes[int(tables.supply.node[row])].instance_type, []).append(row)
    return groups


def _for(size: _Size, tables: GpuTables, rows: Sequence[int]) -> list[int]:
    """The rows on which a size could stand: of instance types that it stands on, or all while it waits only."""
    of_type = [row for row in rows if tables.nodes[int(tables.supply.node[row])].instance_type in size.types]
    return of_type if size.types and not size.waiting else list(rows)
