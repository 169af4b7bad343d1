"""What is asked of one GPU and how the answers become samples in base units."""

from __future__ import annotations

import ctypes
import math
import time
from collections import deque
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

import pynvml

from controller.adapters.nvml.asked import Asked, DeviceDownError, is_of_driver, reason_of
from controller.adapters.nvml.reading import Device, Process, Sample
from policies.gpus import exported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from controller.adapters.nvml.gpm import Gpm
    from policies.metric import Metric

Handle = Any  # a pointer of the binding, which has no types
History = dict[tuple[str, int], deque[tuple[int, float]]]  # by uuid and kind: microseconds and value

WINDOW_US = 30_000_000
_ASKED_AGAIN_US = 900_000  # an answer costs up to 3 ms on an H100, and the buffer holds much longer
MOST_PROCESSES = 16
_ALL_LINKS = 0xFFFFFFFF  # the scope of a field: summed over all NVLinks
_KIB = 1024.0
_MHZ = 1e6
_DIRECTIONS = ("transmit", "receive")
_REASONS = {
    "idle": pynvml.nvmlClocksEventReasonGpuIdle,
    "application_clocks": pynvml.nvmlClocksEventReasonApplicationsClocksSetting,
    "power_cap": pynvml.nvmlClocksEventReasonSwPowerCap,
    "hardware_slowdown": pynvml.nvmlClocksEventReasonHwSlowdown,
    "sync_boost": pynvml.nvmlClocksEventReasonSyncBoost,
    "thermal": pynvml.nvmlClocksEventReasonSwThermalSlowdown,
    "hardware_thermal": pynvml.nvmlClocksEventReasonHwThermalSlowdown,
    "power_brake": pynvml.nvmlClocksEventReasonHwPowerBrakeSlowdown,
    "display": pynvml.nvmlClocksEventReasonDisplayClockSetting,
}
_CLOCKS = {
    "graphics": pynvml.NVML_CLOCK_GRAPHICS,
    "sm": pynvml.NVML_CLOCK_SM,
    "memory": pynvml.NVML_CLOCK_MEM,
    "video": pynvml.NVML_CLOCK_VIDEO,
}
_BUFFERS = (
    (exported.POWER_WINDOW, pynvml.NVML_TOTAL_POWER_SAMPLES, 1e-3),
    (exported.UTILIZATION_WINDOW, pynvml.NVML_GPU_UTILIZATION_SAMPLES, 1e-2),
    (exported.MEMORY_UTILIZATION_WINDOW, pynvml.NVML_MEMORY_UTILIZATION_SAMPLES, 1e-2),
)


def of_gpu(asked: Asked, handle: Handle) -> Iterator[Sample]:
    """Everything that is told of a whole GPU, but its windows, GPM and processes."""
    for name, question in _QUESTIONS.items():
        yield from asked.of(name, partial(_listed, question, handle)) or ()
    for sensor, thermometer in (("gpu", _core), ("memory", _memory_sensor)):
        celsius = asked.of(f"temperature_{sensor}", partial(thermometer, handle))
        if celsius is not None:
            yield Sample(exported.TEMPERATURE.name, celsius, {"sensor": sensor})
    for clock, number in _CLOCKS.items():
        megahertz = asked.of(f"clock_{clock}", partial(pynvml.nvmlDeviceGetClockInfo, handle, number))
        if megahertz is not None:
            yield Sample(exported.CLOCK.name, megahertz * _MHZ, {"clock": clock})


def pcie(asked: Asked, handle: Handle) -> Iterator[Sample]:
    """Bytes over PCIe in a moment of 20 ms each. NVML's own count has 32 bits, which a tenth of a second can fill."""
    kinds = (pynvml.NVML_PCIE_UTIL_TX_BYTES, pynvml.NVML_PCIE_UTIL_RX_BYTES)
    rates = asked.of("pcie", lambda: [pynvml.nvmlDeviceGetPcieThroughput(handle, each) for each in kinds])
    for direction, rate in zip(_DIRECTIONS, rates or (), strict=False):
        yield Sample(exported.PCIE.name, rate * _KIB, {"direction": direction})


