"""How full each pool of GPUs is, by what pods ask for and by what they do, and what the fleet rule says of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from controller.cost.finding import Finding, Kind, counted, money
from policies.gpus.fleet import Verdict, verdict
from policies.gpus.signals import Quantity, allocation_name
from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.adapters.prometheus.gpus import GpuReadings
    from controller.cost.gpu_tables import GpuTables, Pool
    from policies.arrays import FloatArray, IntArray
    from policies.gpus.fleet import FleetRule


@dataclass(frozen=True, slots=True)
class PoolUse:
    """A pool now, and what the rule says of its past; ratios are NaN where nothing is known."""

    pool: Pool
    nodes: int
    devices: int
    asked: int
    micros: float  # of one device an hour, mean; NaN where a price is missing
    activity: float  # of what pods ask for, mean over the last window
    of_allocation: Verdict
    of_activity: Verdict
    as_of_now: bool  # the past of what pods asked for is not told

    @property
    def allocation(self) -> float:
        """Share of the devices that pods ask for."""
        return self.asked / self.devices if self.devices else math.nan


def pools_of(tables: GpuTables, readings: GpuReadings, rule: FleetRule) -> tuple[PoolUse, ...]:
    """Every pool of the cluster."""
    return tuple(_use(tables, pool, readings, rule) for pool in dict.fromkeys(tables.pools))


def _use(tables: GpuTables, pool: Pool, readings: GpuReadings, rule: FleetRule) -> PoolUse:
    supply = tables.supply
    rows = np.array([row for row, each in enumerate(tables.pools) if each == pool], np.int64)
    devices, asked = int(supply.devices[rows].sum()), int(supply.asked[rows].sum())
    names = {tables.nodes[place].name for place in supply.node[rows].tolist()}
    held = _allocation(readings, names, pool, devices)
    told = not np.isnan(held).all()
    ratio = held if told else np.full(held.size, asked / devices if devices else np.nan)
    active = _activity(readings, names)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_asked = np.where(ratio > 0, np.minimum(active / ratio, 1.0), np.nan)
    last = of_asked[-max(1, round(rule.window_s / readings.step_s)) :]
    return PoolUse(
        pool=pool,
        nodes=len(names),
        devices=devices,
        asked=asked,
        micros=float(_mean_price(supply.micros[rows], supply.devices[rows])),
        activity=math.nan if np.isnan(last).all() else float(np.nanmean(last)),
        of_allocation=verdict(ratio, readings.step_s, rule),
        of_activity=verdict(of_asked, readings.step_s, rule),
        as_of_now=not told,
    )


def _allocation(readings: GpuReadings, names: set[str], pool: Pool, devices: int) -> FloatArray:
    """Share of the pool's devices that pods asked for, `[time]`; NaN where kube-state-metrics told nothing."""
    wanted = (allocation_name(pool.resource), names)
    every = readings.on_steps(readings.allocated)
    mine = [row for row, each in enumerate(readings.allocated) if each.key[0] in wanted[1] and each.key[1] == wanted[0]]
    silent = np.isnan(every).all(axis=0)
    return np.where(silent, np.nan, np.nansum(every[mine], axis=0) / max(devices, 1))


def _activity(readings: GpuReadings, names: set[str]) -> FloatArray:
    """Mean activity over the pool's nodes, `[time]`; NaN where none is told."""
    grid = readings.on_steps([each for each in readings.activity if each.key[0] in names])
    told = (~np.isnan(grid)).sum(axis=0)
    return np.where(told > 0, np.nansum(grid, axis=0) / np.maximum(told, 1), np.nan)


def _mean_price(micros: FloatArray, devices: IntArray) -> float:
    return float((micros * devices).sum() / devices.sum()) if devices.sum() else math.nan


def pool_findings(pools: Sequence[PoolUse], readings: GpuReadings, rule: FleetRule) -> Iterator[Finding]:
    """What the rule's verdicts come to, allocation and activity told apart."""
    bound = readings.binding.get(Quantity.ACTIVITY)
    for use in pools:
        if use.of_allocation is Verdict.ADD:
            yield _nearly_all(use, rule)
        elif use.of_allocation is Verdict.CONSOLIDATE and (found := _few(use, rule)) is not None:
            yield found
        if use.of_activity is Verdict.CONSOLIDATE and use.asked:
            yield _little_used(use, rule)
        elif use.of_activity is Verdict.ADD and bound is not None and bound.saturates:
            yield _full(use, rule)


def _since(use: PoolUse, rule: FleetRule) -> str:
    return "as of now" if use.as_of_now else f"for {duration_text(rule.window_s)}"


def _nearly_all(use: PoolUse, rule: FleetRule) -> Finding:
    more = max(1, math.ceil(use.asked / rule.add_above) - use.devices)
    each = money(use.micros)
    price = "" if each is None else f", {each:,.0f} a month each"
    little = use.of_activity is Verdict.CONSOLIDATE
    return _finding(
        use,
        more,
        None,
        f"{use.asked} of {use.devices} are allocated ({_since(use, rule)} above {_percent(rule.add_above)})"
        + (f", and those only {_percent(use.activity)} active" if little else ""),
        "use what is allocated before adding any: see what is idle or little used"
        if little
        else f"add {more} or more{price}, or free what is idle",
    )


def _few(use: PoolUse, rule: FleetRule) -> Finding | None:
    """Whole nodes that the pool could do without."""
    spare = use.devices - math.ceil(use.asked / (rule.add_above - rule.hysteresis))
    nodes = min(use.nodes - (use.asked > 0), spare * use.nodes // max(use.devices, 1))
    if nodes < 1:
        return None
    devices = nodes * use.devices // use.nodes
    return _finding(
        use,
        devices,
        money(devices * use.micros),
        f"{use.asked} of {use.devices} are allocated ({_since(use, rule)} below {_percent(rule.consolidate_below)})",
        f"let {nodes} of {counted(use.nodes, 'node')} go; what must move for it is told under repack",
    )


def _little_used(use: PoolUse, rule: FleetRule) -> Finding:
    spare = int(use.asked * (1 - use.activity / rule.add_above)) if not math.isnan(use.activity) else 0
    return _finding(
        use,
        spare,
        money(spare * use.micros),
        f"the {use.asked} allocated were {_percent(use.activity)} active for {duration_text(rule.window_s)}, below"
        f" {_percent(rule.consolidate_below)}",
        "fewer replicas, larger batches, or several to a GPU (MIG, time slicing) would do the same work with fewer",
    )


def _full(use: PoolUse, rule: FleetRule) -> Finding:
    return _finding(
        use,
        0,
        None,
        f"the {use.asked} allocated were {_percent(use.activity)} active for {duration_text(rule.window_s)}, above"
        f" {_percent(rule.add_above)}",
        "see whether requests queue or KV caches are full; then more replicas are needed, and GPUs for them",
    )


def _finding(use: PoolUse, devices: int, per_month: float | None, why: str, mend: str) -> Finding:
    return Finding(Kind.FLEET, "", str(use.pool), use.pool.resource, devices, per_month, why, mend)


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f} %"
