"""What the cluster's view says of each lane's target: replicas, and why it must not be changed."""

from __future__ import annotations

from itertools import zip_longest
from operator import is_
from typing import TYPE_CHECKING

import numpy as np

from policies.arrays import booleans, integers, small
from policies.fixed import Fixed, FixedBy
from policies.model import Hold, Mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import ClusterView, TargetRef, TargetView
    from policies.arrays import BoolArray, SmallArray

MAX_VIEW_AGE_S = 120.0  # watches that were silent for longer are not believed


class Targets:
    """The targets' columns, `[lane]`, built again when a target's view is another object than at the last look."""

    def __init__(self) -> None:
        """Nothing has been looked at."""
        self._seen: list[TargetView | None] = []
        self.spec_replicas = integers(0)  # 0 for a target that is not there
        self.status_replicas = integers(0)
        self._gone = booleans(0)
        self._paused = booleans(0)
        self._owned = booleans(0)
        self.rolling: BoolArray | None = None  # of which a rollout is under way; None where of none
        self.fixed: Fixed | None = None  # counts that annotations fix
        self.problems: tuple[str, ...] = ()  # annotations that cannot be used

    def look(self, targets: Sequence[TargetRef], view: ClusterView, surges: Sequence[TargetRef | None] = ()) -> None:
        """Take in what the view says of these targets; the replicas of a second object count with the first's."""
        seen = [view.targets.get(target) for target in targets]
        second = [None if surge is None else view.targets.get(surge) for surge in surges]
        looked = [*seen, *second]
        if len(looked) == len(self._seen) and all(map(is_, looked, self._seen)):
            return
        self._seen = looked
        self.spec_replicas = np.array([0 if each is None else each.spec_replicas for each in seen], np.int64)
        self.status_replicas = np.array([0 if each is None else each.status_replicas for each in seen], np.int64)
        for lane, each in enumerate(second):
            if each is not None:
                self.spec_replicas[lane] += each.spec_replicas
                self.status_replicas[lane] += each.status_replicas
        self._gone = np.array([each is None or each.problem is not None for each in seen], np.bool_)
        self._paused = np.array([each is not None and each.paused for each in seen], np.bool_)
        self._fix(seen)
        rolling = [any(each is not None and each.rolling for each in both) for both in zip_longest(seen, second)]
        self.rolling = np.array(rolling, np.bool_) if any(rolling) else None
        self._owned = np.array([each is not None and each.owner is not None for each in seen], np.bool_)

    def _fix(self, seen: Sequence[TargetView | None]) -> None:
        """Take the annotated counts."""
        given = [None if each is None else each.fixed for each in seen]
        found = Fixed.none(len(given))
        for lane, count in enumerate(given):
            if isinstance(count, int):
                found.replicas[lane], found.by[lane] = count, FixedBy.ANNOTATION
        self.fixed = found if found.by.any() else None
        self.problems = tuple(
            f"{each.ref.kind} {each.ref.namespace}/{each.ref.name}: {each.fixed}"
            for each in seen
            if each is not None and isinstance(each.fixed, str)
        )

    def holds(self, view: ClusterView, mode: SmallArray, now_s: float) -> SmallArray:
        """Why each lane must not be changed, `[lane]`. An owner holds only those that would write."""
        if view.killed is not None:
            return small(mode.size, Hold.KILL_SWITCH)
        found = small(mode.size)
        found[self._owned & (mode == Mode.ACTIVE)] = Hold.OWNED
        found[self._paused] = Hold.ANNOTATION
        if now_s - view.seen_at_s > MAX_VIEW_AGE_S:
            found[:] = Hold.CLUSTER_DOWN
        found[self._gone] = Hold.NO_TARGET
        return found
