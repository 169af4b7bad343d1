"""Autoscalers as they are read from a cluster, with GET alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controller.adapters.kubernetes.autoscalers import read_autoscalers
from controller.adapters.kubernetes.discovery import Discovery
from controller.errors import Rejected
from simulations.audit.autoscaler import About, Metric, NamedMetric, OtherMetric, QueryMetric, ResourceMetric
from tests.controller.clients.kubernetes_server import ApiServer, HurriedClock, document, listing, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simulations.audit.autoscaler import Autoscaler

HPAS = "GET /apis/autoscaling/v2/horizontalpodautoscalers"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}


def hpa(name: str, *metrics: dict[str, Any], maker: str | None = None) -> dict[str, Any]:
    owner = {"apiVersion": "keda.sh/v1alpha1", "kind": maker, "name": name, "controller": True}
    return {
        "metadata": {"name": name, "namespace": "shop", "ownerReferences": [owner] if maker else []},
        "spec": {"scaleTargetRef": TARGET, "minReplicas": 2, "maxReplicas": 9, "metrics": list(metrics)},
    }


def scaled_object(*triggers: dict[str, Any], **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - as YAML has it
    return {
        "metadata": {"name": "tokens", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"name": "model"}, "triggers": list(triggers), **spec},
    }


def serve(server: ApiServer, *, hpas: Sequence[dict[str, Any]] = (), keda: Sequence[dict[str, Any]] = ()) -> None:
    server.on("GET /apis/autoscaling", document({"versions": [{"version": "v2"}]}))
    server.on("GET /apis/keda.sh", document({"versions": [{"version": "v1alpha1"}]}))
    server.on(HPAS, listing(*hpas, version="1"))
    server.on("GET /apis/keda.sh/v1alpha1/scaledobjects", listing(*keda, version="1"))


async def read(server: ApiServer, namespace: str | None = None) -> Sequence[Autoscaler]:
    async with await server.session() as session:
        return await read_autoscalers(session, Discovery(session, HurriedClock()), namespace)


def resource(name: str, **target: object) -> dict[str, Any]:
    return {"type": "Resource", "resource": {"name": name, "target": target}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(resource("cpu", averageUtilization=65), ResourceMetric("cpu", None, 0.65), id="share-of-cpu"),
        pytest.param(resource("cpu", averageValue="500m"), ResourceMetric("cpu", average_value=0.5), id="cores"),
        pytest.param(
            {
                "type": "ContainerResource",
                "containerResource": {"name": "cpu", "container": "app", "target": {"averageUtilization": 80}},
            },
            ResourceMetric("cpu", "app", 0.8),
            id="of-one-container",
        ),
        pytest.param(
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "1k"}}},
            NamedMetric("Pods", "rps", 1000.0),
            id="of-pods",
        ),
        pytest.param(
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "rps"},
                    "describedObject": {"kind": "Ingress", "name": "main"},
                    "target": {"averageValue": "10"},
                },
            },
            NamedMetric("Object", "rps", 10.0, (("ingress", "main"),)),
            id="of-an-object",
        ),
        pytest.param(
            {
                "type": "External",
                "external": {
                    "metric": {"name": "depth", "selector": {"matchLabels": {"queue": "jobs"}}},
                    "target": {"averageValue": "30"},
                },
            },
            NamedMetric("External", "depth", 30.0, (("queue", "jobs"),)),
            id="external",
        ),
    ],
)
async def test_metrics_of_an_hpa(tmp_path: Path, given: dict[str, Any], expected: Metric) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server, hpas=[hpa("chat", given)])
        [found] = await read(server)
    assert found.metrics == (expected,)
    assert (found.uid, found.min_replicas, found.max_replicas) == ("shop/chat", 2, 9)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(resource("memory", averageUtilization=80), "does not rise and fall with load", id="memory"),
        pytest.param(
            {"type": "External", "external": {"metric": {"name": "lag"}, "target": {"value": "9"}}},
            "depends on the replicas",
            id="value",
        ),
        pytest.param(
            {
                "type": "External",
                "external": {
                    "metric": {"name": "lag", "selector": {"matchExpressions": [{"key": "a"}]}},
                    "target": {"averageValue": "9"},
                },
            },
            "matchExpressions",
            id="expressions",
        ),
        pytest.param({"type": "Pods"}, "it cannot be read (KeyError", id="broken"),
        pytest.param({"type": "Dream"}, "its type is not known", id="unknown"),
    ],
)
async def test_metrics_that_cannot_be_replayed_say_why(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server, hpas=[hpa("chat", given)])
        [found] = await read(server)
    [metric] = found.metrics
    assert isinstance(metric, OtherMetric)
    assert words in metric.why


async def test_a_scaled_object_stands_for_the_hpa_that_it_made(tmp_path: Path) -> None:
    prometheus = {
        "type": "prometheus",
        "metadata": {"serverAddress": "http://p:9090", "query": "sum(rate(tokens[1m]))", "threshold": "250"},
    }
    cpu = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "60"}}
    cron = {"type": "cron", "metadata": {"desiredReplicas": "5"}}
    async with ApiServer(tmp_path) as server:
        keda = [scaled_object(prometheus, cpu, cron, maxReplicaCount=7)]
        serve(server, hpas=[hpa("keda-hpa-tokens", maker="ScaledObject")], keda=keda)
        [found] = await read(server)
    assert (found.kind, found.target_kind, found.target_name) == ("ScaledObject", "Deployment", "model")
    assert (found.min_replicas, found.max_replicas) == (0, 7)
    query, share, other = found.metrics
    assert query == QueryMetric("sum(rate(tokens[1m]))", 250.0, "http://p:9090")
    assert share == ResourceMetric("cpu", None, 0.6)
    assert isinstance(other, OtherMetric)
    assert "a trigger of type cron has no counterpart" in other.why


async def test_only_get_is_sent_and_lists_are_paged(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server)
        first, last = hpa("a"), hpa("b")
        server.on(HPAS, listing(first, version="1", rest="more"), listing(last, version="1"))
        found = await read(server)
        assert [each.name for each in found] == ["a", "b"]
        assert [asked.get("continue") for asked in server.asked(HPAS)] == [None, "more"]
        assert {route.split()[0] for route, _ in server.requests} == {"GET"}
        assert server.bodies == []


async def test_a_namespace_is_asked_alone(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server)
        server.on("GET /apis/keda.sh", refusal(404, "no such group"))
        server.on("GET /apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers", listing(hpa("a"), version="1"))
        assert len(await read(server, "shop")) == 1


async def test_a_refusal_is_told(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        serve(server)
        server.on(HPAS, refusal(403, "may not list"))
        with pytest.raises(Rejected, match="listing autoscalers: may not list"):
            await read(server)


async def test_a_behavior_is_read_from_both_kinds_and_nulls_are_defaults(tmp_path: Path) -> None:
    down = {"stabilizationWindowSeconds": None, "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}
    of_hpa = hpa("chat", resource("cpu", averageUtilization=70))
    of_hpa["spec"]["behavior"] = {"scaleUp": None, "scaleDown": down}
    advanced = {"horizontalPodAutoscalerConfig": {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}}}
    async with ApiServer(tmp_path) as server:
        serve(server, hpas=[of_hpa], keda=[scaled_object(advanced=advanced)])
        chat, tokens = await read(server)
    assert chat.behavior is not None
    assert chat.behavior.scale_up is None
    assert chat.behavior.scale_down is not None
    assert chat.behavior.scale_down.stabilization_window_seconds == 300
    assert [policy.value for policy in chat.behavior.scale_down.policies] == [2]
    assert tokens.behavior is not None
    assert tokens.behavior.scale_up is not None
    assert tokens.behavior.scale_up.stabilization_window_seconds == 60
    assert chat.findings == tokens.findings == ()


async def test_a_behavior_that_cannot_be_read_is_told_and_the_defaults_stand_for_it(tmp_path: Path) -> None:
    given = hpa("chat", resource("cpu", averageUtilization=70))
    given["spec"]["behavior"] = {"scaleUp": {"selectPolicy": "Often"}}
    async with ApiServer(tmp_path) as server:
        serve(server, hpas=[given])
        [found] = await read(server)
    assert found.behavior is None
    [finding] = found.findings
    assert finding.about == About.BEHAVIOR
    assert finding.message.startswith("its behavior cannot be read (scaleUp.selectPolicy: ")
    assert finding.message.endswith("; its rule is replayed with the defaults")
