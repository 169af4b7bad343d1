"""Whether a policy sees the future: what follows a moment is scrambled, and decisions up to it must not move."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from policies.arrays import IntArray
from simulations.scenario import Scenario

Planner = Callable[[Scenario], IntArray]


def scrambled_after(plan_of: Planner, scenario: Scenario, now: int, *, seed: int = 0) -> None:
    """Assert that every decision up to step `now` is the same when all load after it is another.

    The other load is the rest in another order, some of it tenfold, some gone, and with other gaps.
    """
    random = np.random.default_rng(seed)
    later = np.arange(scenario.demand.size) > now
    rest = random.permutation(scenario.demand[later]) * random.choice([0.0, 0.5, 1.0, 10.0], later.sum())
    demand, known = scenario.demand.copy(), scenario.known.copy()
    demand[later], known[later] = rest, random.random(later.sum()) > 0.1
    other = replace(scenario, demand=demand, known=known)
    assert plan_of(other)[: now + 1].tolist() == plan_of(scenario)[: now + 1].tolist()
