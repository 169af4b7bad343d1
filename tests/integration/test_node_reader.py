"""The agent's own Node on a real API server, by the rights of deploy/gpu-agent.yaml and no others."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from controller.adapters.nvml.node import NodeReader
from controller.errors import Unavailable
from tests.architecture.source import ROOT
from tests.integration.servers.kube_client import MERGE
from tests.integration.watched_cluster import send

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi

NODES = "/api/v1/nodes"
STATE = "nvidia.com/gpu-driver-upgrade-state"


async def test_the_node_is_read_by_the_rights_of_the_manifest(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "gpu-agent.yaml").read_text()))
    [rights] = [each["rules"] for each in documents if each["kind"] == "ClusterRole"]
    account = await kube_api.service_account(namespace, "gpu-agent", rights, cluster=True)
    (tmp_path / "token").write_text(account.token)
    shutil.copy(kube_api.ca_file, tmp_path / "ca.crt")
    node = f"gpu-{namespace}"
    reader = NodeReader(node, kube_api.url, account=tmp_path)
    with pytest.raises(Unavailable, match="Not Found"):
        await reader.released()

    await send(kube_api, "POST", NODES, {"metadata": {"name": node}})
    try:
        assert await reader.released() == ""
        await send(kube_api, "PATCH", f"{NODES}/{node}", {"metadata": {"labels": {STATE: "drain-required"}}}, MERGE)
        assert await reader.released() == f"{STATE}=drain-required"
        (tmp_path / "token").write_text("revoked")
        with pytest.raises(Unavailable, match="Unauthorized"):
            await reader.released()
    finally:
        await send(kube_api, "DELETE", f"{NODES}/{node}")
