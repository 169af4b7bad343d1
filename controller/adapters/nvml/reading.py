"""What one round over all GPUs found, and how it crosses from the child process: one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Sample:
    """A value of one metric of `policies.gpus.exported`, in its unit, with the labels beyond those of the device."""

    metric: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Process:
    """A process that computes on a device. `memory_bytes` is None where the driver does not tell it."""

    pid: int
    name: str
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU, or one MIG instance of it (then `instance` is set, and `uuid` is the instance's own).

    `down` says why it is not read; `unsupported` gives a reason for each quantity that cannot be had.
    """

    index: int
    uuid: str
    pci_bus_id: str
    name: str
    gpu_uuid: str = ""
    instance: str = ""
    down: str = ""
    samples: tuple[Sample, ...] = ()
    unsupported: Mapping[str, str] = field(default_factory=dict)
    processes: tuple[Process, ...] = ()
    process_count: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """One round. `failed` says why there is none; `xids` holds uuid and number of each event since the last round."""

    driver: str = ""
    devices: tuple[Device, ...] = ()
    xids: tuple[tuple[str, int], ...] = ()
    failed: str = ""
    message: str = ""

    def line(self) -> bytes:
        """As one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def reading_of(line: bytes) -> Reading:
    """Take a line apart. Raises ValueError when it is not one that `Reading.line` wrote."""
    try:
        told = json.loads(line)
        devices = tuple(
            Device(
                **{
                    **each,
                    "samples": tuple(Sample(**sample) for sample in each["samples"]),
                    "processes": tuple(Process(**process) for process in each["processes"]),
                }
            )
            for each in told["devices"]
        )
        xids = tuple((str(uuid), int(xid)) for uuid, xid in told["xids"])
        return Reading(told["driver"], devices, xids, told["failed"], told["message"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"no reading: {error}") from error
