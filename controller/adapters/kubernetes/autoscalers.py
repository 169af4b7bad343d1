"""Lists the autoscalers of a cluster, and reads from each what it scales and on which metrics. Only reads."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.objects import controller_of
from controller.clients.kubernetes import ApiFailure, translated
from policies.behavior import Behavior
from policies.quantities import parse_quantity
from simulations.audit.autoscaler import (
    PERCENT,
    About,
    Autoscaler,
    Finding,
    Metric,
    NamedMetric,
    OtherMetric,
    QueryMetric,
    ResourceMetric,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from controller.adapters.kubernetes.discovery import Discovery
    from controller.clients.kubernetes import JsonObject, KubernetesSession

_KEDA_MOST = 100  # replicas, where a ScaledObject says nothing
_RELATIVE = "its target (Value) compares a reading that depends on the replicas there are, so no load follows from it"


async def read_autoscalers(
    session: KubernetesSession, discovery: Discovery, namespace: str | None
) -> Sequence[Autoscaler]:
    """Every ScaledObject, and every HorizontalPodAutoscaler that no ScaledObject made, in a namespace (None: in all).

    Raises Unavailable and Rejected.
    """
    try:
        scaled_objects, hpas = await discovery.scaled_objects(), await discovery.autoscalers()
        found = [scaled_object_of(each) async for each in items(session, scaled_objects, namespace)]
        found += [hpa_of(each) async for each in items(session, hpas, namespace) if not made_by_keda(each)]
    except ApiFailure as failure:
        raise translated(failure, doing="listing autoscalers") from failure
    return sorted(found, key=lambda each: (each.namespace, each.target_name, each.name))


def made_by_keda(item: JsonObject) -> bool:
    """Whether an HPA belongs to a ScaledObject, which made it."""
    maker = controller_of(item["metadata"])
    return maker is not None and maker.kind == "ScaledObject"


def hpa_of(item: JsonObject) -> Autoscaler:
    """Decode a HorizontalPodAutoscaler of autoscaling/v1, v2beta2 or v2."""
    spec: dict[str, Any] = item.get("spec") or {}
    metrics = [_replayable(metric_of(each)) for each in spec.get("metrics") or ()]
    if (percent := spec.get("targetCPUUtilizationPercentage")) is not None:  # autoscaling/v1
        metrics.append(ResourceMetric("cpu", target_ratio=percent / PERCENT))
    return _autoscaler(
        "HorizontalPodAutoscaler",
        item,
        bounds=(spec.get("minReplicas", 1), spec["maxReplicas"]),
        metrics=metrics,
        behavior=spec.get("behavior"),
    )


def scaled_object_of(item: JsonObject) -> Autoscaler:
    """Decode a ScaledObject of KEDA."""
    spec: dict[str, Any] = item.get("spec") or {}
    metrics = [_replayable(trigger_of(each)) for each in spec.get("triggers") or ()]
    least, most = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", _KEDA_MOST)
    of_hpa = (spec.get("advanced") or {}).get("horizontalPodAutoscalerConfig") or {}
    return _autoscaler("ScaledObject", item, bounds=(least, most), metrics=metrics, behavior=of_hpa.get("behavior"))


def metric_of(given: JsonObject) -> Metric:
    """One entry of an HPA's `metrics`; what cannot be understood says why."""
    return _readable(_metric, given)


def trigger_of(given: JsonObject) -> Metric:
    """One trigger of a ScaledObject; what cannot be understood says why."""
    return _readable(_trigger, given)


def _replayable(metric: Metric) -> Metric:
    """The metric, where replicas can be replayed on it."""
    if not isinstance(metric, ResourceMetric) or metric.resource == "cpu":
        return metric
    why = "use of this resource does not rise and fall with load, so replicas cannot be replayed"
    return OtherMetric(metric.resource, why)


