"""The GPUs of a cluster as the tables of `policies.gpus`: nodes, who asked for devices, and what was read of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.cost import node_shape
from policies.gpus.model import Devices, Holders, Supply, device_micros
from policies.model import UNKNOWN
from policies.pricing.shapes import MILLI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.adapters.kubernetes.inventory import Inventory, StandingNode, StandingPod
    from controller.adapters.prometheus.gpus import Device, GpuReadings
    from controller.cost import PricedNode

UNTYPED = "(no instance type)"


@dataclass(frozen=True, slots=True)
class Pool:
    """Devices of one resource on nodes of one instance type; how people order and price them."""

    instance_type: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource} on {self.instance_type or UNTYPED}"


@dataclass(frozen=True, slots=True)
class GpuTables:
    """Nodes with GPUs and the pods that have them. Rows of `supply` are of `nodes`; those of `holders` are `held`."""

    nodes: tuple[StandingNode, ...]
    supply: Supply
    pools: tuple[Pool, ...]  # [supply row]
    holders: Holders
    held: tuple[StandingPod, ...]  # [holder]
    devices: Devices
    strangers: int  # devices whose node is not in the cluster


def gpu_tables(inventory: Inventory, priced: Sequence[PricedNode], readings: GpuReadings, *, at_s: float) -> GpuTables:
    """All of a cluster. Devices that pods ask for on a node without them are left out."""
    nodes = tuple(node for node in inventory.nodes if node.gpus)
    places = {node.name: place for place, node in enumerate(nodes)}
    rows = [(place, resource, milli // MILLI) for place, node in enumerate(nodes) for resource, milli in node.gpus]
    row_of = {(place, resource): row for row, (place, resource, _) in enumerate(rows)}
    held = [
        (pod, row_of[places[pod.node], resource], milli // MILLI)
        for pod in inventory.pods
        for resource, milli in pod.gpus
        if pod.node in places and (places[pod.node], resource) in row_of
    ]
    supply = _supply(nodes, rows, [(row, count) for _, row, count in held], {each.node.name: each for each in priced})
    holders = Holders(
        supply=np.array([row for _, row, _ in held], np.int64),
        devices=np.array([count for _, _, count in held], np.int64),
        age_s=np.array([at_s - pod.created_at_s for pod, _, _ in held], np.float64),
    )
    devices, strangers = _devices(readings, places, held, rows)
    return GpuTables(
        nodes=nodes,
        supply=supply,
        pools=tuple(Pool(nodes[place].instance_type, resource) for place, resource, _ in rows),
        holders=holders,
        held=tuple(pod for pod, _, _ in held),
        devices=devices,
        strangers=strangers,
    )


def owner_of(pod: StandingPod) -> tuple[str, str, str]:
    """Namespace, kind and name of a pod's workload."""
    return pod.namespace, pod.kind, pod.workload


def _supply(
    nodes: Sequence[StandingNode],
    rows: Sequence[tuple[int, str, int]],
    held: Sequence[tuple[int, int]],
    priced: Mapping[str, PricedNode],
) -> Supply:
    asked: Counter[int] = Counter()
    for row, count in held:
        asked[row] += count
    micros, weights = np.full(len(nodes), np.nan), np.zeros(len(nodes))
    for place, node in enumerate(nodes):
        if (found := priced.get(node.name)) is not None:
            shape = node_shape(found)
            micros[place], weights[place] = found.price.micros, (shape.weights or shape.default_weights())[2]
    of_node = np.array([place for place, _, _ in rows], np.int64)
    resource = tuple(name for _, name, _ in rows)
    devices = np.array([count for _, _, count in rows], np.int64)
    return Supply(
        node=of_node,
        resource=resource,
        devices=devices,
        asked=np.array([asked[row] for row in range(len(rows))], np.int64),
        micros=device_micros(micros, weights, (of_node, resource, devices)),
    )


def _devices(
    readings: GpuReadings,
    places: Mapping[str, int],
    held: Sequence[tuple[StandingPod, int, int]],
    rows: Sequence[tuple[int, str, int]],
) -> tuple[Devices, int]:
    """The readings of devices on nodes that stand, each with the holder that it is told with; how many others."""
    of_pod: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for holder, (pod, _, _) in enumerate(held):
        of_pod[pod.namespace, pod.name].append(holder)
    found: list[tuple[int, int, Device]] = []
    for device in readings.peak:
        node, _, part, namespace, pod_name = device
        mine = of_pod.get((namespace, pod_name), [])
        fitting = [holder for holder in mine if ("/mig-" in rows[held[holder][1]][1]) == bool(part)] or mine
        place = rows[held[fitting[0]][1]][0] if fitting else places.get(node, UNKNOWN)
        if place != UNKNOWN:
            found.append((place, fitting[0] if fitting else UNKNOWN, device))
    devices = Devices(
        node=np.array([place for place, _, _ in found], np.int64),
        holder=np.array([holder for _, holder, _ in found], np.int64),
        peak=np.array([readings.peak[device] for _, _, device in found], np.float64),
        mean=np.array([readings.mean.get(device, np.nan) for _, _, device in found], np.float64),
        memory_ratio=np.array([_memory(readings, device) for _, _, device in found], np.float64),
    )
    return devices, len(readings.peak) - len(found)


def _memory(readings: GpuReadings, device: Device) -> float:
    used, total = readings.memory_used.get(device), readings.memory_total.get(device)
    return np.nan if used is None or not total else used / total
