"""What signals with a preset are read from, in the daemon: what is asked, when, and what is told of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from controller.errors import Unavailable
from controller.loop.bindings import FORGET_S, LOOK_EVERY_S, BindingWatch
from controller.records import PastSeries, PolicySet
from controller.telemetry import About, Telemetry
from controller.web import documents, listed
from controller.web.pages import Asked
from simulations.clock import VirtualClock
from tests.rig import ListedPolicies, LoadSource, Rig, policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import SignalQuery

OLD, NEW = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"
CACHE: dict[str, Any] = {"preset": "vllm/kv-cache", "target": {"value": 0.8}, "match": {"app": "$name"}}
QUEUE: dict[str, Any] = {"preset": "vllm/queue", "target": {"averageValue": 4}, "match": {"app": "$name"}}
LOAD: dict[str, Any] = {"name": "load", "kind": "demand", "query": "load", "match": {"app": "$name"}}
SIGNALS = [LOAD | {"capacityPerReplica": 10}, CACHE, QUEUE]


@dataclass
class Scraped(LoadSource):
    """A source that has these metrics by app; None is one that is down."""

    metrics: dict[str, Sequence[str]] | None = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        if "foresail_metric" not in query.text:
            return await super().past(query, start_s=start_s, end_s=end_s, step_s=step_s, deadline_s=deadline_s)
        self.asked.append(query.text)
        if self.metrics is None:
            raise Unavailable("connection refused")
        told = [(metric, app) for app, metrics in self.metrics.items() for metric in metrics]
        return [PastSeries(key, [end_s], [1.0]) for key in told]


def policies(*names: str, digest: str = "1") -> PolicySet:
    return PolicySet(tuple(policy(name, signals=SIGNALS) for name in names), digest=digest)


async def looked(watch: BindingWatch, given: PolicySet) -> dict[str, tuple[str, ...] | None]:
    watch.look_when_due(given)
    for _ in range(10):
        await asyncio.sleep(0)
    return {uid: each.metrics for uid, each in watch.known().items()}


async def test_each_workload_is_told_what_its_own_replicas_export() -> None:
    clock = VirtualClock(1e6)
    source = Scraped(clock, metrics={"web": [NEW, OLD], "api": [OLD, "vllm:num_requests_waiting"], "else": [NEW]})

    assert await looked(BindingWatch(source, clock), policies("web", "api")) == {
        "shop/web/vllm-kv-cache": (NEW, OLD),
        "shop/web/vllm-queue": (),
        "shop/api/vllm-kv-cache": (OLD,),
        "shop/api/vllm-queue": ("vllm:num_requests_waiting",),
    }
    (text,) = source.asked  # one query for all workloads and presets that are found by the same labels
    assert text.startswith("count by (foresail_metric, app) (label_replace({__name__=~")
    assert "vllm:kv_cache_usage_perc|" in text


async def test_it_is_asked_now_and_then_and_when_policies_change() -> None:
    clock = VirtualClock(1e6)
    source = Scraped(clock, metrics={"web": [NEW]})
    watch = BindingWatch(source, clock)
    assert await looked(watch, PolicySet((policy(),), digest="0")) == {}
    assert source.asked == []
    await looked(watch, policies("web"))
    await looked(watch, policies("web"))
    assert len(source.asked) == 1
    await looked(watch, policies("web", digest="2"))
    assert len(source.asked) == 2
    clock.advance(LOOK_EVERY_S)
    await looked(watch, policies("web", digest="2"))
    assert len(source.asked) == 3


async def test_while_the_source_is_down_the_last_is_told_and_then_nothing() -> None:
    clock = VirtualClock(1e6)
    source = Scraped(clock, metrics={"web": [NEW]})
    watch = BindingWatch(source, clock)
    await looked(watch, policies("web"))
    source.metrics = None
    clock.advance(FORGET_S)
    assert (await looked(watch, policies("web")))["shop/web/vllm-kv-cache"] == (NEW,)
    clock.advance(LOOK_EVERY_S)
    assert (await looked(watch, policies("web")))["shop/web/vllm-kv-cache"] is None


async def test_the_daemon_exports_it_and_tells_it_in_its_api() -> None:
    rig = Rig(ListedPolicies([policy("web", signals=SIGNALS)]))
    rig.source = Scraped(rig.clock, {"web": 14.0}, metrics={"web": [NEW]})
    rig.restart()
    await rig.ticks(2)
    report = rig.last()

    telemetry = Telemetry(About("1", 0.0, 60.0), rig.clock.now_s)
    telemetry.show(report)
    shown = telemetry.render("")[0].decode()
    assert f'foresail_signal_bound{{candidate="{NEW}",signal="vllm/kv-cache"}} 1.0' in shown
    assert shown.count("foresail_signal_bound{") == 1
    load, cache, queue = (each["binding"] for each in listed.signals(report, Asked())["items"])
    assert load is None
    assert cache is not None
    assert queue is not None
    assert queue["metrics"] == []
    assert (cache["preset"], cache["metrics"], cache["candidates"][0]) == ("vllm/kv-cache", [NEW], NEW)
    told = documents.workload(report, 0)["explanation"]
    assert any(f"Signal vllm-kv-cache (vllm/kv-cache) is read from {NEW}; kserve_vllm:" in each for each in told)
    assert any("Signal vllm-queue (vllm/queue) has nothing to read: no series of vllm:num_" in each for each in told)
