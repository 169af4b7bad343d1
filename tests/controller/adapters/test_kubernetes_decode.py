"""What is kept of pods, scaled objects and scales."""

from __future__ import annotations

from typing import Any

import pytest

from controller.adapters.kubernetes.decode import pod_of, time_s
from controller.adapters.kubernetes.kill_switch import KillSwitch, KillSwitchPlace
from controller.adapters.kubernetes.objects import scale_of, scaled_decoder
from controller.adapters.kubernetes.selectors import parse_selector
from controller.clients.kubernetes import Replaced
from controller.records import ContainerRequest, TargetRef

Document = dict[str, Any]

DEPLOYMENT: Document = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "shop",
        "uid": "d-1",
        "resourceVersion": "4711",
        "generation": 3,
        "annotations": {"foresail.dev/paused": "true"},
        "managedFields": [
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {}, "f:spec": {"f:paused": {}}}},
            {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "foresail", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ],
    },
    "spec": {
        "replicas": 4,
        "selector": {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["a", "b"]},
                {"key": "track", "operator": "DoesNotExist"},
            ],
        },
    },
    "status": {"replicas": 3},
}


def pod() -> Document:
    """A pod as API servers send it, with much that is of no interest."""
    return {
        "metadata": {
            "name": "web-7d9-abcde",
            "namespace": "shop",
            "uid": "p-1",
            "resourceVersion": "99",
            "creationTimestamp": "2026-11-20T12:00:00Z",
            "labels": {"pod-template-hash": "7d9", "app": "web"},
            "annotations": {"checksum/config": "abc"},
        },
        "spec": {
            "nodeName": "node-1",
            "containers": [
                {
                    "name": "server",
                    "image": "registry.invalid/server:1",
                    "resources": {"requests": {"cpu": "250m", "memory": "1Gi", "nvidia.com/gpu": "1"}},
                },
                {"name": "bare", "resources": {}},
            ],
            "initContainers": [
                {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "0.1"}}},
                {"name": "fetch"},
            ],
        },
        "status": {
            "phase": "Running",
            "startTime": "2026-11-20T12:00:02Z",
            "conditions": [
                {"type": "Initialized", "status": "True", "lastTransitionTime": "2026-11-20T12:00:03Z"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-20T12:00:41.250Z"},
            ],
        },
    }


def test_a_pod_is_kept_as_the_engine_needs_it() -> None:
    kept = pod_of(pod())

    # 2026-11-20T12:00:00Z is 1,795,176,000 s after 1970: 20,777 days and 12 h.
    assert kept.namespace == "shop"
    assert kept.labels == (("app", "web"), ("pod-template-hash", "7d9"))
    assert kept.view.name == "web-7d9-abcde"
    assert (kept.view.phase, kept.view.deleted, kept.view.ready) == ("Running", False, True)
    assert kept.view.created_at_s == 1_795_176_000
    assert kept.view.started_at_s == 1_795_176_002
    assert kept.view.transition_at_s == 1_795_176_041.25
    # 250m is 250 thousandths of a core; 1Gi is 1,073,741,824 bytes.
    assert kept.view.containers == (
        ContainerRequest("server", 250, 1_073_741_824_000),
        ContainerRequest("bare", None, None),
    )
    assert kept.view.init_containers == (
        ContainerRequest("proxy", 100, None, restart_always=True),
        ContainerRequest("fetch", None, None),
    )
    assert kept.view.pod_cpu_milli is None


