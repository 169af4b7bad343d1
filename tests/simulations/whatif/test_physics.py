"""Small courses by hand: who stands, who is lost and refused, what is served, and what it costs to the cent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from simulations.load_file import Load
from simulations.whatif.answer import COLUMNS
from simulations.whatif.inputs import Inputs
from simulations.whatif.simulate import answered
from tests.simulations.whatif.builders import ON_DEMAND, SPOT, Document, scenario, workload

if TYPE_CHECKING:
    from policies.arrays import FloatArray

HOUR = 60  # steps


def one(inputs: Inputs | None = None, **fields: object) -> dict[str, float]:
    """The columns of the first policy's first run."""
    made = answered(scenario(**fields), inputs or Inputs())
    return {name: float(made.column(name)[0, 0]) for name in COLUMNS}


def recorded(level: FloatArray) -> tuple[Document, Inputs]:
    """A load file's load, as it was recorded, minute by minute; its last value is held for a minute."""
    at_s = 60.0 * np.arange(level.size + 1, dtype=np.float64)
    load = Load(at_s, np.append(level, level[-1]))
    return {"file": "load.csv", "redraw": "nothing"}, Inputs({"web": load})


def test_a_fixed_fleet_on_a_steady_load() -> None:
    # 20 replicas for 24 h at 1.00; 10/s are half of what they serve: nothing is late
    found = one()
    assert found["cost"] == 480.0
    assert found["cost:on-demand"] == 480.0
    assert found["driver:replicas"] == 480.0
    assert found["late_ratio"] == 0.0
    assert found["available_time_ratio"] == 1.0
    assert found["replicas"] == 20.0
    assert found["cost_per_million"] == pytest.approx(480 / 0.864)  # 10/s for 86,400 s are 864,000


def test_a_commitment_is_paid_in_full_and_covers_what_it_can() -> None:
    # 8 committed at 0.60 are 8 x 24 x 0.60 = 115.20; 12 of 20 on demand are 12 x 24 x 1.00 = 288
    capacity = {
        "pools": [ON_DEMAND],
        "commitments": [{"name": "year", "pool": "on-demand", "instances": 8, "price": 0.6}],
    }
    found = one(capacity=capacity)
    assert found["cost:committed"] == pytest.approx(115.2)
    assert found["cost:on-demand"] == pytest.approx(288.0)
    assert found["driver:commitments"] == pytest.approx(-76.8)  # 8 x 24 x 0.40 less
    unheld = one(capacity=capacity, policies=[{"name": "fixed", "replicas": "fixed:20", "commitments": []}])
    assert unheld["cost"] == 480.0
    idle = one(capacity=capacity, policies=[{"name": "fixed", "replicas": "fixed:5"}])
    assert idle["cost"] == pytest.approx(115.2)  # 3 of 8 are paid and not used


def test_whole_instances_are_paid() -> None:
    # of 16 cores 4 % are the system's: 3 replicas of 5 cores fit onto one; 20 need 7 at 3.00: 7 x 24 x 3 = 504
    found = one(
        workloads=[workload(replica={"resources": {"cpu": 5, "gpu": 1}})],
        capacity={
            "pools": [{"name": "big", "price": 3.0, "instance": {"cpu": 16, "gpu": 4}}],
            "nodes": {"overhead": "4%"},
        },
    )
    assert found["cost"] == pytest.approx(504.0)
    assert found["driver:replicas"] == pytest.approx(480.0)  # 20 thirds of an instance
    assert found["driver:nodes"] == pytest.approx(24.0)  # the third that is empty


def test_built_in_instances_have_their_size_and_price() -> None:
    # m5.xlarge: 4 cores less 80 m, 0.192 an hour in us-east-1: 3 replicas of a core fit, 20 need 7
    found = one(
        workloads=[workload(replica={"resources": {"cpu": 1, "memory": "2Gi"}})],
        capacity={"pools": [{"name": "nodes", "instanceType": "aws/m5.xlarge", "region": "us-east-1"}]},
    )
    assert found["cost"] == pytest.approx(7 * 24 * 0.192)


def test_workloads_share_the_instances_of_a_pool() -> None:
    # of 8 cores 5 and 3 fill one: 20 of each need 20 instances, not 20 and 10
    pools = [{"name": "nodes", "price": 2.0, "instance": {"cpu": 8}}]
    workloads = [
        {**workload(replica={"resources": {"cpu": cores}}), "name": name} for name, cores in (("a", 5), ("b", 3))
    ]
    found = one(workloads=workloads, capacity={"pools": pools})
    assert found["cost"] == pytest.approx(20 * 24 * 2.0)
    assert found["replicas"] == 40.0
    # a takes a whole instance when alone, b half of one: 20 x 24 x (2 + 1) less the 480 that sharing saves
    assert found["driver:replicas"] == pytest.approx(1440.0)
    assert found["driver:nodes"] == pytest.approx(-480.0)


