"""The next half hour through the API: of a workload that the real loop watches, and what a query may ask."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from controller.records import Intervention, Outcome, ScaleOrder
from controller.web.projection import told_of
from tests.controller.web.running import TOKEN, staged

if TYPE_CHECKING:
    from pathlib import Path

    from controller.records import TickReport
    from tests.controller.web.running import Stage

WEB = "/api/v1/workloads/shop/web"
MINUTES_TO_LEARN = 20  # a model speaks of a signal that was seen for a quarter of an hour


async def asked(stage: Stage, path: str, **headers: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.get(stage.url + path, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None) if answer.status != 304 else answer.headers["ETag"]


async def learned(stage: Stage) -> TickReport:
    """Ticks until a model speaks."""
    for _ in range(4 * MINUTES_TO_LEARN):
        await stage.tick()
    for _ in range(200):
        report = await stage.tick()
        left = stage.left()
        if left is not None and left.fit.known.size and left.fit.known.all():
            return report
        await asyncio.sleep(0.05)
    raise AssertionError("no model was fitted")


async def test_both_courses_minute_by_minute(tmp_path: Path) -> None:
    async with staged(tmp_path, "web") as stage:
        report = await learned(stage)
        status, found = await asked(stage, f"{WEB}/projection?replicas=9")
    assert status == 200
    assert (found["kind"], found["namespace"], found["name"]) == ("WorkloadProjection", "shop", "web")
    assert (found["scaledBy"], found["unknown"]) == ("foresail", None)
    assert [course["name"] for course in found["courses"]] == ["asNow", "paused", "override"]
    assert [len(course["replicas"]) for course in found["courses"]] == [31, 31, 31]
    # 30 at a capacity of 10, of which 8 are served in time.
    assert found["load"][0]["load"] == {"p50": 3.75, "p90": 3.75}
    assert found["load"][0]["needed"] == {"p50": 4, "p90": 4}
    assert found["load"][30]["load"]["p50"] == pytest.approx(3.75, rel=0.05)
    first, last = found["courses"][2]["replicas"][0], found["courses"][2]["replicas"][-1]
    asks = int(report.decision.current[0])
    assert (first["ordered"], last["ordered"]) == ({"p50": asks, "p90": asks}, {"p50": 9, "p90": 9})
    assert last["ready"] == {"p50": 9, "p90": 9}
    assert found["courses"][2]["shortFrom"] == {"p50": None, "p90": None}
    assert found["courses"][2]["shortMinutes"] == {"p50": 0, "p90": 0}
    assert found["courses"][1]["sentence"].startswith("If nobody changes anything, shop/web ")


async def test_before_a_model_speaks_no_load_is_told(tmp_path: Path) -> None:
    async with staged(tmp_path, "web") as stage:
        status, found = await asked(stage, f"{WEB}/projection")
    assert (status, found["load"]) == (200, None)
    assert found["unknown"] == "no model speaks for signal load yet"
    as_now, paused = found["courses"]
    assert (as_now["replicas"], as_now["unknown"]) == (None, "no model speaks for signal load yet")
    assert paused["unknown"] is None
    assert paused["replicas"][30]["ordered"] == paused["replicas"][0]["ordered"]
    assert (paused["shortFrom"], paused["shortMinutes"]) == ({"p50": None, "p90": None}, None)


async def test_a_pause_that_was_just_told_is_in_it(tmp_path: Path) -> None:
    async with staged(tmp_path, "web") as stage:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            body = {"reason": "a test", "for": "2h"}
            async with session.post(f"{stage.url}{WEB}/pause", json=body) as answer:
                assert answer.status == 200
        stage.rig.reports[-1] = replace(stage.rig.last(), interventions=stage.rig.loop.interventions.in_force())
        _, found = await asked(stage, f"{WEB}/projection")
    assert found["courses"][0]["replicas"] is not None  # nothing is done for two hours, so that no forecast is needed


async def test_an_answer_is_made_once_a_tick(tmp_path: Path) -> None:
    async with staged(tmp_path, "web") as stage, aiohttp.ClientSession() as session:
        async with session.get(f"{stage.url}{WEB}/projection") as answer:
            etag = answer.headers["ETag"]
        assert await asked(stage, f"{WEB}/projection", **{"If-None-Match": etag}) == (304, etag)
        await stage.tick()
        assert (await asked(stage, f"{WEB}/projection", **{"If-None-Match": etag}))[0] == 200


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("pause=soon", "pause must be a time such as 30m, at most 7d, not 'soon'"),
        ("pause=8d", "pause must be a time such as 30m, at most 7d, not '8d'"),
        ("replicas=-1", "replicas must be a whole number from 0 to 100000, not '-1'"),
        ("replicas=100001", "replicas must be a whole number from 0 to 100000, not '100001'"),
        ("replicas=%D9%A3", "replicas must be a whole number from 0 to 100000, not '\u0663'"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(tmp_path: Path, query: str, detail: str) -> None:
    async with staged(tmp_path, "web", ticks=1) as stage:
        status, found = await asked(stage, f"{WEB}/projection?{query}")
    assert (status, found["detail"]) == (400, detail)


async def test_of_a_workload_without_a_policy_nothing_is_told(tmp_path: Path) -> None:
    async with staged(tmp_path, "web", ticks=1) as stage:
        status, found = await asked(stage, "/api/v1/workloads/shop/gone/projection")
    assert status == 404
    assert "no policy is in force for shop/gone" in found["detail"]


async def test_without_what_the_last_tick_left_nothing_is_told(tmp_path: Path) -> None:
    async with staged(tmp_path, "web", ticks=1) as stage:
        stage.rig.loop.state = None
        status, found = await asked(stage, f"{WEB}/projection")
    assert (status, found["detail"]) == (503, "what the last tick left for the next one is not known")


async def test_what_people_told_and_what_was_carried_out_are_taken_in(tmp_path: Path) -> None:
    async with staged(tmp_path, "web", ticks=1) as stage:
        report = stage.rig.last()
    order = ScaleOrder("shop/web", stage.rig.ref("web"), 2, 5, "1", "signals")
    done, refused = (Outcome(order, report.at_s, result) for result in ("applied", "rejected"))
    assert int(report.decision.current[0]) == 2
    assert told_of(replace(report, outcomes=(refused,)), 0).asked == 2
    assert told_of(replace(report, outcomes=(done,)), 0).asked == int(report.decision.replicas.target[0]) == 5
    told = {
        "": Intervention("1", 0.0, "", "pause", "anna", "all", until_s=70.0),
        "shop/web": Intervention("2", 0.0, "shop/web", "override", "anna", "one", until_s=50.0, replicas=7),
    }
    found = told_of(replace(report, interventions=told, owners={"shop/web": "ScaledObject shop/web (KEDA) scales"}), 0)
    assert (found.paused_until_s, found.override, found.override_until_s) == (70.0, 7, 50.0)
    assert found.autoscaled
    assert not told_of(replace(report, owners={"shop/web": "Argo CD (field manager argocd) owns"}), 0).autoscaled
