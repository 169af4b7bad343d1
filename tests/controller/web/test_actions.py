"""Who may tell Foresail what, over HTTP: tokens, rights, sessions of browsers, and what is refused with which words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from controller.errors import Unavailable
from controller.records import Person, TargetRef
from controller.settings.values import Listen
from controller.web import serving, web_app
from controller.web.auth import AnyAccess
from tests.controller.web.running import PERSON, TOKEN, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

WEB = "/api/v1/workloads/shop/web"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PAUSE = {"reason": "looking into it", "for": "30m"}


@dataclass
class Rights:
    """People by token; `denied` says why nobody may act; `problem` that nobody can be asked."""

    people: dict[str, str] = field(default_factory=lambda: {"t" * 20: "system:serviceaccount:shop:ci"})
    denied: str | None = None
    problem: str | None = None
    asked: list[TargetRef | None] = field(default_factory=list)

    async def person(self, token: str) -> Person | None:
        if self.problem is not None:
            raise Unavailable(self.problem)
        name = self.people.get(token)
        return None if name is None else Person(name, by="kubernetes")

    async def may_act(self, person: Person, target: TargetRef | None) -> str | None:
        assert person.name
        self.asked.append(target)
        return self.denied


@dataclass(frozen=True, slots=True)
class Caller:
    stage: Stage
    session: aiohttp.ClientSession

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        url = f"{self.stage.url}{path}"
        async with self.session.request(method, url, json=body, headers=headers or None) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def post(self, path: str, body: object, **headers: str) -> tuple[int, Any]:
        return await self.send("POST", path, body, **(headers or BEARER))

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        return await self.send("GET", path, **headers)


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    async with staged(tmp_path) as stage, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Caller(stage, session)


async def test_an_override_is_taken_shown_and_carried_out(caller: Caller) -> None:
    body = {"replicas": 9, "reason": "load test", "for": "2h"}
    status, found = await caller.post(f"{WEB}/override", body)
    assert status == 200
    told = found["intervention"]
    assert (told["kind"], told["replicas"], told["who"], told["reason"]) == ("override", 9, PERSON, "load test")
    assert (told["namespace"], told["name"], found["replaced"]) == ("shop", "web", None)
    assert (found["recorded"], found["obstacles"]) == (True, [])
    await caller.stage.tick()
    _, shown = await caller.get(WEB)
    assert (shown["hold"], shown["fixed"], shown["reason"]) == (
        "override",
        {"replicas": 9, "by": "override"},
        "override",
    )
    assert shown["intervention"] == told
    assert shown["replicas"]["recommended"] == 9
    assert f"anna overrode its count with 9 until {told['until']}, because: load test" in shown["explanation"]
    assert (shown["lastChange"]["after"], shown["lastChange"]["result"]) == (9, "applied")
    _, holds = await caller.get("/api/v1/holds")
    assert [(each["name"], each["hold"]) for each in holds["items"]] == [("web", "override")]
    _, listed = await caller.get("/api/v1/interventions")
    assert listed["items"] == [told]
    assert caller.stage.counted == [("override", "done")]


async def test_all_are_paused_and_resumed_and_the_second_resume_has_nothing_to_end(caller: Caller) -> None:
    assert (await caller.post("/api/v1/fleet/pause", PAUSE))[0] == 200
    await caller.stage.tick()
    _, holds = await caller.get("/api/v1/holds")
    assert [each["hold"] for each in holds["items"]] == ["operator", "operator"]
    assert (holds["fleet"]["who"], holds["fleet"]["name"]) == (PERSON, None)
    status, found = await caller.post(f"{WEB}/override", {"replicas": 3, "reason": "x"})
    assert status == 200
    assert found["obstacles"] == ["anna paused all workloads: looking into it"]
    assert (await caller.post(f"{WEB}/resume", {"reason": "x"}))[0] == 200
    status, found = await caller.post(f"{WEB}/resume", {"reason": "x"})
    assert (status, "all workloads were; resume all" in found["detail"]) == (409, True)
    assert (await caller.post("/api/v1/fleet/resume", {"reason": "done"}))[0] == 200
    status, found = await caller.post("/api/v1/fleet/resume", {"reason": "done"})
    assert (status, found["title"]) == (409, "Conflict")
    assert caller.stage.counted[-1] == ("resume", "refused")


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        pytest.param("/pause", {}, 422, "reason: Field required", id="no-reason"),
        pytest.param("/pause", {"reason": " "}, 422, "reason: String should match", id="blank-reason"),
        pytest.param("/pause", {"reason": "x", "for": "8d"}, 422, "for: String should match", id="too-long"),
        pytest.param("/pause", {"reason": "x", "until": "1h"}, 422, "until: Extra inputs", id="unknown-field"),
        pytest.param("/override", {"replicas": -1, "reason": "x"}, 422, "replicas: Input should be", id="negative"),
        pytest.param(
            "/override", {"replicas": 51, "reason": "x"}, 409, "beyond the bounds in force (1 to 50)", id="most"
        ),
        pytest.param("/override", {"replicas": 0, "reason": "x"}, 409, "with beyondBounds it is taken", id="zero"),
        pytest.param("/override", [1], 422, "the body: Input should be a valid dictionary", id="not-an-object"),
    ],
)
async def test_what_is_wrong_is_named_and_changes_nothing(
    caller: Caller, path: str, body: object, status: int, detail: str
) -> None:
    found_status, found = await caller.post(WEB + path, body)
    assert (found_status, found["status"]) == (status, status)
    assert detail in found["detail"]
    assert caller.stage.rig.loop.interventions.in_force() == {}


async def test_a_count_beyond_the_bounds_is_taken_when_it_is_meant(caller: Caller) -> None:
    body = {"replicas": 60, "reason": "sale", "beyondBounds": True}
    assert (await caller.post(f"{WEB}/override", body))[0] == 200
    await caller.stage.tick()
    assert caller.stage.rig.scale_of() == 60


async def test_a_workload_that_is_not_there_is_not_found(caller: Caller) -> None:
    status, found = await caller.post("/api/v1/workloads/shop/gone/pause", PAUSE)
    assert (status, found["detail"]) == (404, "no policy is in force for shop/gone")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"X-Nothing": "1"}, 401, id="no-token"),
        pytest.param({"Authorization": "Bearer wrong-token-of-nobody"}, 401, id="nobodys"),
        pytest.param({"Authorization": f"Basic {TOKEN}"}, 401, id="another-scheme"),
        pytest.param({"Authorization": "Bearer "}, 401, id="empty"),
        pytest.param({"Authorization": f"Bearer {'x' * 5000}"}, 401, id="long"),
        pytest.param({"Cookie": "foresail_session=guess"}, 401, id="guessed-session"),
    ],
)
async def test_without_a_token_nothing_is_done(caller: Caller, headers: dict[str, str], status: int) -> None:
    found_status, found = await caller.post(f"{WEB}/pause", PAUSE, **headers)
    assert found_status == status
    assert TOKEN not in str(found)
    assert caller.stage.rig.loop.interventions.in_force() == {}


async def test_without_any_configuration_actions_say_how_to_turn_them_on(caller: Caller) -> None:
    async with serving(web_app(caller.stage.views()), Listen("127.0.0.1", 0)) as url:
        for headers in (BEARER, {"X-Nothing": "1"}):
            async with caller.session.post(f"{url}{WEB}/pause", json=PAUSE, headers=headers) as answer:
                assert answer.status == 403
                assert "--auth-token-file" in (await answer.json(content_type=None))["detail"]


async def test_a_browser_needs_its_sessions_token_beside_the_cookie(caller: Caller) -> None:
    status, found = await caller.send("POST", "/api/v1/session", {"token": TOKEN})
    assert (status, found["name"]) == (201, PERSON)
    [cookie] = list(caller.session.cookie_jar)
    assert (cookie["samesite"], cookie["httponly"], cookie["path"]) == ("Strict", True, "/")
    assert TOKEN not in cookie.value
    csrf = {"X-CSRF-Token": found["csrfToken"]}
    assert (await caller.send("POST", f"{WEB}/pause", PAUSE))[0] == 403
    assert (await caller.send("POST", f"{WEB}/pause", PAUSE, **{"X-CSRF-Token": "0" * 64}))[0] == 403
    evil = csrf | {"Origin": "http://evil.example"}
    status, refused = await caller.send("POST", f"{WEB}/pause", PAUSE, **evil)
    assert (status, "evil.example" in refused["detail"]) == (403, True)
    own = csrf | {"Origin": caller.stage.url}
    assert (await caller.send("POST", f"{WEB}/pause", PAUSE, **own))[0] == 200
    assert (await caller.get("/api/v1/session"))[1]["csrfToken"] == found["csrfToken"]
    assert (await caller.send("DELETE", "/api/v1/session", **csrf))[0] == 204
    assert (await caller.get("/api/v1/session"))[0] == 401


async def test_a_session_ends_with_its_token_and_after_eight_hours(tmp_path: Path) -> None:
    rights = Rights()
    async with (
        staged(tmp_path, access=rights) as stage,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        caller = Caller(stage, session)
        _, found = await caller.send("POST", "/api/v1/session", {"token": "t" * 20})
        csrf = {"X-CSRF-Token": found["csrfToken"]}
        assert (await caller.send("POST", f"{WEB}/pause", PAUSE, **csrf))[0] == 200
        people = rights.people
        rights.people = {}
        assert (await caller.send("POST", f"{WEB}/pause", PAUSE, **csrf))[0] == 401
        rights.people = people
        assert (await caller.send("POST", f"{WEB}/pause", PAUSE, **csrf))[0] == 401  # a revoked one is forgotten
        _, found = await caller.send("POST", "/api/v1/session", {"token": "t" * 20})
        stage.rig.clock.advance(8 * 3600.0)
        assert (await caller.get("/api/v1/session"))[0] == 401


async def test_rights_are_asked_for_the_target_and_for_all(tmp_path: Path) -> None:
    rights = Rights()
    async with staged(tmp_path, access=AnyAccess({"kubernetes": rights})) as stage, aiohttp.ClientSession() as session:
        caller, bearer = Caller(stage, session), {"Authorization": f"Bearer {'t' * 20}"}
        assert (await caller.post(f"{WEB}/pause", PAUSE, **bearer))[0] == 200
        rights.denied = "Kubernetes does not let them update deployments/scale web"
        status, found = await caller.post("/api/v1/fleet/pause", PAUSE, **bearer)
        assert (status, rights.denied in found["detail"]) == (403, True)
        assert rights.asked == [TargetRef("apps/v1", "Deployment", "shop", "web"), None]
        rights.problem = "TokenReview: no answer in time"
        status, found = await caller.post(f"{WEB}/pause", PAUSE, **bearer)
        assert (status, "no answer in time" in found["detail"]) == (503, True)


async def test_reading_can_be_closed_but_probes_and_metrics_stay_open(tmp_path: Path) -> None:
    async with staged(tmp_path, open_reading=False) as stage, aiohttp.ClientSession() as session:
        caller = Caller(stage, session)
        for path in (WEB, "/api/v1/workloads", "/api/v1/events", "/api/v1/openapi.json", "/api/v1/version"):
            assert (await caller.get(path))[0] == 401
        assert (await caller.get(WEB, **BEARER))[0] == 200
        for path in ("/metrics", "/livez", "/readyz"):
            async with session.get(stage.url + path) as answer:
                assert answer.status == 200


async def test_an_answer_that_is_known_is_not_sent_again(caller: Caller) -> None:
    url = f"{caller.stage.url}/api/v1/workloads"
    async with caller.session.get(url) as answer:
        etag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "no-cache"
    async with caller.session.get(url, headers={"If-None-Match": etag}) as answer:
        assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", etag)
    await caller.stage.tick()
    async with caller.session.get(url, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 200


async def test_decisions_come_from_the_journal_the_newest_first(caller: Caller) -> None:
    for replicas in (9, 4, 12):
        await caller.post(f"{WEB}/override", {"replicas": replicas, "reason": "x"})
        await caller.stage.tick()
    _, first = await caller.get(f"{WEB}/decisions?limit=2")
    assert [each["after"] for each in first["items"]] == [12, 4]
    last = first["items"][0]["steps"][-1]
    assert (last["rule"], last["after"]) == ("override", 12)
    _, rest = await caller.get(f"{WEB}/decisions?limit=500&continue={first['metadata']['continue']}")
    assert rest["items"][0]["after"] == 9
    assert rest["metadata"]["continue"] == ""
    assert (await caller.get(f"{WEB}/decisions?continue=yesterday"))[0] == 400


async def test_the_other_lists(caller: Caller) -> None:
    _, signals = await caller.get("/api/v1/signals?limit=1")
    assert [(each["workload"], each["name"], each["query"]) for each in signals["items"]] == [("api", "load", "load")]
    _, signals = await caller.get(f"/api/v1/signals?continue={signals['metadata']['continue'].replace('#', '%23')}")
    assert [each["workload"] for each in signals["items"]] == ["web"]
    for path in ("sizes", "budgets", "placements", "holds"):
        status, found = await caller.get(f"/api/v1/{path}")
        assert (status, found["items"], found["metadata"]["total"]) == (200, [], 0)
    _, health = await caller.get("/api/v1/health")
    assert (health["live"], health["sources"][0]["ok"]) == ([{"name": "loop", "ok": True, "message": ""}], True)
