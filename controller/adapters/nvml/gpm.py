"""GPM: what a GPU (Hopper and newer) or a MIG instance did between two rounds: multiprocessors, memory, PCIe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pynvml

from controller.adapters.nvml.reading import Sample
from policies.gpus import exported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.adapters.nvml.asked import Asked

QUANTITY = "gpm"
_PERCENT, _MIB = 1e-2, 1024.0**2
_Metric = tuple[int, str, Mapping[str, str], float]  # number, exported name, labels, scale to the base unit
_OF_EACH: tuple[_Metric, ...] = (
    (pynvml.NVML_GPM_METRIC_SM_UTIL, exported.SM_ACTIVE.name, {}, _PERCENT),
    (pynvml.NVML_GPM_METRIC_SM_OCCUPANCY, exported.SM_OCCUPANCY.name, {}, _PERCENT),
    (pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL, exported.TENSOR_ACTIVE.name, {}, _PERCENT),
    (pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL, exported.DRAM_ACTIVE.name, {}, _PERCENT),
)
_OF_WHOLE_GPU: tuple[_Metric, ...] = (
    (pynvml.NVML_GPM_METRIC_PCIE_TX_PER_SEC, exported.PCIE.name, {"direction": "transmit"}, _MIB),
    (pynvml.NVML_GPM_METRIC_PCIE_RX_PER_SEC, exported.PCIE.name, {"direction": "receive"}, _MIB),
)


class Gpm:
    """The last sample of each device, from which the next round counts."""

    def __init__(self) -> None:
        """Hold no sample yet."""
        self._last: dict[str, Any] = {}

    def read(self, asked: Asked, handle: Any, uuid: str, instance: int | None) -> list[Sample]:  # noqa: ANN401 - a pointer
        """What was measured since the last round; nothing in the first. `handle` is the GPU's, also for an instance."""
        if asked.of(QUANTITY, lambda: self._supported(handle)) is None:
            return []
        taken = asked.of(QUANTITY, lambda: self._taken(handle, instance))
        if taken is None:
            return []
        last, self._last[uuid] = self._last.get(uuid), taken
        if last is None:
            return []
        try:
            wanted = _OF_EACH if instance is not None else (*_OF_EACH, *_OF_WHOLE_GPU)
            return asked.of(QUANTITY, lambda: _between(last, taken, wanted)) or []
        finally:
            pynvml.nvmlGpmSampleFree(last)

    def close(self) -> None:
        """Free the samples."""
        for sample in self._last.values():
            pynvml.nvmlGpmSampleFree(sample)
        self._last.clear()

    @staticmethod
    def _supported(handle: Any) -> bool:  # noqa: ANN401 - a pointer of the binding
        if not pynvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return True

    @staticmethod
    def _taken(handle: Any, instance: int | None) -> Any:  # noqa: ANN401 - as above
        sample = pynvml.nvmlGpmSampleAlloc()
        try:
            if instance is None:
                return pynvml.nvmlGpmSampleGet(handle, sample)
            return pynvml.nvmlGpmMigSampleGet(handle, instance, sample)
        except pynvml.NVMLError:
            pynvml.nvmlGpmSampleFree(sample)
            raise


def _between(earlier: Any, later: Any, wanted: Sequence[_Metric]) -> list[Sample]:  # noqa: ANN401 - pointers
    asked = pynvml.c_nvmlGpmMetricsGet_t()
    asked.version, asked.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, len(wanted)
    asked.sample1, asked.sample2 = earlier, later
    for place, (number, *_) in enumerate(wanted):
        asked.metrics[place].metricId = number
    found = pynvml.nvmlGpmMetricsGet(asked).metrics
    return [
        Sample(name, found[place].value * scale, labels)
        for place, (_, name, labels, scale) in enumerate(wanted)
        if found[place].nvmlReturn == pynvml.NVML_SUCCESS and math.isfinite(found[place].value)
    ]
