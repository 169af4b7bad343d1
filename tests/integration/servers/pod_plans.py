"""Owns what controllers and a kubelet would ask of the API server next, as pure functions of a snapshot."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.integration.servers.kube_client import JSON, MERGE, STRATEGIC, Document, collection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NODE = "fake-node"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
# Only a kubelet ends the wait, so its length shows in deletionTimestamp alone.
GRACE_S = 30


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the API server."""

    method: str
    path: str
    body: Document | None = None
    content_type: str = JSON


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The workloads and pods of one namespace as the API server listed them."""

    namespace: str
    deployments: Sequence[Document]
    stateful_sets: Sequence[Document]
    replica_sets: Sequence[Document]
    pods: Sequence[Document]

    def pods_of(self, owner: Document) -> list[Document]:
        """Return the pods of an owner that are not terminating."""
        uid = owner["metadata"]["uid"]
        return [pod for pod in self.pods if owner_uid(pod) == uid and not is_terminating(pod)]

    def path(self, resource: str, name: str = "") -> str:
        """Return the path of a collection or of one object in it."""
        return f"{collection(self.namespace, resource)}/{name}".rstrip("/")


def controller_calls(seen: Snapshot, *, gracefully: bool) -> Iterator[Call]:
    """What the Deployment, ReplicaSet, StatefulSet controllers and the garbage collector would ask."""
    current = {revision_name(one): one for one in seen.deployments}
    existing = {one["metadata"]["name"] for one in seen.replica_sets}
    for name, owner in current.items():
        if name not in existing:
            yield Call("POST", seen.path("replicasets"), _replica_set(name, owner))
    for one in seen.replica_sets:
        owner = current.get(one["metadata"]["name"], {})
        yield from _pod_calls(seen, one, owner.get("spec", {}).get("replicas", 0), gracefully=gracefully)
    for one in seen.stateful_sets:
        yield from _pod_calls(seen, one, one["spec"]["replicas"], gracefully=gracefully)
    yield from _garbage(seen, gracefully=gracefully)


def status_calls(seen: Snapshot) -> Iterator[Call]:
    """Patches of the workloads' status where it differs from the pods there are."""
    for one in seen.deployments:
        uids = {item["metadata"]["uid"] for item in seen.replica_sets if owner_uid(item) == one["metadata"]["uid"]}
        pods = [pod for pod in seen.pods if owner_uid(pod) in uids and not is_terminating(pod)]
        ready = sum(map(is_ready, pods))
        more = {"availableReplicas": ready, "unavailableReplicas": max(one["spec"]["replicas"] - ready, 0)}
        yield from _status_call(seen.path("deployments", one["metadata"]["name"]), one, pods, more)
    for one in seen.stateful_sets:
        pods = seen.pods_of(one)
        more = {"currentReplicas": len(pods)}
        yield from _status_call(seen.path("statefulsets", one["metadata"]["name"]), one, pods, more)


def bind_call(seen: Snapshot, pod: Document, node: str = NODE) -> Call:
    """Give a pod its node, as the scheduler does."""
    name = pod["metadata"]["name"]
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
    return Call("POST", f"{seen.path('pods', name)}/binding", body)


def unschedulable_call(seen: Snapshot, pod: Document, now: str) -> Call:
    """Say that no node has room, as the scheduler does."""
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
        "lastTransitionTime": now,
    }
    status = {"phase": "Pending", "conditions": [condition]}
    return Call("PATCH", f"{seen.path('pods', pod['metadata']['name'])}/status", {"status": status}, STRATEGIC)


def ready_call(seen: Snapshot, pod: Document, now: str) -> Call:
    """Report a pod's containers as running and ready, as a kubelet does."""
    kinds = ("Initialized", "ContainersReady", "Ready")
    status = {
        "phase": "Running",
        "startTime": now,
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds],
        "containerStatuses": [_running(container, now) for container in pod["spec"]["containers"]],
    }
    return Call("PATCH", f"{seen.path('pods', pod['metadata']['name'])}/status", {"status": status}, STRATEGIC)


def delete_call(seen: Snapshot, pod: Document, *, gracefully: bool) -> Call:
    """Ask a pod to end (it stays Terminating), or remove it for good."""
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": GRACE_S if gracefully else 0}
    return Call("DELETE", seen.path("pods", pod["metadata"]["name"]), options)


def owner_uid(document: Document) -> str | None:
    """Return the uid of the controller that owns an object, None for nobody's."""
    references = document["metadata"].get("ownerReferences", [])
    return next((one["uid"] for one in references if one.get("controller")), None)


