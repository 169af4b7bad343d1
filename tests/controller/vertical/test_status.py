"""The status of a VerticalPodAutoscaler, from what is recommended and what stands."""

from __future__ import annotations

from typing import Any

import pytest

from controller.vertical.records import Autoscaler, ContainerRule
from controller.vertical.status import Recommended, Told, status_of

GIB = 2**30 * 1000  # thousandths of a byte
AT_S = 1_700_000_000.0
NOW = "2023-11-14T22:13:20Z"


def autoscaler(*rules: ContainerRule, **status: Any) -> Autoscaler:  # noqa: ANN401 - whatever a status is
    return Autoscaler("shop", "web", "uid", "1", None, rules, status=status)


def server(*, young: bool = False, cpu: int = 500) -> Recommended:
    low, high = {"cpu": cpu // 2, "memory": GIB}, {"cpu": cpu * 2, "memory": 4 * GIB}
    return Recommended("server", low, {"cpu": cpu, "memory": 2 * GIB}, high, young=young)


def told(*recommended: Recommended, **more: Any) -> Told:  # noqa: ANN401 - the other fields
    names = tuple(each.container for each in recommended) or ("server",)
    return Told(recommended, **{"containers": names, "matched": True, "at_s": AT_S, **more})


def containers(status: dict[str, Any] | None) -> dict[str, Any]:
    assert status is not None
    found = (status["recommendation"] or {}).get("containerRecommendations", [])
    return {each["containerName"]: each for each in found}


def conditions(status: dict[str, Any] | None) -> dict[str, str]:
    assert status is not None
    return {each["type"]: each["status"] for each in status["conditions"]}


def test_a_whole_status() -> None:
    assert status_of(autoscaler(), told(server())) == {
        "conditions": [{"type": "RecommendationProvided", "status": "True", "lastTransitionTime": NOW}],
        "recommendation": {
            "containerRecommendations": [
                {
                    "containerName": "server",
                    "lowerBound": {"cpu": "250m", "memory": "1073741824"},
                    "target": {"cpu": "500m", "memory": "2147483648"},
                    "upperBound": {"cpu": "1000m", "memory": "4294967296"},
                    "uncappedTarget": {"cpu": "500m", "memory": "2147483648"},
                }
            ]
        },
    }


def test_a_status_that_stands_is_not_written_again_however_its_quantities_look() -> None:
    status = status_of(autoscaler(), told(server()))
    assert status is not None
    [each] = status["recommendation"]["containerRecommendations"]
    each["target"] = {"cpu": "0.5", "memory": "2Gi"}
    assert status_of(autoscaler(**status), told(server(), at_s=AT_S + 60)) is None
    assert status_of(autoscaler(**status), told(server(cpu=501))) is not None
    each["upperBound"]["cpu"] = "1009m"  # by less than 1 %
    assert status_of(autoscaler(**status), told(server())) is None
    each["upperBound"]["cpu"] = "1020m"
    assert status_of(autoscaler(**status), told(server())) is not None


@pytest.mark.parametrize(
    ("rule", "target", "uncapped"),
    [
        pytest.param(ContainerRule(most={"cpu": 400}), {"cpu": "400m"}, {"cpu": "500m"}, id="capped"),
        pytest.param(ContainerRule(least={"cpu": 700}), {"cpu": "700m"}, {"cpu": "500m"}, id="raised"),
        pytest.param(
            ContainerRule(least={"cpu": 700}, most={"cpu": 600}),
            {"cpu": "600m"},
            {"cpu": "500m"},
            id="the-maximum-wins",
        ),
        pytest.param(
            ContainerRule("server", most={"cpu": 450}), {"cpu": "450m"}, {"cpu": "500m"}, id="by-the-container's-name"
        ),
    ],
)
def test_a_policy_bounds_all_but_the_uncapped_target(
    rule: ContainerRule, target: dict[str, str], uncapped: dict[str, str]
) -> None:
    found = containers(status_of(autoscaler(rule), told(server())))["server"]
    assert (found["target"]["cpu"], found["uncappedTarget"]["cpu"]) == (target["cpu"], uncapped["cpu"])


def test_a_resource_that_is_not_controlled_is_left_out() -> None:
    found = containers(status_of(autoscaler(ContainerRule(controlled=frozenset({"memory"}))), told(server())))
    assert {bound: set(found["server"][bound]) for bound in ("target", "upperBound", "uncappedTarget")} == {
        "target": {"memory"},
        "upperBound": {"memory"},
        "uncappedTarget": {"memory"},
    }


def test_a_container_that_is_off_has_no_recommendation_and_its_own_rule_wins() -> None:
    rules = (ContainerRule(off=True), ContainerRule("server"))
    assert set(containers(status_of(autoscaler(*rules), told(server())))) == {"server"}
    assert containers(status_of(autoscaler(ContainerRule(off=True)), told(server()))) == {}


def test_without_an_estimate_what_is_recommended_stays() -> None:
    status = status_of(autoscaler(), told(server()))
    assert status is not None
    assert status_of(autoscaler(**status), told(matched=None)) is None
    assert status_of(autoscaler(**status), Told(containers=(), matched=False, at_s=AT_S)) is not None


def test_a_resource_without_an_estimate_keeps_what_is_recommended_for_it() -> None:
    status = status_of(autoscaler(), told(server()))
    assert status is not None
    cpu_alone = Recommended("server", {"cpu": 300}, {"cpu": 600}, {"cpu": 900})
    found = containers(status_of(autoscaler(**status), told(cpu_alone)))["server"]
    assert found["target"] == {"cpu": "600m", "memory": "2147483648"}
    assert found["uncappedTarget"] == {"cpu": "600m", "memory": "2147483648"}


def test_on_less_than_a_day_nothing_is_lowered_and_all_is_raised() -> None:
    standing = {"containerName": "server", "target": {"cpu": "2", "memory": "1Gi"}}
    status = {"recommendation": {"containerRecommendations": [standing]}}
    found = status_of(autoscaler(**status), told(server(young=True)))
    assert containers(found)["server"]["target"] == {"cpu": "2000m", "memory": str(2 * 2**30)}
    assert conditions(found)["LowConfidence"] == "True"
    later = status_of(autoscaler(**status), told(server()))
    assert containers(later)["server"]["target"]["cpu"] == "500m"
    assert "LowConfidence" not in conditions(later)


def test_conditions_keep_the_time_since_when_they_hold() -> None:
    before = [{"type": "NoPodsMatched", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}]
    status = status_of(autoscaler(conditions=before), Told(matched=False, trouble="no targetRef", at_s=AT_S))
    assert status is not None
    times = {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}
    assert times == {
        "NoPodsMatched": "2020-01-01T00:00:00Z",
        "ConfigUnsupported": NOW,
        "RecommendationProvided": NOW,
    }
    assert conditions(status)["RecommendationProvided"] == "False"


def test_whether_there_are_pods_stays_as_it_was_while_nobody_knows() -> None:
    before = [{"type": "NoPodsMatched", "status": "True", "lastTransitionTime": NOW, "reason": "NoPodsMatched"}]
    assert (
        conditions(status_of(autoscaler(conditions=before), Told(matched=None, at_s=AT_S)))["NoPodsMatched"] == "True"
    )
    found = status_of(autoscaler(conditions=before), told(matched=True))
    assert "NoPodsMatched" not in conditions(found)