@pytest.mark.parametrize(
    ("condition", "scheduled_at_s", "unschedulable"),
    [
        pytest.param(None, None, False, id="not-looked-at-yet"),
        pytest.param({"status": "True"}, 1_795_176_004, False, id="on-a-node"),
        pytest.param({"status": "False", "reason": "Unschedulable"}, None, True, id="no-node-has-room"),
        pytest.param({"status": "False", "reason": "SchedulingGated"}, None, False, id="kept-back-by-a-gate"),
    ],
)
def test_whether_a_pod_has_a_node(
    condition: Document | None, scheduled_at_s: float | None, *, unschedulable: bool
) -> None:
    made = pod()
    if condition is not None:
        own = {"type": "PodScheduled", "lastTransitionTime": "2026-11-20T12:00:04Z", **condition}
        made["status"]["conditions"].append(own)
    kept = pod_of(made).view

    assert (kept.scheduled_at_s, kept.unschedulable) == (scheduled_at_s, unschedulable)
    assert kept.ready


def test_pods_of_a_workload_share_what_they_have_in_common() -> None:
    one, other = pod_of(pod()), pod_of(pod())

    assert one.labels is other.labels
    assert one.view.containers is other.view.containers
    assert one.view.charge is other.view.charge


@pytest.mark.parametrize(
    ("condition", "ready"),
    [
        pytest.param([], None, id="no-condition"),
        pytest.param([{"type": "Ready", "status": "False"}], False, id="not-ready"),
        pytest.param([{"type": "Ready", "status": "Unknown"}], False, id="node-lost"),
    ],
)
def test_readiness_may_be_unknown(condition: list[Document], ready: bool | None) -> None:  # noqa: FBT001 - a column
    given = pod()
    given["status"]["conditions"] = condition

    assert pod_of(given).view.ready is ready


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_ended_and_terminating_pods_are_kept_with_what_they_are(phase: str) -> None:
    given = pod()
    given["metadata"]["deletionTimestamp"] = "2026-11-20T12:10:00Z"
    given["status"] = {"phase": phase}
    view = pod_of(given).view

    assert (view.phase, view.deleted, view.ready) == (phase, True, None)
    assert view.started_at_s is None
    assert view.transition_at_s is None


def test_a_request_on_the_pod_itself_is_kept() -> None:
    given = pod()
    given["spec"]["resources"] = {"requests": {"cpu": "2", "memory": "500M"}}
    view = pod_of(given).view

    assert (view.pod_cpu_milli, view.pod_memory_milli) == (2000, 500_000_000_000)


@pytest.mark.parametrize(
    ("text", "at_s"),
    [
        pytest.param("1970-01-01T00:01:00Z", 60.0, id="whole-seconds"),
        pytest.param("1970-01-01T00:01:00.5Z", 60.5, id="one-digit"),
        pytest.param("1970-01-01T00:01:00.250000Z", 60.25, id="microseconds"),
        pytest.param("1970-01-01T00:01:00.250000999Z", 60.25, id="nanoseconds-are-cut"),
        pytest.param("1970-01-01T01:01:00+01:00", 60.0, id="offset"),
    ],
)
def test_times_are_read_with_and_without_fractions(text: str, at_s: float) -> None:
    assert time_s(text) == at_s


def test_a_deployment_is_kept_with_its_scale_and_who_writes_its_replicas() -> None:
    kept = scaled_decoder("apps/v1", "Deployment")(DEPLOYMENT)

    assert kept.ref == TargetRef("apps/v1", "Deployment", "shop", "web")
    assert (kept.uid, kept.resource_version, kept.paused, kept.deleted) == ("d-1", "4711", True, False)
    assert kept.managers == ("argocd-controller", "foresail")
    assert kept.scale is not None
    assert (kept.scale.spec_replicas, kept.scale.status_replicas) == (4, 3)
    assert kept.scale.selector is not None
    assert kept.scale.selector.matches({"app": "web", "tier": "b"})
    assert not kept.scale.selector.matches({"app": "web", "tier": "b", "track": "canary"})


