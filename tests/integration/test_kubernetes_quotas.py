"""What the quotas of a namespace allow, as a real API server has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.collect.quotas import QuotaRoom
from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import MERGE, collection
from tests.integration.servers.kubernetes import create_deployment
from tests.integration.watched_cluster import MAY_WATCH, send, watching, web

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.watched_cluster import Watched


def allowed(seen: Watched, namespace: str) -> float:
    room = QuotaRoom(seen.cluster.view(), (web(namespace),))
    return float(room.replicas(np.array([0]), np.array([1]))[0])


async def test_a_quota_is_seen_when_it_comes_is_counted_and_goes(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    ref, quotas = web(namespace), collection(namespace, "resourcequotas")
    async with FakeNode(kube_api, namespace, startup_s=0.1), watching(kube_api.kubeconfig, [ref]) as seen:
        await seen.shows(lambda: len(seen.pods(ref)) == 2)
        assert allowed(seen, namespace) == np.inf

        hard = {"requests.cpu": "4", "requests.memory": "1Gi", "pods": "20"}
        await send(kube_api, "POST", quotas, {"metadata": {"name": "compute"}, "spec": {"hard": hard}})
        await seen.shows(lambda: np.isnan(allowed(seen, namespace)))
        # Two pods of 500m and 256Mi; another workload uses 1 core and no memory. Half of 1Gi is left, 2 pods.
        used = {"requests.cpu": "2", "requests.memory": "512Mi", "pods": "3"}
        await send(kube_api, "PATCH", f"{quotas}/compute/status", {"status": {"hard": hard, "used": used}}, MERGE)
        await seen.shows(lambda: allowed(seen, namespace) == 4)
        await send(kube_api, "DELETE", f"{quotas}/compute")
        await seen.shows(lambda: allowed(seen, namespace) == np.inf)


async def test_an_account_that_may_not_read_quotas_works_and_is_told(
    kube_api: KubeApi, namespace: str, tmp_path: Path
) -> None:
    await create_deployment(kube_api, namespace, "web")
    account = await kube_api.service_account(namespace, "watcher", MAY_WATCH)
    ref = web(namespace)
    async with watching(kube_api.kubeconfig_for(account.token, tmp_path), [ref]) as seen:
        assert seen.target(ref).problem is None
        assert np.isnan(allowed(seen, namespace))
        [told] = seen.cluster.problems()
        assert told.startswith(f"resourcequotas in {namespace}: Foresail may not read them; grant it get, list")
