"""Owns the stand-in for controllers and kubelet: pods of a namespace that come, get ready and go."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

import aiohttp
from kubernetes.aio.client import ApiException

from tests.integration.servers.kube_client import Document, collection, request
from tests.integration.servers.pod_plans import (
    NODE,
    Call,
    Snapshot,
    bind_call,
    controller_calls,
    delete_call,
    has_condition,
    is_ready,
    is_terminating,
    ready_call,
    status_calls,
    unschedulable_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubernetes.aio.client import ApiClient

    from tests.integration.servers.kubernetes import KubeApi

POLL_S = 0.1
# Another writer was faster, the object went meanwhile, or the server is going down: the next pass sees it.
PASSING = frozenset({404, 409, 429, 500, 503})


class FakeNode:
    """Runs while `async with` lasts; its settings may change at any moment.

    `startup_s` is the time from binding a pod to Ready, `termination_s` how long a deleted pod stays
    Terminating, `can_schedule` whether new pods find room (without it they stay Pending, Unschedulable), `node_for`
    on which node (None: on none).
    """

    def __init__(
        self,
        kube_api: KubeApi,
        namespace: str,
        *,
        startup_s: float = 0.5,
        termination_s: float = 0.0,
        poll_s: float = POLL_S,
    ) -> None:
        """Watch over one namespace of the API server, looking every `poll_s` (longer for a large fleet)."""
        self._poll_s = poll_s
        self.startup_s = startup_s
        self.termination_s = termination_s
        self.can_schedule = True
        self.node_for: Callable[[Document], str | None] = lambda _: NODE
        self._kube_api = kube_api
        self._namespace = namespace
        self._bound_s: dict[str, float] = {}
        self._ending_s: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Start to act."""
        self._task = asyncio.create_task(self._run(), name="fake-node")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop acting; a fault of the stand-in itself fails the test here."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.result()

    async def _run(self) -> None:
        async with self._kube_api.client() as api:
            while True:
                try:
                    await self._pass(api)
                except (TimeoutError, aiohttp.ClientError):
                    # The test took the API server away; a real kubelet waits for it too.
                    await asyncio.sleep(self._poll_s)
                except ApiException as error:
                    if error.status not in PASSING:
                        raise
                await asyncio.sleep(self._poll_s)

    async def _pass(self, api: ApiClient) -> None:
        seen = await self._look(api)
        gracefully = self.termination_s > 0
        calls = [
            *controller_calls(seen, gracefully=gracefully),
            *status_calls(seen),
            *(call for pod in seen.pods for call in self._pod_calls(seen, pod)),
        ]
        await asyncio.gather(*(_send(api, call) for call in calls))

    async def _look(self, api: ApiClient) -> Snapshot:
        kinds = ("deployments", "statefulsets", "replicasets", "pods")
        paths = [collection(self._namespace, kind) for kind in kinds]
        lists = await asyncio.gather(*(request(api, "GET", path) for path in paths))
        return Snapshot(self._namespace, *(found["items"] for found in lists))

    def _pod_calls(self, seen: Snapshot, pod: Document) -> Iterator[Call]:
        uid, elapsed_s = pod["metadata"]["uid"], time.monotonic()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if is_terminating(pod):
            if elapsed_s - self._ending_s.setdefault(uid, elapsed_s) >= self.termination_s:
                yield delete_call(seen, pod, gracefully=False)
        elif not pod["spec"].get("nodeName"):
            node = self.node_for(pod) if self.can_schedule else None
            if node is not None:
                yield bind_call(seen, pod, node)
            elif not has_condition(pod, "PodScheduled", "False"):
                yield unschedulable_call(seen, pod, now)
        elif not is_ready(pod) and elapsed_s - self._bound_s.setdefault(uid, elapsed_s) >= self.startup_s:
            yield ready_call(seen, pod, now)


async def _send(api: ApiClient, call: Call) -> None:
    try:
        await request(api, call.method, call.path, call.body, content_type=call.content_type)
    except ApiException as error:
        if error.status not in PASSING:
            raise