def windows(asked: Asked, handle: Handle, uuid: str, history: History) -> Iterator[Sample]:
    """Mean, max and 0.95 quantile of what NVML's own buffer sampled in the last half minute."""
    now_us = int(time.time() * 1e6)  # as NVML stamps them
    for metric, kind, scale in _BUFFERS:
        kept = history.setdefault((uuid, kind), deque())
        last_us = kept[-1][0] if kept else 0
        question = partial(pynvml.nvmlDeviceGetSamples, handle, kind, last_us)
        told = None
        if last_us <= now_us - _ASKED_AGAIN_US:
            told = asked.of(metric.name.removeprefix("foresail_gpu_"), question)
        if told is not None:
            kind_of_value, samples = told
            new = ((int(each.timeStamp), _value(kind_of_value, each.sampleValue) * scale) for each in samples)
            kept.extend(sorted(each for each in new if each[0] > last_us))
        while kept and kept[0][0] <= now_us - WINDOW_US:
            kept.popleft()
        if kept:
            yield from _summed_up(metric, sorted(value for _, value in kept))


def is_split(asked: Asked, handle: Handle) -> bool:
    """Whether the GPU is split in MIG instances now."""
    mode = asked.of("mig", lambda: pynvml.nvmlDeviceGetMigMode(handle))
    return mode is not None and mode[0] == pynvml.NVML_DEVICE_MIG_ENABLE


def processes(asked: Asked, handle: Handle) -> tuple[int | None, tuple[Process, ...]]:
    """How many processes compute, and the largest of them."""
    found = asked.of("processes", lambda: _running(handle))
    if found is None:
        return None, ()
    largest = sorted(found, key=lambda each: -(each.usedGpuMemory or 0))[:MOST_PROCESSES]
    return len(found), tuple(Process(int(each.pid), _name(each.pid), each.usedGpuMemory) for each in largest)


def instances(handle: Handle, gpu: Device, gpm: Gpm) -> Iterator[Device]:
    """The MIG instances of a GPU: memory, processes and, on Hopper and newer, GPM."""
    for place in range(_places(handle)):
        asked = Asked()
        try:
            mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
            uuid, number = str(pynvml.nvmlDeviceGetUUID(mig)), int(pynvml.nvmlDeviceGetGpuInstanceId(mig))
            samples = [*(asked.of("memory", partial(_listed, _memory, mig)) or ())]
            samples += gpm.read(asked, handle, uuid, number)
            count, running = processes(asked, mig)
        except DeviceDownError as error:
            yield Device(gpu.index, gpu.uuid, gpu.pci_bus_id, gpu.name, gpu.uuid, str(place), down=str(error))
            continue
        except pynvml.NVMLError as error:
            if is_of_driver(error):
                raise
            if error.value == pynvml.NVML_ERROR_NOT_FOUND:
                continue  # no instance has this place
            yield Device(gpu.index, gpu.uuid, gpu.pci_bus_id, gpu.name, gpu.uuid, str(place), down=reason_of(error))
            continue
        asked.unsupported |= dict.fromkeys(("utilization", "power", "temperature", "pcie"), "not_supported")
        yield Device(
            gpu.index, uuid, gpu.pci_bus_id, gpu.name, gpu.uuid, str(number),
            samples=tuple(samples), unsupported=asked.unsupported, processes=running, process_count=count,
        )  # fmt: skip


def flag(metric: Metric, on: object) -> Sample:
    """A gauge that is 1 or 0."""
    return Sample(metric.name, float(bool(on)))


def address(handle: Handle) -> int:
    """Where a handle points: the same for the same GPU as long as the library stays open."""
    return int(ctypes.cast(handle, ctypes.c_void_p).value or 0)


def _places(handle: Handle) -> int:
    """How many instances a GPU may have; none where it does not say, as one that was lost since it was read."""
    try:
        return int(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    except pynvml.NVMLError as error:
        if is_of_driver(error):
            raise
        return 0


def _utilization(handle: Handle) -> Iterable[Sample]:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    yield Sample(exported.UTILIZATION.name, rates.gpu / 100)
    yield Sample(exported.MEMORY_UTILIZATION.name, rates.memory / 100)


def _memory(handle: Handle) -> Iterable[Sample]:
    try:
        told = pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
    except pynvml.NVMLError as error:
        if reason_of(error) not in {"no_function", "not_supported"}:
            raise
        told = pynvml.nvmlDeviceGetMemoryInfo(handle)  # an old driver, which counts what it keeps as used
    yield Sample(exported.MEMORY_USED.name, told.used)
    yield Sample(exported.MEMORY_FREE.name, told.free)
    yield Sample(exported.MEMORY_TOTAL.name, told.total)


def _throttled(handle: Handle) -> Iterable[Sample]:
    try:
        mask = pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)
    except pynvml.NVMLError as error:
        if reason_of(error) != "no_function":
            raise
        mask = pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)  # its name in older drivers
    for reason, bit in _REASONS.items():
        yield Sample(exported.THROTTLED.name, float(bool(mask & bit)), {"reason": reason})


