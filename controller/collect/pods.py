"""Pods as columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.model import UNKNOWN, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import PodView
    from policies.arrays import BoolArray, FloatArray, SmallArray

_PHASES = {"Pending": Phase.PENDING, "Running": Phase.RUNNING, "Succeeded": Phase.SUCCEEDED, "Failed": Phase.FAILED}


@dataclass(frozen=True, slots=True)
class PodColumns:
    """The pods of one target, or of all. Times are wall time; NaN-free, UNKNOWN where not known."""

    names: tuple[str, ...]
    phase: SmallArray
    deleted: BoolArray
    ready: SmallArray
    created_at_s: FloatArray
    started_at_s: FloatArray
    transition_at_s: FloatArray
    scheduled_at_s: FloatArray
    unschedulable: BoolArray

    @classmethod
    def of(cls, pods: Sequence[PodView]) -> PodColumns:
        """The columns of these pods, in their order."""
        return cls(
            names=tuple(pod.name for pod in pods),
            phase=np.array([_PHASES.get(pod.phase, Phase.RUNNING) for pod in pods], np.int8),
            deleted=np.array([pod.deleted for pod in pods], np.bool_),
            ready=np.array([UNKNOWN if pod.ready is None else pod.ready for pod in pods], np.int8),
            created_at_s=np.array([pod.created_at_s for pod in pods], np.float64),
            started_at_s=_times([pod.started_at_s for pod in pods]),
            transition_at_s=_times([pod.transition_at_s for pod in pods]),
            scheduled_at_s=_times([pod.scheduled_at_s for pod in pods]),
            unschedulable=np.array([pod.unschedulable for pod in pods], np.bool_),
        )


def _times(values: Sequence[float | None]) -> FloatArray:
    return np.array([UNKNOWN if value is None else value for value in values], np.float64)