def _autoscaler(
    kind: str, item: JsonObject, *, bounds: tuple[int, int], metrics: Sequence[Metric], behavior: JsonObject | None
) -> Autoscaler:
    target = (item.get("spec") or {}).get("scaleTargetRef") or {}
    least, most = bounds
    written, findings = _behavior(behavior)
    return Autoscaler(
        kind=kind,
        namespace=item["metadata"]["namespace"],
        name=item["metadata"]["name"],
        target_api_version=target.get("apiVersion") or "apps/v1",
        target_kind=target.get("kind") or "Deployment",
        target_name=target.get("name") or "",
        min_replicas=least,
        max_replicas=most,
        metrics=tuple(metrics),
        behavior=written,
        findings=findings,
    )


def _behavior(given: JsonObject | None) -> tuple[Behavior | None, tuple[Finding, ...]]:
    """What is written of a behavior; the defaults, and a word on them, where it cannot be read."""
    if not given:
        return None, ()
    try:
        return Behavior.model_validate(_written(given)), ()
    except ValidationError as error:
        [first, *_] = error.errors()
        place = ".".join(map(str, first["loc"])) or "behavior"
        words = f"its behavior cannot be read ({place}: {first['msg']}); its rule is replayed with the defaults"
        return None, (Finding(About.BEHAVIOR, words),)


def _written(given: JsonObject) -> JsonObject:
    """Without fields that are null, which stand for their defaults."""
    plain = {name: value for name, value in given.items() if value is not None}
    return {name: _written(value) if isinstance(value, dict) else value for name, value in plain.items()}


def _readable(read: Callable[[JsonObject], Metric], given: JsonObject) -> Metric:
    """A metric, or that it cannot be read."""
    try:
        return read(given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return OtherMetric(str(given.get("type")), f"it cannot be read ({type(error).__name__}: {error})")


def _metric(given: JsonObject) -> Metric:
    kind = str(given.get("type"))
    match kind:
        case "Resource":
            return _resource(given["resource"], None)
        case "ContainerResource":
            return _resource(given["containerResource"], given["containerResource"].get("container"))
        case "Pods" | "Object" | "External":
            return _named(kind, given[kind.lower()])
        case _:
            return OtherMetric(kind, "its type is not known")


def _resource(given: JsonObject, container: str | None) -> Metric:
    target, percent = given.get("target") or {}, (given.get("target") or {}).get("averageUtilization")
    ratio = None if percent is None else percent / PERCENT
    return ResourceMetric(str(given.get("name")), container, ratio, _quantity(target.get("averageValue")))


def _named(source: str, given: JsonObject) -> Metric:
    metric, target = given.get("metric") or {}, given.get("target") or {}
    name, average = str(metric.get("name")), _quantity(target.get("averageValue"))
    if average is None:
        return OtherMetric(name, _RELATIVE)
    selector = metric.get("selector") or {}
    if selector.get("matchExpressions"):
        return OtherMetric(name, "its selector has matchExpressions, which are not translated to PromQL")
    labels = dict(selector.get("matchLabels") or {})
    if source == "Object":
        described = given.get("describedObject") or {}
        labels[str(described.get("kind", "")).lower()] = str(described.get("name"))
    return NamedMetric(source, name, average, tuple(sorted(labels.items())))


def _trigger(given: JsonObject) -> Metric:
    kind, metadata = str(given.get("type")), given.get("metadata") or {}
    aim = given.get("metricType") or "AverageValue"
    if kind in {"cpu", "memory"}:
        value, container = metadata.get("value"), metadata.get("containerName")
        if (given.get("metricType") or metadata.get("type")) == "AverageValue":
            return ResourceMetric(kind, container, average_value=_quantity(value))
        return ResourceMetric(kind, container, None if value is None else float(value) / PERCENT)
    if kind != "prometheus":
        return OtherMetric(kind, f"a trigger of type {kind} has no counterpart here; its part is not replayed")
    threshold = _quantity(metadata.get("threshold"))
    if aim != "AverageValue" or threshold is None or not metadata.get("query"):
        return OtherMetric(kind, _RELATIVE if aim == "Value" else "it has no query or no threshold")
    return QueryMetric(str(metadata["query"]), threshold, metadata.get("serverAddress"))


def _quantity(given: object) -> float | None:
    """A quantity as a number above 0; None where there is none. Raises ValueError for what is no quantity."""
    value = Decimal(0) if given is None else parse_quantity(given)
    return float(value) or None
