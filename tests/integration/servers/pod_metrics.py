"""Owns a small stand-in for metrics-server: what the pods of a namespace use, as the test says."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from tests.integration.servers.aggregation import aggregated, available, serving_pair
from tests.integration.servers.kube_client import collection, request
from tests.integration.servers.pod_plans import is_ready, is_terminating
from tests.integration.servers.process import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.servers.kube_client import Document
    from tests.integration.servers.kubernetes import KubeApi

GROUP = "metrics.k8s.io"
BASE = f"/apis/{GROUP}/v1beta1"


@dataclass
class PodMetrics:
    """Serves PodMetrics: the cores that an app uses, shared evenly by its ready pods. `asked` counts the questions."""

    kube_api: KubeApi
    cores: dict[str, float] = field(default_factory=dict)  # by label app
    asked: int = 0

    def application(self) -> web.Application:
        """What is served."""
        app = web.Application()
        app.add_routes([web.get(BASE, self._discovery), web.get(f"{BASE}/namespaces/{{namespace}}/pods", self._pods)])
        return app

    async def _discovery(self, _: web.Request) -> web.Response:
        pods = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
        told = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1beta1", "resources": [pods]}
        return web.json_response(told)

    async def _pods(self, asked: web.Request) -> web.Response:
        self.asked += 1
        selector, namespace = quote(asked.query.get("labelSelector", ""), safe=""), asked.match_info["namespace"]
        async with self.kube_api.client() as api:
            found = await request(api, "GET", f"{collection(namespace, 'pods')}?labelSelector={selector}")
        ready = [pod for pod in found["items"] if is_ready(pod) and not is_terminating(pod)]
        items = [self._metrics(pod, ready) for pod in ready]
        told = {"kind": "PodMetricsList", "apiVersion": f"{GROUP}/v1beta1", "metadata": {}, "items": items}
        return web.json_response(told)

    def _metrics(self, pod: Document, ready: list[Document]) -> Document:
        app = pod["metadata"]["labels"]["app"]
        sharing = sum(other["metadata"]["labels"]["app"] == app for other in ready)
        usage = {"cpu": f"{1000 * self.cores.get(app, 0.0) / sharing:.0f}m", "memory": "1Mi"}
        return {
            "metadata": {key: pod["metadata"][key] for key in ("name", "namespace", "labels")},
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "window": "1s",
            "containers": [{"name": each["name"], "usage": usage} for each in pod["spec"]["containers"]],
        }


@asynccontextmanager
async def served_pod_metrics(kube_api: KubeApi, namespace: str) -> AsyncIterator[PodMetrics]:
    """Serve metrics.k8s.io through the API server while the block lasts; the Service stands in the namespace."""
    served, port = PodMetrics(kube_api), free_port()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = serving_pair(kube_api, namespace, GROUP)
    context.load_cert_chain(pair.certificate, pair.key)
    runner = web.AppRunner(served.application(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        async with aggregated(kube_api, namespace, GROUP, port) as api_service:
            await available(kube_api, api_service)
            yield served
    finally:
        await runner.cleanup()
