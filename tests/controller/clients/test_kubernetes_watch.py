"""A list and its watch stay true whatever the server and the line to it do."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from controller.clients.kubernetes import Gone, JsonObject, ListWatch, Put, Replaced, Subject
from controller.clients.kubernetes import watch as watch_module
from tests.controller.clients.kubernetes_server import (
    ApiServer,
    HurriedClock,
    bookmark,
    event,
    gone,
    listing,
    refusal,
    text,
    thing,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from controller.clients.kubernetes import Change

LIST, WATCH = "GET /api/v1/things", "WATCH /api/v1/things"


@dataclass
class Watching:
    """A watch at work, and what it has shown."""

    clock: HurriedClock
    names: set[str] = field(default_factory=set)
    changes: list[str] = field(default_factory=list)
    content: ListWatch[str] | None = None

    @property
    def watch(self) -> ListWatch[str]:
        assert self.content is not None
        return self.content

    def take(self, change: Change[str]) -> None:
        self.changes.append(type(change).__name__)
        match change:
            case Replaced(items):
                self.names = set(items)
            case Put(name):
                self.names.add(name)
            case Gone(name):
                self.names.discard(name)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - conditions are about many things
                await asyncio.sleep(0.005)


def name_of(item: JsonObject) -> str | None:
    name = str(item["metadata"]["name"])
    return None if name == "uninteresting" else name


@asynccontextmanager
async def watching(server: ApiServer, watch_s: float = 20) -> AsyncIterator[Watching]:
    clock = HurriedClock()
    found = Watching(clock)
    async with await server.session() as session:
        found.content = ListWatch(session, Subject("/api/v1/things", name_of, found.take), clock, watch_s=watch_s)
        task = asyncio.create_task(found.content.run())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with ApiServer(tmp_path) as api:
        yield api


async def test_reads_every_page_and_watches_from_where_the_list_ended(server: ApiServer) -> None:
    server.on(
        LIST,
        listing(thing("a", "1"), thing("uninteresting", "2"), version="9", rest="more"),
        listing(thing("b", "3"), version="9"),
    )
    server.on(WATCH, watch(event("ADDED", thing("c", "10")), event("DELETED", thing("a", "11"))))
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"b", "c"})

    assert seen.changes == ["Replaced", "Put", "Gone"]
    assert server.asked(LIST) == [{"limit": "500"}, {"limit": "500", "continue": "more"}]
    asked = server.asked(WATCH)[0]
    assert (asked["resourceVersion"], asked["allowWatchBookmarks"]) == ("9", "true")
    assert 16 <= int(asked["timeoutSeconds"]) <= 20
    assert seen.watch.failure is None


async def test_resumes_a_dropped_connection_behind_the_last_whole_line(server: ApiServer) -> None:
    server.on(LIST, listing(version="1"))
    broken = watch(event("ADDED", thing("a", "5")), half='{"type":"ADDED","object":{"meta', then="drop")
    server.on(WATCH, broken, watch(event("ADDED", thing("b", "6"))))
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"a", "b"})

    assert [asked["resourceVersion"] for asked in server.asked(WATCH)] == ["1", "5"]
    assert len(server.asked(LIST)) == 1
    assert len(seen.clock.slept) == 1
    assert 0.25 <= seen.clock.slept[0] <= 0.5


@pytest.mark.parametrize(
    "forgotten",
    [
        pytest.param(watch(gone(), then="close"), id="as-an-event"),
        pytest.param(refusal(HTTPStatus.GONE, "too old resource version"), id="as-a-status"),
    ],
)
async def test_lists_again_when_the_server_has_forgotten_the_version(
    server: ApiServer, forgotten: Callable[..., object]
) -> None:
    server.on(LIST, listing(thing("a", "1"), thing("b", "2"), version="2"), listing(thing("b", "2"), version="30"))
    server.on(WATCH, forgotten, watch(bookmark("31")))  # type: ignore[arg-type]  # pytest gives what it was given
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"b"})

    assert seen.changes == ["Replaced", "Replaced"]
    assert seen.clock.slept == [], "the first resync needs no delay"


async def test_begins_anew_when_the_rest_of_a_list_has_expired(server: ApiServer) -> None:
    first = listing(thing("a", "1"), version="1", rest="more")
    server.on(
        LIST, first, refusal(HTTPStatus.GONE, "the continue token is too old"), listing(thing("b", "2"), version="2")
    )
    server.on(WATCH, watch())
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"b"})

    assert seen.changes == ["Replaced"]


async def test_waits_as_long_as_the_server_asks(server: ApiServer) -> None:
    server.on(LIST, refusal(HTTPStatus.TOO_MANY_REQUESTS, "slow down", **{"Retry-After": "7"}), listing(version="1"))
    server.on(WATCH, watch())
    async with watching(server) as seen:
        await seen.until(lambda: seen.watch.synced)

    assert seen.clock.slept == [7.0]


async def test_delays_grow_to_half_a_minute_and_the_failure_is_kept(server: ApiServer) -> None:
    server.on(LIST, refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "etcd is down"))
    async with watching(server) as seen:
        await seen.until(lambda: len(seen.clock.slept) > 12)
        failure = seen.watch.failure

    assert failure is not None
    assert failure.message == "etcd is down (HTTP 500)"
    # 0.5, 1, 2, 4, 8, 16, 30, 30 ... s, of which each wait is a random part between the half and the whole.
    for slept, longest in zip(seen.clock.slept, [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30], strict=False):
        assert longest / 2 <= slept <= longest
    assert seen.watch.fresh_as_of == 0
    assert not seen.watch.synced


async def test_a_right_that_is_not_granted_is_asked_for_ever_more_rarely(server: ApiServer) -> None:
    server.on(LIST, refusal(HTTPStatus.FORBIDDEN, "may not list"))
    async with watching(server) as seen:
        await seen.until(lambda: len(seen.clock.slept) > 14)
        failure = seen.watch.failure

    assert failure is not None
    assert failure.denied
    # 0.5, 1, 2 ... 256, 512 s, and then 600 s: an API server that has just started is soon asked again.
    for slept, longest in zip(seen.clock.slept[7:13], [64, 128, 256, 512, 600, 600], strict=True):
        assert longest / 2 <= slept <= longest


async def test_a_lasting_outage_of_the_watch_leads_to_a_new_list(server: ApiServer) -> None:
    server.on(LIST, listing(thing("a", "1"), version="1"), listing(thing("b", "2"), version="2"))
    outage = refusal(HTTPStatus.GATEWAY_TIMEOUT, "Too large resource version")
    server.on(WATCH, outage, outage, outage, watch())
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"b"})

    assert [asked["resourceVersion"] for asked in server.asked(WATCH)][:3] == ["1", "1", "1"]


async def test_a_half_open_connection_is_given_up(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "SILENCE_S", 0.05)
    server.on(LIST, listing(version="1"))
    server.on(WATCH, watch(), watch(event("ADDED", thing("a", "2"))))
    async with watching(server, watch_s=0.05) as seen:
        await seen.until(lambda: seen.names == {"a"})


async def test_bookmarks_and_events_show_that_the_content_is_current(server: ApiServer) -> None:
    server.on(LIST, listing(version="1"))
    server.on(WATCH, watch(bookmark("7"), then="drop"), watch())
    async with watching(server) as seen:
        began_at_s = seen.clock.at_s
        await seen.until(lambda: len(server.asked(WATCH)) == 2)
        await seen.until(lambda: seen.watch.failure is None)
        assert seen.watch.fresh_as_of > began_at_s

    assert server.asked(WATCH)[1]["resourceVersion"] == "7"


async def test_a_refused_token_leaves_the_content_and_its_age(server: ApiServer) -> None:
    server.on(LIST, listing(thing("a", "1"), version="1"))
    server.on(WATCH, refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized"))
    server.on(LIST, listing(thing("a", "1"), version="1"), refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized"))
    async with watching(server) as seen:
        await seen.until(lambda: len(seen.clock.slept) > 4)
        assert seen.names == {"a"}
        assert seen.watch.fresh_as_of == 1_000_000
        assert seen.clock.now_s() > 1_000_001
        assert seen.watch.failure is not None
        assert not seen.watch.failure.denied


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{not json}\n", id="no-json"),
        pytest.param('{"type":"ADDED","object":{"metadata":{}}}\n', id="no-name"),
        pytest.param("[]\n", id="no-object"),
    ],
)
async def test_nonsense_is_a_failure_and_never_the_end(server: ApiServer, line: str) -> None:
    server.on(LIST, listing(version="1"))
    server.on(WATCH, watch(half=line), watch(event("ADDED", thing("a", "2"))))
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"a"})

    assert len(seen.clock.slept) == 1


async def test_a_list_of_nonsense_is_tried_again(server: ApiServer) -> None:
    server.on(LIST, text("<html>"), text('{"items": [1], "metadata": {}}'), listing(thing("a", "1"), version="1"))
    server.on(WATCH, watch())
    async with watching(server) as seen:
        await seen.until(lambda: seen.names == {"a"})

    assert len(seen.clock.slept) == 2
