"""Load files: what the audit says of a load is what a backtest with the same settings says."""

from __future__ import annotations

import numpy as np
import pytest

from simulations.audit.loads import Replayed, case_of_load
from simulations.audit.verdict import audit
from simulations.backtest import plan_of
from simulations.contenders import parse_contender
from simulations.load_file import Load
from simulations.protocol import Capacity, grid
from simulations.scenario import Pace, Scenario, scored
from simulations.serving import Serving
from simulations.traffic import Daily, FlashCrowds, Noise, Traffic, generate
from tests.simulations.audit.builders import START_S

MINUTES = 2 * 1440


@pytest.fixture(scope="module")
def load() -> Load:
    shapes = (Daily(0.6), Noise(0.15, 120.0), FlashCrowds(6.0, 2.5))
    value = generate(Traffic(1500.0, shapes, 1), start_s=START_S, steps=MINUTES, step_s=60.0)
    return Load(np.asarray(START_S + 60.0 * np.arange(MINUTES), np.float64), value)


@pytest.mark.parametrize("policy", ["predictive", "hpa:0.70"])
def test_the_audit_of_a_load_file_has_the_figures_of_a_backtest(load: Load, policy: str) -> None:
    capacity = Capacity.parse("p99.9/40")
    [found], _ = audit([case_of_load("load", load, Replayed(capacity, startup_s=120.0))])
    who = found.foresail if policy == "predictive" else found.incumbent

    steps = grid(load, step_s=30.0)
    serving = Serving(30.0, capacity.of(steps.demand, serving_limit_ratio=0.8), 0.8, 120.0)
    scenario = Scenario.of(steps, Pace(), serving)
    figures = scored(plan_of(parse_contender(policy), scenario), scenario, warmup_steps=steps.warmup_steps)

    assert who.replica_hours == pytest.approx(figures.cost_replica_hours)
    assert who.churn_per_day == pytest.approx(figures.churn_per_day)
    assert found.least_replica_hours == pytest.approx(figures.clairvoyant_replica_hours)
    # A backtest takes the replicas at the end of the warm-up as ready; the audit has those that still start then.
    first = steps.demand[steps.warmup_steps :][:5].sum() / steps.demand[steps.warmup_steps :].sum()
    assert -1e-9 <= who.late_ratio - figures.late_ratio <= first + 1e-9


def test_where_a_load_file_has_no_samples_nothing_is_compared(load: Load) -> None:
    kept = np.ones(MINUTES, np.bool_)
    kept[-300:-240] = False
    case = case_of_load("load", Load(load.at_s[kept], load.value[kept]), Replayed(Capacity(plain=100.0)))
    assert int((~case.track.known).sum()) == 120  # an hour of steps
    [found], _ = audit([case])
    # From the first sample to the last: a step of 30 s is lost at the end, a day warms up.
    assert found.scored_days == pytest.approx((MINUTES - 1 - 1440 - 60) / 1440)
