"""The plan of the lead-time layer on recorded loads: its models and its tournament, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.nearby import HALF_REPLICA, LAGS_MIN, STEP_S, Lead, Near, Past, past_of, past_span_min, shapes
from policies.forecast.recursive import Models, forecasts
from policies.tournament import Came, Forecasts, Scores, Terms, rulings
from simulations.scenario import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from policies.arrays import FloatArray, IntArray
    from simulations.scenario import Scenario

CHURN_STEPS = 1.0  # starting or stopping a replica costs as much as one replica for a step
BLOCK_STEPS = 120  # decided in one call; any other number gives the same plan
KNOWN, UNKNOWN = 2, 0


def plans(
    scenarios: Sequence[Scenario],
    objective: float,
    *,
    forecast: bool,
    on_step: Callable[[int], None] | None = None,
    block_steps: int = BLOCK_STEPS,
) -> IntArray:
    """The plans `[scenario, step]` of scenarios of one length and pace.

    `objective` is the share of the load that may be late. Without `forecast` the mean is the load as it is now: the
    headroom follows how much it changes, and nothing looks ahead. `on_step` is told the last step of each block.
    Raises ReplayError for another step than the layer's, or a metric without delay.
    """
    pace = scenarios[0].pace
    if pace.step_s != STEP_S or pace.lag_steps < 1:
        raise ReplayError(
            f"the tournament decides every {STEP_S:g} s on a load at least that old: it needs --step {STEP_S:g}s, not"
            f" {pace.step_s:g} s, and a metric delay of at least {STEP_S:g} s, not {pace.metric_delay_s:g} s"
        )
    seen = _Seen.of(scenarios)
    lanes, steps = seen.demand.shape
    near, models, scores = Near.empty(lanes), Models.empty(lanes), Scores.empty(lanes)
    terms = _terms(scenarios, objective)
    lead, learned = Lead(terms.startup, terms.lag), np.full(lanes, forecast)
    plan = np.zeros((lanes, steps), np.int64)
    for first in range(0, steps, block_steps):
        block = slice(first, min(first + block_steps, steps))
        demand, usable = seen.demand[:, block].copy(), seen.usable[:, block].copy()
        past = seen.past(block, past_span_min(lead))
        shape = shapes(near, past, lead, demand, usable, seen.first_step + first)
        told = Forecasts(forecasts(models, shape, lead, learned=learned), shape.base, shape.peak)
        nobody = np.full(demand.shape, -1.0)
        plan[:, block] = rulings(scores, told, Came(demand, usable, nobody, nobody), terms).order
        if on_step is not None:
            on_step(block.stop - 1)
    return plan


def _terms(scenarios: Sequence[Scenario], objective: float) -> Terms:
    serving, lanes = [each.serving for each in scenarios], len(scenarios)
    return Terms(
        low=np.array([each.min_replicas for each in serving], np.int64),
        high=np.array([each.max_replicas for each in serving], np.int64),
        startup=np.array([each.startup_steps for each in serving], np.int64),
        lag=np.full(lanes, scenarios[0].pace.lag_steps, np.int64),
        budget=np.full(lanes, objective),
        churn=np.full(lanes, CHURN_STEPS),
        hold=np.zeros(lanes, np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What each decision sees, `[lane, step]`, and the minutes of the past, `[lane, minute]`."""

    demand: FloatArray  # in replicas at the serving limit
    usable: IntArray
    first_step: int  # wall time of the first step over the length of a step
    minutes: NDArray[np.float32]  # log demand by the minute in which it was measured, NaN where not known
    first_min: int

    @classmethod
    def of(cls, scenarios: Sequence[Scenario]) -> _Seen:
        """Scenarios as lanes."""
        pace, start_s = scenarios[0].pace, scenarios[0].start_s
        demand = np.array(
            [each.seen()[0] / (each.serving.capacity * each.serving.serving_limit_ratio) for each in scenarios]
        )
        usable = np.array([np.where(each.seen()[1], KNOWN, UNKNOWN) for each in scenarios], np.int64)
        first_step = int(start_s // STEP_S)
        measured = (first_step + np.arange(demand.shape[1]) - pace.lag_steps) // 2
        minutes = np.full((demand.shape[0], int(measured[-1] - measured[0]) + 1), np.nan, np.float32)
        level = np.where(usable == KNOWN, np.log(demand + HALF_REPLICA), np.nan)
        minutes[:, measured - measured[0]] = level  # a minute keeps its last sample
        return cls(demand, usable, first_step, minutes, int(measured[0]))

    def past(self, block: slice, span_min: tuple[int, int]) -> Past:
        """The windows around each lag that the steps of a block look at, and nothing later than they may know."""
        before, after = span_min
        begin, end = (self.first_step + block.start) // 2, (self.first_step + block.stop - 1) // 2
        firsts = [begin - lag - before for lag in LAGS_MIN]
        return past_of(
            [self._window(first, first + end - begin + before + after + 1) for first in firsts], np.array(firsts)
        )

    def _window(self, first_min: int, end_min: int) -> NDArray[np.float32]:
        window = np.full((self.minutes.shape[0], end_min - first_min), np.nan, np.float32)
        low, high = (min(max(each - self.first_min, 0), self.minutes.shape[1]) for each in (first_min, end_min))
        into = low + self.first_min - first_min
        window[:, into : into + high - low] = self.minutes[:, low:high]
        return window