def is_terminating(pod: Document) -> bool:
    """Whether the pod was asked to end."""
    return "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Document) -> bool:
    """Whether the pod's Ready condition is true."""
    return has_condition(pod, "Ready", "True")


def has_condition(pod: Document, kind: str, status: str) -> bool:
    """Whether the pod has this condition with this status."""
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == kind and one["status"] == status for one in conditions)


def revision_name(deployment: Document) -> str:
    """Return the name of the ReplicaSet for a Deployment's present template."""
    return f"{deployment['metadata']['name']}-{_revision(deployment)}"


def _revision(deployment: Document) -> str:
    template = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(template.encode()).hexdigest()[:10]


def _replica_set(name: str, deployment: Document) -> Document:
    spec = deployment["spec"]
    added = {"pod-template-hash": _revision(deployment)}
    labels = {**spec["template"]["metadata"].get("labels", {}), **added}
    template = {**spec["template"], "metadata": {**spec["template"]["metadata"], "labels": labels}}
    selector = {**spec["selector"], "matchLabels": {**spec["selector"].get("matchLabels", {}), **added}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [_owned_by(deployment, "Deployment")]},
        "spec": {"replicas": spec["replicas"], "selector": selector, "template": template},
    }


def _owned_by(owner: Document, kind: str) -> Document:
    meta = owner["metadata"]
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _pod_calls(seen: Snapshot, owner: Document, wanted: int, *, gracefully: bool) -> Iterator[Call]:
    pods = seen.pods_of(owner)
    is_set = any(owner is one for one in seen.stateful_sets)
    if is_set:
        by_ordinal = {f"{owner['metadata']['name']}-{ordinal}" for ordinal in range(wanted)}
        names = by_ordinal - {pod["metadata"]["name"] for pod in seen.pods}
        creations = [_pod(owner, "StatefulSet", {"name": name}) for name in sorted(names)]
        surplus = [pod for pod in pods if pod["metadata"]["name"] not in by_ordinal]
    else:
        named = {"generateName": f"{owner['metadata']['name']}-"}
        creations = [_pod(owner, "ReplicaSet", named) for _ in range(wanted - len(pods))]
        surplus = sorted(pods, key=_removed_first)[: max(len(pods) - wanted, 0)]
    yield from (Call("POST", seen.path("pods"), pod) for pod in creations)
    yield from (delete_call(seen, pod, gracefully=gracefully) for pod in surplus)


def _pod(owner: Document, kind: str, named: Document) -> Document:
    template = owner["spec"]["template"]
    labels = template["metadata"].get("labels", {})
    meta = {**named, "labels": labels, "ownerReferences": [_owned_by(owner, kind)]}
    if "annotations" in template["metadata"]:
        meta["annotations"] = template["metadata"]["annotations"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}


def _removed_first(pod: Document) -> tuple[bool, int, tuple[int, ...]]:
    """Unready before ready, then the cheapest to delete, then the youngest, as the ReplicaSet controller does."""
    cost = int(pod["metadata"].get("annotations", {}).get(DELETION_COST, "0"))
    youngest_first = tuple(-ord(letter) for letter in pod["metadata"]["creationTimestamp"])
    return is_ready(pod), cost, youngest_first


def _garbage(seen: Snapshot, *, gracefully: bool) -> Iterator[Call]:
    workloads = {one["metadata"]["uid"] for one in seen.deployments}
    for one in seen.replica_sets:
        if (owner := owner_uid(one)) is not None and owner not in workloads:
            yield Call("DELETE", seen.path("replicasets", one["metadata"]["name"]))
    owners = {one["metadata"]["uid"] for one in (*seen.replica_sets, *seen.stateful_sets)}
    for pod in seen.pods:
        owner = owner_uid(pod)
        if owner is not None and owner not in owners and not is_terminating(pod):
            yield delete_call(seen, pod, gracefully=gracefully)


def _status_call(path: str, workload: Document, pods: Sequence[Document], more: Document) -> Iterator[Call]:
    status = {
        "observedGeneration": workload["metadata"]["generation"],
        "replicas": len(pods),
        "updatedReplicas": len(pods),
        "readyReplicas": sum(map(is_ready, pods)),
        **more,
    }
    if any(workload["status"].get(key, 0) != value for key, value in status.items()):
        yield Call("PATCH", f"{path}/status", {"status": status}, MERGE)


def _running(container: Document, now: str) -> Document:
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
    }
