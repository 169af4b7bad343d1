"""Nodes and the pods on them, listed once, with what each has and asks for. Only reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from controller.adapters.kubernetes.charges import charge_of, milli_or_none
from controller.adapters.kubernetes.discovery import NODES, PODS
from controller.adapters.kubernetes.listing import items
from controller.adapters.kubernetes.nodes import node_of
from controller.adapters.kubernetes.objects import controller_of
from controller.clients.kubernetes import ApiFailure, translated
from policies.pricing.shapes import GPU_NAME, MAX_PODS
from policies.quantities import parse_moment_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from controller.clients.kubernetes import JsonObject, KubernetesSession

_TYPES = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")
_REGIONS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
_PROVIDERS = {"gce": "gcp"}  # schemes of providerID that are no provider's name
_OVER = frozenset({"Succeeded", "Failed"})
_OF_CRON_JOB = re.compile(r"-\d{8,10}$")


@dataclass(frozen=True, slots=True)
class Amounts:
    """CPU, memory and GPUs, in thousandths."""

    cpu_milli: int = 0
    memory_milli: int = 0
    gpu_milli: int = 0


Gpus = tuple[tuple[str, int], ...]  # thousandths by resource, as in nvidia.com/gpu or nvidia.com/mig-1g.10gb, sorted


@dataclass(frozen=True, slots=True)
class StandingNode:
    """A node as it stands. Texts are empty where its labels do not tell."""

    name: str
    provider: str
    instance_type: str
    region: str
    zone: str
    spot: bool
    has: Amounts  # capacity
    allocatable: Amounts
    most_pods: int
    gpus: Gpus = ()  # of what is allocatable


@dataclass(frozen=True, slots=True)
class StandingPod:
    """A pod that is on a node, and whose it is."""

    namespace: str
    name: str
    kind: str  # of its workload: Deployment, StatefulSet, ... or Pod
    workload: str
    node: str  # empty for one that waits for a node
    asks: Amounts
    gpus: Gpus = ()  # of what it asks for
    created_at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Inventory:
    """What stands in a cluster, and the pods that wait for a node. Pods that are over are left out."""

    nodes: tuple[StandingNode, ...]
    pods: tuple[StandingPod, ...]
    waiting: tuple[StandingPod, ...] = ()


async def read_inventory(session: KubernetesSession) -> Inventory:
    """List all nodes and pods. Raises Unavailable and Rejected."""
    try:
        nodes = [_node(item) async for item in items(session, NODES, None)]
        pods = [_pod(item) async for item in items(session, PODS, None) if _lives(item)]
    except ApiFailure as failure:
        raise translated(failure, doing="listing nodes and pods") from failure
    pods.sort(key=lambda pod: (pod.namespace, pod.workload, pod.name))
    return Inventory(
        tuple(sorted(nodes, key=lambda node: node.name)),
        tuple(pod for pod in pods if pod.node),
        tuple(pod for pod in pods if not pod.node),
    )


def _node(item: JsonObject) -> StandingNode:
    view = node_of(item)
    labels = item["metadata"].get("labels") or {}
    status = item.get("status") or {}
    allocatable = status.get("allocatable") or status.get("capacity") or {}
    scheme = str((item.get("spec") or {}).get("providerID") or "").partition("://")[0]
    return StandingNode(
        name=view.name,
        provider=_PROVIDERS.get(scheme, scheme),
        instance_type=_first(labels, _TYPES),
        region=_first(labels, _REGIONS),
        zone=view.zone,
        spot=view.spot,
        has=_amounts(status.get("capacity") or {}),
        allocatable=_amounts(allocatable),
        most_pods=int(allocatable.get("pods") or MAX_PODS),
        gpus=_gpus({name: milli_or_none(str(quantity)) for name, quantity in allocatable.items()}),
    )


def _lives(item: JsonObject) -> bool:
    return (item.get("status") or {}).get("phase") not in _OVER


def _pod(item: JsonObject) -> StandingPod:
    metadata, spec = item["metadata"], item["spec"]
    kind, workload = _workload(metadata)
    asked = {
        name.removeprefix("requests."): milli or 0
        for name, milli in charge_of(_said(spec))
        if name.startswith("requests.")
    }
    asks = Amounts(
        asked.get("cpu", 0), asked.get("memory", 0), sum(asked[name] for name in asked if GPU_NAME.fullmatch(name))
    )
    return StandingPod(
        metadata["namespace"],
        metadata["name"],
        kind,
        workload,
        spec.get("nodeName") or "",
        asks,
        _gpus(asked),
        parse_moment_s(metadata["creationTimestamp"]) if metadata.get("creationTimestamp") else 0.0,
    )


def _workload(metadata: JsonObject) -> tuple[str, str]:
    """Kind and name of what made a pod: a Deployment by its ReplicaSet, a CronJob by its Job."""
    maker = controller_of(metadata)
    if maker is None:
        return "Pod", metadata["name"]
    template = (metadata.get("labels") or {}).get("pod-template-hash")
    if maker.kind == "ReplicaSet" and template and maker.name.endswith(f"-{template}"):
        return "Deployment", maker.name.removesuffix(f"-{template}")
    if maker.kind == "Job" and _OF_CRON_JOB.search(maker.name):
        return "CronJob", _OF_CRON_JOB.sub("", maker.name)
    return maker.kind, maker.name


def _said(spec: JsonObject) -> JsonObject:
    """The spec with a request of 0 where a container asks for nothing, so that the rest of the pod counts."""
    filled = {name: [_asking(each) for each in spec.get(name) or ()] for name in ("containers", "initContainers")}
    return {**spec, **filled}


def _asking(container: JsonObject) -> JsonObject:
    resources = container.get("resources") or {}
    requests = {"cpu": "0", "memory": "0"} | (resources.get("requests") or {})
    return {**container, "resources": {**resources, "requests": requests}}


def _amounts(given: Mapping[str, Any]) -> Amounts:
    milli = {name: milli_or_none(str(quantity)) or 0 for name, quantity in given.items()}
    return Amounts(
        milli.get("cpu", 0), milli.get("memory", 0), sum(milli[name] for name in milli if GPU_NAME.fullmatch(name))
    )


def _gpus(amounts: Mapping[str, int | None]) -> Gpus:
    return tuple(sorted((name, milli) for name, milli in amounts.items() if milli and GPU_NAME.fullmatch(name)))


def _first(labels: Mapping[str, str], names: Iterable[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
