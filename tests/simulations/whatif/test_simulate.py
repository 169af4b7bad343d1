"""A scenario as a whole: it agrees with a backtest, is the same however it is split, and its parts add up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simulations.backtest import Aim, plan_of
from simulations.contenders import parse_contender
from simulations.scenario import Pace, scored
from simulations.scenario import Scenario as Backtested
from simulations.serving import Serving
from simulations.whatif.answer import COSTS, DRIVERS, merged, summary
from simulations.whatif.demand import WhatIfError, arriving
from simulations.whatif.inputs import Inputs, read_inputs
from simulations.whatif.simulate import answered
from tests.simulations.whatif.builders import ON_DEMAND, SPOT, scenario, workload

if TYPE_CHECKING:
    from pathlib import Path

NOISY = {"generate": {"level": 50, "daily": {}, "noise": {"sigma": 0.1, "correlation": "10m"}}}
OUTAGE = [{"metricsOutage": {"after": "6h", "lasts": "1h"}}]


@pytest.mark.parametrize("startup", ["0s", "1m", "5m"])
@pytest.mark.parametrize(
    ("rule", "step"),
    [
        pytest.param("hpa:0.70", "30s", id="hpa"),
        pytest.param("hpa:0.55,tolerance=0.05,window=60s", "1m", id="hpa-at-one-minute"),
        pytest.param("kpa", "1m", id="kpa"),
        pytest.param("reactive", "30s", id="reactive"),
        pytest.param("predictive", "30s", id="predictive"),
    ],
)
def test_one_run_without_chance_on_on_demand_has_the_figures_of_a_backtest(rule: str, step: str, startup: str) -> None:
    asked = scenario(
        step=step,
        metricDelay=step,
        workloads=[workload(NOISY, changes=OUTAGE, replica={"startup": [{"share": 1, "time": startup}]})],
        policies=[{"name": "one", "replicas": rule, "objective": {"late": "2%"}}],
        capacity={"pools": [ON_DEMAND], "nodes": {"consolidation": "4m", "drain": "1m"}},
    )
    made = answered(asked, Inputs())
    load = arriving(asked, 0, {}, range(1))
    startup_s = {"0s": 0.0, "1m": 60.0, "5m": 300.0}[startup]
    serving = Serving(asked.step, 1.0, 0.8, startup_s, dwell_s=300.0)
    pace = Pace(asked.step, 15.0, asked.metric_delay)
    lane = Backtested(load.demand[0], load.known[0], load.start_s, pace, serving)
    expected = scored(plan_of(parse_contender(rule), lane, Aim(0.02)), lane, warmup_steps=0)
    found = {name: float(made.column(name)[0, 0]) for name in ("cost", "late_ratio", "unserved_ratio", "churn_per_day")}
    assert found == pytest.approx(
        {
            "cost": expected.cost_replica_hours,  # at 1.0 for a replica-hour
            "late_ratio": expected.late_ratio,
            "unserved_ratio": expected.unserved_ratio,
            "churn_per_day": expected.churn_per_day,
        },
        rel=1e-12,
    )


CHANCE = scenario(
    runs=7,
    workloads=[
        workload(NOISY, replica={"startup": [{"share": 0.5, "time": "1m"}, {"share": 0.5, "time": "6m"}]}),
        {**workload(NOISY, replica={"overload": {"patience": "30s", "retry": "50%"}}, latePrice=0.01), "name": "other"},
    ],
    policies=[
        {"name": "today", "replicas": "hpa:0.70", "mix": "share", "commitments": []},
        {"name": "peak", "replicas": "fixed:peak", "rightSize": 0.8},
        {"name": "spot", "replicas": "kpa", "mix": "skyserve", "spare": 1, "spread": "cheapest"},
    ],
    capacity={
        "pools": [ON_DEMAND, SPOT, {**SPOT, "name": "other", "zone": "b", "price": 0.5, "most": 30}],
        "commitments": [{"name": "year", "pool": "on-demand", "instances": 9, "price": 0.7}],
        "nodes": {"consolidation": "5m"},
    },
    faults={
        "spot": {"spells": {"up": "2h", "down": "20m"}},
        "onDemandRefusals": {"share": "5%", "lasts": "10m", "withSpot": "50%"},
    },
)


def test_runs_are_the_same_however_they_are_split() -> None:
    whole = answered(CHANCE, Inputs())
    parts = [answered(CHANCE, Inputs(), runs=part) for part in (range(5, 7), range(1), range(1, 5))]
    again = merged(parts)
    np.testing.assert_array_equal(again.number, np.arange(7))
    np.testing.assert_array_equal(again.values, whole.values)
    assert np.unique(whole.column("cost")[2]).size == 7  # each run has its own luck


def test_cost_is_the_sum_of_its_types_and_of_its_drivers() -> None:
    made = answered(CHANCE, Inputs())
    types = sum(made.column(f"cost:{name}") for name in COSTS) + made.column("driver:late")
    np.testing.assert_allclose(types, made.column("cost"), rtol=1e-12)
    drivers = sum(made.column(f"driver:{name}") for name in DRIVERS)
    np.testing.assert_allclose(drivers, made.column("cost"), rtol=1e-12)
    for verdict in summary(CHANCE, made).policies:
        of_difference = sum(each.mean for each in verdict.drivers.values())
        assert of_difference == pytest.approx(verdict.difference["cost"].mean, abs=1e-9)


HEDGED = scenario(
    runs=3,
    days=0.5,
    step="5m",
    sync="5m",
    workloads=[workload({"generate": {"level": 6, "daily": {}}}, replica={"startup": [{"share": 1, "time": "5m"}]})],
    policies=[
        {"name": "on-demand", "replicas": "hpa:0.70"},
        {"name": "spot", "replicas": "hpa:0.70", "mix": "spot"},
        {"name": "hedged", "replicas": "hpa:0.70", "mix": "foresail", "objective": {"late": "1%"}},
        {"name": "refused", "replicas": "hpa:0.70", "mix": "foresail", "pools": ["spot", "none"]},
    ],
    capacity={
        "pools": [
            ON_DEMAND,
            SPOT,
            {**SPOT, "name": "other", "zone": "b", "price": 0.5},
            {**ON_DEMAND, "name": "none", "most": 0},
        ],
    },
    faults={"spot": {"spells": {"up": "2h", "down": "40m"}}},
)


def test_the_hedger_of_the_daemon_is_a_mix() -> None:
    made = answered(HEDGED, Inputs())
    np.testing.assert_array_equal(answered(HEDGED, Inputs(), runs=range(2, 3)).values[:, :, 0], made.values[:, :, 2])
    unserved, cost = (made.column(name).mean(axis=1) for name in ("unserved_ratio", "cost"))
    assert cost[2] < 0.9 * cost[0]
    assert unserved[2] < 0.5 * unserved[1]
    assert made.column("cost:on-demand")[2].min() > 0
    assert made.column("cost:on-demand")[3].max() == 0  # of pools that take no replica


def test_policies_meet_the_same_luck() -> None:
    twice = CHANCE.model_copy(
        update={"policies": tuple(CHANCE.policies[2].model_copy(update={"name": name}) for name in ("a", "b"))}
    )
    made = answered(twice, Inputs(), runs=range(2))
    np.testing.assert_array_equal(made.values[:, 0], made.values[:, 1])


def test_progress_counts_every_pair_of_run_and_policy() -> None:
    told: list[int] = []
    answered(CHANCE, Inputs(), runs=range(3), progress=told.append)
    assert sum(told) == 9  # 3 runs of 3 policies


def test_a_forecasting_rule_needs_steps_that_it_can_follow() -> None:
    asked = scenario(step="45s", metricDelay="45s", policies=[{"name": "one", "replicas": "predictive"}])
    with pytest.raises(
        WhatIfError, match="decides every 30 s on a load at most 120 s old: make step a multiple of 30s"
    ):
        answered(asked, Inputs())


def test_a_file_of_zeros_and_ones_tells_whether_there_is_spot(tmp_path: Path) -> None:
    hours = np.arange(25)
    columns = (pa.array(["a"] * 25), pa.array(hours * 3600), pa.array((hours % 6 > 0).astype(np.int64)))
    pq.write_table(pa.table(list(columns), names=["trace", "timestamp", "value"]), tmp_path / "spot.parquet")
    asked = scenario(
        policies=[{"name": "spot", "replicas": "fixed:20", "mix": "spot"}],
        capacity={"pools": [SPOT]},
        faults={"spot": {"trace": {"file": "spot.parquet"}}},
    )
    made = answered(asked, read_inputs(asked, tmp_path))
    assert made.column("cost")[0, 0] == pytest.approx(20 * 20 * 0.4)  # 4 of 24 hours without
