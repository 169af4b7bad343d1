"""Autoscalers as kube-state-metrics tells them, for an audit without access to the cluster."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from controller.audit import queries
from simulations.audit.autoscaler import (
    PERCENT,
    Autoscaler,
    Metric,
    NamedMetric,
    OtherMetric,
    ResourceMetric,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.adapters.prometheus.metered import MeteredPrometheus

Key = tuple[str, ...]

_OF_KEDA = re.compile(r"s\d+-")
_MOST = 10_000  # replicas, where the metric of the maximum is missing


async def told_by_metrics(prometheus: MeteredPrometheus, namespace: str | None, *, at_s: float) -> Sequence[Autoscaler]:
    """Every HorizontalPodAutoscaler that kube-state-metrics tells, in a namespace (None: in all).

    Raises Unavailable, Rejected and Spent.
    """
    asked = (queries.HPA_INFO, queries.HPA_MIN, queries.HPA_MAX, queries.HPA_TARGETS)
    info, least, most, targets = [await prometheus.now(query, at_s=at_s) for query in asked]
    found = [
        Autoscaler(
            kind="HorizontalPodAutoscaler",
            namespace=place,
            name=name,
            target_api_version=api_version or "apps/v1",
            target_kind=kind,
            target_name=target,
            min_replicas=int(least.get((place, name), 1)),
            max_replicas=int(most.get((place, name), _MOST)),
            metrics=_metrics(targets, (place, name)),
        )
        for place, name, api_version, kind, target in info
        if namespace in (None, place)
    ]
    return sorted(found, key=lambda each: (each.namespace, each.target_name, each.name))


def _metrics(targets: Mapping[Key, float], hpa: Key) -> tuple[Metric, ...]:
    mine = [(key[2], key[3], value) for key, value in sorted(targets.items()) if key[:2] == hpa]
    return tuple(_metric(name, aim, value) for name, aim, value in mine)


def _metric(name: str, aim: str, value: float) -> Metric:
    """A metric by its name and the kind of its target: utilization, average or value."""
    if name == "cpu":
        ratio = aim == "utilization"
        return ResourceMetric(name, None, value / PERCENT) if ratio else ResourceMetric(name, average_value=value)
    if name == "memory":
        return OtherMetric(
            name, "use of this resource does not rise and fall with load, so replicas cannot be replayed"
        )
    if _OF_KEDA.match(name):
        return OtherMetric(name, "its query stands in a ScaledObject, which is read from the cluster alone")
    if aim != "average":
        return OtherMetric(name, "its target is no average over replicas, so no load follows from it")
    return NamedMetric("Pods", name, value)
