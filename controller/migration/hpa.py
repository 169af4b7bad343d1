"""HorizontalPodAutoscalers of autoscaling/v1, v2beta2 and v2 as drafts of policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.autoscalers import hpa_of, metric_of
from controller.migration.draft import Draft, Measure
from controller.migration.notes import Note, unread
from simulations.audit.autoscaler import PERCENT, ResourceMetric

if TYPE_CHECKING:
    from controller.clients.kubernetes import JsonObject

_READ = frozenset(
    {
        "spec.scaleTargetRef",
        "spec.minReplicas",
        "spec.maxReplicas",
        "spec.metrics",
        "spec.behavior",
        "spec.targetCPUUtilizationPercentage",
    }
)
_OLDER = tuple(f"autoscaling.alpha.kubernetes.io/{name}" for name in ("metrics", "behavior"))  # of v2, read as v1
_KEYS = {"Object": "object", "External": "external"}


def hpa_draft(item: JsonObject) -> Draft:
    """Decode an HPA. Raises KeyError, TypeError and ValueError for what is none."""
    spec: dict[str, Any] = item["spec"]
    if str(item.get("apiVersion")).endswith("/v2beta1"):
        raise ValueError("autoscaling/v2beta1 names its targets differently; write it as autoscaling/v2")
    measures = [_measure(each, f"spec.metrics[{place}]") for place, each in enumerate(spec.get("metrics") or ())]
    if (percent := spec.get("targetCPUUtilizationPercentage")) is not None:
        of_cpu = ResourceMetric("cpu", target_ratio=percent / PERCENT)
        measures.append(Measure("spec.targetCPUUtilizationPercentage", of_cpu))
    return Draft(hpa_of(item), tuple(measures), (*unread({"spec": spec}, _READ, {}), *_annotated(item)))


def _measure(given: JsonObject, path: str) -> Measure:
    """One metric; a target of the total is decoded like one of each replica."""
    key = _KEYS.get(str(given.get("type")), "")
    inside = given.get(key) or {}
    target = inside.get("target") or {}
    if "value" not in target or target.get("averageValue") is not None:
        return Measure(path, metric_of(given))
    average = {**given, key: {**inside, "target": {"averageValue": target["value"]}}}
    return Measure(path, metric_of(average), total=True)


def _annotated(item: JsonObject) -> list[Note]:
    why = "holds what autoscaling/v1 has no fields for; import it as autoscaling/v2 (kubectl get hpa.v2.autoscaling)"
    names = [name for name in item["metadata"].get("annotations") or {} if name in _OLDER]
    return [Note(f"metadata.annotations.{name}", why) for name in names]
