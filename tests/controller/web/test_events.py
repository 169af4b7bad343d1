"""Server-sent events: what is told, how a client takes up where it was, and what becomes of slow and many ones."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from controller.settings.values import Listen
from controller.web import Hub, serving, web_app
from tests.controller.web.running import TOKEN, staged
from tests.controller.web.test_api import Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Event = tuple[str, str, Any]  # id, kind, data


@asynccontextmanager
async def listening(url: str, **headers: str) -> AsyncIterator[aiohttp.StreamReader]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/events", headers=headers) as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        assert await block(answer.content) == {"retry": "3000"}
        yield answer.content


async def block(content: aiohttp.StreamReader) -> dict[str, str]:
    """The fields up to the next empty line; comments have an empty name."""
    found: dict[str, str] = {}
    async with asyncio.timeout(10.0):
        while line := (await content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name] = value
    return found


async def event(content: aiohttp.StreamReader) -> Event:
    found = await block(content)
    return found["id"], found["event"], json.loads(found["data"])


@asynccontextmanager
async def served(hub: Hub) -> AsyncIterator[str]:
    async with serving(web_app(Daemon().views, hub=hub), Listen("127.0.0.1", 0)) as url:
        yield url


async def until(hub: Hub, **wanted: int) -> None:
    async with asyncio.timeout(10.0):
        while any(getattr(hub, name) != value for name, value in wanted.items()):  # noqa: ASYNC110 - plain counters
            await asyncio.sleep(0.005)


async def test_a_tick_tells_its_changes_and_then_itself_and_actions_are_told_too(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, listening(stage.url) as content:
        async with aiohttp.ClientSession() as session:
            body = {"replicas": 9, "reason": "load test"}
            headers = {"Authorization": f"Bearer {TOKEN}"}
            url = f"{stage.url}/api/v1/workloads/shop/web/override"
            async with session.post(url, json=body, headers=headers) as answer:
                assert answer.status == 200
        _, kind, told = await event(content)
        assert (kind, told["kind"], told["replicas"], told["who"]) == ("intervention", "override", 9, "anna")
        await stage.tick()
        changes = []
        while (found := await event(content))[1] == "change":
            changes.append(found[2])
        [web] = [each for each in changes if each["name"] == "web"]
        assert (web["action"], web["after"], web["reason"], web["hold"]) == ("raise", 9, "override", None)
        _, kind, tick = found
        assert (kind, tick["workloads"], tick["changed"]) == ("tick", 2, len(changes))
        assert sum(tick["actions"].values()) == 2


async def test_a_client_takes_up_where_it_was() -> None:
    hub = Hub()
    async with served(hub) as url:
        async with listening(url) as content:
            await until(hub, clients=1)
            for number in range(3):
                hub.publish("tick", {"n": number})
            first, *_ = await event(content)
        async with listening(url, **{"Last-Event-ID": first}) as content:
            assert [(await event(content))[2]["n"] for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    "last_id",
    [
        pytest.param("deadbeef-3", id="of-another-run"),
        pytest.param("nonsense", id="nonsense"),
        pytest.param("{run}-99999", id="from-the-future"),
        pytest.param("{run}-0", id="forgotten"),
        pytest.param("{run}-\N{SUPERSCRIPT TWO}", id="no-number"),
    ],
)
async def test_who_missed_events_is_told_to_read_all_again(last_id: str) -> None:
    hub = Hub(ring=2)
    for number in range(5):
        hub.publish("tick", {"n": number})
    run = hub.run
    async with served(hub) as url, listening(url, **{"Last-Event-ID": last_id.format(run=run)}) as content:
        identity, kind, data = await event(content)
        assert (kind, data) == ("reset", {})
        hub.publish("tick", {"n": 5})
        assert (await event(content))[2] == {"n": 5}
        assert identity == f"{run}-4"


async def test_who_falls_out_of_the_ring_is_dropped_and_counted() -> None:
    hub = Hub(ring=50)
    big = {"x": "y" * 100_000}
    async with served(hub) as url, listening(url):
        await until(hub, clients=1)
        for _ in range(400):  # 40 MB, which no socket buffers, and the client reads none of it
            hub.publish("tick", big)
            await asyncio.sleep(0)
        await until(hub, clients=0, dropped=1)


async def test_who_takes_nothing_is_dropped_in_time() -> None:
    hub = Hub(write_s=0.2)
    async with served(hub) as url, listening(url):
        await until(hub, clients=1)
        for _ in range(400):
            hub.publish("tick", {"x": "y" * 100_000})
        await until(hub, clients=0, dropped=1)


async def test_too_many_are_refused_and_counted() -> None:
    hub = Hub(most_clients=1)
    async with served(hub) as url, listening(url):
        await until(hub, clients=1)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v1/events") as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "10")
            assert answer.content_type == "application/problem+json"
        assert hub.refused == 1
    await until(hub, clients=0)


async def test_silence_is_filled_with_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.web.events.HEARTBEAT_S", 0.05)
    hub = Hub()
    async with served(hub) as url, listening(url) as content:
        assert await block(content) == {"": "still here"}


async def test_a_stream_ends_after_a_while_so_that_rights_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.web.events.LIFE_S", 0.05)
    monkeypatch.setattr("controller.web.events.HEARTBEAT_S", 0.05)
    hub = Hub()
    async with served(hub) as url, listening(url) as content:
        async with asyncio.timeout(10.0):
            await content.read()
    assert hub.dropped == 0


async def test_the_end_of_the_daemon_ends_streams_at_once() -> None:
    hub = Hub()
    async with asyncio.timeout(10.0):
        async with aiohttp.ClientSession() as session:
            async with served(hub) as url:
                answer = await session.get(f"{url}/api/v1/events")
                await until(hub, clients=1)
            assert b"retry" in await answer.read()
    assert hub.clients == 0
