"""What a Prometheus has of the metrics that presets and policies name: asked once, for a command."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING

from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
from controller.records import SignalQuery
from policies.presets.lint import Present, histograms_in, names_in, requests_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from controller.clients.http import HttpAccess
    from policies.spec import WorkloadPolicy

_METRIC = "metric"


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
        unrequested: dict[tuple[str, str], int] = {}
        for uid, namespace, target, resource in requests:
            answer = await prometheus.now(SignalQuery(_unrequested(namespace, target, resource)), at_s=at_s)
            unrequested[uid, resource] = int(sum(answer.values()))
    return Present(names, {name: sorted(bounds) for name, bounds in buckets.items()}, unrequested)


def _by_metric(by: str, names: Sequence[str], more: str = "") -> str:
    selector = f'{{__name__=~"{"|".join(names)}"{more}}}'
    return f'count by ({by}) (label_replace({selector}, "{_METRIC}", "$1", "__name__", "(.+)"))'


def _unrequested(namespace: str, target: str, resource: str) -> str:
    pods = f"namespace={json.dumps(namespace)},pod=~{json.dumps(target + '-.*')}"
    asked = f'kube_pod_container_resource_requests{{{pods},resource="{resource}"}}'
    return f"count(kube_pod_container_info{{{pods}}} unless on (namespace, pod, container) {asked})"
