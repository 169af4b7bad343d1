"""Clients of the console, in a process of their own so that their work does not count as the daemon's.

Each is a browser that has a page open: it listens to events, and loads the parts of its page again soon after every
tick, as `console.js` does. Beside it a program asks the API for a page of workloads and for one workload, once in an
interval.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event

SPREAD_S = 2.0  # after a tick, within which each page loads at a moment of its own, as in console.js
BANNER = "banner"
LIST, SECTIONS = "part with the list", "part with a workload"
PAGE, ONE = "page of 500 of the API", "workload of the API"


@dataclass(frozen=True, slots=True)
class Asking:
    """How many clients ask which daemon of how many workloads, and how often its ticks come."""

    url: str
    clients: int
    workloads: int
    every_s: float

    def parts(self, number: int) -> dict[str, str]:
        """What client `number` loads at every tick: half of them have a list open, half a workload."""
        if number % 2:
            return {BANNER: "/console/parts/banner", SECTIONS: f"/console/parts/workloads/shop/{self._name(number)}"}
        page = f"?page={number // 2 % 10 + 1}"
        return {BANNER: "/console/parts/banner", LIST: f"/console/parts/workloads{page}"}

    def documents(self, number: int) -> dict[str, str]:
        """What client `number` asks of the API."""
        begin = f"shop/w{self.workloads // 10 * (number % 10):04}"
        return {
            PAGE: f"/api/v1/workloads?limit=500&continue={begin}",
            ONE: f"/api/v1/workloads/shop/{self._name(number)}",
        }

    def _name(self, number: int) -> str:
        return f"w{number * 97 % self.workloads:04}"


@dataclass(frozen=True, slots=True)
class Felt:
    """What they felt: seconds by answer, wall times at which ticks were heard by the tick's time, and failures."""

    seconds: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in (BANNER, LIST, SECTIONS, PAGE, ONE)}
    )
    heard: list[tuple[str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Clients:
    """The other process: it tells when all listen, asks until it is told to stop, and then tells what was felt."""

    listening: Event
    stop: Event
    queue: Queue[Felt]

    def felt(self) -> Felt:
        """What they felt until now, which ends them."""
        self.stop.set()
        return self.queue.get(timeout=120)


@contextmanager
def asked(asking: Asking) -> Iterator[Clients]:
    """Clients that ask for as long as the block lasts."""
    context = multiprocessing.get_context("spawn")
    clients = Clients(context.Event(), context.Event(), context.Queue())
    process = context.Process(target=_run, args=(asking, clients))
    process.start()
    try:
        yield clients
    finally:
        clients.stop.set()
        process.join(30)
        process.kill()


def _run(asking: Asking, clients: Clients) -> None:
    clients.queue.put(asyncio.run(_all(asking, clients)))


async def _all(asking: Asking, ends: Clients) -> Felt:
    felt = Felt()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        clients = [_Client(session, asking, number, felt) for number in range(asking.clients)]
        work = asyncio.gather(*(work for each in clients for work in (each.listen(), each.poll())))
        while not ends.stop.is_set() and not work.done():
            if all(each.listens for each in clients):
                ends.listening.set()
            await asyncio.sleep(0.2)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
    return felt


@dataclass(slots=True)
class _Client:
    session: aiohttp.ClientSession
    asking: Asking
    number: int
    felt: Felt
    tags: dict[str, str] = field(default_factory=dict)
    listens: bool = False

    async def listen(self) -> None:
        """Load the parts of the page at every tick."""
        parts = self.asking.parts(self.number)
        async with asyncio.TaskGroup() as group:
            async for at in self._ticks():
                self.felt.heard.append((at, time.time()))
                moment_s = random.random() * SPREAD_S
                for name, path in parts.items():
                    group.create_task(self._ask(name, path, after_s=moment_s))

    async def poll(self) -> None:
        """Ask for each document once in an interval, each client at another time in it."""
        documents, every_s = self.asking.documents(self.number), self.asking.every_s
        next_s = time.monotonic() + every_s * self.number / self.asking.clients
        while True:
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            for name, path in documents.items():
                await self._ask(name, path)
            next_s += every_s

    async def _ticks(self) -> AsyncIterator[str]:
        """The time of each tick. Other events are not looked at: what browsers do with them is not measured."""
        async with self.session.get(f"{self.asking.url}/api/v1/events", timeout=aiohttp.ClientTimeout()) as answer:
            rest, self.listens = b"", True
            async for chunk in answer.content.iter_any():
                *events, rest = (rest + chunk).split(b"\n\n")
                for each in events:
                    if b"\nevent: tick\n" in each:
                        yield json.loads(each.partition(b"data: ")[2])["at"]
        self.felt.failed.append("the stream of events ended")

    async def _ask(self, name: str, path: str, *, after_s: float = 0.0) -> None:
        await asyncio.sleep(after_s)
        tag = self.tags.get(path)
        asked_s = time.monotonic()
        async with self.session.get(self.asking.url + path, headers={"If-None-Match": tag} if tag else None) as answer:
            await answer.read()
        self.felt.seconds[name].append(time.monotonic() - asked_s)
        if answer.status not in (200, 304):
            self.felt.failed.append(f"{answer.status} {path}")
        self.tags[path] = answer.headers.get("ETag", "")
