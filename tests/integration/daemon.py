"""Owns the Foresail daemon as a process, and the stage of real servers that it acts on."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import MERGE, Document, collection, request
from tests.integration.servers.kubernetes import create_deployment, scale_of
from tests.integration.servers.process import (
    Launch,
    ServerProcess,
    eventually,
    eventually_async,
    free_port,
    http_ok,
    http_request,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.prometheus import Prometheus

RBAC = Path(__file__).resolve().parents[2] / "deploy" / "rbac.yaml"
KILL_SWITCH = "foresail-kill-switch"
PATIENCE_S = 30.0
START_S = 90.0  # on a machine with other work: the libraries alone take seconds to load
LOAD = "e2e_load"
REQUESTS = "e2e_requests_total"


def rights(*, scale: bool = True) -> list[Document]:
    """The rules that users are given, and nothing else; without `scale` those that write no scale."""
    documents = yaml.safe_load_all(RBAC.read_text())
    (rules,) = [document["rules"] for document in documents if document["kind"] == "ClusterRole"]
    return [rule for rule in rules if scale or not any(name.endswith("/scale") for name in rule["resources"])]


class Daemon:
    """`foresail run` as a process with a state folder of its own; it keeps its port and its state across starts."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        """Give every setting as a flag; nothing runs yet."""
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        given = {"state_dir": folder / "state", "listen": f"127.0.0.1:{port}", "log_format": "json", **settings}
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
        argv = [str(Path(sys.executable).with_name("foresail")), "run", *flags]
        self.process = ServerProcess(Launch("foresail", argv, folder, self._lives, timeout_s=START_S))

    def __enter__(self) -> Self:
        """Start."""
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.process.stop()

    def _lives(self) -> bool:
        return http_ok(f"{self.url}/livez")

    def stop(self) -> int:
        """End it as Kubernetes would (SIGTERM), and return its exit status."""
        self.process.stop()
        code = self.process.exit_code
        assert code is not None
        return code

    def get(self, path: str, *, timeout_s: float = 3.0) -> tuple[int, bytes]:
        """Status and body of a GET; status 0 while it does not answer."""
        try:
            return http_request("GET", f"{self.url}{path}", timeout_s=timeout_s)
        except (OSError, HTTPException):
            return 0, b""

    def api(self, path: str) -> Document:
        """A document below /api/v1; fails the test when there is none."""
        status, body = self.get(f"/api/v1/{path}")
        assert status == 200, f"{status}: {body.decode(errors='replace')}"
        document: Document = json.loads(body)
        return document

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of one sample on /metrics, None when it is not there."""
        status, body = self.get("/metrics")
        assert status == 200
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    def ticks(self) -> int:
        """How many ticks this process has done."""
        return int(self.metric("foresail_loop_duration_seconds_count", phase="tick") or 0)


