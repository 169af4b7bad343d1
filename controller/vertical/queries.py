"""The PromQL of sizing: what containers use now, pod by pod, and what those of a workload used in the past.

Names of metrics and labels are those of cAdvisor and kube-state-metrics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.records import SignalQuery
from controller.vertical.records import CPU, MEMORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

NOW_WINDOW = "3m"  # two samples of a minute's scrapes, one of them late
PAST_STEP_S = 300.0
PAST_WINDOW = "5m"
STARTING_S = 300
A_BATCH = 50  # names in one query

CONTAINER = ("namespace", "container")
WORKLOAD_CONTAINER = ("namespace", "workload", "container")

_REAL = 'container!="",container!="POD"'
_SERIES = {
    # What a container uses while it starts would size all the time that comes after.
    CPU: "rate(container_cpu_usage_seconds_total{{{labels}}}[{window}])"
    f" unless on (namespace, pod, container) (time() - container_start_time_seconds{{{{{{labels}}}}}} < {STARTING_S})",
    MEMORY: "container_memory_working_set_bytes{{{labels}}}",
}

# How the names of a kind's pods end after the workload's own.
POD_ENDS = {
    "Deployment": "-[a-z0-9]{1,10}-[a-z0-9]{5}",
    "StatefulSet": "-[0-9]+",
    "ReplicaSet": "-[a-z0-9]{5}",
    "DaemonSet": "-[a-z0-9]{5}",
    "Job": "-[a-z0-9]{5}",
    "CronJob": "-[0-9]{8,10}-[a-z0-9]{5}",
    "Pod": "",
}
ANY_END = "-[a-z0-9-]+"


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A workload."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


def usage_now(resource: str, namespaces: Iterable[str]) -> Iterator[SignalQuery]:
    """What each container of these namespaces uses now, in cores or bytes, by namespace, container and pod."""
    how = "sum" if resource == CPU else "max"
    for batch in _batches(sorted(set(namespaces))):
        labels = f'namespace=~"{any_of(batch)}",{_REAL}'
        series = _SERIES[resource].format(labels=labels, window=NOW_WINDOW)
        yield SignalQuery(f"{how} by (namespace, container, pod) ({series})", CONTAINER, per_pod=True)


def usage_past(resource: str, workloads: Sequence[Named]) -> SignalQuery:
    """What the busiest replica's containers use, by workload and container. All workloads are of one kind."""
    return SignalQuery(
        f"max by (namespace, workload, container) ({_named(_of_pods(resource, workloads), workloads)})",
        WORKLOAD_CONTAINER,
    )


def batches(workloads: Iterable[Named]) -> Iterator[Sequence[Named]]:
    """Workloads of one kind at a time, as many as one query is asked of; those of a namespace stay together."""
    kinds: dict[str, list[Named]] = {}
    for each in sorted(set(workloads)):
        kinds.setdefault(each.kind, []).append(each)
    for each_kind in kinds.values():
        for first in range(0, len(each_kind), A_BATCH):
            yield each_kind[first : first + A_BATCH]


def pods(workloads: Sequence[Named]) -> str:
    """The matchers of the workloads' pods, by how their names end."""
    namespaces, names = any_of(each.namespace for each in workloads), any_of(each.name for each in workloads)
    return f'namespace=~"{namespaces}",pod=~"({names}){pod_end(workloads[0].kind)}"'


def pod_end(kind: str) -> str:
    """How the names of a kind's pods end, as a regular expression."""
    return POD_ENDS.get(kind, ANY_END)


def any_of(names: Iterable[str]) -> str:
    """A regular expression for any of these names, in PromQL's quotes."""
    return "|".join(re.escape(name).replace("\\-", "-").replace("\\", "\\\\") for name in sorted(set(names)))


def _of_pods(resource: str, workloads: Sequence[Named]) -> str:
    return _SERIES[resource].format(labels=f"{pods(workloads)},{_REAL}", window=PAST_WINDOW)


def _named(series: str, workloads: Sequence[Named]) -> str:
    """The series with the workload that their pods' names begin with."""
    names = f"({any_of(each.name for each in workloads)}){pod_end(workloads[0].kind)}"
    return f'label_replace({series}, "workload", "$1", "pod", "{names}")'


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), A_BATCH):
        yield names[first : first + A_BATCH]
