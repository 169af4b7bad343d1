"""From views of the cluster to columns: replicas, holds, pods, requests and start-up times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import integers, small
from policies.hpa.pods import Container, pod_request
from policies.model import UNKNOWN, Hold, Mode, Phase, Pods, Starts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.records import ClusterView, ContainerRequest, PodView, TargetRef, TargetView
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray

MAX_VIEW_AGE_S = 120.0  # watches that were silent for longer are not believed
LONGEST_FIRST_START_S = 1800.0  # a pod first seen ready tells its start-up time when it took no longer than this
ONE_POD_KINDS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})  # one a replica
NEVER_READY_S = 30.0  # a pod that turned unready later than this after its start has been ready (as Kubernetes has it)

_PHASES = {"Pending": Phase.PENDING, "Running": Phase.RUNNING, "Succeeded": Phase.SUCCEEDED, "Failed": Phase.FAILED}


@dataclass(frozen=True, slots=True)
class PodColumns:
    """The pods of one target. Times are wall time; NaN-free, UNKNOWN where not known."""

    names: tuple[str, ...]
    phase: SmallArray
    deleted: BoolArray
    ready: SmallArray
    created_at_s: FloatArray
    started_at_s: FloatArray
    transition_at_s: FloatArray

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
        )


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the last look at a target's pods told: those that have been ready, and those on their way there."""

    pods: PodColumns | None  # None: none before
    served: frozenset[str]
    starting: frozenset[str]


class Workloads:
    """Remembers the columns of targets whose pods did not change, and which pods were seen starting."""

    def __init__(self) -> None:
        self._columns: dict[TargetRef, tuple[Sequence[PodView], PodColumns]] = {}
        self._looked: dict[TargetRef, _Looked] = {}
        self._pods_per_replica: dict[TargetRef, int] = {}

    def pods(self, targets: Sequence[TargetRef], view: ClusterView) -> tuple[PodColumns, ...]:
        """The pods of every lane."""
        found = []
        for target in targets:
            pods = view.pods.get(target, ())
            kept = self._columns.get(target)
            if kept is None or kept[0] is not pods:
                kept = (pods, PodColumns.of(pods))
                self._columns[target] = kept
            found.append(kept[1])
        return tuple(found)

    def starts(self, targets: Sequence[TargetRef], columns: Sequence[PodColumns], now_s: float) -> Starts:
        """Start-ups that finished since the last call, and those under way.

        A pod starts once: one that was ready and is not any more is no start-up, however old it is.
        """
        rows: list[tuple[int, float, bool]] = []
        for lane, (target, pods) in enumerate(zip(targets, columns, strict=True)):
            before = self._looked.get(target) or _Looked(None, _fallen(pods), frozenset())
            if before.pods is pods and not before.starting:
                continue
            ready = frozenset(pods.names[row] for row in np.flatnonzero(pods.ready == 1))
            waiting = ~pods.deleted & (pods.phase <= Phase.RUNNING) & (pods.ready != 1)
            starting = frozenset(pods.names[row] for row in np.flatnonzero(waiting)) - before.served
            self._looked[target] = _Looked(pods, (before.served | ready) & frozenset(pods.names), starting)
            rows += [(lane, *start) for start in _starts(pods, before, starting, now_s)]
        return Starts(
            lane=np.array([lane for lane, *_ in rows], np.int64),
            duration_s=np.array([duration for _, duration, _ in rows], np.float64),
            finished=np.array([finished for *_, finished in rows], np.bool_),
        )

    def pods_per_replica(
        self, targets: Sequence[TargetRef], columns: Sequence[PodColumns], replicas: tuple[IntArray, IntArray]
    ) -> IntArray:
        """How many pods make one replica, `[lane]`; learned while nothing starts or goes, else as last known.

        Kubernetes' own kinds have one: more pods than replicas match their selector, but are not theirs.

        `replicas` are the wanted and the reported counts. While they differ, pods and counts may tell of different
        moments, and too many pods to a replica would be too few replicas.
        """
        found = integers(len(targets), 1)
        for lane, (target, pods) in enumerate(zip(targets, columns, strict=True)):
            if target.kind in ONE_POD_KINDS:
                continue
            wanted, reported, listed = int(replicas[0][lane]), int(replicas[1][lane]), len(pods.names)
            settled = 0 < wanted == reported <= listed and bool((pods.ready == 1).all())
            if settled and listed % reported == 0 and not pods.deleted.any():
                self._pods_per_replica[target] = listed // reported
            found[lane] = self._pods_per_replica.get(target, 1)
        return found

    def recall(self, pods_per_replica: Mapping[TargetRef, int]) -> None:
        """Take what was known before a restart, where nothing has been learned since."""
        self._pods_per_replica = {**pods_per_replica, **self._pods_per_replica}

    def forget_all_but(self, targets: Sequence[TargetRef]) -> None:
        """Drop what is remembered of targets that no policy names any more."""
        keep = set(targets)
        for memory in (self._columns, self._looked, self._pods_per_replica):
            for gone in memory.keys() - keep:
                del memory[gone]


