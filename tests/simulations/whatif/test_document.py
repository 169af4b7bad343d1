"""The scenario document: it says all its problems at once, and comes back as it was written."""

from __future__ import annotations

import pytest

from policies.problems import PolicyError
from simulations.whatif.document import Policy, scenario_from
from tests.simulations.whatif.builders import ON_DEMAND, SPOT, document, scenario, workload

ONE_OF = "must have exactly one of"
RULES = "must be fixed:COUNT, fixed:peak, schedule, hpa:TARGET, kpa, predictive or reactive"


def test_tells_every_problem_at_once_with_its_path_and_mend() -> None:
    written = document(
        step="7m",
        incumbent="hpa",
        policies=[
            {"name": "a", "replicas": "hpa:70", "pools": ["spott"]},
            {"name": "a", "replicas": "fixed:0"},
        ],
        workloads=[
            workload({"file": "a.csv", "generate": {"level": 0}}),
            workload(replica={"startup": [{"share": "60%", "time": "1m"}, {"share": 0.3, "time": "5m"}]}),
        ],
    )
    with pytest.raises(PolicyError) as raised:
        scenario_from(written, source="x.yaml")
    assert str(raised.value).splitlines() == [
        "x.yaml: workloads[0].load.generate.level: must be above 0, not 0",
        f"x.yaml: workloads[0].load: {ONE_OF} file, journal, prometheus or generate, not file and generate",
        "x.yaml: workloads[1].replica.startup: has shares that add up to 0.9; they must add up to 1",
        f"x.yaml: policies[0].replicas: {RULES}, not 'hpa:70' (did you mean hpa:0.70?)",
        f"x.yaml: policies[1].replicas: {RULES}, not 'fixed:0' (did you mean fixed:peak?)",
        "x.yaml: workloads[1].name: 'web' is already the name of workloads[0]; give each its own",
        "x.yaml: policies[1].name: 'a' is already the name of policies[0]; give each its own",
        "x.yaml: incumbent: must name a policy, not 'hpa'",
        "x.yaml: policies[0].pools[0]: must be one of capacity.pools, not 'spott'; there is on-demand",
        "x.yaml: step: must divide an hour, as bills are by the hour: 7m does not",
    ]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        pytest.param(
            {"workloads": [workload({"generate": {"level": 1, "weekly": [1, 1]}})]},
            "workloads[0].load.generate.weekly: must have 7 factors, Monday first, not 2",
            id="a-week-has-seven-days",
        ),
        pytest.param(
            {"workloads": [workload(changes=[{"launch": {"after": "1d", "to": 2}, "growth": {"perYear": 1}}])]},
            "workloads[0].changes[0]: must have exactly one of growth, launch, flashCrowd, regionLost, failure or "
            "metricsOutage, not growth and launch",
            id="a-change-is-one-thing",
        ),
        pytest.param(
            {"workloads": [workload(replica={"batches": [{"size": 1, "latency": 0.1}], "capacity": None})]},
            "workloads[0].replica.latencyLimit: goes with batches, and batches with it: give both or neither",
            id="batches-need-a-limit",
        ),
        pytest.param(
            {"policies": [{"name": "a", "replicas": "kpa", "mix": "skyserve"}]},
            "policies[0].mix: skyserve needs spot pools; add one to the pools of the policy",
            id="a-mix-has-what-it-mixes",
        ),
        pytest.param(
            {"faults": {"zoneLost": {"zone": "b", "after": "1h", "lasts": "1h"}}},
            "faults.zoneLost.zone: must be the zone of a pool, not 'b'",
            id="a-lost-zone-has-a-pool",
        ),
        pytest.param(
            {"capacity": {"pools": [{"name": "a", "instanceType": "aws/m5.xlarg", "region": "us-east-1"}]}},
            "capacity.pools[0].instanceType: must be a provider/type of those built in, not 'aws/m5.xlarg'"
            " (did you mean aws/m5.xlarge?)",
            id="an-instance-type-is-built-in",
        ),
        pytest.param(
            {"capacity": {"pools": [{"name": "a"}]}},
            "capacity.pools[0].price: is required without an instanceType",
            id="a-pool-has-a-price",
        ),
        pytest.param(
            {"days": 10_000},
            "days: and warmup make 14,400,000 steps of 1m, and at most 6,000,000 fit into memory; write at most 4,167"
            " days, or a longer step",
            id="a-run-fits-into-memory",
        ),
        pytest.param({"sync": "25s"}, "sync: must divide step (1m), not 25s", id="decisions-fill-a-step"),
        pytest.param(
            {"faults": {"spot": {}}},
            "faults.spot: must have exactly one of trace, fitted or spells, not none",
            id="spot-comes-from-somewhere",
        ),
    ],
)
def test_finds(fields: dict[str, object], problem: str) -> None:
    with pytest.raises(PolicyError) as raised:
        scenario(**fields)
    assert str(raised.value) == f"test: {problem}"


@pytest.mark.parametrize(
    ("replicas", "mix", "late"),
    [
        pytest.param("predictive", "foresail", 0.005, id="half-each"),
        pytest.param("predictive", "skyserve", 0.01, id="the-rule-alone"),
        pytest.param("fixed:peak", "foresail", 0.01, id="the-hedger-alone"),
    ],
)
def test_the_objective_is_shared_by_those_that_aim_at_it(replicas: str, mix: str, late: float) -> None:
    found = Policy.model_validate({"name": "a", "replicas": replicas, "mix": mix, "objective": {"late": "1%"}})
    assert found.late_each == pytest.approx(late)


def test_comes_back_as_it_was_written() -> None:
    asked = scenario(
        warmup="12h",
        workloads=[workload(changes=[{"failure": {"after": "6h", "lasts": "30m", "left": "2%"}}], latePrice=0.001)],
        policies=[
            {
                "name": "night",
                "replicas": "schedule",
                "schedule": [{"cron": "0 6 * * *", "duration": "16h", "min": 4}],
                "mix": "skyserve",
            }
        ],
        capacity={"pools": [ON_DEMAND, SPOT]},
        faults={"spot": {"spells": {"up": "4h", "down": "30m", "upShape": 0.7}}},
    )
    assert scenario_from(asked.document(), source="again") == asked
    assert asked.steps == 2160  # 12 h of warm-up and a day, in minutes: 720 + 1440
    assert asked.warmup_steps == 720
