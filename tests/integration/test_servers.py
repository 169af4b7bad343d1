"""The servers that other tests rely on do what those tests take for granted."""

from __future__ import annotations

import math
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from kubernetes.aio.client import ApiException, CoreV1Api
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.integration.servers import bad_prometheus as bad
from tests.integration.servers.fake_node import FakeNode
from tests.integration.servers.kube_client import MERGE, Document, collection, request
from tests.integration.servers.kubernetes import create_deployment, create_workload, read_deployment, stateful_set
from tests.integration.servers.kubernetes_build import source_entries
from tests.integration.servers.process import (
    Launch,
    ServerProcess,
    StartFailed,
    eventually,
    eventually_async,
    http_ok,
    http_request,
)
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from pathlib import Path

    from kubernetes.aio.client import ApiClient

    from tests.integration.servers.bad_prometheus import BadPrometheus
    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.kubernetes import KubeApi
    from tests.integration.servers.postgresql import PostgreSQL
    from tests.integration.servers.prometheus import Prometheus

MAY_SCALE = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]}


def test_prometheus_scrapes_what_the_exporter_serves(prometheus: Prometheus, exporter: Exporter) -> None:
    exporter.set("load_ratio", 0.25, app="chat")
    exporter.set("broken_ratio", math.nan, app="chat")
    prometheus.scrape(exporter.address)

    assert eventually(lambda: prometheus.value('load_ratio{app="chat"}'), 20) == 0.25
    assert prometheus.query("broken_ratio")[0]["value"][1] == "NaN"

    exporter.die()
    eventually(lambda: prometheus.value("up") == 0, what="the target is down")
    assert prometheus.query("load_ratio") == []

    exporter.revive()
    eventually(lambda: prometheus.value("load_ratio") == 0.25, what="the target is back")


def test_prometheus_answers_from_backfilled_history_and_after_a_crash(prometheus: Prometheus) -> None:
    now_s = time.time()
    at_s = [now_s - 3600 + 60 * minute for minute in range(60)]
    prometheus.backfill([Series("load", {"app": "chat"}, at_s, [float(minute) for minute in range(60)])])

    # The sample at or before half an hour ago is the 30th minute's.
    assert prometheus.value("load", at_s=now_s - 1800) == 30
    prometheus.kill()
    assert not http_ok(f"{prometheus.url}/-/ready")
    prometheus.start()
    assert prometheus.value("load", at_s=now_s - 1800) == 30


def test_a_frozen_prometheus_hangs_and_goes_on(prometheus: Prometheus) -> None:
    prometheus.pause()
    with pytest.raises(TimeoutError):
        http_request("GET", f"{prometheus.url}/-/ready", timeout_s=0.3)
    prometheus.resume()
    assert eventually(lambda: http_ok(f"{prometheus.url}/-/ready"))


def test_a_bad_prometheus_answers_as_it_is_told(bad_prometheus: BadPrometheus) -> None:
    bad_prometheus.answers(bad.status(503), bad.vector([({"app": "chat"}, 2.0)], at_s=1.0, warnings=["partial"]))
    ask = partial(http_request, "GET", f"{bad_prometheus.url}/api/v1/query?query=up")

    assert ask()[0] == 503
    answered, body = ask()
    assert answered == 200
    assert b'"warnings": ["partial"]' in body
    assert [one.params for one in bad_prometheus.requests] == [{"query": "up"}] * 2


async def test_postgresql_answers_and_survives_an_outage(postgresql: PostgreSQL, database_url: str) -> None:
    assert await _select_one(database_url) == 1
    postgresql.stop()
    with pytest.raises((OSError, DBAPIError)):
        await _select_one(database_url)
    postgresql.start()
    assert await _select_one(database_url) == 1
    postgresql.kill()
    postgresql.start()
    assert await _select_one(database_url) == 1


