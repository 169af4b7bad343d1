"""A whole fleet's next week gone through in a worker, and what the event loop of the daemon notices of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import numpy as np

from controller.clock import SystemClock
from controller.collect.questions import target_of
from controller.collect.quotas import QuotaRoom
from controller.loop.planning import Planning
from controller.records import ClusterView
from controller.settings.values import Listen
from controller.web import Check, Views, serving, web_app
from controller.worker import worker
from policies.fleet import fleet_of
from policies.history import BLOCK_MINUTES, BLOCK_S, Block, History
from policies.state import EngineState
from tests.builders import demand, policy, readings, seen
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from policies.forecast.plans import Plans

EVERY_S = 0.02  # the event loop is looked at, and /livez is asked
PATIENCE_S = 1200.0


@dataclass(slots=True)
class Noticed:
    """How late the event loop was and how long /livez took at worst, and how often each was tried."""

    loop_s: float = 0.0
    live_s: float = 0.0
    times: int = 0


@dataclass(frozen=True, slots=True)
class Gone:
    """What came of a fleet: the plans, how long it took, peaks of memory in MB, and what was noticed meanwhile."""

    plans: Plans
    elapsed_s: float
    worked_s: float  # of the worker's processor
    worker_mb: float
    own_mb: float
    history_mb: float
    noticed: Noticed


async def gone_through(lanes: int, days: int) -> Gone:
    """Let a planning go through `lanes` of `days` at one minute, on the real clock, beside a server that is probed."""
    clock, forecast = SystemClock(), {"history": f"{days}d"}
    names = [f"app-{number:05}" for number in range(lanes)]
    policies = [policy(name, demand("load", 10), forecast=forecast) for name in names]
    fleet = fleet_of(policies)
    now_s, noticed = clock.now_s(), Noticed()
    history = weeks(lanes, days, now_s)
    state, room = (
        replace(EngineState.fresh(fleet), history=history),
        QuotaRoom(ClusterView({}, {}, now_s), [*map(target_of, policies)]),
    )
    observed = seen([1] * lanes, readings([100.0] * lanes), now_s)
    with worker() as executor:
        executor.submit(_peak_mb).result()  # it has started
        planning = Planning(clock, executor)
        planning.follow(fleet)

        async def idle() -> bool:
            planning.plan_when_due(fleet, state, replace(observed, now_s=clock.now_s()), room, reading=False)
            return not planning.busy

        async with serving(web_app(_views()), Listen("127.0.0.1", 0)) as url:
            watching = asyncio.create_task(_watch(url, noticed))
            began_s = time.monotonic()
            await eventually_async(idle, PATIENCE_S)
            elapsed_s = time.monotonic() - began_s
            assert not watching.done()  # it has never failed to be answered
            watching.cancel()
        peak_mb, worked_s = executor.submit(_peak_mb).result(), executor.submit(time.process_time).result()
    assert planning.plans is not None
    held = sum(block.value.nbytes + block.known.nbytes for block in history.hours) / 1e6
    return Gone(planning.plans, elapsed_s, worked_s, peak_mb, _peak_mb(), held, noticed)


def weeks(lanes: int, days: int, now_s: float) -> History:
    """Daily waves with noise, and one minute in a hundred missing."""
    random = np.random.default_rng(1)
    phase = random.random((lanes, 1))
    blocks, newest_s = {}, int(now_s // BLOCK_S) * BLOCK_S
    for hour in range(24 * days + 1):
        start_s = newest_s - BLOCK_S * (24 * days - hour)
        minute = start_s // 60 + np.arange(BLOCK_MINUTES)
        wave = 2 - np.cos(2 * np.pi * (minute / 1440 - phase))
        value = (wave * random.gamma(50, 2, wave.shape)).astype(np.float32)
        known = (random.random(wave.shape, np.float32) < 0.99) & (60 * minute <= now_s)
        blocks[start_s] = Block(start_s, np.where(known, value, 0), known)
    return History.of_blocks(lanes, blocks)


def _views() -> Views:
    return Views(
        report=lambda: None,
        metrics=lambda _accept: (b"", "text/plain"),
        live=lambda: (Check("loop", ok=True),),
        ready=lambda: (),
        version={"version": "0"},
    )


async def _watch(url: str, noticed: Noticed) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            due_s = time.monotonic() + EVERY_S
            await asyncio.sleep(EVERY_S)
            noticed.loop_s = max(noticed.loop_s, time.monotonic() - due_s)
            asked_s = time.monotonic()
            async with session.get(f"{url}/livez") as response:
                assert response.status == 200
                await response.read()
            noticed.live_s = max(noticed.live_s, time.monotonic() - asked_s)
            noticed.times += 1


def _peak_mb() -> float:
    """Of this process alone: ru_maxrss of a spawned one counts what its owner held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) * 1.024e-3
