"""What pods take of quotas, what quotas leave, and what is known of them when they cannot be read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.adapters.kubernetes.charges import charge_of
from controller.adapters.kubernetes.quotas import quota_of
from controller.records import Quota
from tests.controller.adapters.test_kubernetes_cluster import QUOTAS, REF, following, server
from tests.controller.clients.kubernetes_server import ApiServer, event, listing, refusal, watch

Document = dict[str, Any]

__all__ = ["server"]


def container(cpu: str | None = None, **more: object) -> Document:
    return {"resources": {"requests": {"cpu": cpu} if cpu else {}, "limits": {}}, **more}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"containers": [container("250m"), container("1")]}, {"requests.cpu": 1250}, id="the-sum"),
        pytest.param(
            # 2 cores run first, with the proxy beside them; then the server and the proxy.
            {
                "containers": [container("1")],
                "initContainers": [container("100m", restartPolicy="Always"), container("2")],
            },
            {"requests.cpu": 2100},
            id="or-the-most-of-the-start",
        ),
        pytest.param(
            {"containers": [container("1")], "initContainers": [container("100m", restartPolicy="Always")]},
            {"requests.cpu": 1100},
            id="with-what-runs-beside",
        ),
        pytest.param({"containers": [container("1"), container()]}, {"requests.cpu": None}, id="unless-one-is-silent"),
        pytest.param(
            {"containers": [container()], "resources": {"requests": {"cpu": "3"}}, "overhead": {"cpu": "50m"}},
            {"requests.cpu": 3050},
            id="or-what-the-pod-says-with-its-overhead",
        ),
        pytest.param(
            {"containers": [{"resources": {"requests": {"nvidia.com/gpu": "2"}}}, {"name": "bare"}]},
            {"requests.nvidia.com/gpu": 2000},
            id="silence-takes-no-gpu",
        ),
        pytest.param(
            {"containers": [{"resources": {"limits": {"memory": "8Ei"}}}]}, {"limits.memory": None}, id="beyond-int64"
        ),
    ],
)
def test_what_a_pod_takes(spec: Document, expected: dict[str, int | None]) -> None:
    silent = dict.fromkeys(("requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
    assert dict(charge_of(spec)) == {**silent, "pods": 1000, **expected}


def quota(hard: Document, used: Document | None, name: str = "compute", **spec: object) -> Document:
    status = {} if used is None else {"hard": hard, "used": used}
    metadata = {"namespace": "shop", "name": name, "resourceVersion": "11"}
    return {"metadata": metadata, "spec": {"hard": hard, **spec}, "status": status}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        pytest.param(
            quota({"cpu": "10", "limits.memory": "4Gi"}, {"cpu": "7500m", "limits.memory": "1Gi"}),
            # 3 GiB are 3,221,225,472 bytes.
            (("requests.cpu", 2500), ("limits.memory", 3_221_225_472_000)),
            id="hard-less-used",
        ),
        pytest.param(quota({"count/pods": "8"}, {"count/pods": "9"}), (("pods", 0),), id="never-below-0"),
        pytest.param(
            quota({"requests.storage": "1Ti", "services": "5", "count/jobs.batch": "3"}, {}), (), id="not-of-pods"
        ),
        pytest.param(quota({"pods": "8"}, None), (("pods", None),), id="not-counted-yet"),
        pytest.param(quota({"pods": "8"}, {"pods": "2"}, scopes=["BestEffort"]), (), id="of-some-pods-only"),
        pytest.param(
            quota(
                {"pods": "8"},
                {"pods": "2"},
                scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]},
            ),
            (),
            id="of-some-priorities-only",
        ),
        pytest.param(
            quota({"pods": "8"}, {"pods": "2"}, scopes=["NotTerminating"]), (("pods", 6000),), id="of-all-that-serve"
        ),
    ],
)
def test_what_a_quota_leaves(given: Document, left: tuple[tuple[str, int | None], ...]) -> None:
    assert quota_of(given) == Quota("shop", "compute", left)


async def test_quotas_are_watched(server: ApiServer) -> None:
    small, more = ({"pods": "4"}, {"pods": "1"}), ({"pods": "5"}, {"pods": "1"})
    server.on(f"GET {QUOTAS}", listing(quota(*small), version="11"))
    server.on(f"WATCH {QUOTAS}", watch(event("MODIFIED", quota(*more)), event("ADDED", quota(*small, name="other"))))
    async with following(server) as seen:
        await seen.until(lambda: len(seen.cluster.view().quotas.get("shop", ())) == 2)
        left = [(each.name, each.left) for each in seen.cluster.view().quotas["shop"]]
        assert left == [("compute", (("pods", 4000),)), ("other", (("pods", 3000),))]
        assert seen.cluster.problems() == ()


async def test_quotas_that_may_not_be_read_are_not_known_and_stop_nothing(server: ApiServer) -> None:
    server.on(f"GET {QUOTAS}", refusal(403, "may not list"))
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None and seen.cluster.problems())
        assert seen.cluster.view().quotas == {}
        assert (seen.target.owner, seen.target.spec_replicas) == (None, 3)
        [told] = seen.cluster.problems()
        assert told.startswith("resourcequotas in shop: Foresail may not read them; grant it get, list and watch: ")


async def test_what_is_forbidden_in_many_namespaces_is_told_in_one_line(server: ApiServer) -> None:
    others = [replace(REF, namespace=namespace) for namespace in ("b", "a", "c")]
    for namespace in ("shop", "a", "b", "c"):
        server.on(f"GET /api/v1/namespaces/{namespace}/resourcequotas", refusal(403, f"may not list in {namespace}"))
    async with following(server, REF, *others) as seen:
        await seen.until(lambda: any("and 3 more" in problem for problem in seen.cluster.problems()))
        told = [problem for problem in seen.cluster.problems() if problem.startswith("resourcequotas")]
        whose, what = "resourcequotas in a and 3 more namespaces", "may not list in a (HTTP 403)"
        assert told == [f"{whose}: Foresail may not read them; grant it get, list and watch: {what}"]
