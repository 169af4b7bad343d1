"""Nodes and pods of a cluster, as they are listed once: what each is, has and asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from controller.adapters.kubernetes.inventory import Amounts, read_inventory
from controller.errors import Rejected
from policies.pricing.facts import GIB
from tests.controller.clients.kubernetes_server import ApiServer, listing, refusal
from tests.controller.cluster_documents import node, of_deployment, pod

if TYPE_CHECKING:
    from pathlib import Path

    from controller.adapters.kubernetes.inventory import Inventory
    from tests.controller.cluster_documents import Document

GIB_MILLI = GIB * 1000


async def inventory(folder: Path, nodes: list[Document], pods: list[Document]) -> Inventory:
    async with ApiServer(folder) as server:
        server.on("GET /api/v1/nodes", listing(*nodes, version="1"))
        server.on("GET /api/v1/pods", listing(*pods[:1], version="1", rest="more"), listing(*pods[1:], version="1"))
        async with await server.session() as session:
            return await read_inventory(session)


async def test_nodes_tell_what_they_are(tmp_path: Path) -> None:
    found = await inventory(
        tmp_path,
        [
            node(
                "b",
                "g2-standard-4",
                provider="gce",
                labels={"cloud.google.com/gke-spot": "true"},
                has={"nvidia.com/gpu": "1"},
            ),
            node("a", labels={"node.kubernetes.io/instance-type": "", "beta.kubernetes.io/instance-type": "m4.large"}),
        ],
        [],
    )
    old, spot = found.nodes
    assert (old.name, old.provider, old.instance_type, old.region, old.zone, old.spot) == (
        "a", "aws", "m4.large", "us-east-1", "us-east-1a", False,
    )  # fmt: skip
    assert (spot.provider, spot.spot, spot.allocatable) == ("gcp", True, Amounts(2000, 8 * GIB_MILLI, 1000))


async def test_pods_tell_whose_they_are_and_what_they_ask_for(tmp_path: Path) -> None:
    silent = {"name": "sidecar"}
    pods = [
        of_deployment("chat-1", "chat", "a", beside=[silent]),
        pod("db-0", "a", ("StatefulSet", "db"), asks={"cpu": "500m"}),
        pod("nightly-28812345-x", "a", ("Job", "nightly-28812345")),
        pod("train-x", "a", ("Job", "train"), asks={"nvidia.com/gpu": "2", "nvidia.com/mig-1g.5gb": "1"}),
        pod("alone", "a", asks={}),
        pod("over", "a", phase="Succeeded"),
        pod("waiting", ""),
    ]
    found = await inventory(tmp_path, [node("a")], pods)
    assert {(each.kind, each.workload): each.asks for each in found.pods} == {
        ("Deployment", "chat"): Amounts(1000, 4 * GIB_MILLI),
        ("StatefulSet", "db"): Amounts(500),
        ("CronJob", "nightly"): Amounts(1000, 4 * GIB_MILLI),
        ("Job", "train"): Amounts(gpu_milli=3000),
        ("Pod", "alone"): Amounts(),
    }


async def test_a_refusal_is_told(tmp_path: Path) -> None:
    async with ApiServer(tmp_path) as server:
        server.on("GET /api/v1/nodes", refusal(403, "nodes is forbidden"))
        async with await server.session() as session:
            with pytest.raises(Rejected, match="listing nodes and pods: nodes is forbidden"):
                await read_inventory(session)
