"""The fluid serving model: what a plan serves under a load, what it costs, and the cheapest plan in hindsight.

Replicas asked for are paid from that step on and serve a start-up later; released ones stop at once, youngest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray

DAY_S = 86400.0
HOUR_S = 3600.0
MOST_REPLICAS = 10_000_000
_NOISE = 1e-9  # a load this close to what the replicas can serve is served


@dataclass(frozen=True, slots=True)
class Serving:
    """What one replica serves, how replicas start and stop, and how many there may be.

    `capacity` is in the load's unit, at 100 %. A released replica is paid for `dwell_s` more, as nodes are not freed
    at once.
    """

    step_s: float
    capacity: float
    serving_limit_ratio: float
    startup_s: float
    min_replicas: int = 1
    max_replicas: int = MOST_REPLICAS
    dwell_s: float = 0.0

    @property
    def startup_steps(self) -> int:
        """The start-up time in whole steps, rounded."""
        return round(self.startup_s / self.step_s)

    @property
    def dwell_steps(self) -> int:
        """The dwell in whole steps, rounded."""
        return round(self.dwell_s / self.step_s)


@dataclass(frozen=True, slots=True)
class Figures:
    """How a plan fared. Ratios late and unserved are shares of the load, so that an empty night hides no bad peak."""

    cost_replica_hours: float
    clairvoyant_replica_hours: float
    cost_ratio: float  # over the clairvoyant's
    late_ratio: float  # load that arrives while ready replicas are above the serving limit
    unserved_ratio: float  # load above the serving limit of the ready replicas
    churn_per_day: float  # replicas started or stopped
    unavoidable_ratio: float = (
        0.0  # of the late ratio: load that the largest count allowed could not have served in time
    )


def figures(plan: IntArray, demand: FloatArray, serving: Serving) -> Figures:
    """Judge one plan `[step]` against a load `[step]`. Both start with the plan's first replicas ready.

    An empty load is never late. Raises ValueError when the lengths differ or there is no step.
    """
    if plan.size == 0 or plan.shape != demand.shape:
        raise ValueError(f"a plan of {plan.size} steps cannot be judged on a load of {demand.size} steps")
    asked = np.maximum(plan, serving.min_replicas)
    able = in_time(plan, serving)
    total = float(demand.sum()) or 1.0
    hours = serving.step_s / HOUR_S
    cost = float(paid(asked, serving).sum() * hours)
    cheapest = float(paid(clairvoyant(demand, serving), serving).sum() * hours)
    most = serving.max_replicas * serving.capacity * serving.serving_limit_ratio
    return Figures(
        cost_replica_hours=cost,
        clairvoyant_replica_hours=cheapest,
        cost_ratio=cost / cheapest if cheapest else 1.0,
        late_ratio=float(demand[demand > able + _NOISE].sum()) / total,
        unserved_ratio=float(np.maximum(0, demand - able).sum()) / total,
        churn_per_day=float(np.abs(np.diff(asked)).sum() / (asked.size * serving.step_s / DAY_S)),
        unavoidable_ratio=float(demand[demand > most + _NOISE].sum()) / total,
    )


def in_time(plan: IntArray, serving: Serving) -> FloatArray:
    """Load that a plan's ready replicas serve in time at each step, `[step]`."""
    asked = np.maximum(plan, serving.min_replicas)
    ready = ready_replicas(asked, startup_steps=serving.startup_steps)
    return np.asarray(ready * serving.capacity * serving.serving_limit_ratio, np.float64)


def late(plan: IntArray, demand: FloatArray, serving: Serving) -> FloatArray:
    """Load of each step that arrives while the ready replicas are above the serving limit, `[step]`."""
    return np.where(demand > in_time(plan, serving) + _NOISE, demand, 0.0)


def paid(plan: IntArray, serving: Serving) -> IntArray:
    """Replicas that are paid at each step, `[step]`: those of the plan, and what was released within the dwell."""
    asked = np.maximum(plan, serving.min_replicas)
    return _largest_ahead(asked[..., ::-1], serving.dwell_steps)[..., ::-1]


def ready_replicas(plan: IntArray, *, startup_steps: int) -> IntArray:
    """Replicas that serve at each step, `[..., step]`; those of the first step are ready from the start.

    The youngest replicas are cancelled first, so a plan is a stack: its h-th replica is ready where the plan has not
    been below h for a whole start-up. Hence the smallest plan of the last `startup_steps` + 1 steps.
    """
    return -_largest_ahead(-plan[..., ::-1], startup_steps)[..., ::-1]


def needed_replicas(demand: FloatArray, serving: Serving) -> IntArray:
    """Fewest ready replicas that keep the load within the serving limit, `[..., step]`."""
    fractional = demand / (serving.capacity * serving.serving_limit_ratio)
    return np.maximum(serving.min_replicas, np.ceil(fractional - _NOISE)).astype(np.int64)


def clairvoyant(demand: FloatArray, serving: Serving) -> IntArray:
    """The cheapest plan that is never late where the largest count allows it, with the same start-ups, `[..., step]`.

    A step asks for the largest need of the start-up that follows: 1, 1, 5, 1 is 1, 5, 5, 1 at one step of start-up.
    """
    needed = np.minimum(needed_replicas(demand, serving), serving.max_replicas)
    return _largest_ahead(needed, serving.startup_steps)


def _largest_ahead(counts: IntArray, steps: int) -> IntArray:
    """The largest of each step and the `steps` that follow, `[..., step]`: spans double, the last two overlap."""
    if steps >= counts.shape[-1] - 1:
        return np.maximum.accumulate(counts[..., ::-1], axis=-1)[..., ::-1]
    largest, span = counts, 1
    while span <= steps:
        shift = min(span, steps + 1 - span)
        ahead = np.maximum(largest[..., :-shift], largest[..., shift:])
        largest = np.concatenate((ahead, largest[..., -shift:]), axis=-1)
        span += shift
    return largest
