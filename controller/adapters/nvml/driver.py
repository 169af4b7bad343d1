"""NVML itself: opened, read and let go of, in the child process. The only module that imports the binding."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pynvml

from controller.adapters.nvml import quantities
from controller.adapters.nvml.asked import Asked, DeviceDownError, is_of_driver, reason_of
from controller.adapters.nvml.gpm import QUANTITY, Gpm
from controller.adapters.nvml.reading import Device, Reading
from policies.gpus import exported

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator

REOPEN_S = 30.0  # a GPU that was lost comes back, after its reset, only to a library that is opened again
_MOST_EVENTS = 256  # in one round: a GPU in trouble may tell without end


class Driver:
    """The library, open. What it remembers between rounds: samples of the window, GPM's last samples, events."""

    def __init__(self) -> None:
        """Open the library. Raises pynvml.NVMLError."""
        self._history: dict[tuple[str, int], deque[tuple[int, float]]] = {}
        self._known: dict[int, Device] = {}  # since the library was opened
        self._before: dict[int, Device] = {}  # and before: what a GPU that stays lost cannot tell any more
        self._lost = False
        self._opened_at_s = time.monotonic()
        self._open()

    def close(self) -> None:
        """Let go of the driver: nothing of it stays in use by this process once it ends."""
        self._gpm.close()
        if self._events is not None:
            pynvml.nvmlEventSetFree(self._events)
        pynvml.nvmlShutdown()

    def read(self) -> Reading:
        """Go once over all GPUs. What fails for one GPU stands with it; raises pynvml.NVMLError when all fails."""
        if self._lost and time.monotonic() - self._opened_at_s > REOPEN_S:
            self.close()
            self._open()
        devices = [device for index in range(pynvml.nvmlDeviceGetCount()) for device in self._gpu(index)]
        self._lost = any(device.down for device in devices)
        return Reading(str(pynvml.nvmlSystemGetDriverVersion()), tuple(devices), tuple(self._xids()))

    def _open(self) -> None:
        pynvml.nvmlInit()
        self._opened_at_s, self._lost = time.monotonic(), False
        self._gpm = Gpm()
        self._before, self._known = {**self._before, **self._known}, {}
        self._events: Any = None
        self._watched: dict[int, str] = {}

    def _gpu(self, index: int) -> Iterator[Device]:
        asked = Asked()
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            device = self._known.get(index) or self._identified(index, handle)
            self._watch_events(handle, device.uuid)
            samples = [
                *quantities.of_gpu(asked, handle),
                *quantities.windows(asked, handle, device.uuid, self._history),
            ]
            split = quantities.is_split(asked, handle)
            samples.append(quantities.flag(exported.MIG_ENABLED, split))
            if not split:
                samples += self._gpm.read(asked, handle, device.uuid, None)
            if split or QUANTITY in asked.unsupported:
                samples += quantities.pcie(asked, handle)
            count, processes = (None, ()) if split else quantities.processes(asked, handle)
        except DeviceDownError as error:
            yield self._down(index, str(error))
            return
        except pynvml.NVMLError as error:
            if is_of_driver(error):
                raise
            yield self._down(index, reason_of(error))
            return
        yield Device(
            index,
            device.uuid,
            device.pci_bus_id,
            device.name,
            samples=tuple(samples),
            unsupported=asked.unsupported,
            processes=processes,
            process_count=count,
        )
        if split:
            yield from quantities.instances(handle, device, self._gpm)

    def _identified(self, index: int, handle: Any) -> Device:  # noqa: ANN401 - a pointer of the binding
        uuid, name = str(pynvml.nvmlDeviceGetUUID(handle)), str(pynvml.nvmlDeviceGetName(handle))
        bus = pynvml.nvmlDeviceGetPciInfo(handle).busId
        device = Device(index, uuid, bus.decode() if isinstance(bus, bytes) else str(bus), name)
        self._known[index] = device
        return device

    def _down(self, index: int, reason: str) -> Device:
        known = self._known.get(index) or self._before.get(index)
        if known is None:
            return Device(index, "", "", "", down=reason)
        return Device(index, known.uuid, known.pci_bus_id, known.name, down=reason)

    def _watch_events(self, handle: Any, uuid: str) -> None:  # noqa: ANN401 - as above
        place = quantities.address(handle)
        if place in self._watched:
            return
        self._watched[place] = uuid
        try:
            if self._events is None:
                self._events = pynvml.nvmlEventSetCreate()
            pynvml.nvmlDeviceRegisterEvents(handle, pynvml.nvmlEventTypeXidCriticalError, self._events)
        except pynvml.NVMLError as error:
            if is_of_driver(error):
                raise

    def _xids(self) -> Iterator[tuple[str, int]]:
        if self._events is None:
            return
        for _ in range(_MOST_EVENTS):
            try:
                event = pynvml.nvmlEventSetWait_v2(self._events, 0)
            except pynvml.NVMLError:
                return  # a timeout: no more events; anything else shows with the GPU itself
            yield self._watched.get(quantities.address(event.device), ""), int(event.eventData)
