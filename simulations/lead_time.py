"""The plan of Foresail's own lead-time layer on recorded loads: the one place where a backtest asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulations.replay import Lane, ReplayPolicy, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policies.arrays import IntArray
    from simulations.scenario import Scenario


def plan(scenario: Scenario, objective: float, *, forecast: bool) -> IntArray:
    """The plan `[step]` of one scenario; see `plans`."""
    only: IntArray = plans([scenario], objective, forecast=forecast)[0]
    return only


def plans(
    scenarios: Sequence[Scenario],
    objective: float,
    *,
    forecast: bool,
    on_step: Callable[[int], None] | None = None,
) -> IntArray:
    """The plans `[scenario, step]` of scenarios of one length and pace, decided together, with `decide` itself.

    `objective` is the share of requests that may be late. Without `forecast` nothing looks ahead: the Kubernetes rule
    decides alone, at the target that a policy document has by default.
    """
    policy = ReplayPolicy("predictive" if forecast else "reactive", None, forecast, late_ratio=objective)
    lanes = [Lane(each.demand, each.serving, each.known) for each in scenarios]
    return replay(lanes, policy, scenarios[0].pace, start_s=scenarios[0].start_s, on_step=on_step)
