"""The plain HorizontalPodAutoscaler that takes over a workload from Foresail: its bounds, and what an HPA can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.spec import DemandSignal

if TYPE_CHECKING:
    from policies.spec import WorkloadPolicy

HANDED_BACK = {"foresail.dev/handed-back": "true"}
"""The label that tells these autoscalers from those of the user."""

CPU_PERCENT = 70
"""Where no signal of the policy is a resource of the pods: below the 80 % at which replicas serve late by default."""

_SUFFIX = "-handback"
_LONGEST_NAME = 253


def plain_hpa(policy: WorkloadPolicy) -> dict[str, object]:
    """An autoscaling/v2 document within the policy's bounds.

    The bounds are the largest `min` and the largest `max` of the policy and its schedules, because an HPA knows no
    hours. Signals whose capacity is the pods' request become its metrics, with the policy's behaviour, at the target of
    the autoscaler that was in place if the policy tells it, else at the serving limit. A policy without such a signal
    gets CPU at 70 %, and no falls: CPU that idles says nothing about a queue or a GPU.
    """
    spec, meta = policy.spec, policy.metadata
    metrics = _metrics(policy)
    behavior = {} if spec.behavior is None else spec.behavior.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if not metrics:
        metrics = [_resource("cpu", CPU_PERCENT)]
        behavior = {**behavior, "scaleDown": {"selectPolicy": "Disabled"}}
    bounds = spec.replicas
    lows = [bounds.min, *(each.min for each in bounds.schedules if each.min is not None)]
    highs = [bounds.max, *(each.max for each in bounds.schedules if each.max is not None)]
    target = spec.target
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": f"{meta.name[: _LONGEST_NAME - len(_SUFFIX)]}{_SUFFIX}",
            "namespace": meta.namespace,
            "labels": {**HANDED_BACK},
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": target.api_version, "kind": target.kind, "name": target.name},
            "minReplicas": max(lows),
            "maxReplicas": max(highs),
            "metrics": metrics,
            **({"behavior": behavior} if behavior else {}),
        },
    }


def reads_demand(policy: WorkloadPolicy) -> bool:
    """Whether that autoscaler can read a demand signal of the policy, and so may also lower."""
    return bool(_metrics(policy))


def _metrics(policy: WorkloadPolicy) -> list[dict[str, object]]:
    spec = policy.spec
    aim = None if spec.incumbent is None else spec.incumbent.target
    percent = max(1, round(100 * float(spec.objective.serving_limit if aim is None else aim)))
    wanted = [each.capacity_from_request for each in policy.spec.signals if isinstance(each, DemandSignal)]
    return [_resource(each.resource, percent, each.container) for each in wanted if each is not None]


def _resource(name: str, percent: int, container: str | None = None) -> dict[str, object]:
    target = {"type": "Utilization", "averageUtilization": percent}
    if container is None:
        return {"type": "Resource", "resource": {"name": name, "target": target}}
    return {
        "type": "ContainerResource",
        "containerResource": {"name": name, "container": container, "target": target},
    }
