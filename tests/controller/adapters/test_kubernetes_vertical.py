"""VerticalPodAutoscalers and pods as the API server sends them."""

from __future__ import annotations

from typing import Any

import pytest

from controller.adapters.kubernetes.vertical.decode import autoscaler_of, labelled_pod_of
from controller.records import TargetRef

GIB = 2**30 * 1000


def item(**spec: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a spec is
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {
        "metadata": {"namespace": "shop", "name": "web", "uid": "u", "resourceVersion": "7"},
        "spec": {"targetRef": target, "recommenders": [{"name": "foresail"}], **spec},
    }


@pytest.mark.parametrize(
    "recommenders",
    [
        pytest.param(None, id="none-named"),
        pytest.param([], id="an-empty-list"),
        pytest.param([{"name": "another"}], id="another"),
    ],
)
def test_an_autoscaler_that_names_another_recommender_is_none_of_ours(recommenders: object) -> None:
    assert autoscaler_of(item(recommenders=recommenders)) is None


def test_an_autoscaler_with_its_rules() -> None:
    policies = [
        {"containerName": "server", "minAllowed": {"cpu": "100m"}, "maxAllowed": {"memory": "2Gi", "cpu": 2}},
        {"containerName": "*", "mode": "Off"},
    ]
    found = autoscaler_of(item(resourcePolicy={"containerPolicies": policies}))
    assert found is not None
    assert (found.target, found.trouble) == (TargetRef("apps/v1", "Deployment", "shop", "web"), None)
    assert found.rule_of("server").most == {"cpu": 2000, "memory": 2 * GIB}
    assert found.rule_of("server").least == {"cpu": 100}
    assert found.rule_of("sidecar").off


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        pytest.param({"targetRef": None}, "spec.targetRef is not set", id="no-target"),
        pytest.param({"recommenders": [{"name": "foresail"}, {"name": "b"}]}, "names more than one", id="two"),
        pytest.param(
            {"resourcePolicy": {"containerPolicies": [{"minAllowed": {"cpu": "much"}}]}},
            "spec.resourcePolicy.containerPolicies[0].minAllowed.cpu: must be a number or a Kubernetes quantity",
            id="no-quantity",
        ),
        pytest.param(
            {"resourcePolicy": {"containerPolicies": [{"minAllowed": {"cpu": 2}, "maxAllowed": {"cpu": 1}}]}},
            "minAllowed.cpu is above maxAllowed.cpu",
            id="crossed-bounds",
        ),
    ],
)
def test_what_cannot_be_followed_is_told(spec: dict[str, Any], told: str) -> None:
    found = autoscaler_of(item(**spec))
    assert found is not None
    assert told in (found.trouble or "")


def pod(**status: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a status is
    resources = {"requests": {"cpu": "250m", "memory": "1Gi"}}
    return {
        "metadata": {"namespace": "shop", "name": "web-1", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "server", "resources": resources}, {"name": "sidecar"}]},
        "status": {"phase": "Running", **status},
    }


def test_a_pod_with_what_it_asks_for_and_its_last_kill() -> None:
    ended = {"terminated": {"reason": "OOMKilled", "finishedAt": "2026-11-26T10:00:00Z"}}
    found = labelled_pod_of(pod(containerStatuses=[{"name": "server", "lastState": ended}, {"name": "sidecar"}]))
    assert found is not None
    server, sidecar = found.pod.containers
    assert (server.cpu_milli, server.memory_milli, server.oom_at_s) == (250, GIB, 1_795_687_200.0)
    assert (sidecar.cpu_milli, sidecar.memory_milli, sidecar.oom_at_s) == (None, None, None)


def test_an_end_for_another_reason_is_no_kill_and_a_pod_that_is_over_is_none() -> None:
    ended = {"terminated": {"reason": "Error", "finishedAt": "2026-11-26T10:00:00Z"}}
    found = labelled_pod_of(pod(containerStatuses=[{"name": "server", "lastState": ended}]))
    assert found is not None
    assert found.pod.containers[0].oom_at_s is None
    assert labelled_pod_of(pod(phase="Succeeded")) is None


@pytest.mark.parametrize("mode", ["InPlaceOrRecreate", "InPlace", "Recreate", "Auto", None])
def test_an_autoscaler_tells_whether_its_pods_are_resized_in_place(mode: str | None) -> None:
    found = autoscaler_of(item() if mode is None else item(updatePolicy={"updateMode": mode}))
    assert found is not None
    assert found.in_place == (mode in {"InPlaceOrRecreate", "InPlace"})


@pytest.mark.parametrize(
    ("method", "told"),
    [("vpa", None), ("foresail", None), ("krr", "foresail.dev/method: 'krr' is none of foresail, vpa")],
)
def test_an_annotation_chooses_the_method(method: str, told: str | None) -> None:
    given = item()
    given["metadata"]["annotations"] = {"foresail.dev/method": method}
    found = autoscaler_of(given)
    assert found is not None
    assert found.method == method
    assert (found.trouble or "").endswith(told or "")
    assert (found.trouble is None) == (told is None)
