"""GPM: how busy the multiprocessors were between two rounds, of a GPU (Hopper and newer) or of a MIG instance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pynvml

from controller.adapters.nvml.reading import Sample
from policies.gpus import exported

if TYPE_CHECKING:
    from controller.adapters.nvml.asked import Asked

QUANTITY = "gpm"
_METRICS = (
    (pynvml.NVML_GPM_METRIC_SM_UTIL, exported.SM_ACTIVE.name),
    (pynvml.NVML_GPM_METRIC_SM_OCCUPANCY, exported.SM_OCCUPANCY.name),
    (pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL, exported.TENSOR_ACTIVE.name),
    (pynvml.NVML_GPM_METRIC_DRAM_BW_UTIL, exported.DRAM_ACTIVE.name),
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
            return asked.of(QUANTITY, lambda: list(_between(last, taken))) or []
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


def _between(earlier: Any, later: Any) -> list[Sample]:  # noqa: ANN401 - pointers of the binding
    wanted = pynvml.c_nvmlGpmMetricsGet_t()
    wanted.version, wanted.numMetrics = pynvml.NVML_GPM_METRICS_GET_VERSION, len(_METRICS)
    wanted.sample1, wanted.sample2 = earlier, later
    for place, (metric, _) in enumerate(_METRICS):
        wanted.metrics[place].metricId = metric
    found = pynvml.nvmlGpmMetricsGet(wanted).metrics
    return [
        Sample(name, found[place].value / 100)
        for place, (_, name) in enumerate(_METRICS)
        if found[place].nvmlReturn == pynvml.NVML_SUCCESS and math.isfinite(found[place].value)
    ]
