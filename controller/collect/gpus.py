"""The GPUs of replicas, from what their pods request, and what quotas leave of them."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers
from policies.budget_terms import GPUS
from policies.gpu_room import GpuRoom
from policies.model import UNKNOWN
from policies.pricing.shapes import GPU_NAME, MILLI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.collect.workloads import Workloads
    from controller.records import Charge, PodView, Quota, TargetRef
    from policies.arrays import IntArray
    from policies.model import Fleet

_ENDED = frozenset({"Succeeded", "Failed"})
_REQUESTS = "requests."
_SHARED = 1 << 14  # distinct charges, one for each template of pods

_ByResource = MappingProxyType[str, int | None]  # thousandths by extended resource, as in nvidia.com/gpu
_NOTHING: _ByResource = MappingProxyType({})


class ReplicaGpus:
    """Remembers what the pods of each target asked for, for the time when none is there."""

    def __init__(self) -> None:
        """Know nothing."""
        self._targets: Sequence[TargetRef] = ()
        self._asked: list[_ByResource] = []  # that so many pods asked for together, [lane]
        self._total, self._pods = integers(0), integers(0)  # the same summed over resources, [lane]
        self._living: IntArray = integers(0)  # whether any pod lives, [lane]
        self._lanes: Mapping[str, list[int]] = {}  # by namespace

    def look(self, targets: Sequence[TargetRef], work: Workloads, pods_per_replica: IntArray) -> IntArray:
        """GPUs of one replica in thousandths, rounded up, `[lane]`; UNKNOWN where no pod was seen or one is unclear.

        `work` must have looked just now. A replica is its pods, each taking what they take on average.
        """
        if targets is not self._targets:
            self._follow(targets)
        for lane in work.changed:
            found = _asked(work.views[lane])
            self._living[lane] = found is not None
            if found is not None:
                self._asked[lane], self._pods[lane] = found
                self._total[lane] = _total(self._asked[lane])
        return np.where(self._total < 0, UNKNOWN, -(-self._total * pods_per_replica // self._pods))

    def allocated_milli(self) -> IntArray:
        """Thousandths of GPUs that living pods asked for at the last look, `[lane]`; 0 where one is unclear."""
        return np.where(self._living > 0, np.maximum(self._total, 0), 0)

    def room(self, quotas: Mapping[str, Sequence[Quota]], fleet: Fleet, pods_per_replica: IntArray) -> GpuRoom | None:
        """What quotas leave of GPUs to the lanes last looked at; None where none counts GPUs.

        Where no pod was seen, a replica takes what the policy says, if its namespace has quotas of one GPU resource.
        """
        rows: list[tuple[int, int, int]] = []
        names: list[str] = []
        left: list[int] = []
        for namespace in sorted(self._lanes.keys() & quotas.keys()):
            caps = _caps(quotas[namespace])
            for lane in self._lanes[namespace] if caps else ():
                told = float(fleet.budget.need[lane, GPUS])
                declared = round(told * MILLI) if told != UNKNOWN and len(caps) == 1 else 0
                for place, resource in enumerate(caps, start=len(names)):
                    need = self._of_replica(lane, resource, int(pods_per_replica[lane]), declared)
                    rows += [(lane, place, need)] if need > 0 else []
            names += [f"{namespace}/{resource}" for resource in caps]
            left += caps.values()
        if not names:
            return None
        table = np.array(sorted(rows), np.int64).reshape(-1, 3)
        of_lane, of_cap, need_milli = (np.ascontiguousarray(column) for column in table.T)
        return GpuRoom(tuple(names), np.array(left, np.int64), of_lane, of_cap, need_milli)

    def _of_replica(self, lane: int, resource: str, pods_per_replica: int, declared: int) -> int:
        """Thousandths of one resource that a replica takes, rounded up; 0 where nobody knows."""
        if self._total[lane] < 0 and not self._asked[lane]:
            return declared
        return -(-(self._asked[lane].get(resource) or 0) * pods_per_replica // int(self._pods[lane]))

    def _follow(self, targets: Sequence[TargetRef]) -> None:
        pairs = zip(self._asked, self._pods.tolist(), strict=True)
        known = dict(zip(self._targets, zip(self._total.tolist(), pairs, strict=True), strict=True))
        found = [known.get(target, (UNKNOWN, (_NOTHING, 1))) for target in targets]
        self._targets = targets
        self._living = integers(len(targets))
        self._total = np.array([total for total, _ in found], np.int64)
        self._asked = [asked for _, (asked, _) in found]
        self._pods = np.array([pods for _, (_, pods) in found], np.int64)
        lanes = defaultdict(list)
        for lane, target in enumerate(targets):
            lanes[target.namespace].append(lane)
        self._lanes = lanes


def _caps(quotas: Sequence[Quota]) -> dict[str, int]:
    """What the strictest quota leaves of each GPU resource; those whose use is not counted yet leave all."""
    found: dict[str, int] = {}
    for name, milli in (each for quota in quotas for each in quota.left):
        resource = name.removeprefix(_REQUESTS)
        if milli is not None and name.startswith(_REQUESTS) and GPU_NAME.fullmatch(resource):
            found[resource] = min(milli, found.get(resource, milli))
    return found


def _asked(pods: Sequence[PodView]) -> tuple[_ByResource, int] | None:
    """What living pods ask for together by resource, and how many they are; None where none lives."""
    asked = [_by_resource(pod.charge) for pod in pods if pod.phase not in _ENDED]
    if not asked:
        return None
    together: dict[str, int | None] = {}
    for of_pod in asked:
        for resource, milli in of_pod.items():
            before = together.get(resource, 0)
            together[resource] = None if milli is None or before is None else before + milli
    return MappingProxyType(together), len(asked)


def _total(asked: _ByResource) -> int:
    known = [milli for milli in asked.values() if milli is not None]
    return sum(known) if len(known) == len(asked) else UNKNOWN


@lru_cache(maxsize=_SHARED)
def _by_resource(charge: Charge) -> _ByResource:
    asked = ((name.removeprefix(_REQUESTS), milli) for name, milli in charge if name.startswith(_REQUESTS))
    return MappingProxyType({name: milli for name, milli in asked if GPU_NAME.fullmatch(name)})
