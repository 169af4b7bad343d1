"""The next half hour on a workload's page: both courses side by side, and when it is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controller.web.console import half_hour
from tests.controller.web.test_projection import learned

if TYPE_CHECKING:
    from tests.controller.web.console.conftest import Browser

PAGE = "/console/workloads/shop/web"
PART = "/console/parts/workloads/shop/web/half-hour"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page waits for as long as it takes, however busy the machine is."""
    monkeypatch.setattr(half_hour, "PATIENCE_S", 60.0)


def told(ready: list[tuple[int, int]] | None, needed: list[tuple[int, int]] | None) -> Any:  # noqa: ANN401 - a document
    """A projection of eleven minutes with one course."""
    at = [f"2026-11-26T20:{minute:02}:00Z" for minute in range(11)]
    load = None if needed is None else [{"at": at[n], "needed": _levels(each)} for n, each in enumerate(needed)]
    replicas = None if ready is None else [{"at": at[n], "ready": _levels(each)} for n, each in enumerate(ready)]
    return {"load": load, "courses": [{"replicas": replicas}]}


def _levels(pair: tuple[int, int]) -> dict[str, int]:
    return {"p50": pair[0], "p90": pair[1]}


def test_a_row_every_five_minutes_marks_what_is_too_few() -> None:
    found = half_hour.rows(told([(4, 4)] * 11, [(4, 4)] * 5 + [(4, 5)] * 5 + [(5, 6)]))
    assert [row.at[14:16] for row in found] == ["00", "05", "10"]
    assert [row.cells[0].short for row in found] == ["", "p90", "p50"]


def test_what_nobody_knows_is_marked_nowhere() -> None:
    (first, *_) = half_hour.rows(told([(4, 4)] * 11, None))
    assert (first.needed, first.cells[0].ready, first.cells[0].short) == (None, {"p50": 4, "p90": 4}, "")
    (first, *_) = half_hour.rows(told(None, [(4, 4)] * 11))
    assert (first.needed, first.cells[0].ready, first.cells[0].short) == ({"p50": 4, "p90": 4}, None, "")
    assert half_hour.rows(told(None, None)) == []


async def test_both_courses_are_side_by_side(browser: Browser) -> None:
    await learned(browser.stage)
    page = await browser.get(PAGE)
    document = (await browser.get("/api/v1/workloads/shop/web/projection")).text
    assert "In 30 minutes" in page.words
    assert "If it goes on as now, shop/web " in page.words
    assert "If nobody changes anything, shop/web " in page.words
    assert "At The load needs Ready, if it goes on as now Ready, if nobody changes anything" in page.words
    assert page.text.count('data-label="The load needs"') == 7  # every five minutes
    assert "If nobody changes anything, shop/web " in document
    assert f'data-live="{PART}"' in page.text


async def test_without_a_forecast_the_page_says_why_and_what_stands(browser: Browser) -> None:
    page = await browser.get(PAGE)
    why = "no model speaks for signal load yet"
    assert f"If it goes on as now, nobody can say how many replicas shop/web will have: {why}." in page.words
    assert page.words.count("not known") >= 7
    assert "What this rests on" in page.words


async def test_it_is_made_anew_once_a_minute_and_when_people_tell_something(browser: Browser) -> None:
    first = await browser.get(PART)
    await browser.stage.tick()  # fifteen seconds later
    again = await browser.get(PART, **{"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status) == (200, 304)
    token = await browser.sign_in()
    await browser.post(f"{PAGE}/pause", {"csrf_token": token, "reason": "a test", "for": "2h"})
    await browser.stage.tick()
    paused = await browser.get(PART, **{"If-None-Match": first.headers["ETag"]})
    assert paused.status == 200
    assert "If it goes on as now, shop/web will have" in paused.words
    for _ in range(4):
        await browser.stage.tick()
    assert (await browser.get(PART, **{"If-None-Match": paused.headers["ETag"]})).status == 200


async def test_a_page_does_not_wait_for_it(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_hour, "PATIENCE_S", 0.0)
    page = await browser.get(PAGE)
    assert page.status == 200
    assert "it is being worked out, and comes by itself or with a reload." in page.words


async def test_what_the_last_tick_left_may_be_missing(browser: Browser) -> None:
    browser.stage.rig.loop.state = None
    page = await browser.get(PAGE)
    assert page.status == 200
    assert "Its next half hour is not told: what the last tick left for the next one is not known." in page.words
    assert (await browser.get(PART)).status == 503
