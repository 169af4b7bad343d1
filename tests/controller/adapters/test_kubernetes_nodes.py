"""What labels, taints and conditions say of a node, and what is known of nodes that may not be read."""

from __future__ import annotations

from typing import Any

import pytest

from controller.adapters.kubernetes.nodes import node_of
from controller.records import NodeView, Notice
from tests.controller.adapters.test_kubernetes_cluster import REF, following, server
from tests.controller.clients.kubernetes_server import ApiServer, event, listing, refusal, watch

Document = dict[str, Any]
NODES = "/api/v1/nodes"

__all__ = ["server"]


def node(name: str = "n1", *taints: str, labels: Document | None = None, **more: Any) -> Document:  # noqa: ANN401
    metadata = {"name": name, "resourceVersion": "11", "labels": labels or {}, **more.pop("metadata", {})}
    keys = [{"key": taint, "effect": "NoSchedule"} for taint in taints]
    return {"metadata": metadata, "spec": {"taints": keys, **more.pop("spec", {})}, "status": more}


def condition(kind: str, message: str = "", status: str = "True") -> Document:
    return {"conditions": [{"type": kind, "status": status, "message": message}]}


@pytest.mark.parametrize(
    ("labels", "spot"),
    [
        pytest.param({"karpenter.sh/capacity-type": "spot"}, True, id="karpenter"),
        pytest.param({"karpenter.sh/capacity-type": "on-demand"}, False, id="karpenter-on-demand"),
        pytest.param({"eks.amazonaws.com/capacityType": "SPOT"}, True, id="eks"),
        pytest.param({"eks.amazonaws.com/capacityType": "ON_DEMAND"}, False, id="eks-on-demand"),
        pytest.param({"cloud.google.com/gke-spot": "true"}, True, id="gke"),
        pytest.param({"kubernetes.azure.com/scalesetpriority": "spot"}, True, id="aks"),
        pytest.param({}, False, id="no-label"),
    ],
)
def test_whether_a_node_is_spot(labels: Document, *, spot: bool) -> None:
    zone = {"topology.kubernetes.io/zone": "eu-1a"}
    assert node_of(node(labels={**labels, **zone})) == NodeView("n1", spot, zone="eu-1a")


@pytest.mark.parametrize(
    ("given", "reclaimed"),
    [
        pytest.param(node("n1", "aws-node-termination-handler/spot-itn"), True, id="aws-spot"),
        pytest.param(node("n1", "aws-node-termination-handler/rebalance-recommendation"), False, id="aws-rebalance"),
        pytest.param(node("n1", "karpenter.sh/disrupted"), True, id="karpenter"),
        pytest.param(node("n1", "cloud.google.com/impending-node-termination"), True, id="gke-taint"),
        pytest.param(node("n1", **condition("Ready", "Node is shutting down", "False")), True, id="gke-shutdown"),
        pytest.param(node("n1", **condition("PreemptScheduled")), True, id="aks-preempt"),
        pytest.param(node("n1", **condition("VMEventScheduled", "Preempt Scheduled: Mon")), True, id="aks-any-event"),
        pytest.param(node("n1", "remediator.kubernetes.azure.com/unschedulable"), True, id="aks-drain"),
        pytest.param(node("n1", "ToBeDeletedByClusterAutoscaler"), False, id="cluster-autoscaler"),
        pytest.param(node("n1", spec={"unschedulable": True}), False, id="cordoned"),
        pytest.param(node("n1", metadata={"deletionTimestamp": "2026-11-20T12:00:00Z"}), False, id="deleted"),
        pytest.param(
            node("n1", "aws-node-termination-handler/spot-itn", spec={"unschedulable": True, "taints": []}),
            False,
            id="cordoned-alone",
        ),
        pytest.param(
            node("n1", "ToBeDeletedByClusterAutoscaler", "aws-node-termination-handler/spot-itn"),
            True,
            id="taken-back-has-precedence",
        ),
    ],
)
def test_a_notice(given: Document, *, reclaimed: bool) -> None:
    notice = node_of(given).notice
    assert notice is not None
    assert notice.reclaimed == reclaimed


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(node("n1", "nvidia.com/gpu", "kubernetes.azure.com/scalesetpriority"), id="other-taints"),
        pytest.param(node("n1", "DeletionCandidateOfClusterAutoscaler"), id="a-candidate-only"),
        pytest.param(node("n1", **condition("Ready")), id="ready"),
        pytest.param(node("n1", **condition("VMEventScheduled", "Freeze Scheduled: Mon")), id="freezes-a-moment"),
        pytest.param(node("n1", **condition("PreemptScheduled", status="False")), id="no-event"),
        pytest.param({"metadata": {"name": "n1"}}, id="bare"),
    ],
)
def test_no_notice(given: Document) -> None:
    assert node_of(given).notice is None


async def test_nodes_are_watched_where_they_are_asked_for(server: ApiServer) -> None:
    server.on(f"GET {NODES}", listing(node("n1"), node("n2"), version="11"))
    server.on(f"WATCH {NODES}", watch(event("MODIFIED", node("n1", "karpenter.sh/disrupted"))))
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None)
        assert seen.cluster.view().nodes is None
        await seen.cluster.follow([REF], nodes=True)
        await seen.until(lambda: any(each.notice for each in (seen.cluster.view().nodes or {}).values()))
        nodes = seen.cluster.view().nodes or {}
        assert sorted(nodes) == ["n1", "n2"]
        assert nodes["n1"].notice == Notice("Karpenter ends the node", reclaimed=True)
        assert seen.cluster.view().nodes is nodes, "the same object while nothing changes"
        await seen.cluster.follow([REF])
        assert seen.cluster.view().nodes is None


async def test_nodes_that_may_not_be_read_are_not_known_and_stop_nothing(server: ApiServer) -> None:
    server.on(f"GET {NODES}", refusal(403, "may not list"))
    async with following(server) as seen:
        await seen.cluster.follow([REF], nodes=True)
        told = "nodes: Foresail may not read them; grant it get, list and watch: may not list (HTTP 403)"
        await seen.until(lambda: seen.target.problem is None and seen.cluster.problems() == (told,))
        assert seen.cluster.view().nodes is None