def _fallen(pods: PodColumns) -> frozenset[str]:
    """At first sight: pods that are not ready, but changed so late that they must have been."""
    late = pods.transition_at_s - np.maximum(pods.started_at_s, pods.created_at_s) > NEVER_READY_S
    return frozenset(pods.names[row] for row in np.flatnonzero((pods.ready == 0) & late))


def _starts(pods: PodColumns, before: _Looked, starting: frozenset[str], now_s: float) -> list[tuple[float, bool]]:
    """Durations of one target's start-ups and whether they finished; those not seen starting when they are short."""
    rows = []
    for row, name in enumerate(pods.names):
        created, ready_at = float(pods.created_at_s[row]), float(pods.transition_at_s[row])
        if name in starting:
            rows.append((max(0.0, now_s - created), False))
        elif pods.ready[row] == 1 and name not in before.served and ready_at != UNKNOWN and ready_at >= created:
            took_s = ready_at - created
            if name in before.starting or took_s <= LONGEST_FIRST_START_S:
                rows.append((took_s, True))
    return rows


def pod_table(columns: Sequence[PodColumns], now_s: float) -> Pods:
    """The pods of all lanes as one table, ages as of `now_s`."""
    if not columns or not any(pods.names for pods in columns):
        return Pods.none()
    sizes = [len(pods.names) for pods in columns]
    return Pods(
        lane=np.repeat(np.arange(len(columns), dtype=np.int64), sizes),
        phase=np.concatenate([pods.phase for pods in columns]),
        deleted=np.concatenate([pods.deleted for pods in columns]),
        ready=np.concatenate([pods.ready for pods in columns]),
        started_age_s=_ages([pods.started_at_s for pods in columns], now_s),
        transition_age_s=_ages([pods.transition_at_s for pods in columns], now_s),
    )


def _ages(times: Sequence[FloatArray], now_s: float) -> FloatArray:
    at_s = np.concatenate(times)
    return np.where(at_s == UNKNOWN, UNKNOWN, np.maximum(now_s - at_s, 0.0))


def _times(values: Sequence[float | None]) -> FloatArray:
    return np.array([UNKNOWN if value is None else value for value in values], np.float64)


def replicas_of(targets: Sequence[TargetRef], view: ClusterView) -> tuple[IntArray, IntArray]:
    """Wanted and reported counts, `[lane]`; 0 for a target that is not there."""
    seen = [view.targets.get(target) for target in targets]
    return (
        np.array([0 if target is None else target.spec_replicas for target in seen], np.int64),
        np.array([0 if target is None else target.status_replicas for target in seen], np.int64),
    )


def holds(targets: Sequence[TargetRef], view: ClusterView, mode: SmallArray, now_s: float) -> SmallArray:
    """Why each lane must not be changed, `[lane]`. An owner holds only those that would write."""
    if view.killed is not None:
        return small(len(targets), Hold.KILL_SWITCH)
    found = small(len(targets))
    silent = now_s - view.seen_at_s > MAX_VIEW_AGE_S
    for lane, target in enumerate(targets):
        found[lane] = _hold(view.targets.get(target), Mode(int(mode[lane])), silent=silent)
    return found


def _hold(target: TargetView | None, mode: Mode, *, silent: bool) -> Hold:
    if target is None or target.problem is not None:
        return Hold.NO_TARGET
    if silent:
        return Hold.CLUSTER_DOWN
    if target.paused:
        return Hold.ANNOTATION
    if target.owner is not None and mode == Mode.ACTIVE:
        return Hold.OWNED
    return Hold.NONE


def request_milli(pod: PodView, resource: str, container: str | None) -> int:
    """The request in milli-units that counts for a pod, UNKNOWN when a container has none."""
    cpu = resource == "cpu"

    def containers(rows: Sequence[ContainerRequest]) -> list[Container]:
        return [Container(row.name, row.cpu_milli if cpu else row.memory_milli, row.restart_always) for row in rows]

    try:
        return pod_request(
            containers(pod.containers),
            containers(pod.init_containers),
            pod_level_milli=pod.pod_cpu_milli if cpu else pod.pod_memory_milli,
            only=container,
        )
    except KeyError:
        return UNKNOWN
