"""`foresail gpu`: the GPUs of this machine, now."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.exits import RUNTIME
from controller.cli.output import Output, OutputOption, emit, note, table_of

if TYPE_CHECKING:
    from controller.adapters.nvml.reading import Device
    from controller.adapters.nvml.watch import Seen

_COLUMNS = {
    **dict.fromkeys(("GPU", "MIG"), "right"),
    "NAME": "left",
    **dict.fromkeys(("UTIL", "SM", "MEMORY", "POWER", "TEMP", "PROCESSES"), "right"),
    "STATE": "left",
}
_GIB = 1024**3
_APART_S = 0.5  # GPM counts between two rounds


def gpu(
    command: typer.Context,
    deadline: Annotated[float, typer.Option(min=0.1, help="Longest wait for NVML, in seconds.")] = 10,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show this machine's GPUs as NVML tells of them now.

    UTIL is the share of time in which a kernel ran, SM that of busy multiprocessors (Hopper and newer; - elsewhere).
    JSON and YAML hold every sample by the name of its metric, and what the GPU does not support.
    """
    from controller.logging import configure

    configure(command.obj or "error", "auto")
    seen = asyncio.run(_read(deadline))
    if seen.down:
        note(f"error: NVML cannot be read: {seen.down}; see docs/gpu.md for what it needs")
        raise typer.Exit(RUNTIME)
    devices = seen.reading.devices
    content = {"driver": seen.reading.driver, "items": [_document(device) for device in devices]}
    emit("GpuList", content, output, lambda: table_of(_COLUMNS, list(map(_row, devices))) if devices else "no GPUs")


async def _read(deadline_s: float) -> "Seen":
    from controller.adapters.nvml.watch import GpuWatch, Pace

    watch = GpuWatch(Pace(deadline_s=deadline_s))
    try:
        await watch.once()
        if not watch.seen.down and watch.seen.reading.devices:
            await asyncio.sleep(_APART_S)
            await watch.once()
    finally:
        await watch.close()
    return watch.seen


def _document(device: "Device") -> dict[str, Any]:
    return {
        "index": device.index,
        "uuid": device.uuid,
        "pciBusId": device.pci_bus_id,
        "name": device.name,
        "migInstance": device.instance or None,
        "down": device.down or None,
        "samples": [
            {"metric": each.metric, "labels": dict(each.labels), "value": each.value} for each in device.samples
        ],
        "unsupported": dict(device.unsupported),
        "processes": [
            {"pid": each.pid, "name": each.name, "memoryBytes": each.memory_bytes} for each in device.processes
        ],
    }


def _row(device: "Device") -> tuple[object, ...]:
    from policies.gpus import exported

    told = {each.metric: each.value for each in device.samples if not each.labels or "sensor" in each.labels}
    core = [each.value for each in device.samples if each.labels.get("sensor") == "gpu"]
    used, total = told.get(exported.MEMORY_USED.name), told.get(exported.MEMORY_TOTAL.name)
    power, limit = told.get(exported.POWER.name), told.get(exported.POWER_LIMIT.name)
    return (
        device.index,
        device.instance or None,
        device.name,
        _percent(told.get(exported.UTILIZATION.name)),
        _percent(told.get(exported.SM_ACTIVE.name)),
        None if used is None or total is None else f"{used / _GIB:.1f}/{total / _GIB:.1f} GiB",
        None if power is None else f"{power:.0f} W" if limit is None else f"{power:.0f}/{limit:.0f} W",
        f"{core[0]:.0f} C" if core else None,
        device.process_count,
        device.down or "up",
    )


def _percent(ratio: float | None) -> str | None:
    return None if ratio is None else f"{100 * ratio:.0f} %"
