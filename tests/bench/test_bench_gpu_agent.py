"""What the NVML agent costs on a real GPU: time per question and per sample, and shares of a core at 1 and 10 Hz."""

from __future__ import annotations

import asyncio
import csv
import io
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from importlib.metadata import version
from statistics import mean, median
from typing import TYPE_CHECKING, TypeVar

import psutil
import pytest

from controller.adapters.nvml.asked import Asked
from controller.adapters.nvml.driver import Driver
from policies.gpus import exported
from tests.controller.adapters.nvml.test_gpu import FORESAIL, MATRICES, ONE_THREAD, SETTLED_S, read, running, value
from tests.integration.servers.process import eventually, free_port, http_request

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

pytestmark = [
    *(pytest.mark.bench, pytest.mark.gpu, pytest.mark.timeout(300)),
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA GPU here"),
]

ROUNDS = 50
WATCHED_S = 20.0
ASKED = ("utilization.gpu", "utilization.memory", "memory.used", "power.draw", "temperature.gpu", "clocks.sm")


def tell(what: str) -> None:
    print(what)  # noqa: T201 - its result


def smi(*asked: str) -> dict[str, str]:
    argv = ["nvidia-smi", "-i", "0", f"--query-gpu={','.join(asked)}", "--format=csv,noheader"]
    told = subprocess.run(argv, capture_output=True, check=True, text=True, timeout=60).stdout
    return dict(zip(asked, next(csv.reader(io.StringIO(told), skipinitialspace=True)), strict=True))


async def test_what_is_seen_beside_nvidia_smi() -> None:
    tell(f"\n{smi('name', 'driver_version')}; nvidia-ml-py {version('nvidia-ml-py')}")
    for load, program in (("one thread", ONE_THREAD), ("matrix products", MATRICES)):
        async with running(program):
            await asyncio.sleep(SETTLED_S)
            device = await read(rounds=2, apart_s=2)
            beside = await asyncio.to_thread(smi, *ASKED)
        tell(f"{load}: nvidia-smi {beside}")
        for each in sorted(device.samples, key=lambda each: each.metric):
            tell(f"  {each.metric}{dict(each.labels) or ''} {each.value:g}")
        tell(f"  not told: {device.unsupported}; processes: {device.processes}")
        assert value(device, exported.UTILIZATION) > 0.9


def test_time_of_each_question(monkeypatch: pytest.MonkeyPatch) -> None:
    took_s: dict[str, list[float]] = defaultdict(list)
    of: Callable[..., object] = Asked.of

    def timed(asked: Asked, quantity: str, question: Callable[[], T]) -> object:
        began_s = time.perf_counter()
        try:
            return of(asked, quantity, question)
        finally:
            took_s[quantity].append(time.perf_counter() - began_s)

    monkeypatch.setattr(Asked, "of", timed)
    driver, rounds_s, samples = Driver(), [], 0
    try:
        for _ in range(ROUNDS):
            began_s = time.perf_counter()
            samples = sum(len(each.samples) for each in driver.read().devices)
            rounds_s.append(time.perf_counter() - began_s)
    finally:
        driver.close()
    by_time = sorted(((sum(each) / ROUNDS, quantity) for quantity, each in took_s.items()), reverse=True)
    tell(
        f"\none round: median {1e3 * median(rounds_s):.2f} ms, longest {1e3 * max(rounds_s):.2f} ms, {samples} samples:"
        f" {1e6 * mean(rounds_s) / samples:.0f} us a sample"
    )
    tell("ms a round: " + ", ".join(f"{quantity} {1e3 * spent_s:.2f}" for spent_s, quantity in by_time))
    assert samples > 20


@pytest.mark.parametrize("interval_s", [1.0, 0.1])
async def test_shares_of_a_core(interval_s: float) -> None:
    port = free_port()
    argv = [sys.executable, "-c", FORESAIL, "agent", f"--interval={interval_s}", f"--listen=127.0.0.1:{port}"]
    with psutil.Popen(argv) as agent:
        try:
            url = f"http://127.0.0.1:{port}"
            child = eventually(agent.children, timeout_s=60)[0]
            eventually(lambda: metric(url, "foresail_gpu_reads_total", "success") > 0, timeout_s=60)
            before = [used_s(each) for each in (agent, child)]
            reads, began_s = metric(url, "foresail_gpu_reads_total", "success"), time.monotonic()
            await asyncio.sleep(WATCHED_S)
            after, passed_s = [used_s(each) for each in (agent, child)], time.monotonic() - began_s
            made = metric(url, "foresail_gpu_reads_total", "success") - reads
            took_s = metric(url, "foresail_gpu_read_duration_seconds", "")
            agent_share, child_share = ((end - begin) / passed_s for begin, end in zip(before, after, strict=True))
            held = [each.memory_info().rss / 1e6 for each in (agent, child)]
            tell(
                f"\n{1 / interval_s:g} rounds a second asked, {made / passed_s:.1f} made: agent {agent_share:.1%},"
                f" child {child_share:.1%} of a core; a round {1e3 * took_s:.1f} ms; {held[0]:.0f} + {held[1]:.0f} MB"
            )
            assert made > 0.8 * passed_s / interval_s
        finally:
            agent.terminate()


def used_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def metric(url: str, name: str, label: str) -> float:
    lines = http_request("GET", f"{url}/metrics")[1].decode().splitlines()
    told = [line for line in lines if line.startswith(name) and label in line]
    return float(told[0].rpartition(" ")[2]) if told else 0.0
