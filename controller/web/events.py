"""Server-sent events: what each tick did and changed, to as many as listen; a slow listener delays nobody.

The events are encoded once and kept in one ring; a client is a place in it. Who falls out of the ring, or takes no
bytes for ten seconds, is dropped, and comes back with `Last-Event-ID`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING

from aiohttp import web

from controller.web.pages import json_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

RING = 20_000  # events: four ticks in which every one of 5,000 workloads changed
MOST_CLIENTS = 100
HEARTBEAT_S = 15.0
WRITE_S = 10.0
LIFE_S = 900.0  # of one stream: who may listen is looked at again that often
RETRY_S = 10

_BATCH = 500  # events in one write
_HEAD = b"retry: 3000\n\n"
_BEAT = b": still here\n\n"
_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}


class Hub:
    """Takes events and streams them. Ids count up within one run of the daemon and name that run."""

    def __init__(self, *, ring: int = RING, most_clients: int = MOST_CLIENTS, write_s: float = WRITE_S) -> None:
        """Nothing has happened yet, and nobody listens."""
        self.clients = 0
        self.dropped = 0  # clients that were too slow
        self.refused = 0  # clients that were too many
        self.sent = 0  # events
        self.run = token_hex(4)  # names this run of the daemon
        self._most, self._write_s = most_clients, write_s
        self._ring: deque[bytes] = deque(maxlen=ring)
        self._next = 0  # the number of the next event
        self._news = asyncio.Event()
        self._closed = False

    def publish(self, kind: str, document: Mapping[str, object]) -> None:
        """Tell everybody; never waits."""
        self._ring.append(
            f"id: {self.run}-{self._next}\nevent: {kind}\ndata: ".encode() + json_bytes(document) + b"\n\n"
        )
        self._next += 1
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """End every stream, as at the end of the daemon."""
        self._closed = True
        self._news.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes, is dropped, or has been served for long. Raises HTTPServiceUnavailable."""
        if self.clients >= self._most:
            self.refused += 1
            told = f"{self._most} clients listen already; ask again later"
            raise web.HTTPServiceUnavailable(text=told, headers={"Retry-After": str(RETRY_S)})
        self.clients += 1
        response = web.StreamResponse(headers=_HEADERS)
        try:
            with suppress(ConnectionError):  # the client has gone
                await response.prepare(request)
                await self._told(request, response)
        except TimeoutError:
            self._drop(request)
        finally:
            self.clients -= 1
        return response

    async def _told(self, request: web.Request, response: web.StreamResponse) -> None:
        place, missed = self._place_after(request.headers.get("Last-Event-ID", ""))
        await self._write(response, _HEAD + (self._reset() if missed else b""))
        clock = asyncio.get_running_loop()
        until_s = clock.time() + LIFE_S
        while not self._closed and clock.time() < until_s:
            news, first = self._news, self._next - len(self._ring)
            if place < first:
                self._drop(request)
                return
            batch = [self._ring[each - first] for each in range(place, min(place + _BATCH, self._next))]
            if batch:
                await self._write(response, b"".join(batch))
                place += len(batch)
                self.sent += len(batch)
            else:
                await self._wait(news, response)

    async def _wait(self, news: asyncio.Event, response: web.StreamResponse) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(news.wait(), HEARTBEAT_S)
            return
        await self._write(response, _BEAT)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        """Write, within the time that a client has for it. Raises TimeoutError."""
        async with asyncio.timeout(self._write_s):
            await response.write(data)

    def _drop(self, request: web.Request) -> None:
        self.dropped += 1
        if request.transport is not None:
            request.transport.abort()

    def _place_after(self, last_id: str) -> tuple[int, bool]:
        """Where to go on after an event, and whether some were missed: it is forgotten, or another run's."""
        run, _, number = last_id.partition("-")
        if not last_id:
            return self._next, False
        place = int(number) + 1 if number.isdecimal() and number.isascii() and len(number) < len(str(2**63)) else -1
        if run == self.run and self._next - len(self._ring) <= place <= self._next:
            return place, False
        return self._next, True

    def _reset(self) -> bytes:
        """What is told to who has missed some: read all again."""
        return f"id: {self.run}-{self._next - 1}\nevent: reset\ndata: {{}}\n\n".encode()
