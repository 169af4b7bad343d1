"""A whole reading of a Prometheus that is told what to answer: found, read, and what is not there is said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from controller.adapters.prometheus.metered import Budget
from controller.audit.cases import Assumptions
from controller.audit.gather import ClusterAccess, Gathered, Wanted, gather
from controller.clients.http import HttpAccess
from controller.errors import ForesailError, Rejected
from simulations.audit.autoscaler import About
from tests.controller.adapters.prometheus_server import Server, refused, serving
from tests.controller.clients.kubernetes_server import ApiServer, document, listing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

END_S = 1_700_006_400
DAY_S = 86_400
HPA = {"namespace": "shop", "horizontalpodautoscaler": "web"}
POD = "web-5d9c7b8f6-abcde"
WEB = {"namespace": "shop", "workload": "web"}

# The answer to each query that contains a text: labels and value.
CLUSTER: dict[str, list[tuple[dict[str, str], float]]] = {
    "autoscaler_info": [
        (
            {
                **HPA,
                "scaletargetref_api_version": "apps/v1",
                "scaletargetref_kind": "Deployment",
                "scaletargetref_name": "web",
            },
            1,
        )
    ],
    "spec_min_replicas": [(HPA, 2)],
    "spec_max_replicas": [(HPA, 20)],
    "spec_target_metric": [({**HPA, "metric_name": "cpu", "metric_target_type": "utilization"}, 60)],
    "container_cpu_usage": [(WEB, 3.0)],
    'resource_requests{resource=~"cpu"': [(WEB, 2.0)],
    "kube_deployment_status_replicas{": [({"namespace": "shop", "deployment": "web"}, 4)],
    "kube_deployment_status_replicas_ready{": [({"namespace": "shop", "deployment": "web"}, 3)],
    "quantile by": [(WEB, 150)],
    "count by (namespace, workload)": [(WEB, 12)],
}


def answer(form: Mapping[str, str], told: Mapping[str, list[tuple[dict[str, str], float]]] = CLUSTER) -> web.Response:
    """What stands for the query, over the whole range where it is one."""
    query = form["query"]
    found = next((rows for text, rows in told.items() if text in query), [])
    result: list[dict[str, Any]]
    if "start" in form:
        start, end, step = (round(float(form[name])) for name in ("start", "end", "step"))
        points = range(start, end + 1, step)
        result = [{"metric": labels, "values": [[at_s, str(value)] for at_s in points]} for labels, value in found]
        kind = "matrix"
    else:
        result = [{"metric": labels, "value": [END_S, str(value)]} for labels, value in found]
        kind = "vector"
    return web.json_response({"status": "success", "data": {"resultType": kind, "result": result}})


async def gathered(server: Server, *, days: int = 2, queries: int = 500, **cluster: Any) -> Gathered:  # noqa: ANN401 - fields
    wanted = Wanted(END_S, days, Budget(queries, 0.0), ClusterAccess(**{"use": False, **cluster}), Assumptions())
    return await gather(HttpAccess(server.url, timeout_s=5), wanted, lambda _: None)


async def test_autoscalers_and_their_past_come_from_metrics_alone() -> None:
    async with serving() as server:
        server.answer = answer
        found = await gathered(server)
        [case] = found.cases
        assert str(case.autoscaler) == "HPA web: cpu 60 %, 2 to 20 replicas"
        assert (case.serving.capacity, case.serving.startup_s, case.measure.target_ratio) == (2.0, 150.0, 0.6)
        assert case.seen is not None
        assert (case.seen.paid[100], case.seen.ready[100], case.track.demand[100]) == (4, 3, 3)
        assert case.track.known.all()
        assert "90th percentile of 24 starts" in " ".join(each.message for each in case.findings)
        assert [each.about for each in found.findings] == [About.ACCESS]
        assert found.spent.queries == len(server.forms)
        # Only the two calls that read are made; every range is a day at most.
        assert {form["path"] for form in server.forms} == {"/api/v1/query", "/api/v1/query_range"}
        spans = [float(form["end"]) - float(form["start"]) for form in server.forms if "start" in form]
        assert max(spans) <= DAY_S


async def test_autoscalers_come_from_the_cluster_where_it_can_be_read(tmp_path: Path) -> None:
    trigger = {"type": "prometheus", "metadata": {"query": "sum(rate(tokens[1m]))", "threshold": "7"}}
    keda = {
        "metadata": {"name": "tokens", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"name": "web"}, "triggers": [trigger], "maxReplicaCount": 9},
    }
    async with serving() as server, ApiServer(tmp_path) as cluster:
        cluster.on("GET /apis/keda.sh", document({"versions": [{"version": "v1alpha1"}]}))
        cluster.on("GET /apis/keda.sh/v1alpha1/scaledobjects", listing(keda, version="1"))
        server.answer = lambda form: answer(form, {"tokens": [({}, 50.0)], **CLUSTER})
        found = await gathered(server, use=True, kubeconfig=cluster.kubeconfig)
        assert {route.split()[0] for route, _ in cluster.requests} == {"GET"}
        assert cluster.bodies == []
    [case] = found.cases
    assert case.serving.capacity == pytest.approx(10)  # 7 is taken as 70 %
    assert (case.track.demand[0], case.measure.query) == (50.0, "sum(sum(rate(tokens[1m])))")
    assert found.findings == []


async def test_a_small_budget_reads_fewer_days_and_says_so() -> None:
    async with serving() as server:
        server.answer = answer
        # 1 whether it is there and 4 for the autoscalers; 10 in reserve; 5 a day: 27 pay for two of fourteen days.
        found = await gathered(server, days=14, queries=27)
        [case] = found.cases
        assert case.track.at_s[0] == END_S - 2 * DAY_S
        assert "paid for 2 of 14 days; --max-queries 90 pays for all" in found.findings[-1].message
        assert found.spent.queries <= 27
        with pytest.raises(Rejected, match="one day of the past takes 5 queries, and 7 are left"):
            await gathered(server, days=14, queries=12)


async def test_a_load_that_is_refused_passes_its_workload_over() -> None:
    def answered(form: Mapping[str, str]) -> web.Response:
        return refused(400, "bad_data", "no such thing") if "cpu_usage" in form["query"] else answer(form)

    async with serving() as server:
        server.answer = answered
        found = await gathered(server)
    assert found.cases == []
    [passed] = found.passed
    assert "its load could not be read: " in passed.why
    assert "no such thing" in passed.why


async def test_samples_that_are_missing_are_gaps() -> None:
    def answered(form: Mapping[str, str]) -> web.Response:
        last_day = "start" in form and float(form["start"]) >= END_S - DAY_S
        return answer(form, {}) if last_day and "cpu_usage" in form["query"] else answer(form)

    async with serving() as server:
        server.answer = answered
        [case] = (await gathered(server)).cases
    assert case.track.known.mean() == pytest.approx(0.5)
    assert case.track.demand.min() == 3.0


async def test_nothing_found_says_what_is_needed() -> None:
    async with serving() as server:
        server.answer = lambda form: answer(form, {})
        with pytest.raises(Rejected, match="in namespace shop; without access to the cluster they are found by kube_"):
            await gathered(server, namespace="shop")


async def test_a_cluster_that_is_named_and_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    async with serving() as server:
        server.answer = answer
        absent = tmp_path / "absent"
        with pytest.raises(ForesailError, match=re.escape(str(absent))):
            await gathered(server, use=True, kubeconfig=absent)
