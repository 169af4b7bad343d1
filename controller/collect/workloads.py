"""The pods of all lanes as columns, built again only where they changed, and how many of them make a replica."""

from __future__ import annotations

from operator import is_not
from typing import TYPE_CHECKING

import numpy as np

from controller.collect.pods import PodColumns
from controller.collect.startups import StartUps
from controller.collect.targets import Targets
from policies.arrays import booleans, integers
from policies.model import UNKNOWN, Pods
from policies.placement import ONE_POD_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.records import ClusterView, PodView, TargetRef
    from policies.arrays import FloatArray, IntArray
    from policies.model import Starts


class Workloads:
    """Remembers the columns of targets whose pods did not change, and what was learned of their pods."""

    def __init__(self) -> None:
        """Follow nothing."""
        self.views: list[Sequence[PodView]] = []  # [lane], as last seen
        self.changed: list[int] = []  # lanes whose pods were others at the last look than at the one before
        self.first = integers(1)  # row of each lane's first pod in the table, and the end
        self.targets = Targets()
        self._followed: tuple[TargetRef, ...] = ()
        self._surges: tuple[TargetRef | None, ...] = ()
        self._both: dict[TargetRef, tuple[Sequence[PodView], Sequence[PodView], Sequence[PodView]]] = {}
        self._grouped = booleans(0)  # [lane]: a replica may be several pods
        self._of_target: dict[TargetRef, tuple[Sequence[PodView], PodColumns]] = {}
        self._columns: list[PodColumns] = []  # [lane]
        self._lane = integers(0)  # of each pod
        self._table = PodColumns.of(())
        self._start_ups = StartUps()
        self._pods_per_replica: dict[TargetRef, int] = {}

    def follow(self, targets: tuple[TargetRef, ...], surges: tuple[TargetRef | None, ...] = ()) -> None:
        """Look at these targets from now on, and the second objects of those that have one; others are forgotten."""
        self._followed, kept = targets, set(targets)
        self._surges, self._both = surges or (None,) * len(targets), {}
        self._grouped = np.array([target.kind not in ONE_POD_KINDS for target in targets], np.bool_)
        self.views, self._columns = [], []
        self._of_target = {target: known for target, known in self._of_target.items() if target in kept}
        self._pods_per_replica = {target: pods for target, pods in self._pods_per_replica.items() if target in kept}
        self._start_ups.follow(targets)

    def look(self, view: ClusterView) -> None:
        """Take in what the view shows of the followed targets."""
        self.targets.look(self._followed, view, self._surges)
        views = [self._pods_of(*each, view) for each in zip(self._followed, self._surges, strict=True)]
        if len(views) != len(self.views):
            self.changed = list(range(len(views)))
            self._columns = [self._table] * len(views)
        else:
            self.changed = np.flatnonzero(np.fromiter(map(is_not, views, self.views), np.bool_, len(views))).tolist()
        self.views = views
        for lane in self.changed:
            self._columns[lane] = self._columns_of(self._followed[lane], views[lane])
        if self.changed or not views:
            self._join()

    def _pods_of(self, base: TargetRef, surge: TargetRef | None, view: ClusterView) -> Sequence[PodView]:
        """The pods of both objects, each once; the same sequence as before when neither has changed."""
        first = view.pods.get(base, ())
        if surge is None:
            return first
        second = view.pods.get(surge, ())
        kept = self._both.get(base)
        if kept is None or kept[0] is not first or kept[1] is not second:
            names = {pod.name for pod in second}
            both = (*(pod for pod in first if pod.name not in names), *second)
            kept = self._both[base] = (first, second, both)
        return kept[2]

    def _columns_of(self, target: TargetRef, pods: Sequence[PodView]) -> PodColumns:
        kept = self._of_target.get(target)
        if kept is None or kept[0] is not pods:
            kept = self._of_target[target] = (pods, PodColumns.of(pods))
        return kept[1]

    def _join(self) -> None:
        """One table of all lanes' pods."""
        own = self._columns or [PodColumns.of(())]
        sizes = [len(pods.names) for pods in own]
        self.first = np.concatenate([integers(1), np.cumsum(sizes, dtype=np.int64)])
        self._lane = np.repeat(np.arange(len(own), dtype=np.int64), sizes)
        self._table = PodColumns(
            names=(),
            phase=np.concatenate([pods.phase for pods in own]),
            deleted=np.concatenate([pods.deleted for pods in own]),
            ready=np.concatenate([pods.ready for pods in own]),
            created_at_s=np.concatenate([pods.created_at_s for pods in own]),
            started_at_s=np.concatenate([pods.started_at_s for pods in own]),
            transition_at_s=np.concatenate([pods.transition_at_s for pods in own]),
            scheduled_at_s=np.concatenate([pods.scheduled_at_s for pods in own]),
            unschedulable=np.concatenate([pods.unschedulable for pods in own]),
        )

    def pods(self, now_s: float) -> Pods:
        """The pods of all lanes as one table, ages as of `now_s`."""
        table = self._table
        started, changed = _age_s(table.started_at_s, now_s), _age_s(table.transition_at_s, now_s)
        return Pods(self._lane, table.phase, table.deleted, table.ready, started, changed)

    def starts(self, now_s: float) -> Starts:
        """Start-ups that finished since the last call, and those under way."""
        return self._start_ups.look(self._columns, self.changed, now_s)

    def pods_per_replica(self) -> IntArray:
        """How many pods make one replica, `[lane]`; learned while nothing starts or goes, else as last known.

        Kubernetes' own kinds have one: more pods than replicas may match their selector, but are not theirs.
        While the wanted and the reported counts differ, pods and counts may tell of different moments, and too many
        pods to a replica would be too few replicas.
        """
        found = integers(len(self._followed), 1)
        if not self._grouped.any():
            return found
        reported, listed = self.targets.status_replicas, np.diff(self.first)
        calm = self._lane[(self._table.ready == 1) & ~self._table.deleted]
        settled = (self.targets.spec_replicas == reported) & (reported > 0) & (reported <= listed)
        settled &= (np.bincount(calm, minlength=found.size) == listed) & (listed % np.maximum(reported, 1) == 0)
        for lane in np.flatnonzero(self._grouped).tolist():
            target = self._followed[lane]
            if settled[lane]:
                self._pods_per_replica[target] = int(listed[lane] // reported[lane])
            found[lane] = self._pods_per_replica.get(target, 1)
        return found

    def recall(self, pods_per_replica: Mapping[TargetRef, int], at_s: float) -> None:
        """Take what was known at `at_s`, before a restart, where nothing has been learned since."""
        self._start_ups.recall(pods_per_replica, at_s)
        self._pods_per_replica = {**pods_per_replica, **self._pods_per_replica}


def _age_s(at_s: FloatArray, now_s: float) -> FloatArray:
    return np.where(at_s == UNKNOWN, UNKNOWN, np.maximum(now_s - at_s, 0.0))
