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
        self._targets: Sequence[TargetRef] = ()
        self._total, self._pods = integers(0), integers(0)  # thousandths that so many pods asked for together, [lane]

    def look(self, targets: Sequence[TargetRef], work: Workloads, pods_per_replica: IntArray) -> IntArray:
        """GPUs of one replica in thousandths, rounded up, `[lane]`; UNKNOWN where no pod was seen or one is unclear.

        `work` must have looked just now. A replica is its pods, each taking what they take on average.
        """
        if targets is not self._targets:
            self._follow(targets)
        for lane in work.changed:
            if (found := _asked(work.views[lane])) is not None:
                self._total[lane], self._pods[lane] = found
        return np.where(self._total < 0, UNKNOWN, -(-self._total * pods_per_replica // self._pods))

    def _follow(self, targets: Sequence[TargetRef]) -> None:
        known = dict(zip(self._targets, zip(self._total.tolist(), self._pods.tolist(), strict=True), strict=True))
        found = [known.get(target, (UNKNOWN, 1)) for target in targets]
        self._targets = targets
        self._total = np.array([total for total, _ in found], np.int64)
        self._pods = np.array([pods for _, pods in found], np.int64)


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
