"""The plan of what the daemon decides today on recorded loads: the sequential drive of `decide`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulations.replay import Lane, ReplayPolicy, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import IntArray
    from simulations.scenario import Scenario


def plans(scenarios: Sequence[Scenario], objective: float, *, on_step: Callable[[int], None] | None = None) -> IntArray:
    """The plans `[scenario, step]` of scenarios of one length and pace, decided together.

    `objective` is the share of requests that may be late.
    """
    policy = ReplayPolicy("predictive", None, forecast=True, late_ratio=objective)
    lanes = [Lane(each.demand, each.serving, each.known) for each in scenarios]
    return replay(lanes, policy, scenarios[0].pace, start_s=scenarios[0].start_s, on_step=on_step)
