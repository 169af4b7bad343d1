"""The daemon under a ResourceQuota of GPUs, which a real API server counts and enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.servers.kube_client import MERGE, collection, request

if TYPE_CHECKING:
    from tests.integration.daemon import Stage

GPU = {"nvidia.com/gpu": "2"}
NAME = "requests.nvidia.com/gpu"


async def allow(stage: Stage, gpus: int, used: int | None = None) -> None:
    """Let the quota be so many GPUs, as the quota controller would say it; what pods use, the server counts on."""
    hard = {NAME: str(gpus)}
    status = {"hard": hard, **({} if used is None else {"used": {NAME: str(used)}})}
    path = f"{collection(stage.namespace, 'resourcequotas')}/gpus"
    async with stage.kube_api.client() as api:
        await request(api, "PATCH", path, {"spec": {"hard": hard}}, content_type=MERGE)
        await request(api, "PATCH", f"{path}/status", {"status": status}, content_type=MERGE)


async def test_rises_stay_within_the_quota_and_go_on_when_it_is_raised(stage: Stage) -> None:
    container = {
        "name": "server",
        "image": "registry.invalid/server:1",
        "resources": {"requests": GPU, "limits": GPU},
    }
    await stage.change({"spec": {"template": {"spec": {"containers": [container]}}}})
    async with stage.kube_api.client() as api:
        body = {"metadata": {"name": "gpus"}, "spec": {"hard": {NAME: "9"}}}
        await request(api, "POST", collection(stage.namespace, "resourcequotas"), body)
    with stage.daemon as daemon:
        stage.load(7)
        await stage.scaled(1)
        await allow(stage, gpus=9, used=4)  # 2 by the pod that is there, 2 by others
        stage.load(35)  # 5 replicas; 5 GPUs are left, enough for 2 more
        await stage.scaled(3)
        shown = stage.shows(lambda document: document["reason"] == "gpu_quota")
        told = "The quota of nvidia.com/gpu in namespace"
        assert any(line.startswith(told) for line in shown["explanation"])
        assert daemon.metric("foresail_gpu_quota_withheld_replicas") == 2
        await allow(stage, gpus=20)
        await stage.scaled(5)
