"""The daemon's HTTP: metrics, probes and the API, over a real socket on loopback."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from controller.errors import Unavailable
from controller.records import PolicySet, TargetRef, TickReport
from controller.settings.values import Listen
from controller.web import Check, Views, heartbeat, serving, web_app
from policies.model import UNKNOWN, Hold
from tests.controller.decisions import decided, measured, with_standing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.controller.decisions import Decided


@dataclass(slots=True)
class Daemon:
    """What the views show; tests change it while the server runs."""

    report: TickReport | None = None
    live: list[Check] = field(default_factory=lambda: [Check("loop", ok=True)])
    ready: list[Check] = field(default_factory=lambda: [Check("policies", ok=True), Check("kubernetes", ok=True)])

    @property
    def views(self) -> Views:
        return Views(
            report=lambda: self.report,
            metrics=lambda accept: (f"# {accept}\n".encode(), "text/plain; version=0.0.4; charset=utf-8"),
            live=lambda: self.live,
            ready=lambda: self.ready,
            version={"version": "1.2.3"},
        )


@dataclass(frozen=True, slots=True)
class Client:
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        async with self.session.get(self.url + path, headers=headers) as response:
            return response.status, response.headers["Content-Type"], await response.text()

    async def json(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.url + path) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
async def client(daemon: Daemon) -> AsyncIterator[Client]:
    async with serving(web_app(daemon.views), Listen("127.0.0.1", 0)) as url, aiohttp.ClientSession() as session:
        yield Client(url, session)


async def test_metrics_are_served_as_asked_for(client: Client) -> None:
    assert await client.get("/metrics", Accept="application/openmetrics-text") == (
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        "# application/openmetrics-text\n",
    )


async def test_probes(client: Client, daemon: Daemon) -> None:
    assert (await client.get("/livez"))[::2] == (200, "ok\n")
    assert (await client.get("/healthz"))[::2] == (200, "ok\n")
    assert (await client.get("/readyz?verbose"))[::2] == (200, "[+]policies ok\n[+]kubernetes ok\nok\n")
    daemon.ready = [Check("policies", ok=True), Check("kubernetes", ok=False, message="not reached yet")]
    assert (await client.get("/readyz"))[::2] == (
        503,
        "[+]policies ok\n[-]kubernetes failed: not reached yet\nfailed\n",
    )
    assert (await client.get("/livez"))[0] == 200
    daemon.live = [heartbeat(61.0, 15.0)]
    assert (await client.get("/livez"))[0] == 503


@pytest.mark.parametrize(
    ("age_s", "interval_s", "ok"),
    [
        pytest.param(60.0, 15.0, True, id="four-intervals-are-tolerated"),
        pytest.param(60.1, 15.0, False, id="more-are-not"),
        pytest.param(29.0, 1.0, True, id="half-a-minute-is-always-tolerated"),
    ],
)
def test_heartbeat(age_s: float, interval_s: float, ok: bool) -> None:  # noqa: FBT001 - a column
    assert heartbeat(age_s, interval_s).ok is ok


async def test_before_the_first_tick_the_api_says_where_to_look(client: Client) -> None:
    status, found = await client.json("/api/v1/workloads")
    assert status == 503
    assert found["title"] == "Service Unavailable"
    assert "/readyz?verbose" in found["detail"]


async def test_one_workload_with_its_story(client: Client, daemon: Daemon) -> None:
    daemon.report = report(decided("shop/chat", load=[50]))
    status, found = await client.json("/api/v1/workloads/shop/chat")
    assert status == 200
    assert (found["kind"], found["namespace"], found["name"]) == ("WorkloadStatus", "shop", "chat")
    assert found["target"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    assert (found["mode"], found["action"], found["reason"]) == ("active", "raise", "rate_limit")
    assert (found["hold"], found["owner"], found["forecast"]) == (None, None, None)
    assert found["at"] == "1970-01-01T00:16:40.000Z"
    # 50 per second at 10 per replica; the default behavior lets four replicas come at once.
    assert found["replicas"] == {"desired": 3, "current": 3, "ready": 3, "min": 1, "max": 9, "recommended": 7}
    assert found["load"] == 6.25
    assert found["steps"] == [
        {"rule": "signals", "before": 3, "after": 8},
        {"rule": "rate_limit", "before": 8, "after": 7},
    ]
    assert found["explanation"][-1] == "Decision: raise from 3 to 7."
    [signal] = found["signals"]
    assert (signal["name"], signal["status"], signal["value"], signal["ageSeconds"]) == ("rps", "censored", 50.0, 5.0)


async def test_recommendations_hold_for_four_intervals(client: Client, daemon: Daemon) -> None:
    daemon.report = report(decided("shop/chat", load=[50]))
    assert await client.json("/api/v1/recommendations") == (
        200,
        {
            "apiVersion": "foresail.dev/v1alpha1",
            "kind": "RecommendationList",
            "metadata": {"continue": "", "at": "1970-01-01T00:16:40.000Z", "total": 1},
            "until": "1970-01-01T00:17:40.000Z",  # four times 15 s later
            "items": [{"namespace": "shop", "name": "chat", "replicas": 7, "hold": None}],
        },
    )
    daemon.report = report(decided("shop/chat", load=[50], hold=Hold.KILL_SWITCH))
    _, found = await client.json("/api/v1/recommendations")
    assert found["items"] == [{"namespace": "shop", "name": "chat", "replicas": None, "hold": "kill_switch"}]


async def test_how_the_tournament_stands(client: Client, daemon: Daemon) -> None:
    daemon.report = report(with_standing(decided("shop/chat", "shop/search"), 37, UNKNOWN, known_h=12))
    _, found = await client.json("/api/v1/workloads/shop/chat")
    assert found["standing"] == {
        "inCharge": {
            "name": "largest +1.8 errors, held 2.5 min",
            "family": "largest",
            "replicas": 8.5,
            "lateRatio": 0.007,
        },
        "runnerUp": {
            "name": "largest +2.2 errors, held 5 min",
            "family": "largest",
            "replicas": 9.0,
            "lateRatio": 0.008,
        },
        "incumbent": {"name": "incumbent", "family": "incumbent", "replicas": 11.0, "lateRatio": 0.002},
        "trimErrors": 0.25,
        "fromOtherLoadsRatio": 0.125,
        "realisedLateRatio": 0.006,
        "lateBudgetRatio": 0.01,
        "evidenceSeconds": 43_200.0,
        "evidenceRatio": 0.5,
    }
    assert any(sentence.startswith("In charge: the largest load") for sentence in found["explanation"])
    _, page = await client.json("/api/v1/workloads")
    assert [item["standing"] and item["standing"]["inCharge"]["family"] for item in page["items"]] == ["largest", None]


async def test_a_workload_without_evidence_names_the_signals_that_it_waits_for(client: Client, daemon: Daemon) -> None:
    daemon.report = report(decided("shop/chat"))  # its demand cannot be read
    _, found = await client.json("/api/v1/workloads/shop/chat")
    assert (found["standing"], found["evidenceAwaits"]) == (None, ["rps"])
    assert any(
        sentence.startswith("Evidence: none, because signal rps is missing") for sentence in found["explanation"]
    )
    daemon.report = report(decided("shop/chat", load=[50]))
    _, page = await client.json("/api/v1/workloads")
    assert [item["evidenceAwaits"] for item in page["items"]] == [[]]


async def test_costs_without_evidence_are_null(client: Client, daemon: Daemon) -> None:
    daemon.report = report(with_standing(decided("shop/chat"), 37, known_h=0.5))
    _, found = await client.json("/api/v1/workloads/shop/chat")
    standing = found["standing"]
    assert (standing["inCharge"]["replicas"], standing["incumbent"]["lateRatio"]) == (None, None)
    assert (standing["realisedLateRatio"], standing["evidenceSeconds"]) == (None, 1800.0)


async def test_what_starts_take_and_how_many_requests_are_late(client: Client, daemon: Daemon) -> None:
    daemon.report = report(measured(slow_ratio=0.0004))
    _, found = await client.json("/api/v1/workloads/shop/chat")
    assert found["startupSeconds"] == 240.0
    assert found["startup"] == {
        "freeNodeSeconds": 60.0,
        "newNodeSeconds": 240.0,
        "manyAtOnceSeconds": None,
        "waitingForNode": True,
    }
    assert [(signal["name"], signal["kind"]) for signal in found["signals"]] == [("rps", "demand"), ("slow", "late")]
    assert (found["signals"][1]["value"], found["signals"][1]["proposed"]) == (0.0004, None)


async def test_what_is_not_known_is_null(client: Client, daemon: Daemon) -> None:
    made = decided("shop/chat", hold=Hold.NO_TARGET)
    daemon.report = replace(report(made), owners={"shop/chat": "Deployment shop/chat is not there"})
    _, found = await client.json("/api/v1/workloads/shop/chat")
    assert (found["hold"], found["owner"]) == ("no_target", "Deployment shop/chat is not there")
    assert (found["signals"][0]["value"], found["signals"][0]["why"], found["load"]) == (None, "no_series", None)


async def test_pages_go_through_all_workloads_once(client: Client, daemon: Daemon) -> None:
    uids = sorted(f"shop/w{i}" for i in range(7))
    daemon.report = report(decided(*uids))
    seen, more, total = [], "", 0
    for size in (3, 3, 1):
        _, page = await client.json(f"/api/v1/workloads?limit=3&continue={more}")
        assert len(page["items"]) == size
        seen += [f"{item['namespace']}/{item['name']}" for item in page["items"]]
        more, total = page["metadata"]["continue"], page["metadata"]["total"]
    assert (seen, more, total) == (uids, "", 7)


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        pytest.param("/api/v1/workloads/shop/gone", 404, "shop/gone; those in force begin with", id="unknown-workload"),
        pytest.param("/api/v1/workloads/shop/bad", 409, "shop/bad is in quarantine: it broke", id="quarantined"),
        pytest.param("/api/v1/workloads?limit=0", 400, "limit must be a whole number", id="limit-of-none"),
        pytest.param("/api/v1/workloads?limit=1e9", 400, "not '1e9'", id="limit-not-a-number"),
        pytest.param("/api/v2", 404, "", id="unknown-path"),
    ],
)
async def test_errors_are_problem_documents(
    client: Client, daemon: Daemon, path: str, status: int, detail: str
) -> None:
    daemon.report = replace(report(decided("shop/chat")), quarantined={"shop/bad": "it broke"})
    told, content_type, _ = await client.get(path)
    assert (told, content_type) == (status, "application/problem+json; charset=utf-8")
    _, found = await client.json(path)
    assert found["status"] == status
    assert detail in found["detail"]
    assert found["instance"] == path.partition("?")[0]


async def test_the_api_only_reads(client: Client, daemon: Daemon) -> None:
    daemon.report = report(decided("shop/chat"))
    async with client.session.post(f"{client.url}/api/v1/workloads") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")
    async with client.session.get(f"{client.url}/api/v1/version") as response:
        assert await response.json() == {"version": "1.2.3"}
        assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_port_in_use_is_told_with_the_way_out(client: Client, daemon: Daemon) -> None:
    port = int(client.url.rpartition(":")[2])
    with pytest.raises(Unavailable, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*--listen"):
        async with serving(web_app(daemon.views), Listen("127.0.0.1", port)):
            pytest.fail("two servers share a port")


def report(made: Decided) -> TickReport:
    return TickReport(
        at_s=made.decision.at_s,
        policies=PolicySet((), (), "digest"),
        fleet=made.fleet,
        seen=made.seen,
        decision=made.decision,
        targets=tuple(TargetRef("apps/v1", "Deployment", *uid.split("/")) for uid in made.fleet.uid),
        owners={},
        outcomes=(),
        sources=(),
        phases_s={},
        quarantined={},
        problems=(),
    )
