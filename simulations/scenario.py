"""A scenario: a recorded load, what serves it, and how time passes for whoever decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simulations.serving import figures

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from simulations.protocol import Grid
    from simulations.replay import Lane
    from simulations.serving import Figures, Serving

_NOISE = 1e-9


class ReplayError(ValueError):
    """A policy, a pace or a load that cannot be replayed; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes: steps of the load, decisions within a step on the same metric, and the metric's delay."""

    step_s: float = 30.0
    sync_s: float = 15.0
    metric_delay_s: float = 30.0

    def __post_init__(self) -> None:
        """Raise ReplayError for a pace that does not go round."""
        if self.step_s <= 0 or self.sync_s <= 0 or self.metric_delay_s < 0:
            raise ReplayError("step and sync must be above 0, and the metric delay not below 0")
        if abs(self.syncs * self.sync_s - self.step_s) > _NOISE:
            raise ReplayError(f"sync ({self.sync_s:g} s) must divide the step ({self.step_s:g} s)")

    @property
    def syncs(self) -> int:
        """Decisions in a step."""
        return max(1, round(self.step_s / self.sync_s))

    @property
    def lag_steps(self) -> int:
        """The metric delay in whole steps, rounded."""
        return round(self.metric_delay_s / self.step_s)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One load under one serving. Arrays are `[step]`."""

    demand: FloatArray  # in its own unit; where it is not known, what bridges the gap, for scoring alone
    known: BoolArray
    start_s: float  # wall time of the first step
    pace: Pace
    serving: Serving

    def __post_init__(self) -> None:
        """Raise ReplayError for a scenario without a step, or whose arrays do not match."""
        if self.demand.size == 0 or self.demand.shape != self.known.shape:
            raise ReplayError(
                f"a scenario needs at least one step and as many known ones as there are, not {self.demand.size} of "
                f"demand and {self.known.size} known"
            )

    @classmethod
    def of(cls, steps: Grid, pace: Pace, serving: Serving) -> Scenario:
        """The scenario of a load that was put on steps."""
        return cls(steps.demand, steps.known, float(steps.at_s[0]), pace, serving)

    def seen(self) -> tuple[FloatArray, BoolArray]:
        """Demand that a decision of each step sees, older by the metric's delay, and whether there is any, `[step]`.

        Before the delay has passed that is the first step's.
        """
        step = np.maximum(np.arange(self.demand.size) - self.pace.lag_steps, 0)
        return self.demand[step], self.known[step]


def scored(plan: IntArray, scenario: Lane | Scenario, *, warmup_steps: int) -> Figures:
    """Figures of a plan `[step]` after the warm-up. Raises ReplayError when nothing is left to score."""
    check_length(plan.size, warmup_steps=warmup_steps)
    return figures(plan[warmup_steps:], scenario.demand[warmup_steps:], scenario.serving)


def check_length(steps: int, *, warmup_steps: int) -> None:
    """Raise ReplayError for a load that is no longer than its warm-up."""
    if steps <= warmup_steps:
        raise ReplayError(f"the load has {steps} steps, of which {warmup_steps} warm the policy up: nothing to score")
