"""The console's pages: what they say of the daemon's state, of all workloads and of one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import aiohttp
import numpy as np
import pytest
from markupsafe import escape

from controller.settings.values import Listen
from controller.web import serving, web_app
from policies.model import Mode
from tests.controller.decisions import decided, with_standing
from tests.controller.web.console.conftest import Browser
from tests.controller.web.running import TOKEN, staged
from tests.controller.web.test_api import Daemon, report

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PAGES = ("/console", "/console/workloads/shop/web", "/console/fleet", "/console/sign-in", "/console/nowhere")


@pytest.fixture
async def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
async def pages(daemon: Daemon) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(web_app(daemon.views), Listen("127.0.0.1", 0)) as url, aiohttp.ClientSession(url) as session:
        yield session


async def text_of(pages: aiohttp.ClientSession, path: str) -> str:
    async with pages.get(path) as answer:
        return await answer.text()


async def test_the_list_shows_all_workloads_the_worst_first(pages: aiohttp.ClientSession, daemon: Daemon) -> None:
    daemon.report = report(decided("shop/calm", "shop/idle", "shop/worse", load=[20, 0, 60]))
    text = await text_of(pages, "/console")
    # A replica serves 8 per second at the serving limit and three are ready: 20 fills 2.5 of them, 60 fills 7.5.
    assert text.index("shop/worse") < text.index("shop/calm") < text.index("shop/idle")
    assert "3 of 3 workloads: 1 short of replicas, 2 well" in text
    assert "250\N{NO-BREAK SPACE}%" in text
    assert "83.3\N{NO-BREAK SPACE}%" in text


async def test_a_list_is_filtered_and_paged(pages: aiohttp.ClientSession, daemon: Daemon) -> None:
    uids = sorted([*(f"shop/w{number:03}" for number in range(120)), "chat/w007"])
    daemon.report = report(decided(*uids, load=[8] * 121))
    assert "page 1 of 3" in await text_of(pages, "/console")
    last = await text_of(pages, "/console?page=3&namespace=shop")
    assert last.count('<tr role="row" id=') == 20
    assert "/console?namespace=shop&amp;page=2" in last
    found = await text_of(pages, "/console?q=W007")
    assert "2 of 121 workloads" in found
    assert "1 of 121 workloads" in await text_of(pages, "/console?q=w007&namespace=chat")
    assert "No workload matches." in await text_of(pages, "/console?q=gone")
    assert "page 3 of 3" in await text_of(pages, "/console?page=999")


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e9", "9999999"])
async def test_a_page_that_is_none_is_refused(pages: aiohttp.ClientSession, daemon: Daemon, page: str) -> None:
    daemon.report = report(decided("shop/web", load=[8]))
    async with pages.get(f"/console?page={page}") as answer:
        assert answer.status == 400
        assert "page must be a whole number" in await answer.text()


async def test_a_workloads_page_tells_whether_it_may_go_to_the_next_mode(
    pages: aiohttp.ClientSession, daemon: Daemon
) -> None:
    active = report(with_standing(decided("shop/web", load=[8]), 37))
    daemon.report = replace(active, fleet=replace(active.fleet, mode=np.array([Mode.SHADOW], np.int8)))
    text = await text_of(pages, "/console/workloads/shop/web")
    assert "Not ready for floor" in text
    assert "Not ready for active" in text
    assert "2.5 replicas fewer" in text
    daemon.report = replace(active, at_s=active.at_s + 15.0)
    assert "Not ready for" not in await text_of(pages, "/console/workloads/shop/web")


async def test_names_and_reasons_are_escaped(pages: aiohttp.ClientSession, daemon: Daemon) -> None:
    hostile = "<script>alert(1)</script>\"'"
    daemon.report = replace(
        report(decided("shop/web", load=[8])), problems=(hostile,), quarantined={hostile: hostile}, killed=hostile
    )
    for path in ("/console", "/console/workloads/shop/web"):
        text = await text_of(pages, path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;" in text
    text = await text_of(pages, "/console?q=%22%3E%3Cscript%3E")
    assert "<script>\n" not in text
    assert 'value="&#34;&gt;&lt;script&gt;"' in text


async def test_before_the_first_tick_pages_say_what_is_awaited(pages: aiohttp.ClientSession) -> None:
    text = await text_of(pages, "/console")
    assert "Starting" in text
    assert "No tick has come to a decision yet" in text
    async with pages.get("/console/workloads/shop/web") as answer:
        assert answer.status == 503


async def test_a_workload_that_there_is_not_is_a_page_too(browser: Browser) -> None:
    page = await browser.get("/console/workloads/shop/gone")
    assert page.status == 404
    assert "no policy is in force for shop/gone; those in force begin with shop/api, shop/web" in page.words


async def test_a_workloads_page_tells_what_the_api_tells(browser: Browser) -> None:
    page = await browser.get("/console/workloads/shop/web")
    for told in (
        "What is asked of Prometheus load: load",
        "The last decisions that were new, or for a new reason; from the journal",
        "The last orders, from the journal",
        "applied",
        "It decides again at",
        "Nothing is said of the next week",
    ):
        assert told in page.words
    status = json.loads((await browser.get("/api/v1/workloads/shop/web")).text)
    assert len(status["explanation"]) > 3
    for sentence in status["explanation"]:
        assert str(escape(sentence)) in page.text


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_forbids_what_is_not_its_own(browser: Browser, path: str) -> None:
    page = await browser.get(path)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    for inline in ("<style", "style=", " onclick", "<script>"):
        assert inline not in page.text
    for outside in ("http://", "https://", "//cdn"):
        assert outside not in page.text


async def test_parts_are_known_by_their_tags_until_the_next_tick(browser: Browser) -> None:
    for path in ("workloads", "workloads/shop/web"):
        first = await browser.get(f"/console/parts/{path}")
        assert first.status == 200
        again = await browser.get(f"/console/parts/{path}", **{"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.text) == (304, "")
        await browser.stage.tick()
        after = await browser.get(f"/console/parts/{path}", **{"If-None-Match": first.headers["ETag"]})
        assert after.status == 200
    assert "Healthy" in (await browser.get("/console/parts/banner")).words


async def test_the_root_leads_to_the_console(browser: Browser) -> None:
    assert (await browser.get("/")).path == "/console"


async def test_where_reading_is_closed_one_signs_in_first(tmp_path: Path) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with staged(tmp_path, open_reading=False) as stage, aiohttp.ClientSession(cookie_jar=jar) as session:
        browser = Browser(stage, session)
        page = await browser.get("/console/workloads/shop/web")
        assert (page.status, page.path) == (200, "/console/sign-in?next=/console/workloads/shop/web")
        assert "healthy" not in page.words.lower()  # nothing is told
        assert (await browser.get("/console/parts/workloads")).status == 401
        page = await browser.post("/console/sign-in", {"token": TOKEN, "next": "/console/workloads/shop/web"})
        assert (page.status, page.path) == (200, "/console/workloads/shop/web")
