"""What a Prometheus has of the metrics that presets and policies name: asked once, for a command."""

from __future__ import annotations

import json
import math
import re
import time
from typing import TYPE_CHECKING

from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
from controller.records import SignalQuery
from policies.presets.lint import Present, histograms_in, names_in, requests_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from controller.clients.http import HttpAccess
    from policies.presets.lint import Counted
    from policies.spec import WorkloadPolicy

_METRIC = "metric"
_OWNERS = frozenset({"Deployment", "Rollout", "StatefulSet", "ReplicaSet"})  # by ReplicaSets or themselves


async def read_names(prometheus: MeteredPrometheus, names: Collection[str], *, at_s: float) -> frozenset[str]:
    """Those of the metrics that have series; of histograms one bucket a series is counted.

    Raises Unavailable, Rejected and Spent.
    """
    if not names:
        return frozenset()
    text = _by_metric("metric", sorted(names), ',le=~"|[+]Inf"')
    there = await prometheus.now(SignalQuery(text, (_METRIC,)), at_s=at_s)
    return frozenset(name for (name,) in there)


async def read_present(access: HttpAccess, policies: Sequence[WorkloadPolicy]) -> Present:
    """What `lint` wants to know of some policies. Raises Unavailable, Rejected and Spent."""
    requests = sorted(requests_in(policies))
    async with MeteredPrometheus(access, Budget(2 + len(requests))) as prometheus:
        at_s = time.time()
        names = await read_names(prometheus, names_in(policies), at_s=at_s)
        buckets: dict[str, list[float]] = {}
        if wanted := sorted(histograms_in(policies)):
            text = _by_metric("metric, le", [f"{name}_bucket" for name in wanted])
            for metric, le in await prometheus.now(SignalQuery(text, (_METRIC, "le")), at_s=at_s):
                if math.isfinite(bound := float(le)):
                    buckets.setdefault(metric.removesuffix("_bucket"), []).append(bound)
        counts = {(each.uid, each.resource): await unrequested(prometheus, each, at_s=at_s) for each in requests}
    return Present(names, {name: sorted(bounds) for name, bounds in buckets.items()}, counts)


async def unrequested(prometheus: MeteredPrometheus, counted: Counted, *, at_s: float) -> int:
    """Containers without the request by which a workload is counted. Raises Unavailable, Rejected and Spent."""
    answer = await prometheus.now(SignalQuery(_unrequested(counted)), at_s=at_s)
    return int(sum(answer.values()))


def _by_metric(by: str, names: Sequence[str], more: str = "") -> str:
    selector = f'{{__name__=~"{"|".join(names)}"{more}}}'
    return f'count by ({by}) (label_replace({selector}, "{_METRIC}", "$1", "__name__", "(.+)"))'


def _unrequested(counted: Counted) -> str:
    """Containers without the request in the pods that a workload owns, through a ReplicaSet or not.

    Where kube-state-metrics does not tell who owns a pod, and of kinds that own pods by others still, the name tells.
    """
    place, name = f"namespace={json.dumps(counted.namespace)}", json.dumps(counted.target)
    owner = f'owner_kind="{counted.kind}",owner_name={name}'
    pods = f"kube_pod_container_info{{{place},pod=~{json.dumps(re.escape(counted.target) + '-.*')}}}"
    if counted.kind in _OWNERS:
        told = f'{_owned(place, "")} or kube_pod_owner{{{place},owner_kind!="ReplicaSet"}}'
        own = f"{_owned(place, owner)} or kube_pod_owner{{{place},{owner}}}"
        owned = f"kube_pod_container_info{{{place}}} and on (namespace, pod) ({own})"
        pods = f"({owned}) or ({pods} unless on (namespace, pod) ({told}))"
    asked = f'kube_pod_container_resource_requests{{{place},resource="{counted.resource}"}}'
    return f"count(({pods}) unless on (namespace, pod, container) {asked})"


def _owned(place: str, owner: str) -> str:
    """Owners of pods by ReplicaSets of that owner."""
    of_pods = f'kube_pod_owner{{{place},owner_kind="ReplicaSet"}}'
    replica_sets = f"kube_replicaset_owner{{{place},{owner}}}"
    named = f'label_replace({of_pods}, "replicaset", "$1", "owner_name", "(.+)")'
    return f"({named} and on (namespace, replicaset) {replica_sets})"
