"""What makes an autoscaler follow a recommendation: an HPA, a KEDA ScaledObject, or prometheus-adapter's rule, as YAML.

All three rest on one line of the HPA's arithmetic: for an external metric with an average value as target it
asks for ceil(metric / target) replicas, so a target of 1 asks for the metric itself.
"""

import json
from collections.abc import Sequence
from enum import StrEnum

from policies.signals import RECOMMENDED_REPLICAS
from policies.spec import DemandSignal, WorkloadPolicy

LOOSER_PERCENT = 90
"""Utilisation at which the autoscaler's own metric takes over: above what Foresail plans with, below saturation."""

_METRIC = RECOMMENDED_REPLICAS.name


class Form(StrEnum):
    """Who is to follow the recommendation."""

    HPA = "hpa"
    SCALED_OBJECT = "scaledobject"
    ADAPTER = "adapter"


def rendered(policies: Sequence[WorkloadPolicy], form: Form, prometheus_url: str) -> str:
    """The YAML for these policies; the adapter's rule is one for all."""
    match form:
        case Form.HPA:
            return "---\n".join(map(_hpa, policies))
        case Form.SCALED_OBJECT:
            return "---\n".join(_scaled_object(policy, prometheus_url) for policy in policies)
        case Form.ADAPTER:
            return _ADAPTER.format(metric=_METRIC)


def _hpa(policy: WorkloadPolicy) -> str:
    return _HPA.format(**_names(policy), metric=_METRIC, own=_own_metric(policy), percent=LOOSER_PERCENT)


def _scaled_object(policy: WorkloadPolicy, prometheus_url: str) -> str:
    meta = policy.metadata
    query = f"max({RECOMMENDED_REPLICAS.value(namespace=meta.namespace, workload=meta.name)})"
    return _SCALED_OBJECT.format(
        **_names(policy),
        query=json.dumps(query),
        url=json.dumps(prometheus_url),
        own=_own_trigger(policy),
        percent=LOOSER_PERCENT,
    )


def _names(policy: WorkloadPolicy) -> dict[str, object]:
    target, low, high = policy.spec.target, *_widest(policy)
    return {
        "name": json.dumps(policy.metadata.name),
        "namespace": json.dumps(policy.metadata.namespace),
        "api_version": json.dumps(target.api_version),
        "kind": json.dumps(target.kind),
        "target": json.dumps(target.name),
        "min": low,
        "max": high,
    }


def _widest(policy: WorkloadPolicy) -> tuple[int, int]:
    """The bounds that hold at any time, schedules included."""
    bounds = policy.spec.replicas
    lows = [bounds.min, *(each.min for each in bounds.schedules if each.min is not None)]
    highs = [bounds.max, *(each.max for each in bounds.schedules if each.max is not None)]
    return min(lows), max(highs)


def _resource(policy: WorkloadPolicy) -> tuple[str, str | None] | None:
    """The resource and container whose request is a signal's capacity, if the policy has such a signal."""
    for signal in policy.spec.signals:
        if isinstance(signal, DemandSignal) and signal.capacity_from_request is not None:
            return signal.capacity_from_request.resource, signal.capacity_from_request.container
    return None


def _own_metric(policy: WorkloadPolicy) -> str:
    resource, container = _resource(policy) or ("cpu", None)
    if container is None:
        lines = ["- type: Resource", "  resource:", f"    name: {resource}"]
    else:
        lines = ["- type: ContainerResource", "  containerResource:", f"    name: {resource}"]
        lines.append(f"    container: {json.dumps(container)}")
    lines += ["    target:", "      type: Utilization", f"      averageUtilization: {LOOSER_PERCENT}"]
    return _lines(lines, live=_resource(policy) is not None)


def _own_trigger(policy: WorkloadPolicy) -> str:
    resource, container = _resource(policy) or ("cpu", None)
    lines = [f"- type: {resource}", "  metricType: Utilization", "  metadata:", f'    value: "{LOOSER_PERCENT}"']
    if container is not None:
        lines.append(f"    containerName: {json.dumps(container)}")
    return _lines(lines, live=_resource(policy) is not None)


def _lines(lines: Sequence[str], *, live: bool) -> str:
    return "\n".join(f"    {'' if live else '# '}{line}" for line in lines)


