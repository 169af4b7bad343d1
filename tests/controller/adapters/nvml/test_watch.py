"""The real binding on a C library in the place of NVML: what the agent shows of each fault."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from controller.adapters.nvml.metrics import GpuMetrics
from controller.adapters.nvml.watch import GpuWatch, Pace, known_devices
from policies.gpus import exported
from tests.integration.servers.process import eventually_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from controller.adapters.nvml.reading import Device
    from policies.metric import Metric
    from tests.controller.adapters.nvml.stand_in import StandIn

pytestmark = pytest.mark.integration

PATIENT = Pace(interval_s=0.05, deadline_s=20.0)
GIB = 1024.0**3


@asynccontextmanager
async def watching(nvml: StandIn, pace: Pace = PATIENT, released: Callable[[], str] = str) -> AsyncIterator[GpuWatch]:
    watch = GpuWatch(pace, released, nvml.command())
    try:
        yield watch
    finally:
        await watch.close()


def registry(watch: GpuWatch, pods: Mapping[str, tuple[str, str]] | None = None) -> CollectorRegistry:
    made = CollectorRegistry(auto_describe=False)
    made.register(GpuMetrics("n1", lambda: watch.seen, lambda: pods))
    return made


def shown(watch: GpuWatch, metric: Metric, pods: Mapping[str, tuple[str, str]] | None = None, **labels: str) -> float:
    told = [
        sample.value
        for family in registry(watch, pods).collect()
        for sample in family.samples
        if sample.name == metric.name and labels.items() <= sample.labels.items()
    ]
    assert len(told) == 1, (metric.name, labels, told)
    return told[0]


def values(device: Device) -> dict[str, float]:
    return {"/".join((each.metric, *each.labels.values())): each.value for each in device.samples}


async def test_everything_of_a_gpu_in_base_units(nvml: StandIn) -> None:
    async with watching(nvml) as watch:
        await watch.once()
        await watch.once()
        first = watch.seen.reading.devices[0]
    assert (first.uuid, first.pci_bus_id, first.name) == ("GPU-0", "00000000:10:00.0", "Fake H100")
    told = {name.removeprefix("foresail_gpu_"): value for name, value in values(first).items()}
    assert told["utilization_ratio"] == 0.75
    assert told["memory_used_bytes"] == 20 * GIB
    assert told["memory_total_bytes"] == 80 * GIB
    assert (told["power_watts"], told["power_limit_watts"]) == (350.5, 700)
    assert told["energy_joules_total"] == 123.456
    assert (told["temperature_celsius/gpu"], told["temperature_celsius/memory"]) == (61, 70)
    assert told["clock_hertz/sm"] == 1.1e9
    assert told["clock_throttled/power_cap"] == told["clock_throttled/hardware_thermal"] == 1
    assert told["clock_throttled/sync_boost"] == 0
    assert (told["ecc_errors_total/corrected"], told["ecc_errors_total/uncorrected"]) == (7, 1)
    assert (told["remapped_rows/correctable"], told["row_remap_pending"], told["row_remap_failed"]) == (2, 1, 0)
    # GPM: the library tells ten times a metric's number: 20 and 21 are PCIe, in MiB/s.
    assert told["pcie_bytes_per_second/transmit"] == 200 * 1024**2
    assert told["pcie_bytes_per_second/receive"] == 210 * 1024**2
    assert told["nvlink_bytes_total/transmit"] == 138_000 * 1024
    # 2 is multiprocessors, 5 tensor cores, in per cent.
    assert (told["sm_active_ratio"], told["tensor_active_ratio"]) == (0.2, 0.5)
    assert first.unsupported == {}


async def test_the_sample_buffer_is_summed_up_and_not_counted_twice(nvml: StandIn) -> None:
    async with watching(nvml) as watch:
        for _ in range(3):
            await watch.once()
        told = values(watch.seen.reading.devices[0])
    # 5, 10 ... 100 %: mean 52.5; the 19th of twenty is the 0.95 quantile.
    name = exported.UTILIZATION_WINDOW.name
    assert [round(told[f"{name}/{each}"], 6) for each in ("mean", "max", "p95")] == [0.525, 1.0, 0.95]
    assert told[f"{exported.POWER_WINDOW.name}/max"] == 100


async def test_an_old_driver_lacks_functions_and_tells_the_rest(old_nvml: StandIn) -> None:
    async with watching(old_nvml) as watch:
        await watch.once()
        first = watch.seen.reading.devices[0]
        assert shown(watch, exported.UNSUPPORTED, quantity="gpm", gpu="0", reason="no_function") == 1
    assert set(first.unsupported.items()) >= {
        ("gpm", "no_function"),
        ("mig", "no_function"),
        ("remapped_rows", "no_function"),
    }
    told = values(first)
    assert told[exported.MEMORY_USED.name] == 21 * GIB  # what the driver keeps counts as used there
    assert told[f"{exported.THROTTLED.name}/power_cap"] == 1
    assert first.process_count == 1


async def test_what_is_not_supported_is_said_and_never_zero(nvml: StandIn) -> None:
    nvml.set(unsupported=1, gpm=0)
    async with watching(nvml) as watch:
        await watch.once()
        first = watch.seen.reading.devices[0]
        assert shown(watch, exported.UP, gpu="0") == 1
        assert shown(watch, exported.UNSUPPORTED, quantity="power", gpu="0", reason="not_supported") == 1
    told = values(first)
    assert exported.UTILIZATION.name not in told
    assert exported.MEMORY_USED.name in told


async def test_pcie_is_measured_for_a_moment_where_there_is_no_gpm(nvml: StandIn) -> None:
    nvml.set(gpm=0)
    async with watching(nvml) as watch:
        await watch.once()
        told = values(watch.seen.reading.devices[0])
    assert told[f"{exported.PCIE.name}/receive"] == 11 * 1024
    assert "pcie" not in watch.seen.reading.devices[0].unsupported


@pytest.mark.parametrize(
    ("error", "reason"), [pytest.param(15, "lost", id="lost"), pytest.param(16, "reset_required", id="reset")]
)
async def test_a_gpu_that_is_lost_leaves_the_others(nvml: StandIn, error: int, reason: str) -> None:
    async with watching(nvml) as watch:
        await watch.once()
        nvml.set(error_1=error)
        await watch.once()
        assert shown(watch, exported.UP, gpu="0") == 1
        assert shown(watch, exported.UP, gpu="1", uuid="GPU-1", reason=reason) == 0
        nvml.set()
        await watch.once()
        assert shown(watch, exported.UP, gpu="1") == 1


async def test_a_gpu_that_stays_lost_keeps_its_name_when_the_library_is_opened_again(
    nvml: StandIn, tmp_path: Path
) -> None:
    # The child with no time between two openings, in place of half a minute.
    child = tmp_path / "child.py"
    child.write_text(
        "import sys\nfrom controller.adapters.nvml import child, driver\n"
        "driver.REOPEN_S = 0.0\nsys.exit(child.main())\n"
    )
    watch = GpuWatch(PATIENT, str, (*nvml.command()[:-2], str(child)))
    await watch.once()
    nvml.set(error_1=15)
    for _ in range(3):
        await watch.once()
    assert len(nvml.shutdowns.read_text().splitlines()) == 2
    assert shown(watch, exported.UP, gpu="1", uuid="GPU-1", reason="lost") == 0
    nvml.set()
    await watch.once()
    await watch.once()
    await watch.close()
    assert shown(watch, exported.UP, gpu="1", uuid="GPU-1") == 1


async def test_a_gpu_that_does_not_tell_its_instances_leaves_the_others(nvml: StandIn) -> None:
    nvml.set(mig=1, mig_count=15)
    async with watching(nvml) as watch:
        await watch.once()
        assert watch.seen.down == ""
        assert shown(watch, exported.MIG_ENABLED, gpu="1") == 1


async def test_what_gpm_tells_as_no_number_is_left_out(nvml: StandIn) -> None:
    nvml.set(gpus=1, gpm_nan=1)
    async with watching(nvml) as watch:
        await watch.once()
        await watch.once()
        assert exported.SM_ACTIVE.name not in values(watch.seen.reading.devices[0])


async def test_while_a_killed_child_is_held_by_the_driver_no_other_is_started(
    nvml: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(nvml, Pace(interval_s=0.05, deadline_s=3.0)) as watch:
        await watch.once()
        held = watch.pid or 0
        nvml.set(hang=1)
        with monkeypatch.context() as patched:  # a process in the kernel's hands does not end by a signal
            patched.setattr("asyncio.subprocess.Process.kill", lambda _: None)
            patched.setattr("controller.adapters.nvml.watch._GRACE_S", 0.01)
            await watch.once()
            assert watch.seen.down == "deadline"
            await watch.once()
        assert (watch.seen.down, watch.pid) == ("stuck", None)
        assert shown(watch, exported.UP, gpu="1", uuid="GPU-1", reason="stuck") == 0
        nvml.set()
        os.kill(held, 9)

        async def read() -> bool:
            await watch.once()
            return watch.seen.down == ""

        await eventually_async(read)


async def test_a_hung_driver_is_given_up_at_the_deadline_and_read_again(nvml: StandIn) -> None:
    async with watching(nvml, Pace(interval_s=0.05, deadline_s=3.0)) as watch:
        await watch.once()
        hung = watch.pid
        nvml.set(hang=1)
        await watch.once()
        assert watch.seen.down == "deadline"
        assert shown(watch, exported.UP, gpu="1", uuid="GPU-1", reason="deadline") == 0
        assert all(not device.samples for device in known_devices(watch.seen).devices)
        with pytest.raises(ProcessLookupError):
            os.kill(hung or 0, 0)
        nvml.set()
        await watch.once()
        assert watch.seen.down == ""
        assert watch.pid != hung


async def test_a_driver_that_is_reloaded_is_opened_again(nvml: StandIn) -> None:
    async with watching(nvml) as watch:
        await watch.once()
        nvml.set(driver=9)
        await watch.once()
        assert shown(watch, exported.UP, gpu="0", reason="no_driver") == 0
        nvml.set(version=95)
        await watch.once()
        assert watch.seen.reading.driver == "580.95"
        assert watch.seen.rounds == {"success": 2, "failure": 1}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(18, "driver_mismatch", id="library-newer-than-driver"),
        pytest.param(9, "no_driver", id="not-loaded"),
    ],
)
async def test_a_driver_that_cannot_be_opened_is_named(nvml: StandIn, error: int, reason: str) -> None:
    nvml.set(init=error)
    async with watching(nvml) as watch:
        await watch.once()
        assert shown(watch, exported.UP, gpu="", reason=reason) == 0


async def test_without_a_library_the_agent_says_so() -> None:
    watch = GpuWatch(PATIENT)
    await watch.once()
    assert shown(watch, exported.UP, gpu="", reason="no_library") == 0
    assert watch.pid is None


async def test_a_machine_without_gpus_is_no_fault(nvml: StandIn) -> None:
    nvml.set(gpus=0)
    async with watching(nvml) as watch:
        await watch.once()
        assert watch.seen.down == ""
        assert shown(watch, exported.READS, result="success") == 1
        assert not [each for each in registry(watch).collect() if each.name == exported.UP.name]


async def test_mig_instances_have_memory_and_gpm_and_say_what_they_lack(nvml: StandIn) -> None:
    nvml.set(gpus=1, mig=1)
    async with watching(nvml) as watch:
        await watch.once()
        await watch.once()
        pods = {"MIG-2": ("shop", "chat-0")}
        assert shown(watch, exported.MIG_ENABLED, gpu="0") == 1
        assert shown(watch, exported.SM_ACTIVE, gpu_instance="7", uuid="MIG-0") == 0.2
        assert shown(watch, exported.MEMORY_TOTAL, pods, gpu_instance="9", namespace="shop", pod="chat-0") == 80 * GIB
        assert shown(watch, exported.UNSUPPORTED, gpu_instance="9", quantity="utilization") == 1
        nvml.set(gpus=1, mig=1, gpm=0)
        await watch.once()
        assert shown(watch, exported.UNSUPPORTED, gpu_instance="9", quantity="gpm", reason="not_supported") == 1


async def test_xid_events_are_counted_once_and_outlive_the_child(nvml: StandIn) -> None:
    async with watching(nvml) as watch:
        await watch.once()
        nvml.set(xid=79)
        await watch.once()
        await watch.once()
        assert shown(watch, exported.XID_ERRORS, uuid="GPU-1", gpu="1", xid="79") == 1
        nvml.set(driver=9)
        await watch.once()
        assert shown(watch, exported.XID_ERRORS, uuid="GPU-1", gpu="1", xid="79") == 1


async def test_processes_are_named_with_their_pod_and_bounded(nvml: StandIn) -> None:
    nvml.set(gpus=1, processes=40)
    async with watching(nvml) as watch:
        await watch.once()
        pods = {"GPU-0": ("shop", "chat-0")}
        assert shown(watch, exported.PROCESSES, gpu="0") == 40
        assert shown(watch, exported.PROCESS_MEMORY, pods, pid="139", process="server139", pod="chat-0") == 40 * GIB
        family = next(each for each in registry(watch).collect() if each.name == exported.PROCESS_MEMORY.name)
        assert len(family.samples) == 16


async def test_the_driver_is_let_go_of_and_taken_again(nvml: StandIn) -> None:
    reason = ""
    async with watching(nvml, released=lambda: reason) as watch:
        await watch.once()
        child = watch.pid
        reason = "driver upgrade"
        await watch.once()
        assert nvml.shutdowns.read_text() == "shutdown\n"
        assert watch.pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(child or 0, 0)
        assert shown(watch, exported.UP, gpu="0", reason="released") == 0
        reason = ""
        await watch.once()
        assert shown(watch, exported.UP, gpu="0") == 1


async def test_a_child_that_ends_or_speaks_nonsense_is_started_again(nvml: StandIn, tmp_path: Path) -> None:
    async with watching(nvml) as watch:
        await watch.once()
        os.kill(watch.pid or 0, 9)
        await watch.once()
        assert watch.seen.down == "child_ended"
        await watch.once()
        assert watch.seen.down == ""
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("#!/bin/sh\necho '{}'\nexec sleep 60\n")
    nonsense.chmod(0o755)
    watch = GpuWatch(PATIENT, str, (str(nonsense),))
    await watch.once()
    assert watch.seen.down == "child_ended"
    assert watch.pid is None


async def test_retries_come_ever_later(nvml: StandIn) -> None:
    nvml.set(init=9)
    stop = asyncio.Event()
    async with watching(nvml, Pace(interval_s=0.05, deadline_s=20.0)) as watch:
        running = asyncio.create_task(watch.run(stop))

        async def failed_thrice() -> bool:
            return watch.seen.rounds["failure"] >= 3

        await eventually_async(failed_thrice)
        # 0.1, 0.2 and 0.4 s after the first three failures.
        assert watch.back_off_s == pytest.approx(0.4)
        stop.set()
        await running
