"""Backtest: the plan that each policy would have made on a recorded load, several scenarios in one pass.

The plain rules run as compiled loops, with the same result as the sequential drive of `decide` in `replay`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import numpy as np

from policies import kpa
from policies.hpa import loop
from policies.hpa.behavior import Bounds
from policies.hpa.columns import behavior_of, default_behavior, steadied
from simulations.contenders import Daemon, Hpa, Kpa
from simulations.scenario import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.behaviors import Behavior
    from simulations.contenders import Contender
    from simulations.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Aim:
    """What a policy is asked to keep, and who is told of each step that it decides."""

    late_ratio: float = 0.01  # share of requests that may be late
    on_step: Callable[[int], None] | None = None


def plan_of(policy: Contender, scenario: Scenario, aim: Aim = Aim()) -> IntArray:
    """Replicas that stand at the end of each step, `[step]`."""
    return plans_of(policy, [scenario], aim)[0]


def plans_of(
    policy: Contender,
    scenarios: Sequence[Scenario],
    aim: Aim = Aim(),
) -> list[IntArray]:
    """The plan `[step]` of each scenario; scenarios of one length and pace are lanes of one pass.

    Raises ReplayError for a scenario without a step.
    """
    alike = defaultdict(list)
    for place, scenario in enumerate(scenarios):
        alike[scenario.demand.size, scenario.pace, scenario.start_s].append(place)
    plans: dict[int, IntArray] = {}
    for places in alike.values():
        plans.update(zip(places, _together(policy, [scenarios[place] for place in places], aim), strict=True))
    return [plans[place] for place in range(len(scenarios))]


def _together(policy: Contender, scenarios: Sequence[Scenario], aim: Aim) -> IntArray:
    match policy:
        case Hpa():
            return _hpa(policy, scenarios)
        case Kpa():
            return _kpa(policy, scenarios)
        case Daemon():
            return _daemon(policy, scenarios, aim)
        case _:
            assert_never(policy)


def _daemon(policy: Daemon, scenarios: Sequence[Scenario], aim: Aim) -> IntArray:
    """What `decide` would do: by its fast drive, or by itself where the steps are of another length."""
    from simulations import daemon, lead_time  # noqa: PLC0415 - the core takes longer to load than a rule to run

    if lead_time.fits(scenarios[0]):
        told = _last_step(aim.on_step)
        return lead_time.plans(scenarios, aim.late_ratio, forecast=policy.forecast, told=told)
    if not policy.forecast:
        pace = scenarios[0].pace
        raise ReplayError(
            f"policy {policy.text} decides every 30 s on a load at least that old: it needs --step 30s, not "
            f"{pace.step_s:g} s, and a metric delay from 30 s to two minutes, not {pace.metric_delay_s:g} s"
        )
    return daemon.plans(scenarios, aim.late_ratio, on_step=aim.on_step)


def _last_step(on_step: Callable[[int], None] | None) -> Callable[[slice, object], None] | None:
    """Who hears of a block's last step."""
    return None if on_step is None else lambda block, _: on_step(block.stop - 1)


def _hpa(policy: Hpa, scenarios: Sequence[Scenario]) -> IntArray:
    pace, seen = scenarios[0].pace, _Seen.of(scenarios)
    behavior = _behavior(policy, len(scenarios))
    rule = loop.hpa_rule(
        np.array([scenario.serving.capacity for scenario in scenarios]),
        np.full(len(scenarios), policy.target_ratio),
        behavior=behavior,
        bounds=seen.bounds,
        sync_s=pace.sync_s,
    )
    state = loop.HpaState.begun(rule, seen.demand[:, 0])
    return loop.advance(rule, state, seen.demand, known=seen.known, runs=pace.syncs)[1]


def _behavior(policy: Hpa, lanes: int) -> Behavior:
    """As written, or the defaults of autoscaling/v2 at the policy's tolerance and window."""
    if policy.written is None:
        return steadied(default_behavior(lanes), tolerance_ratio=policy.tolerance_ratio, window_s=policy.window_s)
    return behavior_of([policy.written] * lanes)


def _kpa(policy: Kpa, scenarios: Sequence[Scenario]) -> IntArray:
    seen = _Seen.of(scenarios)
    target = np.array([scenario.serving.capacity * policy.target_ratio for scenario in scenarios])
    rule = kpa.KpaRule(kpa.KpaSettings(), target, seen.bounds, scenarios[0].pace.step_s)
    return kpa.advance(rule, rule.begun(seen.demand[:, 0]), seen.demand, known=seen.known)[1]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Scenarios as lanes: what a decision sees at each step, `[lane, step]`, and the bounds, `[lane]`."""

    demand: FloatArray
    known: BoolArray
    bounds: Bounds

    @classmethod
    def of(cls, scenarios: Sequence[Scenario]) -> _Seen:
        serving = [scenario.serving for scenario in scenarios]
        low, high = ([each.min_replicas for each in serving], [each.max_replicas for each in serving])
        demand, known = zip(*(scenario.seen() for scenario in scenarios), strict=True)
        return cls(np.array(demand), np.array(known), Bounds(np.array(low, np.int64), np.array(high, np.int64)))
