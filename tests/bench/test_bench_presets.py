"""What presets cost a tick: 10,000 workloads of three presets each, asked of a real Prometheus."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from controller.adapters.prometheus import PrometheusSource
from controller.clients.http import HttpAccess
from controller.collect import Collector
from controller.loop.bindings import bindings, bound_signals
from controller.records import Answered, PolicySet
from tests.builders import policy
from tests.integration.servers.prometheus import Prometheus, Series

if TYPE_CHECKING:
    from collections.abc import Awaitable

pytestmark = [pytest.mark.bench, pytest.mark.server("prometheus")]

LANES, POINTS, STEP_S, TIMED = 10_000, 12, 15.0, 5
DEADLINE_S = 60.0
T = TypeVar("T")
# The one of each name that a workload exports: half of them have the older name of the cache.
NAMES = ("vllm:generation_tokens_total", "vllm:num_requests_waiting")
CACHE = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
SIGNALS: tuple[dict[str, Any], ...] = (
    {"preset": "vllm/tokens", "capacityPerReplica": 2500},
    {"preset": "vllm/queue", "target": {"averageValue": 4}},
    {"preset": "vllm/kv-cache", "target": {"value": 0.8}},
)


def exported(lane: int, at_s: list[float]) -> list[Series]:
    labels = {"namespace": "shop", "service": f"lane-{lane:05d}", "job": "vllm", "instance": f"i-{lane}"}
    values = [float(place) for place in range(POINTS)]
    return [Series(name, labels, at_s, values) for name in (*NAMES, CACHE[lane % 2])]


@dataclass
class Measured:
    """Seconds by the clock, and of the processor: ours and Prometheus'."""

    pid: int
    clock_s: list[float] = field(default_factory=list)
    own_s: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)

    async def of(self, work: Awaitable[T]) -> T:
        before = time.perf_counter(), time.process_time(), self._server_s()
        found = await work
        self.clock_s.append(time.perf_counter() - before[0])
        self.own_s.append(time.process_time() - before[1])
        self.server_s.append(self._server_s() - before[2])
        return found

    def __str__(self) -> str:
        clock_s, own_s, server_s = map(np.median, (self.clock_s, self.own_s, self.server_s))
        return f"{clock_s:.2f} s, of the processor {own_s:.2f} s here and {server_s:.2f} s in Prometheus"

    def _server_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_ten_thousand_workloads(tmp_path: Path) -> None:
    with Prometheus(tmp_path / "prometheus") as prometheus:
        await _measured(prometheus)


async def _measured(prometheus: Prometheus) -> None:
    end_s = int(time.time()) // 15 * 15
    at_s = [end_s - STEP_S * back for back in range(POINTS, 0, -1)]
    prometheus.backfill([series for lane in range(LANES) for series in exported(lane, at_s)])
    policies = PolicySet(tuple(policy(f"lane-{lane:05d}", *SIGNALS) for lane in range(LANES)), digest="1")
    asked, bound = Measured(prometheus.process.pid), Measured(prometheus.process.pid)
    async with PrometheusSource(HttpAccess(prometheus.url, timeout_s=DEADLINE_S)) as source:
        collector = Collector(source)
        collector.prepare(policies)
        signals = bound_signals(policies)
        for _ in range(TIMED):
            answers = await asked.of(collector.ask(at_s=at_s[-1], deadline_s=DEADLINE_S))
            read = await bound.of(bindings(source, signals, at_s[-1]))
            assert [len(each.keys) for each in answers if isinstance(each, Answered)] == [LANES] * len(SIGNALS)
            assert read["shop/lane-00001/vllm-kv-cache"] == (CACHE[1],)
    print(  # noqa: T201 - a benchmark shows its figures
        f"\npresets, {LANES} workloads of {len(SIGNALS)} each: {len(collector.questions.queries)} queries a tick, each"
        f" with its witness, median {asked}; what is bound, 1 query every 5 minutes: {bound}"
        f" [{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}]"
    )

    assert len(collector.questions.queries) == len(SIGNALS)
    assert np.median(asked.own_s) + np.median(asked.server_s) < 5.0  # half of the deadline of a tick's questions
