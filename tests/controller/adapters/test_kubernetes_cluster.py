"""The cluster's view on an API server that answers as it is told: discovery, scales, lags and orders."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest

from controller.adapters.kubernetes import ClusterSettings, KubernetesActuator, KubernetesCluster, KubernetesEvents
from controller.errors import Conflict, Rejected, Unavailable
from controller.records import Event, ScaleOrder, TargetRef
from tests.controller.clients.kubernetes_server import (
    ApiServer,
    HurriedClock,
    document,
    event,
    listing,
    refusal,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from controller.clients.kubernetes import KubernetesSession
    from controller.records import TargetView

Document = dict[str, Any]

REF = TargetRef("example.com/v1", "Fleet", "shop", "llm")
ROOT = "/apis/example.com/v1"
FLEETS = f"{ROOT}/namespaces/shop/fleets"
SCALE = f"GET {FLEETS}/llm/scale"
HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"
PODS = "/api/v1/namespaces/shop/pods"
QUOTAS = "/api/v1/namespaces/shop/resourcequotas"
KINDS = [
    {"name": "fleets", "kind": "Fleet", "namespaced": True},
    {"name": "fleets/scale", "kind": "Scale", "namespaced": True},
    {"name": "regions", "kind": "Region", "namespaced": False},
    {"name": "regions/scale", "kind": "Scale", "namespaced": False},
]


class PatientClock(HurriedClock):
    """Waits a moment, so that what is asked again and again leaves the others time."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds
        await asyncio.sleep(0.01)


@dataclass
class Seen:
    server: ApiServer
    session: KubernetesSession
    cluster: KubernetesCluster
    actuator: KubernetesActuator
    clock: HurriedClock

    @property
    def target(self) -> TargetView:
        return self.cluster.view().targets[REF]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - conditions are about many things
                await asyncio.sleep(0.005)


def fleet(version: str, **metadata: object) -> Document:
    return {"metadata": {"namespace": "shop", "name": "llm", "uid": "u-1", "resourceVersion": version, **metadata}}


def scale(version: str, replicas: int, selector: str = "app=llm") -> Document:
    status = {"replicas": replicas, "selector": selector}
    return {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}, "status": status}


def pod(name: str) -> Document:
    metadata = {"namespace": "shop", "name": name, "resourceVersion": "1", "creationTimestamp": "2026-11-20T12:00:00Z"}
    return {"metadata": {**metadata, "labels": {"app": "llm"}}, "spec": {"containers": []}, "status": {}}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    """A server with a custom kind that has a scale, one object of it, one pod, and autoscaling/v2."""
    async with ApiServer(tmp_path) as api:
        versions = [{"version": "v2"}, {"version": "v1"}]
        api.on("GET /apis/autoscaling", document({"versions": versions, "preferredVersion": {"version": "v1"}}))
        api.on(f"GET {ROOT}", document({"resources": KINDS}))
        api.on(f"GET {FLEETS}", listing(fleet("10"), version="10"))
        api.on(SCALE, document(scale("10", 3)))
        api.on(f"GET {PODS}", listing(pod("llm-1"), version="10"))
        api.on(f"GET {HPAS}", listing(version="10"))
        api.on(f"GET {QUOTAS}", listing(version="10"))
        for path in (FLEETS, PODS, HPAS, QUOTAS):
            api.on(f"WATCH {path}", watch())
        yield api


@asynccontextmanager
async def following(
    server: ApiServer, *targets: TargetRef, settings: ClusterSettings | None = None, follow: bool = True
) -> AsyncIterator[Seen]:
    clock = PatientClock()
    async with await server.session() as session, KubernetesCluster(session, clock, settings) as cluster:
        if follow:
            await cluster.follow(targets or [REF])
        yield Seen(server, session, cluster, KubernetesActuator(session, cluster.discovery, cluster.wrote), clock)