@dataclass
class Stage:
    """One Deployment in a namespace of its own, its load in Prometheus, and the daemon that scales it."""

    kube_api: KubeApi
    namespace: str
    prometheus: Prometheus
    exporter: Exporter
    folder: Path
    kubeconfig: Path
    settings: dict[str, object] = field(default_factory=dict)
    node: FakeNode | None = None  # the stand-in for controllers and kubelets
    _daemon: Daemon | None = None

    @property
    def policy_file(self) -> Path:
        """Where the policy stands."""
        return self.folder / "policy.yaml"

    @property
    def daemon(self) -> Daemon:
        """The daemon, with the settings given before its first use."""
        if self._daemon is None:
            settings = {
                "policies": self.policy_file,
                "prometheus_url": self.prometheus.url,
                "kubeconfig": self.kubeconfig,
                "namespace": self.namespace,
                "interval": "1s",
                "removal_ratio": 1,
                **self.settings,
            }
            self._daemon = Daemon(self.folder / "daemon", settings)
        return self._daemon

    def load(self, value: float) -> None:
        """Put the workload under this load; Prometheus knows within a second."""
        self.exporter.set(LOAD, value, namespace=self.namespace, app="web")

    def policy(self, query: str = LOAD, **spec: object) -> None:
        """Write the policy: one replica serves 10, so that the Kubernetes rule aims at 7; falls wait 3 s."""
        signal = {"name": "load", "kind": "demand", "query": query, "capacityPerReplica": 10}
        document = {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "WorkloadPolicy",
            "metadata": {"name": "web", "namespace": self.namespace},
            "spec": {
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "mode": "active",
                "replicas": {"min": 1, "max": 30},
                "signals": [{**signal, "match": {"namespace": "$namespace", "app": "$name"}}],
                "behavior": {"scaleDown": {"stabilizationWindowSeconds": 3}},
                "forecast": {"enabled": False},
                **spec,
            },
        }
        self.policy_file.write_text(yaml.safe_dump(document))

    def workload(self) -> Document:
        """What the daemon tells of the workload."""
        return self.daemon.api(f"workloads/{self.namespace}/web")

    async def replicas(self) -> int:
        """The replicas that the Deployment asks for."""
        return await scale_of(self.kube_api, self.namespace, "web")

    async def scaled(self, replicas: int, within_s: float = PATIENCE_S) -> None:
        """Wait until the Deployment asks for this many replicas, and its pods are ready."""
        await self.asks(replicas, within_s)
        await eventually_async(lambda: self._ready(replicas), within_s, what=f"{replicas} ready pods")

    async def asks(self, replicas: int, within_s: float = PATIENCE_S) -> None:
        """Wait until the Deployment asks for this many replicas."""

        async def there() -> bool:
            found = await self.replicas()
            assert found == replicas, f"{found} replicas; {self.daemon.process.log_tail(5)}"
            return True

        await eventually_async(there, within_s, what=f"{replicas} replicas")

    async def keeps(self, replicas: int, ticks: int = 7) -> None:
        """Let this many ticks pass (more than a window of 3 s), through all of which the replicas stay."""
        until = self.daemon.ticks() + ticks

        async def passed() -> bool:
            assert self.daemon.process.running, self.daemon.process.log_tail()
            found = await self.replicas()
            if found != replicas:
                raise Moved(f"{found} replicas instead of {replicas}: {self.workload()}")
            return self.daemon.ticks() >= until

        await eventually_async(passed, 10 * ticks, what=f"{ticks} ticks")

    def shows(self, condition: Callable[[Document], object], within_s: float = PATIENCE_S) -> Document:
        """Wait until what the daemon tells of the workload fulfils the condition, and return it."""

        def found() -> Document:
            document = self.workload()
            assert condition(document), json.dumps(document)
            return document

        return eventually(found, within_s)

    async def send(self, method: str, path: str, body: Document | None = None) -> Document:
        """Send a document as admin; a patch is a merge patch."""
        async with self.kube_api.client() as api:
            if method == "PATCH":
                return await request(api, method, path, body, content_type=MERGE)
            return await request(api, method, path, body)

    async def change(self, body: Document) -> None:
        """Merge into the Deployment as admin."""
        await self.send("PATCH", f"{collection(self.namespace, 'deployments')}/web", body)

    async def events(self, reason: str) -> list[Document]:
        """The events with this reason in the namespace."""
        found = (await self.send("GET", collection(self.namespace, "events")))["items"]
        return [event for event in found if event["reason"] == reason]

    async def told(self, reason: str) -> Document:
        """Wait for an event with this reason, and return it."""
        found = await eventually_async(lambda: self.events(reason), what=f"event {reason}")
        return found[0]

    async def writes(self) -> int:
        """How often the Deployment's spec was changed since it was made."""
        document = await self.send("GET", f"{collection(self.namespace, 'deployments')}/web")
        return int(document["metadata"]["generation"]) - 1

    async def _ready(self, replicas: int) -> bool:
        document = await self.send("GET", f"{collection(self.namespace, 'deployments')}/web")
        return bool(document["status"].get("readyReplicas") == replicas == document["status"].get("replicas"))


class Moved(RuntimeError):
    """Replicas changed that had to stay; no AssertionError, which polling takes for "not yet"."""


@dataclass(frozen=True)
class Servers:
    """What a stage stands on."""

    kube_api: KubeApi
    namespace: str
    prometheus: Prometheus
    exporter: Exporter


@asynccontextmanager
async def staged(
    servers: Servers, folder: Path, rules: list[Document] | None = None, *, cluster: bool = False
) -> AsyncIterator[Stage]:
    """A Deployment of two replicas with ready pods under a load of 14, and its policy; the daemon is not started.

    The daemon has its rights in its own namespace, or (`cluster`) everywhere.
    """
    rules = rules or rights()
    account = await servers.kube_api.service_account(servers.namespace, "foresail", rules, cluster=cluster)
    kubeconfig = servers.kube_api.kubeconfig_for(account.token, folder)
    stage = Stage(servers.kube_api, servers.namespace, servers.prometheus, servers.exporter, folder, kubeconfig)
    await create_deployment(servers.kube_api, servers.namespace, "web", replicas=2)
    stage.load(14)
    stage.policy()
    async with FakeNode(servers.kube_api, servers.namespace, startup_s=0.2) as stage.node:
        await stage.scaled(2)
        await eventually_async(lambda: _scraped(stage), what="the load in Prometheus")
        try:
            yield stage
        finally:
            stage.daemon.process.stop()


async def _scraped(stage: Stage) -> bool:
    return stage.prometheus.value(f'{LOAD}{{namespace="{stage.namespace}"}}') is not None