def test_a_smaller_replica_costs_in_proportion_and_shares_a_commitment() -> None:
    # at half the size 20 replicas are worth 10 instances: 8 committed at 0.60, 2 on demand
    capacity = {
        "pools": [ON_DEMAND],
        "commitments": [{"name": "year", "pool": "on-demand", "instances": 8, "price": 0.6}],
    }
    found = one(capacity=capacity, policies=[{"name": "half", "replicas": "fixed:20", "rightSize": 0.5}])
    assert found["cost:committed"] == pytest.approx(115.2)
    assert found["cost:on-demand"] == pytest.approx(48.0)


def test_released_places_are_paid_through_the_dwell() -> None:
    # the window ends at 12:00 and 10 of 20 are released: 20 x 12 h + 10 x 12 h, and 10 for another half hour
    found = one(
        policies=[
            {
                "name": "day",
                "replicas": "schedule",
                "schedule": [{"cron": "0 0 * * *", "duration": "12h", "min": 20}],
            }
        ],
        workloads=[workload(replica={"min": 10})],
        capacity={"pools": [ON_DEMAND], "nodes": {"consolidation": "20m", "drain": "10m"}},
    )
    assert found["cost"] == pytest.approx(240 + 120 + 5)
    assert found["churn_per_day"] == 10.0


def test_a_lost_zone_takes_its_replicas_and_gives_none() -> None:
    # from 6 h to 8 h pool a is gone: its 10 replicas move to b at once and the load is served all the time
    pools = [{**ON_DEMAND, "name": name, "zone": name} for name in ("a", "b")]
    lost = {"zoneLost": {"zone": "a", "after": "6h", "lasts": "2h"}}
    found = one(capacity={"pools": pools}, faults=lost)
    assert found["losses_per_day"] == 10.0
    assert found["churn_per_day"] == 20.0  # lost and started again; nothing moves back
    assert found["cost"] == 480.0
    alone = one(capacity={"pools": pools[:1]}, faults=lost)
    # 2 of 24 hours are unserved, and late
    assert alone["available_time_ratio"] == pytest.approx(22 / 24)
    assert alone["unserved_ratio"] == pytest.approx(2 / 24)
    assert alone["late_ratio"] == pytest.approx(2 / 24)
    assert alone["cost"] == pytest.approx(440.0)  # and unpaid


