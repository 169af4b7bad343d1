"""The what-if as a page: a form without JavaScript, its answer as a table, and what is wrong beside what was typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aiohttp
import pytest

from controller.errors import Unavailable
from tests.controller.web.console.conftest import Browser
from tests.controller.web.running import staged

if TYPE_CHECKING:
    from pathlib import Path

    from controller.whatif import Question

PAGE = "/console/workloads/shop/web/whatif"


async def test_a_workloads_page_leads_to_it_and_its_form_asks_by_its_address(browser: Browser) -> None:
    page = await browser.get("/console/workloads/shop/web")
    assert f'<a href="{PAGE}">' in page.text
    form = await browser.get(PAGE)
    assert (form.status, browser.stage.asked) == (200, [])
    assert f'<form method="get" action="{PAGE}">' in form.text
    named = set(re.findall(r'<(?:input|button)[^>]* name="(\w+)"', form.text))
    assert named == {"late", "min", "max", "price", "days", "ask"}
    assert "<table" not in form.text


async def test_the_answer_is_a_table_with_what_it_rests_on_and_the_lines_to_change(browser: Browser) -> None:
    page = await browser.get(f"{PAGE}?min=4&max=&late=0,02&price=1.5&days=&ask=1")
    assert page.status == 200
    (question,) = browser.stage.asked
    terms = question.policies[1]
    assert (terms.replicas, terms.late_ratio, terms.price) == ((4, 50), 0.02, 1.5)
    for words in ("What happened", "Present policy", "As asked", "4 to 50", "no price", "hours of load"):
        assert words in page.words
    assert "Not replayed: budgets, GPU quotas" in page.words
    assert "replicaHour: 1.5" in page.text
    assert 'name="min" type="number" step="1" min="0" inputmode="decimal" value="4"' in page.text


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        pytest.param("late=2", 422, "May be late: a share above 0 and up to 0.5, such as 0.01, not 2", id="late"),
        pytest.param("min=many", 422, "Fewest replicas: a whole number from 0 to 100000, not many", id="text"),
        pytest.param("min=2.5&days=15", 422, "Days: a number above 0, and at most 14, not 15", id="two"),
        pytest.param("price=nan", 422, "Price of a replica-hour: a number above 0, such as 1.20, not nan", id="nan"),
        pytest.param("min=60", 409, "min: 60 is above max, 50; lower min or raise max", id="bounds"),
    ],
)
async def test_what_is_wrong_stands_beside_what_was_typed(
    browser: Browser, query: str, status: int, words: str
) -> None:
    page = await browser.get(f"{PAGE}?{query}")
    assert page.status == status
    assert words in page.words
    name, typed = query.partition("&")[0].split("=")
    assert re.search(rf'name="{name}"[^>]* value="{typed}"', page.text)


async def test_what_is_typed_is_escaped(browser: Browser) -> None:
    page = await browser.get(f'{PAGE}?min="><script>')
    assert page.status == 422
    assert "<script>" not in page.text


async def test_a_journal_that_is_down_is_told_on_the_page(tmp_path: Path) -> None:
    async def down(_question: Question) -> Unavailable:
        return Unavailable("the journal's database failed: no route to host")

    async with staged(tmp_path, answer=down) as stage, aiohttp.ClientSession() as session:
        page = await Browser(stage, session).get(f"{PAGE}?ask=1")
        assert (page.status, "no route to host" in page.words) == (503, True)


async def test_a_workload_that_is_not_there_is_not_found(browser: Browser) -> None:
    assert (await browser.get("/console/workloads/shop/gone/whatif?ask=1")).status == 404


async def test_who_is_signed_in_is_led_to_the_debug_bundle(browser: Browser) -> None:
    assert "/api/v1/debug-bundle" not in (await browser.get(PAGE)).text
    await browser.sign_in()
    assert '<a href="/api/v1/debug-bundle" download>' in (await browser.get(PAGE)).text
