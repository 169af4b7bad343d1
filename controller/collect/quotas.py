"""How many replicas the quotas of their namespaces leave room for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import ClusterView, PodView, Quota, TargetRef
    from policies.arrays import FloatArray, IntArray

_ENDED = frozenset({"Succeeded", "Failed"})  # what such pods asked for is free again


@dataclass(frozen=True, slots=True)
class QuotaRoom:
    """The cluster as a tick saw it, for those who ask what its quotas allow."""

    view: ClusterView
    targets: Sequence[TargetRef]  # [lane]

    def replicas(self, lanes: IntArray, pods_per_replica: IntArray) -> FloatArray:
        """Replicas that each of `lanes` may have while all else in its namespace stays as it is, `[one of lanes]`.

        Its pods, and as many more as the scarcest resource leaves: pods, requests.*, limits.*. A pod takes what the
        workload's pods take on average, so that groups of unlike pods count as they are. Infinite where no quota limits
        what they take; NaN where that is not known, or what is left. Quotas with scopes are left out, as `quota_of`
        has it. `pods_per_replica` has an entry for each lane of the fleet.
        """
        found = floats(lanes.size, np.nan)
        for place, lane in enumerate(lanes.tolist()):
            ref = self.targets[lane]
            if (quotas := self.view.quotas.get(ref.namespace)) is not None:
                found[place] = _pods(quotas, self.view.pods.get(ref, ())) / pods_per_replica[lane]
        return np.floor(found)


def _pods(quotas: Sequence[Quota], pods: Sequence[PodView]) -> float:
    """Pods that a workload may have of which these are there."""
    left = [each for quota in quotas for each in quota.left]
    there = Counter(pod.charge for pod in pods if pod.phase not in _ENDED)
    if not left or not there:
        return np.nan if left else np.inf
    count, charges = there.total(), [(dict(charge), number) for charge, number in there.items()]
    allowed = np.inf
    for resource, amount in left:
        taken = [(charge.get(resource, 0), number) for charge, number in charges]
        known = [each * number for each, number in taken if each is not None]
        if amount is None or len(known) < len(taken):
            return np.nan
        if (total := sum(known)) > 0:
            allowed = min(allowed, count + amount * count // total)
    return allowed
