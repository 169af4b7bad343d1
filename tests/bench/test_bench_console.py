"""Fifty clients that listen and load pages, on 5,000 workloads: how long they wait, and what the daemon notices.

The daemon is the whole one, with its journal, its metrics and its worker; only the cluster and Prometheus are stood in
for, at no cost. Beside the figures with clients stand those of the same daemon before they came.
"""

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
from simulations.clock import VirtualClock
from tests.bench.console_clients import Asking, asked
from tests.integration.servers.process import free_port
from tests.rig import KeptEvents, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence
    from pathlib import Path

    from controller.records import Answer, ScaleOrder, SignalQuery, TargetRef, TickReport

WORKLOADS, CLIENTS = 5000, 50
AIM_S = 0.5  # of the 95th percentile of answers and of events
AIM_MB = 100.0  # that the daemon may grow by while clients are there
SETTLED_S = 900.0  # within which the first look at the next week of all workloads must be over

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
    """At each tick another tenth of the workloads has a high load."""

    names: Sequence[str] = ()
    asks: int = 0

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        self.asks += 1
        self.load = {name: 20.0 + 15.0 * ((place + self.asks) % 10 == 0) for place, name in enumerate(self.names)}
        return await super().ask(queries, at_s=at_s, deadline_s=deadline_s)


@dataclass
class Watched:
    """What is seen of the daemon: each tick's seconds, and the processor time and the memory at its end."""

    ticks_s: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    ended_s: dict[str, float] = field(default_factory=dict)  # wall time by the tick's own
    settled: bool = False

    def take(self, report: TickReport) -> None:
        self.ticks_s.append(report.phases_s["tick"])
        self.processor_s.append(time.process_time())
        self.memory_mb.append(psutil.Process().memory_info().rss / 1e6)
        self.ended_s[time_text(report.at_s)] = time.time()
        self.settled = report.plans is not None and bool(np.isfinite(report.plans.made_at_s).all())

    async def ticks(self, count: int) -> slice:
        """Let so many ticks go by; which ones they were."""
        first = len(self.ticks_s)
        while len(self.ticks_s) < first + count:  # noqa: ASYNC110 - a plain list
            await asyncio.sleep(0.05)
        return slice(first, first + count)

    def processor_of(self, ticks: slice) -> list[float]:
        """Processor seconds from one of these ticks to the next, whatever they were for."""
        return np.diff(self.processor_s[ticks]).tolist()


def _pod(ref: TargetRef, number: int, at_s: float) -> PodView:
    return PodView(f"{ref.name}-{number}", "Running", False, True, at_s - 600.0, at_s - 590.0, at_s - 570.0)  # noqa: FBT003


@pytest.mark.parametrize(
    ("every_s", "ticks"), [pytest.param(5.0, 36, id="three-times-the-pace"), pytest.param(15.0, 20, id="real-pace")]
)
async def test_fifty_clients_on_five_thousand_workloads(tmp_path: Path, every_s: float, ticks: int) -> None:
    watched = Watched()
    async with _daemon(tmp_path, every_s, watched) as url:
        async with asyncio.timeout(SETTLED_S):
            while not watched.settled:
                await watched.ticks(1)
        await watched.ticks(2)
        alone = await watched.ticks(ticks)
        with asked(Asking(url, CLIENTS, WORKLOADS, every_s)) as clients:
            assert await asyncio.to_thread(clients.listening.wait, 120)
            await watched.ticks(1)
            beside = await watched.ticks(ticks)
            felt = await asyncio.to_thread(clients.felt)
    events_s = [heard_s - watched.ended_s[at] for at, heard_s in felt.heard]
    _show(watched, alone, beside, {"event after its tick": events_s, **felt.seconds})
    assert felt.failed == []
    assert len(events_s) >= CLIENTS * (ticks - 1)  # the last one may be on its way
    for seconds in (events_s, *felt.seconds.values()):
        assert _p95(seconds) < AIM_S
    assert _p95(watched.ticks_s[beside]) < 1.5 * _p95(watched.ticks_s[alone]) + 0.1
    assert watched.memory_mb[beside][-1] - watched.memory_mb[alone][-1] < AIM_MB


@asynccontextmanager
async def _daemon(folder: Path, every_s: float, watched: Watched) -> AsyncIterator[str]:
    """The daemon on workloads that it only watches, in this process."""
    names = [f"w{number:04}" for number in range(WORKLOADS)]
    documents = [policy(name, mode="shadow").model_dump(mode="json", by_alias=True) for name in names]
    (folder / "policies.yaml").write_text("\n---\n".join(json.dumps(each) for each in documents))
    listen = f"127.0.0.1:{free_port()}"
    given = {"policies": str(folder / "policies.yaml"), "state_dir": str(folder), "listen": listen}
    settings = load({**given, "interval": f"{every_s:g}s"}, {}).settings
    clock, stop = SystemClock(), asyncio.Event()
    cluster = StillCluster(names, clock)
    outside = Outside(cluster, cluster, KeptEvents(), clock=clock, source=MovingSource(VirtualClock(), names=names))
    async with asyncio.TaskGroup() as group:
        group.create_task(run_daemon(settings, outside=outside, on_tick=watched.take, stop=stop))
        try:
            yield f"http://{listen}"
        finally:
            stop.set()


def _p95(values_s: Sequence[float]) -> float:
    return float(np.quantile(np.array(values_s), 0.95))


def _show(watched: Watched, alone: slice, beside: slice, felt: dict[str, list[float]]) -> None:
    cores, load_1min = psutil.cpu_count(), psutil.getloadavg()[0]
    print(f"\n{platform.processor() or platform.machine()}, {cores} cores, load {load_1min:.1f} at the end")  # noqa: T201 - the figures
    for name, values_s in (
        ("tick alone", watched.ticks_s[alone]),
        (f"tick beside {CLIENTS} clients", watched.ticks_s[beside]),
        ("processor a tick, alone", watched.processor_of(alone)),
        (f"processor a tick, beside {CLIENTS}", watched.processor_of(beside)),
        *felt.items(),
    ):
        median, p95, most = np.quantile(np.array(values_s), [0.5, 0.95, 1.0])
        told = f"median {median * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, max {most * 1e3:.0f} ms"
        print(f"{name:28} {told} of {len(values_s)}")  # noqa: T201
    memory = watched.memory_mb
    times = {
        "settled": memory[alone][0],
        "before clients": memory[alone][-1],
        "halfway": memory[beside][len(memory[beside]) // 2],
        "end": memory[beside][-1],
        "most": max(memory[alone.start :]),
    }
    print("memory: " + ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in times.items()))  # noqa: T201