async def test_the_scale_of_a_custom_kind_is_read_again_when_its_object_changes(server: ApiServer) -> None:
    changed = asyncio.Event()

    async def later(request: Any) -> Any:  # noqa: ANN401 - as aiohttp has them
        await changed.wait()
        return await watch(event("MODIFIED", fleet("20")))(request)

    server.on(f"WATCH {FLEETS}", later)
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None)
        assert (seen.target.spec_replicas, seen.target.resource_version) == (3, "10")
        assert [each.name for each in seen.cluster.view().pods[REF]] == ["llm-1"]

        server.on(SCALE, document(scale("20", 7)))
        changed.set()
        await seen.until(lambda: seen.target.spec_replicas == 7)
        assert seen.target.resource_version == "20"


async def test_a_view_is_the_same_object_while_nothing_changes(server: ApiServer) -> None:
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None)
        first, second = seen.cluster.view(), seen.cluster.view()
        assert first.targets is second.targets
        assert first.pods is second.pods


async def test_a_scale_that_was_written_stands_until_the_watch_has_caught_up(server: ApiServer) -> None:
    server.on(f"PATCH {FLEETS}/llm/scale", document(scale("15", 5)))
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None)
        await seen.actuator.scale(order(seen.target.resource_version, 5))

        assert (seen.target.spec_replicas, seen.target.status_replicas, seen.target.resource_version) == (5, 3, "15")
        body = {"metadata": {"resourceVersion": "10"}, "spec": {"replicas": 5}}
        assert server.bodies == [body]
        assert server.asked(f"PATCH {FLEETS}/llm/scale") == [{"fieldManager": "foresail"}]


def order(version: str, after: int) -> ScaleOrder:
    return ScaleOrder("shop/llm", REF, 3, after, version, "test")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(refusal(HTTPStatus.CONFLICT, "changed"), Conflict, id="conflict"),
        pytest.param(refusal(HTTPStatus.FORBIDDEN, "may not"), Rejected, id="forbidden"),
        pytest.param(refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "no"), Rejected, id="invalid"),
        pytest.param(refusal(HTTPStatus.TOO_MANY_REQUESTS, "slow"), Unavailable, id="throttled"),
        pytest.param(refusal(HTTPStatus.SERVICE_UNAVAILABLE, "down"), Unavailable, id="down"),
        pytest.param(document({"spec": 3}), Unavailable, id="nonsense"),
    ],
)
async def test_a_failed_order_says_what_to_do_next(server: ApiServer, answer: Any, error: type[Exception]) -> None:  # noqa: ANN401 - a column
    server.on(f"PATCH {FLEETS}/llm/scale", answer)
    async with following(server) as seen:
        await seen.until(lambda: seen.target.problem is None)
        with pytest.raises(error, match="scaling Fleet shop/llm from 3 to 5: "):
            await seen.actuator.scale(order("10", 5))
        assert seen.target.spec_replicas == 3


async def test_an_order_without_a_version_is_never_sent(server: ApiServer) -> None:
    async with following(server) as seen:
        with pytest.raises(Conflict, match="has not been read yet"):
            await seen.actuator.scale(order("", 5))
    assert server.bodies == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        pytest.param(refusal(HTTPStatus.FORBIDDEN, "may not"), "its scale cannot be read: may not", id="forbidden"),
        pytest.param(document(scale("1", 1, "a=b=c")), "its scale cannot be understood: not a label", id="selector"),
        pytest.param(document(scale("1", 1, "")), "the scale of Fleet shop/llm names no selector", id="no-selector"),
    ],
)
async def test_a_scale_that_cannot_be_read_is_a_problem_until_it_can(
    server: ApiServer,
    answer: Any,  # noqa: ANN401 - a column
    problem: str,
) -> None:
    server.on(SCALE, answer)
    async with following(server) as seen:
        await seen.until(lambda: (seen.target.problem or "").startswith(problem))


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        pytest.param("Fleeet", "no kind Fleeet in example.com/v1 (did you mean Fleet?)", id="misspelt"),
        pytest.param("Whale", "no kind Whale in example.com/v1; with a scale it has Fleet, Region", id="unknown"),
        pytest.param("Region", "example.com/v1 Region has no namespaces", id="cluster-wide"),
    ],
)
async def test_an_unknown_kind_is_told_with_what_there_is(server: ApiServer, kind: str, problem: str) -> None:
    ref = TargetRef("example.com/v1", kind, "shop", "llm")
    async with following(server, ref) as seen:
        assert problem in (seen.cluster.view().targets[ref].problem or "")


