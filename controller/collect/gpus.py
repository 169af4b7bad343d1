"""The GPUs of a replica, from what its pods request."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers
from policies.model import UNKNOWN
from policies.pricing.shapes import GPU_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.collect.workloads import Workloads
    from controller.records import Charge, PodView, TargetRef
    from policies.arrays import IntArray

_ENDED = frozenset({"Succeeded", "Failed"})
_REQUESTS = "requests."
_SHARED = 1 << 14  # distinct charges, one for each template of pods


class ReplicaGpus:
    """Remembers what the pods of each target asked for, for the time when none is there."""

    def __init__(self) -> None:
        """Know nothing."""
        self._of_pods: dict[TargetRef, tuple[int, int]] = {}  # thousandths of them all, and how many pods

    def look(self, targets: Sequence[TargetRef], work: Workloads, pods_per_replica: IntArray) -> IntArray:
        """GPUs of one replica in thousandths, rounded up, `[lane]`; UNKNOWN where no pod was seen or one is unclear.

        `work` must have looked just now. A replica is its pods, each taking what they take on average.
        """
        for lane in work.changed:
            if (found := _asked(work.views[lane])) is not None:
                self._of_pods[targets[lane]] = found
        self._of_pods = {target: self._of_pods[target] for target in targets if target in self._of_pods}
        total, count = integers(len(targets), UNKNOWN), integers(len(targets), 1)
        for lane, target in enumerate(targets):
            total[lane], count[lane] = self._of_pods.get(target, (UNKNOWN, 1))
        return np.where(total < 0, UNKNOWN, -(-total * pods_per_replica // count))


def _asked(pods: Sequence[PodView]) -> tuple[int, int] | None:
    """What living pods ask for together, and how many they are; UNKNOWN where one is unclear, None where none lives."""
    asked = [_gpus(pod.charge) for pod in pods if pod.phase not in _ENDED]
    if not asked:
        return None
    return (UNKNOWN if None in asked else sum(each or 0 for each in asked)), len(asked)


@lru_cache(maxsize=_SHARED)
def _gpus(charge: Charge) -> int | None:
    asked = [(name.removeprefix(_REQUESTS), milli) for name, milli in charge if name.startswith(_REQUESTS)]
    of_gpus = [milli for name, milli in asked if GPU_NAME.fullmatch(name)]
    known = [milli for milli in of_gpus if milli is not None]
    return sum(known) if len(known) == len(of_gpus) else None
