"""What if the policy were another, by HTTP: figures from the journal, what is refused, and who may ask."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml

from controller.errors import Unavailable
from controller.whatif import asking
from controller.worker import GivenUp
from tests.controller.web.running import TOKEN, Stage, staged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from controller.whatif import Answered, Question

WEB = "/api/v1/workloads/shop/web/whatif"
PRICED = {"prices": {"replicaHour": 2.0}}


async def ask(stage: Stage, body: object, path: str = WEB, **headers: str) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as session, session.post(stage.url + path, json=body, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with staged(tmp_path, objective=PRICED) as found:
        yield found


@pytest.fixture
async def doubled(tmp_path: Path) -> AsyncIterator[Stage]:
    """Twenty minutes of a load that doubles after ten: 30 and 60 a second, of which a replica serves 8 in time."""
    async with staged(tmp_path, objective=PRICED, ticks=40) as found:
        found.rig.source.load = {"web": 60.0, "api": 30.0}
        for _ in range(40):
            await found.tick()
        yield found


async def test_the_present_policy_another_and_what_happened_stand_side_by_side(doubled: Stage) -> None:
    status, found, _ = await ask(doubled, {"min": 12, "max": 20, "price": 3, "late": 0.001})
    assert status == 200
    happened, present, asked = found["rows"]
    assert [row["name"] for row in found["rows"]] == ["happened", "present", "asked"]
    assert (happened["late"], happened["min"], happened["price"]) == (None, None, None)
    assert (present["late"], present["min"], present["max"], present["price"]) == (0.01, 1, 50, 2.0)
    assert (asked["late"], asked["min"], asked["max"], asked["price"]) == (0.001, 12, 20, 3.0)
    # A quarter of the twenty minutes only warms up: 40 - 10 steps of 30 s, a quarter of an hour, are judged.
    assert found["evidence"]["loadHours"] == pytest.approx(0.25, abs=0.02)
    assert found["evidence"]["warmupHours"] == pytest.approx(1 / 12, abs=0.02)
    assert (found["evidence"]["unknownRatio"], found["evidence"]["whole"]) == (0.0, True)
    assert found["evidence"]["readEverySeconds"] == 30.0
    # Twelve replicas serve 96 in time, so that nothing is late and nothing changes: 12 x 0.25 h at 3 are 9.
    assert (asked["lateRatio"], asked["worstHour"], asked["churn"]) == (0.0, None, 0.0)
    assert asked["replicaHours"] == pytest.approx(12 * found["evidence"]["loadHours"])
    assert asked["cost"] == pytest.approx(3 * asked["replicaHours"])
    # What stood when the load doubled, four or five replicas, served at most 40 in time.
    assert 0 < happened["lateRatio"] < 0.3
    assert happened["worstHour"]["lateRatio"] >= happened["lateRatio"]
    assert happened["cost"] == pytest.approx(2 * happened["replicaHours"])
    assert happened["replicaHours"] < asked["replicaHours"]
    assert yaml.safe_load(found["policy"]) == {
        "spec": {"replicas": {"min": 12, "max": 20}, "objective": {"late": 0.001, "prices": {"replicaHour": 3.0}}}
    }
    assert found["notes"][0].startswith("Not replayed: budgets, GPU quotas")


async def test_with_nothing_to_change_the_present_policy_stands_alone(stage: Stage) -> None:
    status, found, _ = await ask(stage, {"days": 0.01})
    assert status == 200
    assert [row["name"] for row in found["rows"]] == ["happened", "present"]
    assert found["policy"] == ""
    # 0.01 days are 864 s before the last tick.
    (question,) = stage.asked
    assert question.span_s[1] - question.span_s[0] == pytest.approx(864.0)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        pytest.param({"late": 0.6}, 422, "late: Input should be less than or equal to 0.5", id="late"),
        pytest.param({"late": "1%"}, 422, "late: Input should be a valid number", id="text"),
        pytest.param({"days": 15}, 422, "days: Input should be less than or equal to 14", id="days"),
        pytest.param({"min": 1.5}, 422, "min: Input should be a valid integer", id="half-a-replica"),
        pytest.param({"price": 0}, 422, "price: Input should be greater than 0", id="price"),
        pytest.param({"servingLimit": 1}, 422, "servingLimit: Extra inputs are not permitted", id="unknown"),
        pytest.param({"min": 60}, 409, "min: 60 is above max, 50; lower min or raise max", id="bounds"),
        pytest.param([], 422, "the body: Input should be a valid dictionary", id="no-object"),
    ],
)
async def test_what_is_wrong_is_named_with_its_mend(stage: Stage, body: object, status: int, detail: str) -> None:
    found_status, found, headers = await ask(stage, body)
    assert (found_status, headers["Content-Type"]) == (status, "application/problem+json; charset=utf-8")
    assert detail in found["detail"]
    assert stage.asked == []


async def test_an_objective_beyond_the_slo_is_refused(tmp_path: Path) -> None:
    async with staged(tmp_path, objective={"slo": {"target": 0.999}}) as stage:
        status, found, _ = await ask(stage, {"late": 0.01})
        assert (status, found["detail"]) == (
            409,
            "late: 0.01 is above 0.00025, the most that objective.slo allows; lower it",
        )


async def test_a_workload_that_is_not_there_is_not_found(stage: Stage) -> None:
    status, found, _ = await ask(stage, {}, "/api/v1/workloads/shop/gone/whatif")
    assert (status, found["detail"]) == (404, "no policy is in force for shop/gone")


async def test_it_needs_no_token_where_reading_is_open_and_one_where_it_is_closed(tmp_path: Path) -> None:
    async with staged(tmp_path, open_reading=False) as stage:
        assert (await ask(stage, {}))[0] == 401
        assert (await ask(stage, {}, Authorization=f"Bearer {TOKEN}"))[0] == 200


async def test_a_browser_with_a_session_must_show_that_its_page_asked(stage: Stage) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.post(f"{stage.url}/api/v1/session", json={"token": TOKEN}) as answer:
            csrf = {"X-CSRF-Token": (await answer.json())["csrfToken"]}
        async with session.post(stage.url + WEB, json={}) as answer:
            assert answer.status == 403
        async with session.post(stage.url + WEB, json={}, headers=csrf) as answer:
            assert answer.status == 200


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[tuple[Stage, asyncio.Event, asyncio.Event]]:
    """A stage whose what-ifs take for ever: set when one has begun, and when it was given up."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never(question: Question) -> Answered:
        assert question.uid == "shop/web"
        begun.set()
        try:
            await asyncio.sleep(600.0)
        finally:
            ended.set()
        raise AssertionError

    async with staged(tmp_path, answer=never) as stage:
        yield stage, begun, ended


