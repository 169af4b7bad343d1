"""The console in a real browser: axe finds nothing, nothing is wider than a phone, and open pages follow the daemon."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from policies.forecast.maximum import LEADS_MIN
from tests.controller.test_outlook import plans_of
from tests.controller.web.running import TOKEN, staged
from tests.integration.servers.chromium import AXE, View
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.daemon import Stage
    from tests.integration.servers.chromium import Chromium, Tab

VIEWS = (View(1280), View(1280, "dark"), View(320, phone=True), View(320, "dark", phone=True))
PAGES = (
    "/console",
    "/console?q=nothing",
    "/console/workloads/shop/web",
    "/console/workloads/shop/web/whatif?min=3&price=1.5",
    "/console/workloads/shop/web/whatif?late=9",
    "/console/fleet",
    "/console/sign-in",
    "/console/workloads/shop/gone",
)
NOISE = "Failed to load resource: the server responded with a status of 4"  # said of a page with an error


async def sign_in(tab: Tab, url: str) -> None:
    await tab.go(f"{url}/console/sign-in?next=%2Fconsole")
    await tab.value(f"document.getElementById('token').value = {json.dumps(TOKEN)}")
    await tab.value("document.querySelector('main form').submit()")

    async def back() -> bool:
        return bool(await tab.value("location.pathname === '/console' && document.readyState === 'complete'"))

    await eventually_async(back, what="the list after signing in")


def test_axe_is_what_its_manifest_says() -> None:
    manifest = json.loads((AXE.parent / "manifest.json").read_text())
    assert {each.name for each in AXE.parent.iterdir()} == {*manifest["sha256"], "manifest.json"}
    for name, digest in manifest["sha256"].items():
        assert sha256((AXE.parent / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("signed_in", [False, True], ids=["signed-out", "signed-in"])
async def test_axe_finds_nothing_on_any_page(chromium: Chromium, tmp_path: Path, *, signed_in: bool) -> None:
    async with staged(tmp_path) as stage, chromium.tab(f"{stage.url}/console", VIEWS[0]) as tab:
        if signed_in:
            await sign_in(tab, stage.url)
        for path in PAGES:
            await tab.go(stage.url + path)
            await tab.value("document.querySelectorAll('details').forEach((each) => (each.open = true))")
            for view in VIEWS:
                await tab.set_view(view)
                assert await tab.axe() == [], (path, view)
                assert await tab.value("document.documentElement.scrollWidth") <= view.width, (path, view)
            complaints = [each for each in tab.complaints() if NOISE not in str(each)]
            assert complaints == [], path


async def test_axe_finds_what_is_wrong(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html><body><img src='x.png'><p style='color:#aaa;background:#fff'>pale</p></body></html>")
    async with chromium.tab(page.as_uri(), VIEWS[0]) as tab:
        found = " ".join(await tab.axe())
    for rule in ("image-alt", "html-has-lang", "document-title", "color-contrast"):
        assert rule in found


async def test_an_open_page_follows_the_daemon_and_leaves_focus_and_typing_alone(
    chromium: Chromium, tmp_path: Path
) -> None:
    async with staged(tmp_path) as stage, chromium.tab(f"{stage.url}/console", VIEWS[0]) as tab:
        await sign_in(tab, stage.url)
        await tab.go(f"{stage.url}/console/workloads/shop/web")
        await tab.value("document.getElementById('queries').open = true")
        await tab.value("document.getElementById('pause-reason').value = 'half a sen'")
        await tab.value("document.getElementById('pause-reason').focus()")
        before = await decides_again(tab)
        await stage.tick()

        async def followed() -> bool:
            return await decides_again(tab) != before

        await eventually_async(followed, what="the page after a tick")
        assert await tab.value("document.activeElement.id") == "pause-reason"
        assert await tab.value("document.activeElement.value") == "half a sen"
        assert await tab.value("document.getElementById('queries').open")
        assert tab.complaints() == []


async def test_focus_stays_on_a_workload_that_moves_in_the_list(chromium: Chromium, tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, chromium.tab(f"{stage.url}/console", VIEWS[0]) as tab:
        first = "document.querySelector('tbody a').id"
        await tab.value("document.getElementById('to-shop/web').focus()")
        assert await tab.value(first) == "to-shop/api"
        stage.rig.source.load = {"web": 400.0, "api": 30.0}
        await stage.tick()

        async def moved() -> bool:
            return bool(await tab.value(first) == "to-shop/web")

        await eventually_async(moved, what="the list after a tick")
        assert await tab.value("document.activeElement.id") == "to-shop/web"
        assert await tab.value("document.querySelectorAll('tbody tr').length") == 2


async def test_updates_wait_while_they_are_paused(chromium: Chromium, tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, chromium.tab(f"{stage.url}/console/workloads/shop/web", VIEWS[0]) as tab:
        await tab.value("document.getElementById('pause-updates').click()")
        before = await decides_again(tab)
        await stage.tick()
        await asyncio.sleep(3.0)  # longer than a page waits between two loads
        assert await decides_again(tab) == before
        assert await tab.value("document.getElementById('pause-updates').getAttribute('aria-pressed')") == "true"
        await tab.value("document.getElementById('pause-updates').click()")

        async def followed() -> bool:
            return await decides_again(tab) != before

        await eventually_async(followed, what="the page once updates go on")


async def test_without_scripts_everything_is_there(chromium: Chromium, tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, chromium.tab("about:blank", VIEWS[0]) as tab:
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.call("Page.navigate", url=f"{stage.url}/console/workloads/shop/web")

        async def told() -> bool:
            return "It decides again at" in str(await tab.value("document.body.innerText"))

        await eventually_async(told, what="the page without scripts")
        assert await tab.value("document.getElementById('updates').hidden")
        assert tab.complaints() == []


async def test_the_chart_shows_the_table_beside_it_light_and_dark(chromium: Chromium, tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, chromium.tab("about:blank", VIEWS[0]) as tab:
        last = stage.rig.last()
        stage.rig.reports.append(replace(last, plans=plans_of(last.fleet, last.at_s)))
        pictures = set()
        for view in VIEWS:
            await tab.set_view(view)
            await tab.go(f"{stage.url}/console/workloads/shop/web")
            assert await tab.value("document.querySelectorAll('#chart canvas').length") == 1
            assert await tab.value("document.querySelector('#chart canvas').offsetWidth") <= view.width
            pictures.add(await tab.value("document.querySelector('#chart canvas').toDataURL()"))
            assert await tab.value("document.querySelectorAll('#band tbody tr').length") == len(LEADS_MIN)
            assert await tab.axe() == []
            assert tab.complaints() == []
    assert len(pictures) == len(VIEWS)  # dark is not light, and both fit their window


async def test_the_console_is_of_use_while_prometheus_is_down(stage: Stage, chromium: Chromium) -> None:
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        stage.prometheus.kill()
        stage.shows(lambda shown: shown["signals"][0]["status"] == "missing")
        async with chromium.tab(f"{daemon.url}/console", VIEWS[0]) as tab:
            text = str(await tab.value("document.body.innerText"))
            assert "Safe mode" in text
            assert "no signal is fresh, so nothing is lowered" in text
            assert "prometheus does not answer" in text
            await tab.value("document.querySelector('tbody a').click()")

            async def opened() -> bool:
                return "What it did" in str(await tab.value("document.body.innerText"))

            await eventually_async(opened, what="the workload's page")
            text = str(await tab.value("document.body.innerText"))
            assert "missing (source down)" in text
            assert re.search(r"Last write, at .* to 5 \(.*applied", text)
            assert tab.complaints() == []


async def decides_again(tab: Tab) -> str:
    return str(await tab.value("document.querySelector('#next time').dateTime"))
