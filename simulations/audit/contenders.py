"""Who competes: the plan that a policy makes on an audited load. The one place that knows the replay engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from policies.forecast.nearby import HALF_REPLICA
from policies.objective import DEFAULT_LATE
from simulations import lead_time
from simulations.backtest import plan_of
from simulations.contenders import Hpa
from simulations.scenario import Pace, Scenario
from simulations.serving import ready_replicas

if TYPE_CHECKING:
    from policies.arrays import FloatArray, IntArray
    from policies.lead_time import Decided
    from simulations.audit.case import Case

PACE = Pace()


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule of the autoscaler in place, at the target and with the behavior of the case."""


@dataclass(frozen=True, slots=True)
class Foresail:
    """What the daemon decides, asked to keep a share of the load that may be late."""

    late_ratio: float = DEFAULT_LATE


Who = Rule | Foresail


@dataclass(frozen=True, slots=True)
class Band:
    """What was forecast for each step a start-up before it, in replicas needed, `[step]`; NaN before there was any.

    `upper` has the margin of whoever was in charge; where that has none, as Kubernetes' rule, it is what was expected.
    """

    expected: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class Plan:
    """What somebody would have done: replicas paid and ready, `[step]`, and what was forecast, if anything was."""

    paid: IntArray
    ready: IntArray
    band: Band | None = None


class Engine(Protocol):
    """What makes the plan of one of them for a case."""

    def __call__(self, case: Case, who: Who) -> Plan:
        """Replay."""
        ...


def plan(case: Case, who: Who) -> Plan:
    """Replay one of them on a case, within the autoscaler's bounds, its gaps unknown to whoever decides."""
    serving = replace(case.serving, max_replicas=case.autoscaler.max_replicas)
    start_s = float(case.track.at_s[0]) // PACE.step_s * PACE.step_s  # the daemon's steps begin at whole ones
    scenario = Scenario(case.track.demand, case.track.known, start_s, PACE, serving)
    heard = None
    if isinstance(who, Rule):
        target = case.measure.target_ratio
        paid = plan_of(Hpa(f"hpa:{target:.4f}", target, written=case.autoscaler.behavior), scenario)
    else:
        heard = _Heard.nothing(case.track.demand.size)
        paid = lead_time.plans([scenario], who.late_ratio, told=heard.take)[0]
    ready = ready_replicas(paid, startup_steps=serving.startup_steps)
    return Plan(paid, ready, None if heard is None else heard.band(max(1, serving.startup_steps)))


@dataclass(frozen=True, slots=True)
class _Heard:
    """The forecasts of one load as they are made, log demand in replicas, `[step]`."""

    expected: FloatArray
    upper: FloatArray

    @classmethod
    def nothing(cls, steps: int) -> _Heard:
        """Not a step yet."""
        return cls(np.full(steps, np.nan), np.full(steps, np.nan))

    def take(self, steps: slice, made: Decided) -> None:
        """Keep what was forecast with an order."""
        ordered = made.order[0] > 0
        self.expected[steps] = np.where(ordered, made.expected[0], np.nan)
        self.upper[steps] = np.where(ordered, made.upper[0], np.nan)

    def band(self, ahead: int) -> Band:
        """In replicas, each at the step that it was made for, so many steps later."""
        return Band(*(_ahead(np.exp(each) - HALF_REPLICA, ahead) for each in (self.expected, self.upper)))


def _ahead(made: FloatArray, steps: int) -> FloatArray:
    """What was said of each step so many steps before it, not below 0."""
    unsaid = np.full(min(steps, made.size), np.nan)
    moved: FloatArray = np.concatenate((unsaid, made[: made.size - unsaid.size]))
    return np.asarray(np.maximum(moved, 0.0))
