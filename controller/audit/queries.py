"""The PromQL that an audit asks: loads, replicas, requests and start-ups, each for many workloads at once.

Names of metrics and labels are those of cAdvisor and kube-state-metrics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from controller.records import SignalQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from simulations.audit.autoscaler import Autoscaler, NamedMetric

WORKLOAD = ("namespace", "workload")
RATE_WINDOW = "2m"
DAY = "1d"
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_:]")

# How the names of a kind's pods end after the workload's own.
_POD_ENDS = {
    "Deployment": "-[a-z0-9]{1,10}-[a-z0-9]{5}",
    "StatefulSet": "-[0-9]+",
    "ReplicaSet": "-[a-z0-9]{5}",
}
_ANY_END = "-[a-z0-9-]+"
_REPLICAS = {
    "Deployment": ("deployment", "kube_deployment_status_replicas", "kube_deployment_status_replicas_ready"),
    "StatefulSet": ("statefulset", "kube_statefulset_status_replicas", "kube_statefulset_status_replicas_ready"),
}
_HPA = "horizontalpodautoscaler"
HPA_INFO = SignalQuery(
    "max by (namespace, horizontalpodautoscaler, scaletargetref_api_version, scaletargetref_kind, scaletargetref_name)"
    " (kube_horizontalpodautoscaler_info)",
    ("namespace", _HPA, "scaletargetref_api_version", "scaletargetref_kind", "scaletargetref_name"),
)
HPA_MIN = SignalQuery(
    f"max by (namespace, {_HPA}) (kube_horizontalpodautoscaler_spec_min_replicas)", ("namespace", _HPA)
)
HPA_MAX = SignalQuery(
    f"max by (namespace, {_HPA}) (kube_horizontalpodautoscaler_spec_max_replicas)", ("namespace", _HPA)
)
HPA_TARGETS = SignalQuery(
    f"max by (namespace, {_HPA}, metric_name, metric_target_type) (kube_horizontalpodautoscaler_spec_target_metric)",
    ("namespace", _HPA, "metric_name", "metric_target_type"),
)


def known_kind(kind: str) -> bool:
    """Whether kube-state-metrics tells a kind's replicas itself, so that ready ones are known too."""
    return kind in _REPLICAS


def cpu(scaled: Sequence[Autoscaler], container: str | None) -> SignalQuery:
    """Cores used by the pods of workloads of one kind, by workload."""
    of = f'container="{_text(container)}"' if container else 'container!="",container!="POD"'
    return _by_workload(f"rate(container_cpu_usage_seconds_total{{{_pods(scaled)},{of}}}[{RATE_WINDOW}])", scaled)


def cpu_of_policy(scaled: Autoscaler, container: str | None, *, by_pod: bool) -> str:
    """The same for the policy of one workload, which fills in its names: by pod, or as one sum."""
    of = f'container="{_text(container)}"' if container else 'container!="", container!="POD"'
    pods = f'namespace="$namespace", pod=~"$name{_POD_ENDS.get(scaled.target_kind, _ANY_END)}"'
    return (
        f"sum {'by (pod) ' if by_pod else ''}(rate(container_cpu_usage_seconds_total{{{pods}, {of}}}[{RATE_WINDOW}]))"
    )


def by_pods(name: str, scaled: Sequence[Autoscaler], *, counter: bool) -> SignalQuery:
    """The sum of a metric of the pods of workloads of one kind, by workload; of a counter its rate."""
    series = f"{name}{{{_pods(scaled)}}}"
    return _by_workload(f"rate({series}[{RATE_WINDOW}])" if counter else series, scaled)


def memory_of_policy(scaled: Autoscaler, container: str | None) -> str:
    """Bytes of the working set of a workload's pods, as one sum, for its policy."""
    of = f'container="{_text(container)}"' if container else 'container!="", container!="POD"'
    pods = f'namespace="$namespace", pod=~"$name{_POD_ENDS.get(scaled.target_kind, _ANY_END)}"'
    return f"sum (container_memory_working_set_bytes{{{pods}, {of}}})"


def by_pods_of_policy(name: str, scaled: Autoscaler, *, counter: bool, labels: Iterable[tuple[str, str]] = ()) -> str:
    """The sum of a metric of one workload's pods, of those with these labels, for its policy; of a counter its rate."""
    more = "".join(f', {label}="{_text(value)}"' for label, value in labels)
    series = f'{name}{{namespace="$namespace", pod=~"$name{_POD_ENDS.get(scaled.target_kind, _ANY_END)}"{more}}}'
    return f"sum(rate({series}[{RATE_WINDOW}]))" if counter else f"sum({series})"


