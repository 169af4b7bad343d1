"""The plan of what the daemon decides today on recorded loads: the sequential drive of `decide`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats, integers
from policies.mix.hedge import hedged
from policies.mix.model import Lanes, MixState, Pools
from simulations.replay import Lane, ReplayPolicy, replay
from simulations.scenario import Pace
from simulations.serving import Serving

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


def warmed() -> None:
    """Decide two steps of a load: what is compiled at its first call, for half a minute, is compiled after this."""
    policy = ReplayPolicy("predictive", None, forecast=True)
    replay([Lane(np.ones(2), Serving(30.0, 1.0, 0.8, 60.0))], policy, Pace())
    lane = Lanes.steady(integers(1, 1), startup_s=60.0, objective=0.01)
    hedged(lane, Pools.idle(integers(1), floats(1, 0.35)), MixState.start(1, 1), now_s=0.0)
