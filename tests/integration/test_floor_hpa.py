"""Mode floor with the real HPA controller: it follows Foresail up, and scales alone while Foresail is dead."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.integration.metrics_api import floor_hpa, metrics_api
from tests.integration.servers.aggregation import available

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.daemon import Stage
    from tests.integration.servers.pod_metrics import PodMetrics

HPAS = "/apis/autoscaling/v2beta2/namespaces/{namespace}/horizontalpodautoscalers"
CORES = 0.05  # that one unit of load uses: a pod requests 0.5 and serves 10 of them


@asynccontextmanager
async def recorded(stage: Stage) -> AsyncIterator[list[int]]:
    """Every count of replicas that the Deployment asks for while the block lasts, one after the other."""
    seen = [await stage.replicas()]

    async def look() -> None:
        if (found := await stage.replicas()) != seen[-1]:
            seen.append(found)

    async def record() -> None:
        while True:
            await look()
            await asyncio.sleep(0.1)

    task = asyncio.create_task(record())
    try:
        yield seen
        await look()
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.usefixtures("hpa_controller")
async def test_an_hpa_follows_foresail_and_scales_alone_while_foresail_is_dead(
    stage: Stage, pod_metrics: PodMetrics
) -> None:
    stage.policy(mode="floor")
    pod_metrics.cores["web"] = 14 * CORES
    with stage.daemon as daemon:
        async with metrics_api(stage) as (api, api_service), recorded(stage) as seen:
            await available(stage.kube_api, api_service)
            await stage.send("POST", HPAS.format(namespace=stage.namespace), floor_hpa(stage))

            # More is asked for; what pods use does not show it yet: by that the HPA would stay at 2. 35 / 7 = 5.
            stage.load(35)
            await stage.scaled(5)
            pod_metrics.cores["web"] = 35 * CORES  # ceil(1.75 / (0.5 * 90 %)) = 4: Foresail leads

            daemon.process.kill()
            api.kill()
            stage.load(70)
            pod_metrics.cores["web"] = 70 * CORES  # ceil(3.5 / 0.45) = 8
            await stage.asks(8)
            await stage.told("FailedGetExternalMetric")

            # In threads: what the pods use is served, and the HPA acts, meanwhile.
            await asyncio.gather(asyncio.to_thread(daemon.process.start), asyncio.to_thread(api.start))
            await available(stage.kube_api, api_service)
            await stage.asks(10)  # 70 / 7
    assert seen == [2, 5, 8, 10]
