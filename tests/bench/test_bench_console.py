"""Fifty clients that listen and poll, on 5,000 workloads: how long they wait, and what the daemon's tick notices."""

from __future__ import annotations

import asyncio
import json
import platform
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from controller.app import Outside, run_daemon
from controller.clock import SystemClock
from controller.records import ClusterView, PodView, TargetView
from controller.settings import load
from controller.web.times import time_text
from tests.bench.console_clients import Asking, Felt, asked
from tests.integration.servers.process import free_port
from tests.rig import KeptEvents, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from pathlib import Path

    from controller.records import Answer, ScaleOrder, SignalQuery, TargetRef, TickReport

WORKLOADS, CLIENTS = 5000, 50
AIM_S = 0.5  # of an answer's 95th percentile
PAGE, WORKLOAD = "/api/v1/workloads?limit=500&continue={page}", "/api/v1/workloads/shop/{one}"

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]


class StillCluster:
    """A cluster that is there and does not move: two ready pods for each workload, at no cost."""

    def __init__(self, names: Sequence[str], clock: SystemClock) -> None:
        self.clock = clock
        refs, at_s = [Rig.ref(name) for name in names], clock.now_s()
        targets = {ref: TargetView(ref, 2, 2, "1") for ref in refs}
        pods = {ref: tuple(_pod(ref, number, at_s) for number in range(2)) for ref in refs}
        self.still = ClusterView(targets, pods, at_s)

    async def follow(self, targets: Collection[TargetRef], *, nodes: bool = False) -> None:
        assert targets
        assert not nodes

    def view(self) -> ClusterView:
        return replace(self.still, seen_at_s=self.clock.now_s())

    async def scale(self, order: ScaleOrder) -> None:
        raise AssertionError(f"{order} in shadow")


@dataclass
class MovingSource(LoadSource):
    """The load of a tenth of the workloads is another at each tick."""

    clock: SystemClock  # type: ignore[assignment] # both tell the time
    names: Sequence[str] = ()
    asks: int = 0

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        self.asks += 1
        self.load = {name: 20.0 + 15.0 * ((place + self.asks) % 10 == 0) for place, name in enumerate(self.names)}
        return await super().ask(queries, at_s=at_s, deadline_s=deadline_s)


@dataclass
class Watched:
    """What is seen of the daemon: each tick's seconds, when it was over, processor time and memory at that time."""

    ticks_s: list[float] = field(default_factory=list)
    ended_s: dict[str, float] = field(default_factory=dict)
    cpu_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)  # of the event loop
    planned: bool = False

    def take(self, report: TickReport) -> None:
        self.ticks_s.append(report.phases_s["tick"])
        self.ended_s[time_text(report.at_s)] = time.time()
        self.cpu_s.append(time.process_time())
        self.memory_mb.append(psutil.Process().memory_info().rss / 1e6)
        self.planned = report.plans is not None and bool(np.isfinite(report.plans.made_at_s).all())

    async def ticks(self, count: int) -> None:
        until = len(self.ticks_s) + count
        while len(self.ticks_s) < until:
            began_s = time.monotonic()
            await asyncio.sleep(0.05)
            self.late_s.append(time.monotonic() - began_s - 0.05)


def _pod(ref: TargetRef, number: int, at_s: float) -> PodView:
    return PodView(f"{ref.name}-{number}", "Running", False, True, at_s - 600.0, at_s - 590.0, at_s - 570.0)  # noqa: FBT003


@pytest.mark.parametrize(
    ("every_s", "ticks"), [pytest.param(5.0, 24, id="three-times-the-pace"), pytest.param(15.0, 20, id="real-pace")]
)
async def test_fifty_clients_on_five_thousand_workloads(tmp_path: Path, every_s: float, ticks: int) -> None:
    watched = Watched()
    async with _daemon(tmp_path, every_s, watched) as url:
        async with asyncio.timeout(900):
            while not watched.planned:
                await watched.ticks(1)
                print(f"{watched.ticks_s[-1]:.2f} {watched.memory_mb[-1]:.0f}", flush=True)
        await watched.ticks(2)
        first = len(watched.ticks_s)
        watched.late_s.clear()
        await watched.ticks(ticks)
        watched.late_s, alone_late_s = [], watched.late_s
        second = len(watched.ticks_s)
        asking = Asking(url, CLIENTS, WORKLOADS, every_s, (ticks + 2) * every_s, (PAGE, WORKLOAD))
        with asked(asking) as queue:
            await watched.ticks(ticks + 2)
            felt = await asyncio.to_thread(queue.get, timeout=120)
    _show(watched, felt, first, second, alone_late_s)


@asynccontextmanager
async def _daemon(folder: Path, every_s: float, watched: Watched) -> AsyncIterator[str]:
    names = [f"w{number:04}" for number in range(WORKLOADS)]
    documents = [policy(name, mode="shadow").model_dump(mode="json", by_alias=True) for name in names]
    (folder / "policies.yaml").write_text("\n---\n".join(json.dumps(each) for each in documents))
    listen = f"127.0.0.1:{free_port()}"
    given = {
        "policies": str(folder / "policies.yaml"),
        "state_dir": str(folder),
        "listen": listen,
        "interval": f"{every_s:g}s",
    }
    clock = SystemClock()
    cluster = StillCluster(names, clock)
    outside = Outside(cluster, cluster, KeptEvents(), clock=clock, source=MovingSource(clock, names=names))
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(run_daemon(load(given, {}).settings, outside=outside, on_tick=watched.take, stop=stop))
        yield f"http://{listen}"
        stop.set()


def _show(watched: Watched, felt: Felt, first: int, second: int, alone_late_s: list[float]) -> None:
    print(f"\n{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores")
    cpu = np.diff(np.array(watched.cpu_s))
    late = [at_s - watched.ended_s[at] for at, at_s in felt.heard]
    for name, values_s in (
        ("tick alone", watched.ticks_s[first:second]),
        ("tick beside", watched.ticks_s[second:]),
        ("cpu alone", cpu[first:second - 1]),
        ("cpu beside", cpu[second:]),
        ("loop late alone", alone_late_s),
        ("loop late beside", watched.late_s),
        ("event", late),
        *felt.seconds.items(),
    ):
        median, p95, most = np.quantile(np.array(values_s), [0.5, 0.95, 1.0])
        told = f"median {median * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, max {most * 1e3:.0f} ms"
        print(f"{name:24} {told} of {len(values_s)}")
    m = watched.memory_mb
    print(f"memory start {m[first]:.0f} before clients {m[second-1]:.0f} mid {m[(second+len(m))//2]:.0f} end {m[-1]:.0f}; failed {felt.failed[:3]}")
