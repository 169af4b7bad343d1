"""On a real GPU: what is read is what nvidia-smi says, and how busy it is told apart from whether a kernel ran."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from controller.adapters.nvml.watch import GpuWatch, Pace
from policies.gpus import exported
from tests.integration.servers.process import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from controller.adapters.nvml.reading import Device
    from policies.metric import Metric

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA GPU here")]

MIB = 1024.0**2
SETTLED_S = 5  # for power, which NVML averages over a second
ASKED = "uuid,name,memory.total,memory.used,power.draw,enforced.power.limit,temperature.gpu,clocks.mem"
FORESAIL = "from controller.cli import main; main()"
# A process of PyTorch that says when it runs, and ends with its standard input.
LOAD = """
import sys, threading, torch
torch.ones(2**28, device="cuda")
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
{begin}
print("runs", flush=True)
while not ended.is_set():
    {step}
    torch.cuda.synchronize()
"""
ONE_THREAD = LOAD.format(begin="", step="torch.cuda._sleep(10**8)")
MATRICES = LOAD.format(
    begin="a = torch.randn(8192, 8192, device='cuda', dtype=torch.bfloat16)", step="for _ in range(20): a @ a"
)


@asynccontextmanager
async def running(program: str) -> AsyncIterator[int]:
    """A process that loads the GPU meanwhile; yields its process id."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        if await process.stdout.readline() != b"runs\n":
            pytest.skip("PyTorch, which makes the load, does not run here")
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()


async def read(rounds: int = 1, apart_s: float = 0.0) -> Device:
    """The first GPU in the last of some rounds."""
    watch = GpuWatch(Pace(deadline_s=30))
    try:
        for number in range(rounds):
            await asyncio.sleep(apart_s if number else 0)
            await watch.once()
        assert not watch.seen.down
        return watch.seen.reading.devices[0]
    finally:
        await watch.close()


def value(device: Device, metric: Metric, **labels: str) -> float:
    told = [
        each.value for each in device.samples if each.metric == metric.name and labels.items() <= each.labels.items()
    ]
    assert len(told) == 1, (metric.name, labels, told)
    return told[0]


async def test_values_are_those_of_nvidia_smi() -> None:
    async with running(MATRICES):
        await asyncio.sleep(SETTLED_S)
        device = await read()
        argv = ["nvidia-smi", "-i", "0", f"--query-gpu={ASKED}", "--format=csv,noheader,nounits"]
        told = (await asyncio.to_thread(subprocess.check_output, argv, text=True, timeout=60)).strip().split(", ")
    uuid, name, total, used, power, limit, celsius, memory_clock = told
    assert (device.uuid, device.name) == (uuid, name)
    assert value(device, exported.MEMORY_TOTAL) == pytest.approx(float(total) * MIB, abs=MIB)
    assert value(device, exported.MEMORY_USED) == pytest.approx(float(used) * MIB, abs=64 * MIB)
    assert value(device, exported.POWER) == pytest.approx(float(power), rel=0.1)
    assert value(device, exported.POWER_LIMIT) == pytest.approx(float(limit), abs=0.1)
    assert value(device, exported.TEMPERATURE, sensor="gpu") == pytest.approx(float(celsius), abs=3)
    assert value(device, exported.CLOCK, clock="memory") == float(memory_clock) * 1e6


async def test_one_thread_keeps_a_gpu_used_and_idle() -> None:
    async with running(ONE_THREAD):
        device = await read(rounds=2, apart_s=2)
    if "gpm" in device.unsupported:
        pytest.skip("GPM needs Hopper or newer")
    assert value(device, exported.UTILIZATION) > 0.9
    assert value(device, exported.SM_ACTIVE) < 0.05
    assert value(device, exported.TENSOR_ACTIVE) < 0.01


async def test_matrix_products_use_multiprocessors_and_tensor_cores() -> None:
    async with running(MATRICES):
        device = await read(rounds=2, apart_s=2)
    if "gpm" in device.unsupported:
        pytest.skip("GPM needs Hopper or newer")
    assert value(device, exported.SM_ACTIVE) > 0.8
    assert value(device, exported.TENSOR_ACTIVE) > 0.5
    assert value(device, exported.UTILIZATION_WINDOW, statistic="max") > 0.9


async def test_processes_are_listed_with_their_memory() -> None:
    async with running(ONE_THREAD):
        device = await read()
    assert device.process_count == 1
    assert (device.processes[0].memory_bytes or 0) > 1024 * MIB


async def test_the_driver_is_let_go_of(tmp_path: Path) -> None:
    release = tmp_path / "release"
    flags = ["--interval=0.2", "--listen=127.0.0.1:0", f"--release-file={release}"]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FORESAIL, "agent", *flags)
    try:
        await asyncio.to_thread(eventually, lambda: held_below(process.pid), timeout_s=30)
        release.touch()
        await asyncio.to_thread(eventually, lambda: not held_below(process.pid), timeout_s=30)
        assert process.returncode is None
    finally:
        process.terminate()
        await process.wait()


def held_below(pid: int) -> bool:
    """Whether a process or a child of it has a device of NVIDIA open."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return any(
        target.startswith("/dev/nvidia")
        for process in (str(pid), *children)
        for target in map(_target, Path(f"/proc/{process}/fd").glob("*"))
    )


def _target(link: Path) -> str:
    """Where an open file of a process points; empty once it is closed."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""