def by_labels(name: str, metric: NamedMetric, scaled: Autoscaler, *, counter: bool) -> str:
    """The sum of the series that a metric's own labels select; of an Object metric those of its namespace."""
    labels = [*metric.labels, *([("namespace", scaled.namespace)] if metric.source == "Object" else [])]
    matchers = ", ".join(f'{label}="{_text(value)}"' for label, value in labels)
    series = f"{name}{{{matchers}}}" if matchers else name
    return f"sum(rate({series}[{RATE_WINDOW}]))" if counter else f"sum({series})"


def presence(names: Iterable[str]) -> SignalQuery:
    """Which of these metrics exist."""
    return SignalQuery(f'count by (__name__) ({{__name__=~"{_any(names)}"}})', ("__name__",))


def candidates(name: str) -> tuple[tuple[str, bool], ...]:
    """The series that a metric may come from, best first, and whether each is a counter.

    Rules of prometheus-adapter serve counters as rates under the name without `_total`, often with `_per_second`.
    """
    name = _NOT_IN_A_NAME.sub("_", name)
    bare = name.removesuffix("_per_second")
    tried = ((f"{bare}_total", True), (f"{bare}_seconds_total", True), (name, name.endswith("_total")), (bare, False))
    return tuple(dict.fromkeys(tried))


def replicas(scaled: Sequence[Autoscaler], *, ready: bool) -> SignalQuery:
    """Replicas of Deployments or StatefulSets, by workload: all of them, or those that are ready."""
    label, every, able = _REPLICAS[scaled[0].target_kind]
    names = _any(each.target_name for each in scaled)
    series = f'{able if ready else every}{{{_namespaces(scaled)},{label}=~"{names}"}}'
    return SignalQuery(f"max by (namespace, {label}) ({series})", ("namespace", label))


def replicas_by_hpa(scaled: Sequence[Autoscaler]) -> SignalQuery:
    """Replicas as their autoscalers report them, by autoscaler."""
    names = _any(hpa_name(each) for each in scaled)
    series = f'kube_horizontalpodautoscaler_status_current_replicas{{{_namespaces(scaled)},{_HPA}=~"{names}"}}'
    return SignalQuery(f"max by (namespace, {_HPA}) ({series})", ("namespace", _HPA))


def hpa_name(scaled: Autoscaler) -> str:
    """The name of the HorizontalPodAutoscaler; KEDA makes one for each ScaledObject."""
    return f"keda-hpa-{scaled.name}" if scaled.kind == "ScaledObject" else scaled.name


def requests(scaled: Sequence[Autoscaler], resource: str, container: str | None = None) -> SignalQuery:
    """What a pod of each workload requests of a resource, by workload."""
    of = f',container="{_text(container)}"' if container else ""
    series = f'kube_pod_container_resource_requests{{resource=~"{resource}",{_pods(scaled)}{of}}}'
    return _by_workload(f"sum by (namespace, pod) ({series})", scaled, how="avg")


def startups(scaled: Sequence[Autoscaler], quantile: float) -> SignalQuery:
    """A quantile of the time from creation to readiness, over the pods created within a day, by workload."""
    return _by_workload(_started(scaled), scaled, how="quantile", first=f"{quantile:g}, ")


def starts(scaled: Sequence[Autoscaler]) -> SignalQuery:
    """How many pods were created within a day and became ready, by workload."""
    return _by_workload(_started(scaled), scaled, how="count")


def _started(scaled: Sequence[Autoscaler]) -> str:
    made = f"max by (namespace, pod) (max_over_time(kube_pod_created{{{_pods(scaled)}}}[{DAY}]))"
    ready = f"min by (namespace, pod) (min_over_time(kube_pod_status_ready_time{{{_pods(scaled)}}}[{DAY}]))"
    return f"({ready} - {made}) and {made} > time() - 86400"


def _by_workload(text: str, scaled: Sequence[Autoscaler], *, how: str = "sum", first: str = "") -> SignalQuery:
    """Aggregate series of pods by the workload that their names begin with; `first` goes before the series."""
    names = f"({_any(each.target_name for each in scaled)}){_end(scaled)}"
    named = f'label_replace({text}, "workload", "$1", "pod", "{names}")'
    return SignalQuery(f"{how} by (namespace, workload) ({first}{named})", WORKLOAD)


def _pods(scaled: Sequence[Autoscaler]) -> str:
    names = _any(each.target_name for each in scaled)
    return f'{_namespaces(scaled)},pod=~"({names}){_end(scaled)}"'


def _namespaces(scaled: Sequence[Autoscaler]) -> str:
    return f'namespace=~"{_any(each.namespace for each in scaled)}"'


def _end(scaled: Sequence[Autoscaler]) -> str:
    return _POD_ENDS.get(scaled[0].target_kind, _ANY_END)


def _any(names: Iterable[str]) -> str:
    """A regular expression for any of these names, in PromQL's quotes."""
    return "|".join(re.escape(name).replace("\\-", "-").replace("\\", "\\\\") for name in sorted(set(names)))


def _text(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