def _ecc(handle: Handle) -> Iterable[Sample]:
    kinds = {
        "corrected": pynvml.NVML_MEMORY_ERROR_TYPE_CORRECTED,
        "uncorrected": pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
    }
    for kind, number in kinds.items():
        count = pynvml.nvmlDeviceGetTotalEccErrors(handle, number, pynvml.NVML_VOLATILE_ECC)
        yield Sample(exported.ECC_ERRORS.name, count, {"kind": kind})


def _remapped(handle: Handle) -> Iterable[Sample]:
    correctable, uncorrectable, pending, failed = pynvml.nvmlDeviceGetRemappedRows(handle)
    yield Sample(exported.REMAPPED_ROWS.name, correctable, {"kind": "correctable"})
    yield Sample(exported.REMAPPED_ROWS.name, uncorrectable, {"kind": "uncorrectable"})
    yield flag(exported.REMAP_PENDING, pending)
    yield flag(exported.REMAP_FAILED, failed)


def _nvlink(handle: Handle) -> Iterable[Sample]:
    fields = (pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, pynvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX)
    values = _fields(handle, [(each, _ALL_LINKS) for each in fields])
    for direction, kibibytes in zip(_DIRECTIONS, values, strict=True):
        yield Sample(exported.NVLINK.name, kibibytes * _KIB, {"direction": direction})


_QUESTIONS: dict[str, Callable[[Handle], Iterable[Sample]]] = {
    "utilization": _utilization,
    "memory": _memory,
    "power": lambda handle: [Sample(exported.POWER.name, pynvml.nvmlDeviceGetPowerUsage(handle) / 1000)],
    "power_limit": lambda handle: [
        Sample(exported.POWER_LIMIT.name, pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000)
    ],
    "energy": lambda handle: [Sample(exported.ENERGY.name, pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000)],
    "throttling": _throttled,
    "ecc": _ecc,
    "remapped_rows": _remapped,
    "nvlink": _nvlink,
}


def _listed(question: Callable[[Handle], Iterable[Sample]], handle: Handle) -> list[Sample]:
    return list(question(handle))


def _core(handle: Handle) -> float:
    return float(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))


def _memory_sensor(handle: Handle) -> float:
    return _fields(handle, [pynvml.NVML_FI_DEV_MEMORY_TEMP])[0]


def _fields(handle: Handle, fields: list[Any]) -> list[float]:
    found = pynvml.nvmlDeviceGetFieldValues(handle, fields)
    for each in found:
        if each.nvmlReturn != pynvml.NVML_SUCCESS:
            raise pynvml.NVMLError(each.nvmlReturn)
    return [_value(each.valueType, each.value) for each in found]


def _value(kind: int, union: Any) -> float:  # noqa: ANN401 - a union of the binding
    names = {
        pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
        pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
        pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    }
    if kind not in names:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
    return float(getattr(union, names[kind]))


def _running(handle: Handle) -> list[Any]:
    try:
        return list(pynvml.nvmlDeviceGetComputeRunningProcesses_v3(handle))
    except pynvml.NVMLError as error:
        if reason_of(error) != "no_function":
            raise
        return list(pynvml.nvmlDeviceGetComputeRunningProcesses_v2(handle))


def _name(pid: int) -> str:
    """The program's file name; empty where the process is in another namespace or has ended."""
    try:
        return str(pynvml.nvmlSystemGetProcessName(pid)).rpartition("/")[2]
    except (pynvml.NVMLError, UnicodeDecodeError):
        return ""


def _summed_up(metric: Metric, ordered: list[float]) -> Iterator[Sample]:
    p95 = ordered[math.ceil(0.95 * len(ordered)) - 1]
    for statistic, value in (("mean", fmean(ordered)), ("max", ordered[-1]), ("p95", p95)):
        yield Sample(metric.name, value, {"statistic": statistic})
