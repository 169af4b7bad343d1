"""All that is found of a cluster's GPUs, and what it rests on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.cost.finding import Finding, Kind, money, named
from controller.cost.gpu_packing import packing_findings
from controller.cost.gpu_pools import PoolUse, pool_findings, pools_of
from controller.cost.gpu_tables import gpu_tables, owner_of
from policies.gpus.idle import idle_devices, named_nodes
from policies.gpus.signals import Quantity
from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.adapters.kubernetes.inventory import Inventory
    from controller.adapters.prometheus.gpus import GpuReadings
    from controller.cost import PricedNode, Unpriced
    from controller.cost.gpu_tables import GpuTables
    from policies.gpus.fleet import FleetRule
    from policies.gpus.idle import Idle, IdleRule


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as idle, and when a fleet is too full or too empty."""

    idle: IdleRule
    fleet: FleetRule


@dataclass(frozen=True, slots=True)
class GpuReport:
    """Pools, findings by kind and then money, nodes with GPUs that have no price, and what else to know."""

    pools: tuple[PoolUse, ...]
    findings: tuple[Finding, ...]
    unpriced: tuple[Unpriced, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A cluster, the prices of its nodes, and what Prometheus tells of its GPUs."""

    inventory: Inventory
    priced: Sequence[PricedNode]
    unpriced: Sequence[Unpriced]
    readings: GpuReadings
    at_s: float


def gpu_report(known: Known, rules: Rules) -> GpuReport:
    """Look for idle, badly packed and scarce GPUs."""
    readings = known.readings
    tables = gpu_tables(known.inventory, known.priced, readings, at_s=known.at_s)
    idle = idle_devices(tables.supply, tables.holders, tables.devices, rules.idle)
    pools = pools_of(tables, readings, rules.fleet)
    found = [
        *_idle(tables, idle, rules.idle),
        *_unassigned(tables, idle, rules.idle),
        *pool_findings(pools, readings, rules.fleet),
        *packing_findings(known.inventory, tables, known.priced),
    ]
    order = {kind: place for place, kind in enumerate(Kind)}
    found.sort(key=lambda each: (order[each.kind], -(each.per_month or 0.0)))
    with_gpus = {node.name for node in tables.nodes}
    return GpuReport(
        pools=pools,
        findings=tuple(found),
        unpriced=tuple(each for each in known.unpriced if each.node in with_gpus),
        warnings=tuple(_warnings(tables, readings, rules)),
    )


def _idle(tables: GpuTables, idle: Idle, rule: IdleRule) -> Iterator[Finding]:
    """Idle devices by workload and resource."""
    groups: defaultdict[tuple[tuple[str, str, str], str], list[int]] = defaultdict(list)
    for holder in np.flatnonzero(idle.known).tolist():
        resource = tables.supply.resource[int(tables.holders.supply[holder])]
        groups[owner_of(tables.held[holder]), resource].append(holder)
    for ((namespace, kind, name), resource), holders in sorted(groups.items()):
        count, loaded = int(idle.idle[holders].sum()), int(idle.holding_memory[holders].sum())
        if count:
            pods = [tables.held[holder].name for holder in holders if idle.idle[holder]]
            memory, mend = _loaded(tables, holders, loaded)
            yield Finding(
                kind=Kind.IDLE,
                namespace=namespace,
                what=f"{kind} {name}",
                resource=resource,
                devices=count,
                per_month=money(idle.micros[holders]),
                why=f"{count} of the {int(tables.holders.devices[holders].sum())} that its pods have stayed below"
                f" {_idly(rule)} ({named(pods)}){memory}",
                mend=mend,
            )


def _loaded(tables: GpuTables, holders: list[int], loaded: int) -> tuple[str, str]:
    """What is told of the memory of idle devices, and what to do with them."""
    devices = tables.devices
    told = np.isfinite(devices.memory_ratio[np.isin(devices.holder, holders)]).any()
    if loaded or not told:
        held = f"; {loaded} of them with memory in use" if told else ""
        return held, "scale it down to what its load needs, or have several share a GPU (MIG, time slicing)"
    return "; none with memory in use", "nothing is loaded on them: end these pods, or have them ask for fewer"


def _unassigned(tables: GpuTables, idle: Idle, rule: IdleRule) -> Iterator[Finding]:
    """Idle devices on nodes whose readings do not tell which pod has which."""
    for pool in dict.fromkeys(tables.pools):
        rows = [row for row, each in enumerate(tables.pools) if each == pool and idle.unassigned[row]]
        if rows:
            count = idle.unassigned[rows]
            nodes = [tables.nodes[int(tables.supply.node[row])].name for row in rows]
            yield Finding(
                kind=Kind.IDLE,
                namespace="",
                what=str(pool),
                resource=pool.resource,
                devices=int(count.sum()),
                per_month=money(count * tables.supply.micros[rows]),
                why=f"at least {int(count.sum())} that pods have stayed below {_idly(rule)}, on {named(nodes)};"
                " readings do not tell whose",
                mend="have the exporter tell pods: run `foresail agent`, or DCGM exporter with its Kubernetes mapping",
            )


def _idly(rule: IdleRule) -> str:
    return f"{100 * rule.below:g} % activity for {duration_text(rule.window_s)}"


def _warnings(tables: GpuTables, readings: GpuReadings, rules: Rules) -> Iterator[str]:
    """What cannot be told, and what is told only in part."""
    if not tables.nodes:
        yield "no node has GPUs that pods can ask for; see whether a device plugin runs"
        return
    activity = readings.binding.get(Quantity.ACTIVITY)
    if activity is None:
        yield (
            "Prometheus has no activity of GPUs, so that none is found idle: run `foresail agent` or DCGM exporter, and"
            " have it scraped"
        )
        return
    if not readings.peak:
        window = duration_text(rules.idle.window_s)
        yield f"no reading of {activity.name} reaches back {window}, so that none is found idle; wait, or set --window"
    elif blind := _blind(tables):
        yield f"nodes with GPUs of which nothing was read: {named(blind)}; see whether the exporter runs there"
    if not activity.saturates:
        yield (
            f"activity is {activity.name}, which means that a kernel ran: it tells idle GPUs, and not how full busy"
            " ones are; let workloads scale by queue and KV cache, and have DCGM exporter export DCGM_FI_PROF_SM_ACTIVE"
        )
    if tables.strangers:
        yield f"{tables.strangers} GPUs are told of on nodes that are not in this cluster, and were left out"
    if readings.peak and not named_nodes(tables.supply, tables.devices).any():
        yield "readings do not tell which pod has which GPU, so that a node's pods are judged together"


def _blind(tables: GpuTables) -> list[str]:
    read = set(tables.devices.node.tolist())
    return [node.name for place, node in enumerate(tables.nodes) if place not in read]
