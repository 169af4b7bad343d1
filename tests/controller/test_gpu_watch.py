"""GPUs of workloads in the daemon: what is asked, when, and what is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from controller.errors import Unavailable
from controller.loop.gpus import FORGET_S, LOOK_EVERY_S, GpuWatch, Lanes
from controller.records import Answered, PastSeries, PodView, TargetRef
from controller.telemetry import About, Telemetry
from controller.telemetry.workloads import workload_text
from simulations.clock import VirtualClock
from tests.rig import ListedPolicies, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import Answer, GpuUse, SignalQuery

DCGM = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE")


@dataclass
class Exporter:
    """Devices by pod, all of them and the idle ones, under these metrics; None is a server that is down."""

    metrics: Sequence[str] | None = DCGM
    known: dict[str, int] = field(default_factory=dict)
    idle: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        assert at_s
        assert deadline_s
        return [Answered(query, [], [], None, None) for query in queries]

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        assert (start_s, step_s > 0, deadline_s > 0) == (end_s, True, True)
        self.asked.append(query.text)
        if self.metrics is None:
            raise Unavailable("connection refused")
        if query.labels == ("metric",):
            return [PastSeries((name,), [end_s], [8.0]) for name in self.metrics]
        table = self.idle if " < 0.02)" in query.text else self.known
        return [PastSeries(("shop", pod), [end_s], [float(count)]) for pod, count in table.items()]


def pod(name: str) -> PodView:
    return PodView(name, "Running", deleted=False, ready=True, created_at_s=0, started_at_s=0, transition_at_s=0)


LANES = Lanes(
    uid=("shop/chat", "shop/llm", "shop/web"),
    targets=[TargetRef("apps/v1", "Deployment", "shop", name) for name in ("chat", "llm", "web")],
    pods=[[pod("chat-1"), pod("chat-2")], [pod("llm-1")], [pod("web-1")]],
    gpus_milli=np.array([3000, 8000, 0]),
)


async def looked(watch: GpuWatch, lanes: Lanes = LANES) -> GpuUse:
    watch.look_when_due(lanes)
    for _ in range(10):
        await asyncio.sleep(0)
    return watch.use(lanes)


async def test_idle_devices_are_summed_over_the_pods_of_a_workload() -> None:
    source = Exporter(known={"chat-1": 1, "chat-2": 2, "web-1": 1, "stranger": 4}, idle={"chat-2": 2, "stranger": 4})
    found = await looked(GpuWatch(source, VirtualClock(1e6)))
    assert found.allocated.tolist() == [3.0, 8.0, 0.0]
    np.testing.assert_array_equal(found.idle, [2.0, np.nan, np.nan])
    assert found.binding == {"activity": "DCGM_FI_PROF_GR_ENGINE_ACTIVE"}
    assert all("max_over_time(DCGM_FI_PROF_GR_ENGINE_ACTIVE[1h])" in text for text in source.asked[1:])


async def test_it_asks_now_and_then_and_only_for_workloads_with_gpus() -> None:
    source, clock = Exporter(known={"chat-1": 1}), VirtualClock(1e6)
    watch = GpuWatch(source, clock)
    await looked(watch, replace(LANES, gpus_milli=np.zeros(3, np.int64)))
    assert source.asked == []
    await looked(watch)
    await looked(watch)
    assert len(source.asked) == 3
    clock.advance(LOOK_EVERY_S)
    await looked(watch)
    assert len(source.asked) == 5, "what is bound stays bound for an hour"
    clock.advance(12 * LOOK_EVERY_S)
    await looked(watch)
    assert len(source.asked) == 8


async def test_what_is_old_is_not_told() -> None:
    source, clock = Exporter(known={"chat-1": 1}, idle={"chat-1": 1}), VirtualClock(1e6)
    watch = GpuWatch(source, clock)
    assert (await looked(watch)).idle[0] == 1.0
    source.metrics = None
    clock.advance(FORGET_S)
    assert (await looked(watch)).idle[0] == 1.0
    clock.advance(LOOK_EVERY_S)
    assert np.isnan((await looked(watch)).idle[0])
    source.metrics = DCGM
    clock.advance(LOOK_EVERY_S)
    assert (await looked(watch)).idle[0] == 1.0


async def test_without_an_exporter_nothing_is_told() -> None:
    found = await looked(GpuWatch(Exporter(metrics=()), VirtualClock(1e6)))
    assert found.allocated[0] == 3.0
    assert np.isnan(found.idle).all()
    assert not found.binding


@pytest.fixture
def rig() -> Rig:
    return Rig(ListedPolicies([policy("web")]))


async def test_it_is_exported(rig: Rig) -> None:
    rig.source.load = {"web": 14.0}
    await rig.ticks()
    use = await looked(GpuWatch(Exporter(known={"web-1": 2}, idle={"web-1": 2}), VirtualClock(1e6)), own_lanes())
    report = replace(rig.last(), gpus=use)
    lines = workload_text(report).splitlines()
    assert 'foresail_gpu_allocated_devices{namespace="shop",workload="web"} 2.0' in lines
    assert 'foresail_gpu_idle_devices{namespace="shop",workload="web"} 2.0' in lines
    telemetry = Telemetry(About("1", 0.0, 60.0), rig.clock.now_s)
    telemetry.show(report)
    shown = telemetry.render("")[0].decode()
    assert 'foresail_signal_bound{candidate="DCGM_FI_PROF_GR_ENGINE_ACTIVE",signal="gpu_activity"} 1.0' in shown


def own_lanes() -> Lanes:
    return Lanes(("shop/web",), [TargetRef("apps/v1", "Deployment", "shop", "web")], [[pod("web-1")]], np.array([2000]))
