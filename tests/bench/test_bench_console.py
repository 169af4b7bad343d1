"""Fifty clients that listen and poll, on 5,000 workloads: how long they wait, and what the loop's tick notices."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import platform
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aiohttp
import numpy as np
import psutil
import pytest

from controller.loop import Loop, Pace, Parts
from controller.records import ClusterView, PodView, TargetView
from controller.settings.values import Listen
from controller.web import Check, Hub, Views, serving, web_app
from controller.web.changes import publish_tick
from simulations.cluster import SimulatedCluster
from tests.rig import START_S, KeptEvents, ListedPolicies, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from multiprocessing.queues import Queue

    from controller.records import TargetRef
    from simulations.clock import VirtualClock

WORKLOADS, CLIENTS, TICKS = 5000, 50, 15
EVERY_S = 2.0  # seven times as often as in earnest
AIM_S = 0.5  # of an answer's 95th percentile

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]


@dataclass(frozen=True, slots=True)
class Felt:
    """What the clients felt: seconds by answer, events, and answers with another status than 200."""

    pages_s: list[float]
    workloads_s: list[float]
    events: int
    failed: int


class StillCluster:
    """A cluster that is there and does not move: two ready pods for each workload, at no cost."""

    def __init__(self, names: Sequence[str], clock: VirtualClock) -> None:
        self.clock = clock
        refs = [Rig.ref(name) for name in names]
        targets = {ref: TargetView(ref, 2, 2, "1") for ref in refs}
        pods = {ref: tuple(_pod(ref, number) for number in range(2)) for ref in refs}
        self.still = ClusterView(targets, pods, clock.now_s())

    async def follow(self, targets: Collection[TargetRef], *, nodes: bool = False) -> None:
        assert targets
        assert not nodes

    def view(self) -> ClusterView:
        return replace(self.still, seen_at_s=self.clock.now_s())


class StillRig(Rig):
    """The loop on a cluster that stands still; nothing is written in shadow."""

    def __post_init__(self) -> None:
        self.source, self.events = LoadSource(self.clock), KeptEvents()
        self.cluster = SimulatedCluster(self.clock)
        names = [each.metadata.name for each in self.policies.policies]
        still = StillCluster(names, self.clock)
        parts = Parts(self.clock, self.policies, self.source, still, self.cluster, self.events)
        self.loop = Loop(parts, Pace(limits=self.limits), self.reports.append)


def _pod(ref: TargetRef, number: int) -> PodView:
    return PodView(f"{ref.name}-{number}", "Running", False, True, START_S - 600.0, START_S - 590.0, START_S - 570.0)  # noqa: FBT003


async def test_fifty_clients_on_five_thousand_workloads() -> None:
    rig = StillRig(ListedPolicies([policy(f"w{number:04}", mode="shadow") for number in range(WORKLOADS)]))
    hub = Hub()
    views = Views(
        report=lambda: rig.reports[-1],
        metrics=lambda _: (b"", "text/plain"),
        live=lambda: [Check("loop", ok=True)],
        ready=lambda: [Check("loop", ok=True)],
        version={"version": "0"},
    )
    process = psutil.Process()
    for number in range(3):
        await _tick(rig, hub, number)
    alone = [await _paced(rig, hub, number) for number in range(3, 3 + TICKS)]
    before_mb = process.memory_info().rss / 1e6
    async with serving(web_app(views, hub=hub), Listen("127.0.0.1", 0)) as url:
        context = multiprocessing.get_context("spawn")
        queue: Queue[Felt] = context.Queue()
        clients = context.Process(target=_clients, args=(url, TICKS * EVERY_S, queue))
        clients.start()
        async with asyncio.timeout(60):
            while hub.clients < CLIENTS:  # noqa: ASYNC110 - another process comes up
                await asyncio.sleep(0.1)
        beside = [await _paced(rig, hub, number) for number in range(100, 100 + TICKS)]
        felt = await asyncio.to_thread(queue.get, timeout=120)
        await asyncio.to_thread(clients.join, 30)
    grown_mb = process.memory_info().rss / 1e6 - before_mb
    _show(alone, beside, felt, grown_mb)
    assert felt.failed == 0
    assert hub.dropped == 0
    assert felt.events >= CLIENTS * (TICKS // 2)
    assert _p95(felt.pages_s) < AIM_S
    assert _p95(felt.workloads_s) < AIM_S
    assert _p95(beside) < 1.5 * _p95(alone) + 0.1


async def _paced(rig: Rig, hub: Hub, number: int) -> float:
    began_s = time.perf_counter()
    took_s = await _tick(rig, hub, number)
    await asyncio.sleep(max(0.0, EVERY_S - (time.perf_counter() - began_s)))
    return took_s


async def _tick(rig: Rig, hub: Hub, number: int) -> float:
    """One tick with the load of a tenth of the workloads moving; its seconds, what is published of it included."""
    names = [each.metadata.name for each in rig.policies.policies]
    moved = {name: 20.0 + 15.0 * ((place + number) % 10 == 0) for place, name in enumerate(names)}
    rig.source.load = moved
    before = rig.reports[-1] if rig.reports else None
    del rig.reports[:-1]
    began_s = time.perf_counter()
    await rig.ticks()
    publish_tick(hub, rig.last(), before)
    return time.perf_counter() - began_s


def _clients(url: str, lasting_s: float, queue: Queue[Felt]) -> None:
    """In a process of their own, so that their work does not count as the daemon's."""
    queue.put(asyncio.run(_all(url, lasting_s)))


