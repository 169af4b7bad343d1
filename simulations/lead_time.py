"""What the daemon would decide on recorded loads, block by block: the fast drive of the layer that `decide` uses.

`simulations.daemon` drives `decide` itself; a test holds both to the same plans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.contest import Came
from policies.forecast.nearby import HALF_REPLICA, STEP_S
from policies.hpa import loop
from policies.hpa.behavior import Bounds
from policies.lead_time import KNOWN, LONGEST_LAG, MINUTE_S, NOTHING, LeadTime, bound_of, decided, past_around
from simulations.replay import REPLICA_UNITS, ReplayPolicy, first_replicas, fleet_for, value_milli

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.hpa.loop import HpaRule
    from policies.lead_time import Decided
    from policies.model import Fleet
    from simulations.scenario import Scenario

BLOCK_STEPS = 120  # decided in one call; any other number gives the same plan
_MILLI = 1000.0


def fits(scenario: Scenario) -> bool:
    """Whether the fast drive can take this scenario: steps as the layer's own, and a metric that is as old as one."""
    pace = scenario.pace
    return pace.step_s == STEP_S and 1 <= pace.lag_steps <= LONGEST_LAG and scenario.start_s % STEP_S == 0


def plans(
    scenarios: Sequence[Scenario],
    objective: float,
    *,
    forecast: bool = True,
    told: Callable[[slice, Decided], None] | None = None,
    block_steps: int = BLOCK_STEPS,
) -> IntArray:
    """The plans `[scenario, step]` of scenarios of one length and pace that `fits`.

    `objective` is the share of the load that may be late. Without `forecast` the mean is the load as it is now: the
    headroom follows how much it changes, and nothing looks ahead. `told` hears what was decided on each
    block of steps.
    """
    seen = _Seen.of(scenarios)
    pace, steps = scenarios[0].pace, seen.demand.shape[1]
    policy = ReplayPolicy("predictive", None, forecast=True, late_ratio=objective)
    fleet = fleet_for([each.serving for each in scenarios], policy, pace)
    bounds = Bounds(fleet.min_replicas, fleet.max_replicas)
    rule = _kubernetes(fleet, pace.sync_s, bounds)
    state = loop.HpaState.at(rule, first_replicas(seen.first_milli, fleet))
    startup_s = np.array([max(1, each.serving.startup_steps) * STEP_S for each in scenarios])
    lead, plan = LeadTime.empty(fleet.lanes), np.zeros(seen.demand.shape, np.int64)
    for block in _blocks(steps, pace.lag_steps, block_steps):
        lag = np.full(fleet.lanes, min(max(block.start, 1), pace.lag_steps))
        bound = bound_of(fleet, startup_s, lag, bounds)._replace(models=forecast)
        demand, known = seen.demand[:, block].copy(), seen.known[:, block]
        first = seen.first_step + block.start
        past = past_around(seen.window, first, demand.shape[1], bound.lead)
        nobody = np.full(demand.shape, -1.0)
        came = Came(demand, np.where(known, KNOWN, NOTHING).astype(np.int64), nobody, nobody)
        made = decided(lead, past, came, bound, first)
        beside = loop.Beside(np.maximum(made.order, 1), made.alone)
        usage = seen.milli[:, block] / loop.UNITS
        state, plan[:, block] = loop.advance(rule, state, usage, known=known, runs=pace.syncs, beside=beside)
        if told is not None:
            told(block, made)
    return plan


def _kubernetes(fleet: Fleet, sync_s: float, bounds: Bounds) -> HpaRule:
    """The Kubernetes rule that stands beside the layer while evidence is thin; loads are in replicas at 100 %."""
    target = fleet.tracks.target_milli / loop.UNITS
    return loop.hpa_rule(np.ones(fleet.lanes), target, behavior=fleet.behavior, bounds=bounds, sync_s=sync_s)


def _blocks(steps: int, lag_steps: int, block_steps: int) -> list[slice]:
    """Blocks of steps; the first ones, before the metric is as old as it will be, by themselves."""
    begins = [*range(min(lag_steps, steps)), *range(lag_steps, steps, block_steps)]
    return [slice(begin, end) for begin, end in zip(begins, [*begins[1:], steps], strict=True)]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What each decision sees, `[lane, step]`, and the minutes of the past, `[lane, minute]`."""

    demand: FloatArray  # in replicas at the serving limit, to the unit of a reading
    known: BoolArray
    milli: IntArray  # the reading, in thousandths
    first_milli: IntArray  # of the first step [lane]
    first_step: int  # wall time of the first step over the length of a step
    minutes: NDArray[np.float32]  # log demand by the minute in which it was measured, NaN where not known
    first_min: int

    @classmethod
    def of(cls, scenarios: Sequence[Scenario]) -> _Seen:
        """Scenarios as lanes."""
        pace, start_s = scenarios[0].pace, scenarios[0].start_s
        milli = np.array([value_milli(each.demand, each.serving) for each in scenarios])
        known = np.array([each.known for each in scenarios])
        serving = REPLICA_UNITS * np.array([[each.serving.serving_limit_ratio] for each in scenarios])
        first_step, steps = int(start_s // STEP_S), np.arange(milli.shape[1])
        measured = (first_step + steps) * STEP_S // MINUTE_S
        minutes = np.full((len(scenarios), int(measured[-1] - measured[0]) + 1), np.nan, np.float32)
        value = (milli / _MILLI).astype(np.float32) / serving
        level = np.where(known, np.log(value + HALF_REPLICA), np.nan)
        column = (measured - measured[0]).astype(np.int64)
        for lane in range(len(scenarios)):
            minutes[lane, column[known[lane]]] = level[lane, known[lane]]  # a minute keeps its last sample
        sampled = np.maximum(steps - pace.lag_steps, 0)
        demand = milli / _MILLI / serving
        return cls(
            demand=np.where(known, demand, 0.0)[:, sampled],
            known=known[:, sampled],
            milli=np.where(known, milli, 0)[:, sampled],
            first_milli=milli[:, 0],
            first_step=first_step,
            minutes=minutes,
            first_min=int(measured[0]),
        )

    def window(self, first_min: int, end_min: int) -> NDArray[np.float32]:
        """Log demand of some minutes; all of them are past, as windows lie an hour or more ago."""
        window = np.full((self.minutes.shape[0], end_min - first_min), np.nan, np.float32)
        low, high = (min(max(each - self.first_min, 0), self.minutes.shape[1]) for each in (first_min, end_min))
        into = low + self.first_min - first_min
        window[:, into : into + high - low] = self.minutes[:, low:high]
        return window
