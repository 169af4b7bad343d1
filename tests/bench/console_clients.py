"""Clients of the console, in a process of their own so that their work does not count as the daemon's."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.queues import Queue


@dataclass(frozen=True, slots=True)
class Asking:
    """What the clients ask, how many they are, and how often each asks for all of `paths`, which know a client's number.

    `{page}` in a path is the key before one of ten pages, `{one}` the name of a workload.
    """

    url: str
    clients: int
    workloads: int
    every_s: float
    lasting_s: float
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Felt:
    """What they felt: seconds by path, wall times of ticks heard by the tick's time, statuses other than 200."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    heard: list[tuple[str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    ended: int = 0  # streams that ended before their time


@contextmanager
def asked(asking: Asking) -> Iterator[Queue[Felt]]:
    """Clients that ask; what they felt is put into the queue in the end."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Felt] = context.Queue()
    process = context.Process(target=_run, args=(asking, queue))
    process.start()
    try:
        yield queue
    finally:
        process.join(30)
        process.kill()


def _run(asking: Asking, queue: Queue[Felt]) -> None:
    queue.put(asyncio.run(_all(asking)))


async def _all(asking: Asking) -> Felt:
    felt = Felt({path: [] for path in asking.paths})
    until_s = time.monotonic() + asking.lasting_s
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session, asyncio.TaskGroup() as group:
        for number in range(asking.clients):
            group.create_task(_listen(session, asking, felt))
            group.create_task(_poll(session, asking, number, felt, until_s))
    return felt


async def _listen(session: aiohttp.ClientSession, asking: Asking, felt: Felt) -> None:
    """Hear of ticks; only those events are read, since what browsers do with the others is not measured."""
    with suppress(TimeoutError):
        async with asyncio.timeout(asking.lasting_s), session.get(f"{asking.url}/api/v1/events") as answer:
            rest = b""
            async for chunk in answer.content.iter_any():
                *events, rest = (rest + chunk).split(b"\n\n")
                now_s = time.time()
                felt.heard.extend(
                    (json.loads(each.partition(b"data: ")[2])["at"], now_s)
                    for each in events
                    if b"\nevent: tick\n" in each
                )
        raise RuntimeError("the stream of events ended")


async def _poll(session: aiohttp.ClientSession, asking: Asking, number: int, felt: Felt, until_s: float) -> None:
    """Ask for every path once in each interval, each client at another time in it."""
    page = f"shop/w{asking.workloads // 10 * (number % 10):04}"
    one = f"w{number * 97 % asking.workloads:04}"
    next_s = time.monotonic() + asking.every_s * number / asking.clients
    while next_s < until_s:
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        for path in asking.paths:
            asked_s = time.monotonic()
            async with session.get(asking.url + path.format(page=page, one=one)) as answer:
                await answer.read()
            felt.seconds[path].append(time.monotonic() - asked_s)
            if answer.status != 200:
                felt.failed.append(f"{answer.status} {path}")
        next_s += asking.every_s