async def _all(url: str, lasting_s: float) -> Felt:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        until_s = time.monotonic() + lasting_s
        listening = [asyncio.create_task(_listen(session, url, until_s)) for _ in range(CLIENTS)]
        polling = [asyncio.create_task(_poll(session, url, number, until_s)) for number in range(CLIENTS)]
        events, found = await asyncio.gather(*listening), await asyncio.gather(*polling)
    return Felt(
        [seconds for each in found for seconds in each.pages_s],
        [seconds for each in found for seconds in each.workloads_s],
        sum(events),
        sum(each.failed for each in found),
    )


async def _listen(session: aiohttp.ClientSession, url: str, until_s: float) -> int:
    """How many ticks a client heard of."""
    heard = 0
    async with session.get(f"{url}/api/v1/events") as answer:
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                async for line in answer.content:
                    heard += line.startswith(b"event: tick")
        except TimeoutError:
            return heard
    return heard


async def _poll(session: aiohttp.ClientSession, url: str, number: int, until_s: float) -> Felt:
    felt = Felt([], [], 0, 0)
    failed = 0
    await asyncio.sleep(EVERY_S * number / CLIENTS)
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        paths = (
            (f"/api/v1/workloads?limit=500&continue=shop/w{500 * (number % 10):04}", felt.pages_s),
            (f"/api/v1/workloads/shop/w{number * 97 % WORKLOADS:04}", felt.workloads_s),
        )
        for path, times_s in paths:
            asked_s = time.monotonic()
            async with session.get(url + path) as answer:
                failed += answer.status != 200
                json.loads(await answer.read())
            times_s.append(time.monotonic() - asked_s)
        await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began_s)))
    return Felt(felt.pages_s, felt.workloads_s, 0, failed)


def _p95(values_s: Sequence[float]) -> float:
    return float(np.quantile(np.array(values_s), 0.95))


def _show(alone: Sequence[float], beside: Sequence[float], felt: Felt, grown_mb: float) -> None:
    print(f"\n{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores")  # noqa: T201 - the figures
    for name, values_s in (
        ("tick alone", alone),
        ("tick beside 50 clients", beside),
        ("page of 500", felt.pages_s),
        ("one workload", felt.workloads_s),
    ):
        median, p95, most = np.quantile(np.array(values_s), [0.5, 0.95, 1.0])
        told = f"median {median * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, max {most * 1e3:.0f} ms"
        print(f"{name:24} {told} of {len(values_s)}")  # noqa: T201
    print(f"ticks heard {felt.events}, memory grown by {grown_mb:.0f} MB")  # noqa: T201
