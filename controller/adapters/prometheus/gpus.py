"""GPUs as Prometheus tells of them, from Foresail's agent or DCGM exporter, whichever is there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.adapters.prometheus.past import Span
from controller.records import PastSeries, SignalQuery
from policies.gpus.signals import (
    ALLOCATION_LABELS,
    DEVICE_LABELS,
    PRESENT_LABELS,
    Binding,
    Quantity,
    allocation_query,
    bound,
    present_query,
)
from policies.quantities import duration_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.adapters.prometheus.metered import MeteredPrometheus
    from policies.arrays import FloatArray

QUERIES = 16  # more than `read_gpus` asks
STEPS = 12  # of the past in a window
WINDOWS = 6  # of the past that is read

Device = tuple[str, ...]  # values of DEVICE_LABELS


@dataclass(frozen=True, slots=True)
class GpuReadings:
    """What is bound, and what it tells. Ratios from 0 to 1, bytes; devices without a finite value are absent."""

    binding: Binding = field(default_factory=dict)
    peak: Mapping[Device, float] = field(default_factory=dict)  # activity over the window
    mean: Mapping[Device, float] = field(default_factory=dict)
    tensor: Mapping[Device, float] = field(default_factory=dict)  # mean
    memory_used: Mapping[Device, float] = field(default_factory=dict)  # largest
    memory_total: Mapping[Device, float] = field(default_factory=dict)
    start_s: float = 0.0  # of the past, in wall time
    step_s: float = 300.0
    activity: Sequence[PastSeries] = ()  # by node: mean of its devices
    allocated: Sequence[PastSeries] = ()  # by ALLOCATION_LABELS: devices that pods ask for

    def on_steps(self, series: Sequence[PastSeries]) -> FloatArray:
        """Their values on the steps of the past, `[series, step]`; NaN in gaps."""
        found = np.full((len(series), WINDOWS * STEPS + 1), np.nan)
        for row, each in enumerate(series):
            step = np.rint((np.asarray(each.at_s) - self.start_s) / self.step_s).astype(np.int64)
            inside = (step >= 0) & (step < found.shape[1])
            found[row, step[inside]] = np.asarray(each.values)[inside]
        return found


async def read_gpus(prometheus: MeteredPrometheus, *, at_s: float, window_s: float) -> GpuReadings:
    """Bind each quantity to what is there and read it. Raises Unavailable, Rejected and Spent."""
    there = await prometheus.now(SignalQuery(present_query(), PRESENT_LABELS), at_s=at_s)
    binding = bound({name for (name,), count in there.items() if count > 0})
    step_s = window_s / STEPS
    span = Span(at_s - WINDOWS * window_s, at_s, step_s)
    allocated = await prometheus.past(SignalQuery(allocation_query(), ALLOCATION_LABELS), span)
    if Quantity.ACTIVITY not in binding:
        return GpuReadings(binding, start_s=span.start_s, step_s=step_s, allocated=allocated)
    window, activity = duration_text(window_s), binding[Quantity.ACTIVITY]

    async def told(quantity: Quantity, function: str) -> Mapping[Device, float]:
        if quantity not in binding:
            return {}
        query = SignalQuery(binding[quantity].over(function, window), DEVICE_LABELS)
        answer = await prometheus.now(query, at_s=at_s)
        return {device: value for device, value in answer.items() if math.isfinite(value)}

    return GpuReadings(
        binding=binding,
        peak=await told(Quantity.ACTIVITY, "max_over_time"),
        mean=await told(Quantity.ACTIVITY, "avg_over_time"),
        tensor=await told(Quantity.TENSOR, "avg_over_time"),
        memory_used=await told(Quantity.MEMORY_USED, "max_over_time"),
        memory_total=await told(Quantity.MEMORY_TOTAL, "max_over_time"),
        start_s=span.start_s,
        step_s=step_s,
        activity=await prometheus.past(SignalQuery(activity.by_node(duration_text(step_s)), ("node",)), span),
        allocated=allocated,
    )
