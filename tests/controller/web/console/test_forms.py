"""Signing in, and what forms tell Foresail to do: taken, recorded, or given back as typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.controller.web.running import PERSON, TOKEN

if TYPE_CHECKING:
    from tests.controller.web.console.conftest import Browser

WEB = "/console/workloads/shop/web"


async def test_an_override_is_taken_recorded_and_shown(browser: Browser) -> None:
    token = await browser.sign_in()
    page = await browser.post(
        f"{WEB}/override", {"csrf_token": token, "replicas": "9", "reason": "load <test>", "for": "2h"}
    )
    assert page.status == 200
    assert page.path.startswith(f"{WEB}?done=")
    assert "Done: fixed 9 replicas, because: load &lt;test&gt;." in page.words
    [told] = browser.stage.rig.loop.interventions.in_force().values()
    assert (told.kind, told.replicas, told.who, told.reason) == ("override", 9, PERSON, "load <test>")
    assert told.until_s - told.at_s == 7200.0
    assert [each.id for each in await browser.stage.journal.interventions(since_s=0.0)] == [told.id]
    page = await browser.post(f"{WEB}/resume", {"csrf_token": token, "reason": "over"})
    assert "Done: resumed" in page.words
    assert browser.stage.rig.loop.interventions.in_force() == {}


async def test_all_are_paused_and_the_banner_says_so(browser: Browser) -> None:
    token = await browser.sign_in()
    page = await browser.post("/console/fleet/pause", {"csrf_token": token, "reason": "incident 7", "for": "30m"})
    assert (page.status, "Done: paused" in page.words) == (200, True)
    await browser.stage.tick()
    words = (await browser.get("/console")).words
    assert "Paused since" in words
    assert re.search(r"anna paused all workloads until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC : incident 7", words)


@pytest.mark.parametrize(
    ("act", "fields", "status", "told"),
    [
        pytest.param("pause", {"reason": "", "for": "1h"}, 422, "Reason: say why", id="no-reason"),
        pytest.param("pause", {"reason": "typed", "for": "9w"}, 422, "For how long: a number and", id="no-duration"),
        pytest.param(
            "override", {"reason": "typed", "replicas": "many", "for": "1h"}, 422, "Replicas: a whole", id="no-count"
        ),
        pytest.param(
            "override", {"reason": "typed", "replicas": "51", "for": "1h"}, 409, "beyond the bounds", id="too-many"
        ),
        pytest.param("resume", {"reason": "typed"}, 409, "there is nothing to resume", id="nothing-to-resume"),
    ],
)
async def test_what_is_not_taken_comes_back_as_typed(
    browser: Browser, act: str, fields: dict[str, str], status: int, told: str
) -> None:
    token = await browser.sign_in()
    page = await browser.post(f"{WEB}/{act}", {"csrf_token": token, **fields})
    assert page.status == status
    assert told in page.words
    for typed in filter(None, fields.values()):
        assert f'value="{typed}"' in page.text
    assert browser.stage.rig.loop.interventions.in_force() == {}


async def test_a_form_of_another_page_is_refused(browser: Browser) -> None:
    fields = {"csrf_token": await browser.sign_in(), "reason": "x", "for": "1h"}
    wrong = {"csrf_token": "0" * 64}
    elsewhere = {"Origin": "https://evil.example"}
    assert (await browser.post(f"{WEB}/pause", {"reason": "x", "for": "1h"})).status == 403
    assert (await browser.post(f"{WEB}/pause", fields | wrong)).status == 403
    assert (await browser.post(f"{WEB}/pause", fields, **elsewhere)).status == 403
    assert (await browser.post("/console/sign-out", wrong)).status == 403
    assert (await browser.post("/console/sign-in", {"token": TOKEN}, **elsewhere)).status == 403
    assert browser.stage.rig.loop.interventions.in_force() == {}


async def test_without_signing_in_nothing_is_done(browser: Browser) -> None:
    page = await browser.post(f"{WEB}/pause", {"reason": "x", "for": "1h"})
    assert (page.status, "Sign in and try again" in page.words) == (401, True)
    assert "Sign in to pause, resume or override." in (await browser.get(WEB)).words


async def test_signing_in_and_out(browser: Browser) -> None:
    page = await browser.post("/console/sign-in", {"token": "nobody's token", "next": WEB})
    assert (page.status, "the token is nobody" in page.words) == (401, True)
    assert "nobody's token" not in page.text
    assert f'value="{WEB}"' in page.text
    assert (await browser.post("/console/sign-in", {"token": ""})).status == 422
    token = await browser.sign_in()
    assert f"Signed in as {PERSON}" in (await browser.get("/console")).words
    page = await browser.post("/console/sign-out", {"csrf_token": token})
    assert (page.path, "Signed in" in page.words) == ("/console", False)


@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/",
        "//evil.example",
        "/console\\evil",
        "/consoles",
        "javascript:alert(1)",
        "/console\r\nX: y",
    ],
)
async def test_signing_in_leads_nowhere_else(browser: Browser, following: str) -> None:
    page = await browser.post("/console/sign-in", {"token": TOKEN, "next": following})
    assert (page.status, page.path) == (200, "/console")