def spot_record() -> Inputs:
    """Spot in zone a but for the hours 2 to 4 of its 24."""
    room = np.where((np.arange(24 * HOUR + 1) // HOUR >= 2) & (np.arange(24 * HOUR + 1) // HOUR < 4), 0.0, 9999.0)
    return Inputs(spot={"a": Load(60.0 * np.arange(room.size, dtype=np.float64), room)})


@pytest.mark.parametrize(
    ("mix", "on_demand", "spot", "available"),
    [
        # 24 h of 20, of which spot has 22 h at 0.40
        pytest.param({"mix": "spot"}, 0.0, 20 * 22 * 0.4, 22 / 24, id="spot-alone-is-short-while-there-is-none"),
        pytest.param({"mix": "skyserve"}, 20 * 2.0, 20 * 22 * 0.4, 1.0, id="on-demand-for-what-spot-has-not-ready"),
        pytest.param(
            {"mix": "skyserve", "spare": 5}, 25 * 2.0, 25 * 22 * 0.4, 1.0, id="spare-replicas-fall-back-as-well"
        ),
        # 6 of 20 on demand all day; 6 serve 4.8/s of 10/s in time while there is no spot
        pytest.param(
            {"mix": "share", "onDemandShare": 0.3}, 6 * 24.0, 14 * 22 * 0.4, 22 / 24, id="a-fixed-share-stays-short"
        ),
    ],
)
def test_mixes_over_a_record_that_goes_round(mix: Document, on_demand: float, spot: float, available: float) -> None:
    found = one(
        spot_record(),
        policies=[{"name": "mixed", "replicas": "fixed:20", **mix}],
        capacity={"pools": [ON_DEMAND, SPOT]},
        faults={"spot": {"trace": {"file": "spot.parquet"}}},
    )
    assert found["cost:on-demand"] == pytest.approx(on_demand)
    assert found["cost:spot"] == pytest.approx(spot)
    assert found["available_time_ratio"] == pytest.approx(available)


def test_on_demand_may_be_refused_whenever_spot_is_gone() -> None:
    found = one(
        spot_record(),
        policies=[{"name": "mixed", "replicas": "fixed:20", "mix": "skyserve"}],
        capacity={"pools": [ON_DEMAND, SPOT]},
        faults={"spot": {"trace": {"file": "spot.parquet"}}, "onDemandRefusals": {"withSpot": "100%"}},
    )
    assert found["cost:on-demand"] == 0.0
    assert found["available_time_ratio"] == pytest.approx(22 / 24)


def test_quota_and_the_most_of_a_pool_hold() -> None:
    pools = [{**ON_DEMAND, "most": 8}, {**ON_DEMAND, "name": "dear", "price": 2.0}]
    found = one(capacity={"pools": pools, "quota": 15})
    assert found["cost"] == pytest.approx(24 * (8 * 1.0 + 7 * 2.0))
    assert found["replicas"] == 15.0


def test_starts_take_the_shares_of_their_ways() -> None:
    # one replica an hour is added by the load's steps; 30 % of 2,000 starts take ten minutes: late for 0.3 x 10 of 60
    level = np.repeat(np.tile([0.5, 1.5], 1000), HOUR)
    load, inputs = recorded(level)
    found = one(
        inputs,
        days=2000 / 24,
        metricDelay="0s",
        sync="1m",
        workloads=[
            workload(
                load,
                replica={"servingLimit": 1, "startup": [{"share": 0.7, "time": "0s"}, {"share": 0.3, "time": "10m"}]},
            )
        ],
        policies=[{"name": "follows", "replicas": "hpa:1.0,tolerance=0.01,window=0s"}],
    )
    # 1,000 rises: late load 1.5 x 10 min of each slow one, of (0.5 + 1.5) x 60 min x 1,000
    share = found["late_ratio"] * 2 * 60 / (1.5 * 10)
    assert share == pytest.approx(0.3, abs=0.045)  # 3 standard deviations of 1,000 draws


def test_what_waits_is_served_or_gives_up_and_comes_again() -> None:
    # 4 replicas serve 4/s; 5/s come for an hour, then nothing for an hour.
    load, inputs = recorded(np.concatenate([np.full(HOUR, 5.0), np.zeros(23 * HOUR)]))
    usual = {"policies": [{"name": "fixed", "replicas": "fixed:4"}]}
    at_once = one(inputs, workloads=[workload(load, replica={"overload": {}})], **usual)
    assert at_once["unserved_ratio"] == pytest.approx(1 / 5)  # 1/s of 5/s gives up at once
    patient = one(inputs, workloads=[workload(load, replica={"overload": {"patience": "1h"}})], **usual)
    assert patient["unserved_ratio"] == 0.0  # an hour's excess is a quarter of an hour's work
    assert patient["late_ratio"] == 1.0
    # 2 minutes of patience hold 2 x 4; of 60 minutes' excess 1 x 60 - 8 are lost, of 300 that came
    short = one(inputs, workloads=[workload(load, replica={"overload": {"patience": "2m"}})], **usual)
    assert short["unserved_ratio"] == pytest.approx(52 / 300)
    again = one(inputs, workloads=[workload(load, replica={"overload": {"retry": "50%"}})], **usual)
    # half of those that give up come again: 2/s give up, and half of them for good: 1/s of 5/s, but for the ends
    assert again["unserved_ratio"] == pytest.approx(1 / 5, rel=0.03)


def test_batches_set_what_is_served_and_what_is_in_time() -> None:
    # 8 in 0.8 s are 10/s, 32 in 2 s are 16/s; within 1 s 10/s, which is 0.625 of 16/s: one replica is just in time
    batches = [{"size": 8, "latency": 0.8}, {"size": 32, "latency": 2.0}]
    replica = {"capacity": None, "batches": batches, "latencyLimit": 1.0}
    for level, late in ((10.0, 0.0), (10.1, 1.0)):
        found = one(
            workloads=[workload({"generate": {"level": level}}, replica=replica)],
            policies=[{"name": "one", "replicas": "fixed:1"}],
        )
        assert found["late_ratio"] == late


def test_another_engine_serves_more_on_less() -> None:
    # 10/s at 1.25/s a replica and 80 % need 10 replicas; at 0.6 of the resources they cost 10 x 24 x 0.60
    found = one(
        policies=[{"name": "quantised", "replicas": "fixed:peak", "engine": {"capacity": 1.25, "resources": 0.6}}]
    )
    assert found["replicas"] == 10.0
    assert found["cost"] == pytest.approx(144.0)
    assert found["late_ratio"] == 0.0


def test_late_requests_have_their_price() -> None:
    # 10/s on 12 replicas that serve 9.6/s in time: all 864,000 are late at 0.0001
    found = one(workloads=[workload(latePrice=0.0001)], policies=[{"name": "few", "replicas": "fixed:12"}])
    assert found["driver:late"] == pytest.approx(86.4)
    assert found["cost"] == pytest.approx(12 * 24 + 86.4)