async def test_a_scale_is_patched_and_a_stale_version_refused(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    async with kube_api.client() as api:
        before = await request(api, "GET", f"{collection(namespace, 'deployments')}/web/scale")
        seen = {"resourceVersion": before["metadata"]["resourceVersion"]}
        after = await _patch(api, namespace, "web/scale", {"metadata": seen, "spec": {"replicas": 5}})
        with pytest.raises(ApiException) as stale:
            await _patch(api, namespace, "web/scale", {"metadata": seen, "spec": {"replicas": 3}})

    assert (before["spec"]["replicas"], after["spec"]["replicas"], stale.value.status) == (2, 5, 409)


async def test_a_restricted_account_may_patch_the_scale_alone(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=2)
    account = await kube_api.service_account(namespace, "scaler", [MAY_SCALE])
    async with kube_api.client(account.token) as api:
        patched = await _patch(api, namespace, "web/scale", {"spec": {"replicas": 3}})
        with pytest.raises(ApiException) as whole_object:
            await _patch(api, namespace, "web", {"spec": {"replicas": 4}})
        with pytest.raises(ApiException) as secrets:
            await CoreV1Api(api).list_namespaced_secret(namespace)

    assert (patched["spec"]["replicas"], whole_object.value.status, secrets.value.status) == (3, 403, 403)


async def test_the_stand_in_node_makes_pods_ready_and_removes_them(kube_api: KubeApi, namespace: str) -> None:
    async with FakeNode(kube_api, namespace, startup_s=0.3):
        await create_deployment(kube_api, namespace, "web", replicas=3)
        await create_workload(kube_api, namespace, stateful_set("db", replicas=2))
        await _ready_replicas(kube_api, namespace, "web", 3)
        await _until_pods(kube_api, namespace, "db", 2)
        await _scale(kube_api, namespace, "web", 1)
        await _ready_replicas(kube_api, namespace, "web", 1)
        pods = await _until_pods(kube_api, namespace, "web", 1)

    assert pods[0]["metadata"]["ownerReferences"][0]["kind"] == "ReplicaSet"


async def test_a_full_stand_in_node_leaves_pods_unschedulable(kube_api: KubeApi, namespace: str) -> None:
    async with FakeNode(kube_api, namespace, startup_s=0.0, termination_s=60.0) as node:
        node.can_schedule = False
        await create_deployment(kube_api, namespace, "web", replicas=1)
        await eventually_async(lambda: _first_condition(kube_api, namespace, "Unschedulable"))
        node.can_schedule = True
        await _ready_replicas(kube_api, namespace, "web", 1)
        await _scale(kube_api, namespace, "web", 0)
        await _ready_replicas(kube_api, namespace, "web", 0)
        terminating = await _until_pods(kube_api, namespace, "web", 1)

    assert "deletionTimestamp" in terminating[0]["metadata"]


async def test_objects_outlive_the_api_server(kube_api: KubeApi, namespace: str) -> None:
    await create_deployment(kube_api, namespace, "web", replicas=4)
    kube_api.kill()
    kube_api.start()
    assert (await read_deployment(kube_api, namespace, "web"))["spec"]["replicas"] == 4


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    launch = Launch("grumpy", ["sh", "-c", "echo no room; exit 3"], tmp_path, ready=lambda: False)
    with pytest.raises(StartFailed, match=r"grumpy ended with status 3 .*\n.*no room"):
        ServerProcess(launch).start()


def test_source_entries_come_from_the_machines_own_sources(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (tmp_path / "sources.list").write_text(
        "# deb http://off.invalid a main\ndeb http://one.invalid/debian stable main\n"
    )
    (parts / "more.sources").write_text(
        "Types: deb\n# a comment\nURIs: http://two.invalid/debian\nSuites: stable stable-updates\n"
        "Components: main\nSigned-By: /keys/debian.gpg\n\nEnabled: no\nTypes: deb\nURIs: http://three.invalid\n"
        "Suites: stable\n"
    )
    assert source_entries(tmp_path) == [
        "deb-src http://one.invalid/debian stable main",
        "deb-src [signed-by=/keys/debian.gpg] http://two.invalid/debian stable main",
        "deb-src [signed-by=/keys/debian.gpg] http://two.invalid/debian stable-updates main",
    ]


async def _select_one(url: str) -> int:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return int((await connection.execute(text("select 1"))).scalar_one())
    finally:
        await engine.dispose()


async def _patch(api: ApiClient, namespace: str, path: str, body: Document) -> Document:
    whole = f"{collection(namespace, 'deployments')}/{path}"
    return await request(api, "PATCH", whole, body, content_type=MERGE)


async def _scale(kube_api: KubeApi, namespace: str, name: str, replicas: int) -> None:
    async with kube_api.client() as api:
        await _patch(api, namespace, f"{name}/scale", {"spec": {"replicas": replicas}})


async def _ready_replicas(kube_api: KubeApi, namespace: str, name: str, wanted: int) -> None:
    async def reached() -> bool:
        found = await read_deployment(kube_api, namespace, name)
        status = found["status"]
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        return bool(seen and status.get("readyReplicas", 0) == status.get("replicas", 0) == wanted)

    await eventually_async(reached, what=f"{wanted} ready replicas of {name}")


async def _pods(kube_api: KubeApi, namespace: str, app: str = "") -> list[Document]:
    async with kube_api.client() as api:
        found: list[Document] = (await request(api, "GET", collection(namespace, "pods")))["items"]
    return [pod for pod in found if not app or pod["metadata"]["labels"]["app"] == app]


async def _until_pods(kube_api: KubeApi, namespace: str, app: str, wanted: int) -> list[Document]:
    async def reached() -> list[Document]:
        pods = await _pods(kube_api, namespace, app)
        return pods if len(pods) == wanted else []

    return await eventually_async(reached, what=f"{wanted} pods of {app}")


async def _first_condition(kube_api: KubeApi, namespace: str, reason: str) -> bool:
    pods = await _pods(kube_api, namespace)
    return any(one.get("reason") == reason for pod in pods for one in pod["status"].get("conditions", []))
