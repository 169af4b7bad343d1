"""The autoscaler that takes over: bounds, metrics and falls."""

from __future__ import annotations

import pytest

from policies.plain_hpa import plain_hpa, reads_demand
from policies.spec import WorkloadPolicy, policy_from

REQUESTS = {"name": "load", "kind": "demand", "query": "rps", "capacityPerReplica": 20}
CPU = {"name": "cpu", "kind": "demand", "query": "cpu", "capacityFromRequest": {"resource": "cpu"}}
OF_SERVER = {"resource": "memory", "container": "server"}
MEMORY = {"name": "memory", "kind": "demand", "query": "memory", "capacityFromRequest": OF_SERVER}
SIXTY = {"type": "Utilization", "averageUtilization": 60}


def policy(*signals: object, schedules: tuple[object, ...] = (), **spec: object) -> WorkloadPolicy:
    document = {
        "apiVersion": "foresail.dev/v1alpha1",
        "kind": "WorkloadPolicy",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "replicas": {"min": 2, "max": 10, "schedules": list(schedules)},
            "signals": list(signals),
            **spec,
        },
    }
    return policy_from(document, source="test")


def hpa(of: WorkloadPolicy) -> dict[str, object]:
    found = plain_hpa(of)["spec"]
    assert isinstance(found, dict)
    return found


def test_it_names_what_it_scales() -> None:
    made = plain_hpa(policy(CPU))
    assert made["metadata"] == {
        "name": "web-handback",
        "namespace": "shop",
        "labels": {"foresail.dev/handed-back": "true"},
    }
    assert hpa(policy(CPU))["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def test_it_is_named_by_the_policy_as_objects_of_two_kinds_may_share_a_name() -> None:
    other = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "of-another-name"}
    made = plain_hpa(policy(CPU, target=other))["metadata"]
    assert isinstance(made, dict)
    assert made["name"] == "web-handback"


def test_bounds_are_the_policys_and_the_largest_of_its_schedules() -> None:
    assert [hpa(policy(CPU))[each] for each in ("minReplicas", "maxReplicas")] == [2, 10]
    day = {"cron": "0 8 * * *", "duration": "10h", "min": 5, "max": 30}
    found = hpa(policy(CPU, schedules=(day,)))
    assert (found["minReplicas"], found["maxReplicas"]) == (5, 30)


@pytest.mark.parametrize(
    ("signals", "metrics"),
    [
        pytest.param(
            [CPU, REQUESTS],
            [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
                }
            ],
            id="the-request-of-pods-at-the-serving-limit",
        ),
        pytest.param(
            [MEMORY],
            [
                {
                    "type": "ContainerResource",
                    "containerResource": {
                        "name": "memory",
                        "container": "server",
                        "target": SIXTY,
                    },
                }
            ],
            id="one-container",
        ),
    ],
)
def test_signals_of_resources_become_metrics(signals: list[object], metrics: list[object]) -> None:
    falls = {"scaleDown": {"stabilizationWindowSeconds": 900}}
    found = hpa(policy(*signals, objective={"servingLimit": "60%"}, behavior=falls))
    assert found["metrics"] == metrics
    assert found["behavior"] == falls
    assert reads_demand(policy(*signals))


def test_without_such_a_signal_it_follows_cpu_and_never_lowers() -> None:
    found = hpa(policy(REQUESTS, behavior={"scaleUp": {"stabilizationWindowSeconds": 30}}))
    target = {"type": "Utilization", "averageUtilization": 70}
    assert found["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    assert found["behavior"] == {
        "scaleUp": {"stabilizationWindowSeconds": 30},
        "scaleDown": {"selectPolicy": "Disabled"},
    }
    assert not reads_demand(policy(REQUESTS))
