"""A scenario whose expectation is known: spot that is up three quarters of the time, and replicas that start at once.

Ten replicas at 0.40 on spot with on-demand at 1.00 for what spot has not cost 24 x 10 x (0.75 x 0.40 + 0.25 x 1.00) =
132 a day; on spot alone 72, and they are there 75 % of the time. All that hangs on the same spells. Apart from them,
ten replicas serve 8/s in time of a load of 5/s with independent lognormal noise of sigma 0.4: the share of the load in
steps above 1.6 times the mean is Phi((0.4 ** 2 / 2 - ln 1.6) / 0.4) = Phi(-0.97501) = 0.16478.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulations.whatif.answer import summary
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered
from tests.simulations.whatif.builders import ON_DEMAND, SPOT, scenario, workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulations.whatif.answer import Answer

KNOWN = {"cost": 132.0, "cost:spot": 72.0, "available_time_ratio": 0.75, "saving_ratio": 0.45, "late_ratio": 0.16478}


def covered(seeds: Iterable[int], runs: int = 20) -> dict[str, float]:
    """In which share of these repetitions the interval has the known answer, by figure."""
    hits = [_hits(seed, runs) for seed in seeds]
    return {name: float(np.mean([each[name] for each in hits])) for name in KNOWN}


def _hits(seed: int, runs: int) -> dict[str, bool]:
    answer = _answer(seed, runs)
    mixed, alone = answer.policies[1], answer.policies[2]
    noisy = _answer(seed, runs, {"sigma": 0.4})
    estimates = {
        "cost": mixed.figures["cost"],
        "cost:spot": mixed.cost_by_capacity_type["spot"],
        "available_time_ratio": alone.figures["available_time_ratio"],
        "saving_ratio": mixed.saving_ratio,  # of 240 on on-demand
        "late_ratio": noisy.policies[0].figures["late_ratio"],
    }
    return {name: (each.low or 0.0) <= KNOWN[name] <= (each.high or 0.0) for name, each in estimates.items()}


def _answer(seed: int, runs: int, noise: dict[str, float] | None = None) -> Answer:
    asked = scenario(
        runs=runs,
        seed=seed,
        step="5m",
        sync="5m",
        workloads=[workload({"generate": {"level": 5, "noise": noise}})],
        policies=[
            {"name": "on-demand", "replicas": "fixed:10"},
            {"name": "mixed", "replicas": "fixed:10", "mix": "skyserve"},
            {"name": "alone", "replicas": "fixed:10", "mix": "spot"},
        ],
        capacity={"pools": [ON_DEMAND, SPOT]},
        faults={"spot": {"spells": {"up": "3h", "down": "1h"}}},
    )
    return summary(asked, answered(asked, Inputs()))
