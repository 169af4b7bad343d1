"""Which pods count for a metric: ready, unready, missing or ignored; and the request that counts for a pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.codes import Code
from policies.model import UNKNOWN, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray
    from policies.model import Limits, Pods, PodSamples, Tracks


class Group(Code):
    """How a pod counts for one track."""

    READY = 0
    UNREADY = 1
    MISSING = 2
    IGNORED = 3
    ORPHAN = 4  # a sample without a pod: it counts as a sample, and as no pod


@dataclass(frozen=True, slots=True)
class Container:
    """A container's request in milli-units; None = not set. `restart_always` ones run beside the others."""

    name: str
    request_milli: int | None
    restart_always: bool = False


def pod_groups(tracks: Tracks, pods: Pods, samples: PodSamples, limits: Limits) -> SmallArray:
    """The `Group` of every row of `samples`, `[row]`. Pods being deleted or failed are ignored."""
    row = samples.pod
    group = np.full(row.size, Group.READY, np.int8)
    gone = pods.deleted | (pods.phase == Phase.FAILED)
    pending = pods.phase == Phase.PENDING
    unready = tracks.cpu[samples.track] & _cpu_unready(pods, samples, limits)
    rules = (
        (unready, Group.UNREADY),
        (~samples.present, Group.MISSING),
        (pending[row] if pods.lane.size else unready, Group.UNREADY),
        (gone[row] if pods.lane.size else unready, Group.IGNORED),
        (row == UNKNOWN, Group.ORPHAN),
    )
    for rows, code in rules:  # the later rule wins
        group[rows] = code
    return group


def _cpu_unready(pods: Pods, samples: PodSamples, limits: Limits) -> BoolArray:
    """Rows whose CPU sample tells nothing yet, because the pod is starting or has never been ready."""
    if pods.lane.size == 0:
        return np.zeros(samples.pod.size, np.bool_)
    started = pods.started_age_s[samples.pod]
    transition = _age(pods.transition_age_s[samples.pod])
    not_ready = pods.ready[samples.pod] == 0
    window_missing = transition - samples.age_s < samples.window_s
    starting = started < limits.cpu_initialization_period_s
    never_ready = not_ready & (started - transition < limits.initial_readiness_delay_s)
    unknown = (pods.ready[samples.pod] == UNKNOWN) | (started == UNKNOWN)
    early: BoolArray = np.where(starting, not_ready | window_missing, never_ready)
    unready: BoolArray = unknown | early
    return unready


def _age(age_s: FloatArray) -> FloatArray:
    return np.where(age_s == UNKNOWN, np.inf, age_s)


def ready_pods(pods: Pods, lanes: int) -> IntArray:
    """Running pods whose readiness condition is true, `[lane]`."""
    ready = (pods.phase == Phase.RUNNING) & (pods.ready == 1)
    return np.bincount(pods.lane[ready], minlength=lanes)[:lanes].astype(np.int64)


def listed_pods(pods: Pods, lanes: int) -> IntArray:
    """Pods of any state, `[lane]`."""
    return np.bincount(pods.lane, minlength=lanes)[:lanes].astype(np.int64)


def pod_request(
    containers: Sequence[Container],
    init_containers: Sequence[Container] = (),
    *,
    pod_level_milli: int | None = None,
    only: str | None = None,
) -> int:
    """The request in milli-units that counts for one pod, or for its container `only`.

    Init containers count only when they run beside the others. A request on the pod itself stands for the whole.
    Raises KeyError, naming the container, when a container has no request or is not there.
    """
    if only is None and pod_level_milli is not None:
        return pod_level_milli
    running = [*containers, *(c for c in init_containers if c.restart_always)]
    counted = running if only is None else [c for c in running if c.name == only]
    if only is not None and not counted:
        raise KeyError(only)
    total = 0
    for container in counted:
        if container.request_milli is None:
            raise KeyError(container.name)
        total += container.request_milli
    return total