async def test_a_second_question_is_told_when_to_ask_again(slow: tuple[Stage, asyncio.Event, asyncio.Event]) -> None:
    stage, begun, _ = slow
    first = asyncio.create_task(ask(stage, {}))
    await asyncio.wait_for(begun.wait(), 10.0)
    status, found, headers = await ask(stage, {})
    assert (status, headers["Retry-After"]) == (503, "10")
    assert "another what-if is being answered" in found["detail"]
    first.cancel()


async def test_it_is_given_up_when_the_client_goes_away(slow: tuple[Stage, asyncio.Event, asyncio.Event]) -> None:
    stage, begun, ended = slow
    first = asyncio.create_task(ask(stage, {}))
    await asyncio.wait_for(begun.wait(), 10.0)
    first.cancel()
    await asyncio.wait_for(ended.wait(), 10.0)


async def test_one_that_takes_too_long_says_so(tmp_path: Path) -> None:
    async def late(_question: Question) -> Answered:
        raise GivenUp("it took too long")

    async with staged(tmp_path, answer=late) as stage:
        status, found, _ = await ask(stage, {})
        assert (status, found["detail"]) == (503, "the what-if was given up: it took too long; ask for fewer days")


async def test_a_journal_that_is_down_is_told(tmp_path: Path) -> None:
    async def down(_question: Question) -> Unavailable:
        return Unavailable("the journal's database failed: no route to host")

    async with staged(tmp_path, answer=down) as stage:
        status, found, _ = await ask(stage, {})
        assert (status, found["detail"]) == (503, "the journal's database failed: no route to host")


@pytest.mark.integration
async def test_a_process_of_its_own_answers_the_same(stage: Stage) -> None:
    _, found, _ = await ask(stage, {"min": 12})
    whatifs = asking.WhatIfs(stage.journal_url, stage.report, lambda: stage.rig.loop.state)
    told = await whatifs.ask("shop/web", asking.Change(low=12))
    assert told.answered.compared.policies[1].replica_hours == found["rows"][2]["replicaHours"]