@pytest.mark.parametrize(
    ("spec", "replicas"),
    [
        pytest.param({"selector": {"matchLabels": {"app": "web"}}}, 1, id="one-by-default"),
        pytest.param({"selector": {"matchLabels": {"app": "web"}}, "replicas": 0}, 0, id="none"),
        pytest.param({"selector": {"app": "web"}, "replicas": 2}, 2, id="a-replication-controllers-selector"),
    ],
)
def test_replicas_asked_for_have_their_default(spec: Document, replicas: int) -> None:
    kept = scaled_decoder("apps/v1", "ReplicaSet")({**DEPLOYMENT, "spec": spec, "status": {}})

    assert kept.scale is not None
    assert (kept.scale.spec_replicas, kept.scale.status_replicas) == (replicas, 0)
    assert kept.scale.selector == parse_selector("app=web")


def test_other_kinds_do_not_tell_their_scale_themselves() -> None:
    kept = scaled_decoder("serving.kserve.io/v1beta1", "InferenceService")(DEPLOYMENT)

    assert kept.scale is None


def test_a_scale_of_zero_leaves_its_replicas_out() -> None:
    scale = scale_of({"metadata": {"resourceVersion": "5"}, "spec": {}, "status": {"replicas": 2, "selector": "a=b"}})

    assert (scale.spec_replicas, scale.status_replicas, scale.resource_version) == (0, 2, "5")
    assert scale.selector == parse_selector("a=b")


SAID = [
    pytest.param({"word": "true"}, True, id="true"),
    pytest.param({"word": ""}, True, id="nothing"),
    pytest.param({"word": "y"}, True, id="in-haste"),
    pytest.param({"word": "2026-11-20, ticket 7"}, True, id="why"),
    pytest.param({"word": " False\n"}, False, id="false"),
    pytest.param({"word": "NO"}, False, id="no"),
    pytest.param({"word": "Off"}, False, id="off"),
    pytest.param({"word": "0"}, False, id="zero"),
    pytest.param({"another": "true"}, False, id="not-there"),
    pytest.param(None, False, id="none-at-all"),
]


def under(name: str, said: dict[str, str] | None) -> dict[str, str] | None:
    return None if said is None else {name if key == "word" else key: value for key, value in said.items()}


@pytest.mark.parametrize(("said", "paused"), SAID)
def test_the_annotation_pauses_unless_it_says_no(said: dict[str, str] | None, paused: bool) -> None:  # noqa: FBT001 - a column
    annotations = under("foresail.dev/paused", said)
    item = {**DEPLOYMENT, "metadata": {**DEPLOYMENT["metadata"], "annotations": annotations}}

    assert scaled_decoder("apps/v1", "Deployment")(item).paused == paused


@pytest.mark.parametrize(("said", "on"), SAID)
def test_the_config_map_is_on_unless_it_says_no(said: dict[str, str] | None, on: bool) -> None:  # noqa: FBT001 - a column
    switch = KillSwitch(KillSwitchPlace("shop"))
    decoded = switch.subject().decode({"metadata": {"name": "foresail-kill-switch"}, "data": under("enabled", said)})
    switch.subject().on_change(Replaced([bool(decoded)]))

    assert switch.killed() == ("ConfigMap shop/foresail-kill-switch says enabled" if on else None)


@pytest.mark.parametrize(
    ("replicas", "updated", "progressing", "rolling"),
    [
        pytest.param(5, 2, "True", True, id="pods-of-both-templates"),
        pytest.param(5, None, "True", True, id="none-updated-yet"),
        pytest.param(4, 4, "True", False, id="all-updated"),
        pytest.param(5, 2, "False", False, id="over-its-deadline"),
        pytest.param(5, 2, "Unknown", False, id="paused"),
    ],
)
def test_whether_a_rollout_is_under_way(replicas: int, updated: int | None, progressing: str, rolling: bool) -> None:  # noqa: FBT001 - a column
    status: Document = {"replicas": replicas, "conditions": [{"type": "Progressing", "status": progressing}]}
    status |= {} if updated is None else {"updatedReplicas": updated}
    assert scaled_decoder("apps/v1", "Deployment")({**DEPLOYMENT, "status": status}).rolling == rolling