async def test_a_server_that_is_down_at_first_is_followed_when_it_comes(server: ApiServer) -> None:
    server.on(f"GET {ROOT}", refusal(HTTPStatus.SERVICE_UNAVAILABLE, "starting"))
    server.on("GET /apis/autoscaling", refusal(HTTPStatus.SERVICE_UNAVAILABLE, "starting"))
    async with following(server) as seen:
        assert seen.cluster.view().seen_at_s == 0
        assert seen.target.problem == "the API server cannot be asked for Fleet: starting (HTTP 503)"
        server.on("GET /apis/autoscaling", document({"versions": [{"version": "v2"}]}))
        server.on(f"GET {ROOT}", document({"resources": KINDS}))
        await seen.until(lambda: seen.target.problem is None)


async def test_one_resource_that_cannot_be_read_ages_alone(server: ApiServer) -> None:
    down = refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "conversion webhook failed")
    server.on(f"WATCH {FLEETS}", down)
    server.on(f"GET {FLEETS}", listing(fleet("10"), version="10"), down)
    server.on(f"WATCH {PODS}", watch(then="close"))
    async with following(server) as seen:
        await seen.until(lambda: "fleets in shop: not seen since" in (seen.target.problem or ""))
        assert "conversion webhook failed" in (seen.target.problem or "")
        assert seen.target.spec_replicas == 3
        assert seen.clock.now_s() - seen.cluster.view().seen_at_s < 60


async def test_events_are_few_and_counted(server: ApiServer) -> None:
    posted = "POST /api/v1/namespaces/shop/events"
    server.on(posted, document({}))
    async with await server.session() as session:
        clock = HurriedClock()
        events = KubernetesEvents(session, clock, lambda _: "u-1")
        for number in range(12):
            await events.emit(Event(REF, "Scaled", f"step {number}"))
        assert len(server.asked(posted)) == 10
        assert events.dropped == 2
        clock.at_s += 60  # one more token
        await events.emit(Event(REF, "Scaled", "step 12"))

    assert server.bodies[-1]["count"] == 3, "the two that were dropped are counted"
    assert server.bodies[-1]["involvedObject"]["uid"] == "u-1"
    assert server.bodies[0]["type"] == "Normal"


async def test_an_event_that_has_expired_is_posted_anew(server: ApiServer) -> None:
    server.on("POST /api/v1/namespaces/shop/events", document({}))
    async with await server.session() as session:
        events = KubernetesEvents(session, HurriedClock(), lambda _: None)
        for _ in range(2):
            await events.emit(Event(REF, "Held", "paused", warning=True))

    assert [route.split()[0] for route, _ in server.requests] == ["POST", "PATCH", "POST"]
    assert server.bodies[-1]["count"] == 1
    assert server.bodies[-1]["type"] == "Warning"


async def test_an_event_that_is_refused_is_told(server: ApiServer) -> None:
    server.on("POST /api/v1/namespaces/shop/events", refusal(HTTPStatus.FORBIDDEN, "may not"))
    async with await server.session() as session:
        events = KubernetesEvents(session, HurriedClock(), lambda _: None)
        with pytest.raises(Rejected, match="event Held on Fleet shop/llm: may not"):
            await events.emit(Event(REF, "Held", "paused"))
