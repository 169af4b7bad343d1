"""Nodes cut down to what placement needs: whether they are spot, where they stand, and what announces their end."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from controller.adapters.kubernetes.discovery import NODES
from controller.clients.kubernetes import Gone, Put, Replaced, Subject
from controller.records import NodeView, Notice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controller.clients.kubernetes import Change, JsonObject

SPOT_LABELS = {
    "karpenter.sh/capacity-type": "spot",  # Karpenter, all clouds
    "eks.amazonaws.com/capacityType": "SPOT",  # EKS managed node groups
    "cloud.google.com/gke-spot": "true",  # GKE
    "cloud.google.com/gke-preemptible": "true",  # GKE, the kind before
    "kubernetes.azure.com/scalesetpriority": "spot",  # AKS
}  # by label: the value that says spot
ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")  # the second before v1.17


def _taken_back(words: str) -> Notice:
    return Notice(words, reclaimed=True)


# By the key of a taint, whatever its effect. Karpenter's taint is the same for an interruption and for a
# consolidation; it counts as the first, for what is thought to be too safe costs more than the other error.
TAINTS = {
    # github.com/aws/aws-node-termination-handler, pkg/node/node.go; set with taintNode, else it only cordons
    "aws-node-termination-handler/spot-itn": _taken_back("AWS takes the spot instance back within two minutes"),
    "aws-node-termination-handler/rebalance-recommendation": Notice("AWS expects to take the instance back"),
    "aws-node-termination-handler/scheduled-maintenance": Notice("AWS has scheduled maintenance"),
    "aws-node-termination-handler/asg-lifecycle-termination": Notice("the Auto Scaling group ends the instance"),
    # sigs.k8s.io/karpenter, pkg/apis/v1/taints.go, and v1beta1 before it
    "karpenter.sh/disrupted": _taken_back("Karpenter ends the node"),
    "karpenter.sh/disruption": _taken_back("Karpenter ends the node"),
    # github.com/GoogleCloudPlatform/k8s-node-termination-handler, deploy/k8s.yaml
    "cloud.google.com/impending-node-termination": _taken_back("Google Cloud takes the node back within 30 s"),
    # learn.microsoft.com/azure/aks/node-auto-drain, under its present and its older name
    "remediator.kubernetes.azure.com/unschedulable": _taken_back("AKS drains the node before a scheduled event"),
    "remediator.aks.microsoft.com/unschedulable": _taken_back("AKS drains the node before a scheduled event"),
    # kubernetes/autoscaler, cluster-autoscaler/utils/taints
    "ToBeDeletedByClusterAutoscaler": Notice("the cluster autoscaler removes the node"),
    # kubernetes.io/docs/reference/labels-annotations-taints
    "node.cloudprovider.kubernetes.io/shutdown": _taken_back("the provider has shut the node down"),
    "node.kubernetes.io/out-of-service": Notice("the node is declared out of service"),
}
# By the type of a condition that is true: learn.microsoft.com/azure/aks/node-problem-detector.
CONDITIONS = {
    "PreemptScheduled": _taken_back("Azure takes the spot instance back within 30 s"),
    "TerminateScheduled": Notice("Azure has scheduled the end of the instance"),
    "RedeployScheduled": Notice("Azure has scheduled the move of the instance"),
}
_ANY_EVENT = "VMEventScheduled"  # of AKS; its message begins with the kind of event
_AZURE = {"preempt": "PreemptScheduled", "terminate": "TerminateScheduled", "redeploy": "RedeployScheduled"}
_SHUTTING_DOWN = "node is shutting down"  # the kubelet's graceful shutdown, as on GKE: kubernetes.io/docs, Nodes
_SHUTDOWN = _taken_back("the node is shutting down")
_DELETED = Notice("the node is being deleted")
_CORDONED = Notice("the node is cordoned")


class NodeTable:
    """Takes nodes in from a watch of all of them."""

    def __init__(self) -> None:
        """Hold none."""
        self._nodes: dict[str, NodeView] = {}
        self._shown: Mapping[str, NodeView] | None = None

    def views(self) -> Mapping[str, NodeView]:
        """The nodes by name; the same object as before when nothing changed."""
        if self._shown is None:
            self._shown = MappingProxyType(dict(self._nodes))
        return self._shown

    def subject(self) -> Subject[NodeView]:
        """What to watch."""

        def take(change: Change[NodeView]) -> None:
            match change:
                case Replaced(items):
                    self._replace(items)
                case Put(node):
                    self._put(node)
                case Gone(node):
                    self._nodes.pop(node.name, None)
                    self._shown = None

        return Subject(NODES.path(None), node_of, take)

    def _put(self, node: NodeView) -> None:
        if self._nodes.get(node.name) != node:
            self._nodes[node.name] = node
            self._shown = None

    def _replace(self, nodes: Iterable[NodeView]) -> None:
        found = {node.name: node for node in nodes}
        if found != self._nodes:
            self._nodes, self._shown = found, None


def node_of(item: JsonObject) -> NodeView:
    """Decode a node. Raises KeyError or TypeError for what is none."""
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    return NodeView(
        name=metadata["name"],
        spot=any(labels.get(label) == value for label, value in SPOT_LABELS.items()),
        zone=next((labels[label] for label in ZONE_LABELS if label in labels), ""),
        notice=_notice(item),
    )


def _notice(item: JsonObject) -> Notice | None:
    """What announces that a node goes: the first sign that it is taken back, else the first of all."""
    signs = tuple(_signs(item))
    return next((sign for sign in signs if sign.reclaimed), signs[0] if signs else None)


def _signs(item: JsonObject) -> Iterator[Notice]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    for taint in spec.get("taints") or ():
        if taint.get("key") in TAINTS:
            yield TAINTS[taint["key"]]
    for condition in status.get("conditions") or ():
        kind, message = condition.get("type"), str(condition.get("message") or "").lower()
        if kind == "Ready" and condition.get("status") != "True" and _SHUTTING_DOWN in message:
            yield _SHUTDOWN
        if condition.get("status") != "True":
            continue
        if kind == _ANY_EVENT:
            kind = next((name for word, name in _AZURE.items() if message.startswith(word)), None)
        if kind in CONDITIONS:
            yield CONDITIONS[kind]
    if "deletionTimestamp" in item["metadata"]:
        yield _DELETED
    if spec.get("unschedulable"):
        yield _CORDONED
