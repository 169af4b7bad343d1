"""The workloads to size as Prometheus alone tells them: by kube-state-metrics, or by the names of pods."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from controller.records import SignalQuery
from controller.vertical.queries import Named, any_of
from controller.vertical.workloads import Asks, RunningContainer, RunningPod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from controller.adapters.prometheus.metered import MeteredPrometheus

Key = tuple[str, ...]

# What a pod's name says of who made it, where nothing else does: a ReplicaSet's, a StatefulSet's, a DaemonSet's.
_NAMES = (
    (re.compile(r"(?P<name>.+)-[a-z0-9]{8,10}-[a-z0-9]{5}"), "Deployment"),
    (re.compile(r"(?P<name>.+)-[0-9]+"), "StatefulSet"),
    (re.compile(r"(?P<name>.+)-[a-z0-9]{5}"), "DaemonSet"),
)


async def told_pods(prometheus: MeteredPrometheus, namespace: str | None, *, at_s: float) -> list[RunningPod]:
    """Every pod whose containers use memory now. Raises Unavailable, Rejected and Spent.

    What they request is not known where kube-state-metrics does not tell; nor are nodes, limits and kills.
    """
    within = f'namespace="{any_of([namespace])}"' if namespace is not None else 'namespace!=""'
    used = f'container_memory_working_set_bytes{{{within},container!="",container!="POD"}}'
    seen = await prometheus.now(_query("namespace pod container", used), at_s=at_s)
    asked = await prometheus.now(
        _query("namespace pod container resource", f"kube_pod_container_resource_requests{{{within}}}"), at_s=at_s
    )
    owners = await prometheus.now(
        _query("namespace pod owner_kind owner_name", f"kube_pod_owner{{{within}}}"), at_s=at_s
    )
    makers = await prometheus.now(
        _query("namespace replicaset owner_kind owner_name", f"kube_replicaset_owner{{{within}}}"), at_s=at_s
    )
    requests = {(*key[:3], key[3]): round(value * 1000) for key, value in asked.items()}
    by_pod: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for space, pod, container in seen:
        by_pod[space, pod].append(container)
    owner = _owners(owners, makers)
    return [
        RunningPod(
            owner=owner.get(place) or _by_name(*place),
            name=place[1],
            node="",
            containers=tuple(_container(place, name, requests) for name in sorted(names)),
        )
        for place, names in sorted(by_pod.items())
    ]


def _query(labels: str, series: str) -> SignalQuery:
    names = tuple(labels.split())
    return SignalQuery(f"max by ({', '.join(names)}) ({series})", names)


def _container(place: tuple[str, str], name: str, requests: Mapping[Key, int]) -> RunningContainer:
    asks = Asks(requests.get((*place, name, "cpu")), requests.get((*place, name, "memory")))
    return RunningContainer(name, asks)


def _owners(pods: Mapping[Key, float], replica_sets: Mapping[Key, float]) -> dict[tuple[str, str], Named]:
    """Whose each pod is: a Deployment's by its ReplicaSet."""
    makers = {(key[0], key[1]): (key[2], key[3]) for key in replica_sets if key[2]}
    found = {}
    for namespace, pod, kind, name in pods:
        if kind == "ReplicaSet" and (namespace, name) in makers:
            found[namespace, pod] = Named(namespace, *makers[namespace, name])
        elif kind and kind != "<none>":
            found[namespace, pod] = Named(namespace, kind, name)
    return found


def _by_name(namespace: str, pod: str) -> Named:
    for pattern, kind in _NAMES:
        if (found := pattern.fullmatch(pod)) is not None:
            return Named(namespace, kind, found["name"])
    return Named(namespace, "Pod", pod)