_HPA = """\
# Horizontal Pod Autoscaler that takes Foresail's recommendation as one more metric. A target has one HPA: where
# there is one already, add the metric to it and loosen its own.
# {metric} must be served as an external metric: by `foresail metrics-api` (docs/floor.md) in
# a cluster that has no adapter, else by prometheus-adapter; `foresail policy floor --as adapter` prints the rule.
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {name}
  namespace: {namespace}
spec:
  scaleTargetRef:
    apiVersion: {api_version}
    kind: {kind}
    name: {target}
  minReplicas: {min}
  maxReplicas: {max}
  metrics:
    # AverageValue 1 asks for ceil(recommendation / 1) replicas: a recommendation of 7 makes 7, whatever runs now.
    # (A target of type Value would multiply the replicas that are ready by the recommendation.)
    - type: External
      external:
        metric:
          name: {metric}
          selector:
            matchLabels:
              namespace: {namespace}
              workload: {name}
        target:
          type: AverageValue
          averageValue: "1"
    # The autoscaler's own metric, looser than what Foresail plans with (such as {percent} % where it was 70 %), so that
    # Foresail leads while it is there and this raises when it is not. The larger of both proposals wins.
{own}
  behavior:
    scaleUp:
      # Foresail has limited the rise already; this lets the HPA follow in one step.
      stabilizationWindowSeconds: 0
      policies:
        - type: Pods
          value: {max}
          periodSeconds: 15
      # An HPA stays where it is while the recommendation is within 10 % of its replicas: from 10 replicas on it
      # may run up to 10 % behind. Kubernetes 1.35 and later can do without:
      # tolerance: "0"
    scaleDown:
      # Foresail has waited already. Without its metric an HPA does not lower at all.
      stabilizationWindowSeconds: 0
"""

_SCALED_OBJECT = """\
# KEDA ScaledObject that takes Foresail's recommendation as one more trigger. A target has one ScaledObject: where
# there is one already, add the trigger to it and loosen its own. Let Prometheus scrape Foresail with
# honor_labels: true, or the labels namespace and workload are renamed.
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {name}
  namespace: {namespace}
spec:
  scaleTargetRef:
    apiVersion: {api_version}
    kind: {kind}
    name: {target}
  pollingInterval: 15
  minReplicaCount: {min}
  maxReplicaCount: {max}
  # When the recommendation is missing, keep what runs, and never less than the fewest.
  fallback:
    failureThreshold: 3
    replicas: {min}
    behavior: currentReplicasIfHigher
  triggers:
    # A threshold of 1 with AverageValue asks for ceil(recommendation / 1) replicas: 7 makes 7, whatever runs now.
    - type: prometheus
      metricType: AverageValue
      metadata:
        serverAddress: {url}
        query: {query}
        threshold: "1"
        # No recommendation is a failure; KEDA would otherwise take it for 0 and scale down.
        ignoreNullValues: "false"
    # The autoscaler's own trigger, looser than what Foresail plans with (such as {percent} % where it was 70 %), so
    # that Foresail leads while it is there and this raises when it is not. The larger of both proposals wins.
{own}
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleUp:
          # Foresail has limited the rise already; this lets the HPA follow in one step.
          stabilizationWindowSeconds: 0
          policies:
            - type: Pods
              value: {max}
              periodSeconds: 15
          # Without this the HPA stays while the recommendation is within 10 % of its replicas (Kubernetes 1.35):
          # tolerance: "0"
        scaleDown:
          # Foresail has waited already.
          stabilizationWindowSeconds: 0
"""

_ADAPTER = """\
# Rule for the configuration of prometheus-adapter: serves Foresail's recommendations of all workloads as an external
# metric. Let Prometheus scrape Foresail with honor_labels: true, or the labels namespace and workload are renamed.
# The HPA that uses it keeps its own metric at a looser target; see `foresail policy floor --as hpa`.
externalRules:
  - seriesQuery: '{metric}{{namespace!="",workload!=""}}'
    resources:
      overrides:
        namespace:
          resource: namespace
    # max and not sum: standby replicas of Foresail and a second Prometheus tell the same count.
    metricsQuery: 'max(<<.Series>>{{<<.LabelMatchers>>}}) by (<<.GroupBy>>)'
"""
