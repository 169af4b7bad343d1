"""Who competes: the plans that policies make on the audited loads. The one place that knows the replay engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from simulations.backtest import Aim, plans_of
from simulations.contenders import parse_contender
from simulations.scenario import Pace, Scenario
from simulations.serving import ready_replicas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import FloatArray, IntArray
    from simulations.audit.case import Case

FORESAIL = "predictive"
PACE = Pace()


@dataclass(frozen=True, slots=True)
class Band:
    """What was forecast for each step a start-up before it, in replicas needed, `[step]`."""

    lower: FloatArray
    median: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class Plan:
    """What a policy would have done: replicas paid and ready, `[step]`, and what it had forecast, if it tells."""

    policy: str
    paid: IntArray
    ready: IntArray
    band: Band | None = None


class Engine(Protocol):
    """What makes the plans of a policy for every case, in their order; it is told whom to tell each step."""

    def __call__(
        self, cases: Sequence[Case], policy: str, *, on_step: Callable[[int], None] | None = None
    ) -> list[Plan]:
        """Replay."""
        ...


def contenders(cases: Sequence[Case], policy: str, *, on_step: Callable[[int], None] | None = None) -> list[Plan]:
    """Replay one policy on every case, in their order. Cases with the same steps share one replay.

    Raises ContenderError for a policy that nobody knows.
    """
    scenarios = [_scenario(case) for case in cases]
    plans = plans_of(parse_contender(policy), scenarios, Aim(on_step=on_step))
    return [
        Plan(policy, plan, ready_replicas(plan, startup_steps=case.serving.startup_steps))
        for case, plan in zip(cases, plans, strict=True)
    ]


def _scenario(case: Case) -> Scenario:
    """The case as it is replayed: within the autoscaler's bounds, its gaps unknown to the policy."""
    serving = replace(case.serving, max_replicas=case.autoscaler.max_replicas)
    return Scenario(case.track.demand, case.track.known, float(case.track.at_s[0]), PACE, serving)
