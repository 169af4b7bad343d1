"""Owns Foresail's Kubernetes side as tests run it against a real API server, and a line to it that can be cut."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from controller.adapters.kubernetes import ClusterSettings, KubernetesActuator, KubernetesCluster
from controller.clients.kubernetes import KubernetesSession, connect
from controller.records import ScaleOrder, TargetRef, TargetView
from tests.integration.servers.kube_client import JSON, MERGE, Document, collection, request
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from pathlib import Path

    from tests.integration.servers.kubernetes import KubeApi


class WallClock:
    def now_s(self) -> float:
        return time.time()

    def elapsed_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class Watched:
    """The session, the cluster and the actuator as the daemon has them, with what tests ask of them."""

    session: KubernetesSession
    cluster: KubernetesCluster
    actuator: KubernetesActuator

    def target(self, ref: TargetRef) -> TargetView:
        return self.cluster.view().targets[ref]

    def pods(self, ref: TargetRef) -> list[str]:
        return [pod.name for pod in self.cluster.view().pods[ref]]

    async def sees(self, ref: TargetRef, condition: Callable[[TargetView], object], within_s: float = 10) -> TargetView:
        await self.shows(lambda: condition(self.target(ref)), within_s)
        return self.target(ref)

    async def shows(self, condition: Callable[[], object], within_s: float = 10) -> None:
        async def shown() -> object:
            return condition() or None

        await eventually_async(shown, within_s, what=f"{dict(self.cluster.view().targets)}")

    def order(self, ref: TargetRef, after: int) -> ScaleOrder:
        view = self.target(ref)
        return ScaleOrder("shop/web", ref, view.spec_replicas, after, view.resource_version, "test")


@asynccontextmanager
async def watching(
    kubeconfig: Path, targets: Collection[TargetRef], settings: ClusterSettings | None = None
) -> AsyncIterator[Watched]:
    """Follow the targets, and wait until every watch has been listed or refused."""
    async with (
        await connect(kubeconfig=kubeconfig, request_timeout_s=5) as session,
        KubernetesCluster(session, WallClock(), settings) as cluster,
    ):
        await cluster.follow(targets)
        assert await cluster.synced(within_s=10)
        yield Watched(session, cluster, KubernetesActuator(session, cluster.discovery, cluster.wrote))


def web(namespace: str, name: str = "web") -> TargetRef:
    return TargetRef("apps/v1", "Deployment", namespace, name)


async def send(
    kube_api: KubeApi, method: str, path: str, body: Document | None = None, content_type: str = JSON
) -> Document:
    """Send a document as admin."""
    async with kube_api.client() as api:
        return await request(api, method, path, body, content_type=content_type)


async def change(kube_api: KubeApi, ref: TargetRef, body: Document) -> None:
    """Merge into a Deployment as admin."""
    await send(kube_api, "PATCH", f"{collection(ref.namespace, 'deployments')}/{ref.name}", body, MERGE)


def rule(group: str, resource: str, *verbs: str) -> Document:
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs) or ["get", "list", "watch"]}


MAY_WATCH = [rule("apps", "deployments"), rule("", "pods"), rule("autoscaling", "horizontalpodautoscalers")]


class Line:
    """A TCP line to the API server that can be cut; `kubeconfig` leads through it."""

    def __init__(self, kube_api: KubeApi, folder: Path) -> None:
        self._server_port = urlsplit(kube_api.url).port
        self._kube_api = kube_api
        self._folder = folder
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._port = 0

    @property
    def kubeconfig(self) -> Path:
        path = self._folder / "line.kubeconfig"
        text = self._kube_api.kubeconfig.read_text()
        path.write_text(text.replace(f":{self._server_port}", f":{self._port}"))
        return path

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()

    async def mend(self) -> None:
        """Take connections, on the same port as before."""
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Drop every connection and take no new one."""
        if self._listener is not None:
            self._listener.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._listener = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[Any] | None = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        self._writers |= {writer, server_writer}
        await asyncio.gather(_copy(reader, server_writer), _copy(server_reader, writer))
        self._writers -= {writer, server_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
