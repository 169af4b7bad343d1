"""The plan for each workload: its containers' sizes, the replicas that go with them, and the money."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from controller.vertical.records import CPU, MEMORY, RESOURCES
from controller.vertical.workloads import Asks
from policies.resources.one_plan import Counts, Sizes, UnitPrices, one_plan, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.sizing.methods import Advice
    from controller.sizing.prices import Rates
    from controller.vertical.usage import Usage
    from controller.vertical.workloads import RunningContainer, Workload

HOURS_A_MONTH = 730.0
A_STEP = {CPU: 1, MEMORY: 1000 * 2**20}  # sizes are told in thousandths of a core and in MiB, rounded up


class Bounds(NamedTuple):
    """Lower bound, target and upper bound of a container."""

    lower: Asks
    target: Asks
    upper: Asks


@dataclass(frozen=True, slots=True)
class SizedContainer:
    """A container as it runs, what is recommended, what it asks for by the plan, and why."""

    running: RunningContainer
    bounds: Bounds
    asks: Asks
    why: str

    @property
    def limits(self) -> Asks:
        """Its limits by the plan: as they are, unless the request would be above."""
        return Asks(
            *(
                limit if limit is None or ask is None else max(limit, ask)
                for limit, ask in zip(self.running.limits, self.asks, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class SizedWorkload:
    """A workload before and after; money is a month's, None where nobody knows the prices."""

    workload: Workload
    containers: tuple[SizedContainer, ...]
    replicas: int
    before: float | None
    after: float | None
    finding: str
    measured: bool  # whether anything was

    @property
    def saved(self) -> float | None:
        """Money saved a month; below 0 where it costs more."""
        return None if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True, slots=True)
class Told:
    """What a method advises of every container, by resource, and the use that it was told."""

    advice: Mapping[str, Advice]
    usage: Mapping[str, Usage]


def planned(workloads: Sequence[Workload], told: Told, rates: Rates) -> list[SizedWorkload]:
    """Size and count of every workload together; those that cost most to leave alone come first.

    A container of which nothing is known, and a resource that it asks nothing of and that nobody measured, stay.
    """
    rows = _rows(workloads)
    wanted = [
        [_bounds(told, row, container) for row, container in zip(mine, each.containers, strict=True)]
        for each, mine in zip(workloads, rows, strict=True)
    ]
    now = _sizes([[container.requests for container in each.containers] for each in workloads])
    new = _sizes([[bounds.target for bounds in each] for each in wanted])
    counts = Counts(
        np.array([each.replicas for each in workloads], np.int64),
        np.array([each.scaled.most for each in workloads], np.int64),
        np.array([each.scaled.signal for each in workloads], np.int8),
    )
    prices = np.array([rates.of(each) for each in workloads]).reshape(-1, 3).T
    plan = one_plan(now, counts, new, UnitPrices(*prices))
    found = []
    for place, (each, bounds) in enumerate(zip(workloads, wanted, strict=True)):
        kept = (
            plan.sizes.cpu_milli[place] == now.cpu_milli[place] != new.cpu_milli[place],
            plan.sizes.memory_milli[place] == now.memory_milli[place] != new.memory_milli[place],
        )
        containers = tuple(
            SizedContainer(running, mine, _asks(running, mine, kept), _why(told, row, running))
            for running, mine, row in zip(each.containers, bounds, rows[place], strict=True)
        )
        finding = words_of(int(plan.finding[place]), int(each.scaled.signal))
        measured = any(np.isfinite(told.usage[name].used[:, rows[place]]).any() for name in RESOURCES)
        money = _monthly(plan.before[place]), _monthly(plan.after[place])
        found.append(SizedWorkload(each, containers, int(plan.replicas[place]), *money, finding, measured))
    return sorted(found, key=lambda each: (-(each.saved or 0.0), each.workload.named))


def _rows(workloads: Sequence[Workload]) -> list[range]:
    """The columns of each workload's containers."""
    ends = np.cumsum([0, *(len(each.containers) for each in workloads)]).tolist()
    return [range(first, last) for first, last in itertools.pairwise(ends)]


def _bounds(told: Told, row: int, running: RunningContainer) -> Bounds:
    """What is recommended for one container; what it asks for now where nothing is."""
    found = {}
    for name in ("lower", "target", "upper"):
        amounts = [
            _stepped(resource, getattr(told.advice[resource].amounts, name)[row], asked)
            for resource, asked in zip(RESOURCES, running.requests, strict=True)
        ]
        found[name] = Asks(*amounts)
    return Bounds(**found)


def _stepped(resource: str, amount: float, asked: int | None) -> int | None:
    if not np.isfinite(amount):
        return asked
    step = A_STEP[resource]
    return int(np.ceil(min(amount, 2.0**40) * 1000 / step)) * step


def _sizes(asks: Sequence[Sequence[Asks]]) -> Sizes:
    cpu = [sum(each.cpu_milli or 0 for each in mine) for mine in asks]
    memory = [sum(each.memory_milli or 0 for each in mine) for mine in asks]
    return Sizes(np.array(cpu, np.int64), np.array(memory, np.int64))


def _asks(running: RunningContainer, bounds: Bounds, kept: tuple[bool, bool]) -> Asks:
    """By the plan: the target, but for the resource whose size it keeps."""
    return Asks(
        *(now if stays else target for now, target, stays in zip(running.requests, bounds.target, kept, strict=True))
    )


def _why(told: Told, row: int, running: RunningContainer) -> str:
    """What the target rests on, in a sentence."""
    parts = []
    for resource in RESOURCES:
        usage = told.usage[resource]
        used = usage.used[:, row]
        seen = np.isfinite(used)
        if not seen.any():
            parts.append(f"no {resource} was measured, so it stays")
            continue
        typical, peak = (_text(resource, amount) for amount in (np.quantile(used[seen], 0.95), used[seen].max()))
        parts.append(f"{resource} used {typical} at p95 and {peak} at most: {told.advice[resource].why[row]}")
    if running.oom_at_s is not None:
        parts.append("killed for want of memory")
    return "; ".join(parts)


def _text(resource: str, amount: float) -> str:
    return f"{amount * 1000:.0f}m" if resource == CPU else f"{amount / 2**20:.0f}Mi"


def _monthly(hourly: float) -> float | None:
    return float(hourly) * HOURS_A_MONTH if np.isfinite(hourly) else None
