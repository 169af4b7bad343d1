"""Start-up times: which pods were seen starting, how long they took to become ready, and what drove that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from policies.model import UNKNOWN, Phase, Starts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from controller.collect.pods import PodColumns
    from controller.records import TargetRef
    from policies.arrays import IntArray, SmallArray

LONGEST_FIRST_START_S = 1800.0  # a pod first seen ready tells its start-up time when it took no longer than this
WAITED_S = 20.0  # a pod that was not on a node for so long waited for one; schedulers place hundreds in a second
TOGETHER_S = 30.0  # pods created within this of each other started at once
AHEAD_S = 60.0  # a readiness this far in the future tells that the node's clock is off
NEVER_READY_S = 30.0  # a pod that turned unready later than this after its start has been ready (as Kubernetes has it)


class _Start(NamedTuple):
    """One start-up of a lane; see `policies.model.Starts`."""

    duration_s: float
    finished: bool
    waited: int
    together: int


@dataclass(frozen=True, slots=True)
class _Looked:
    """What the last look at a target's pods told: those that have been ready, and those on their way there."""

    pods: PodColumns | None  # None: none before
    served: frozenset[str]
    starting: frozenset[str]


class StartUps:
    """Remembers which pods were seen starting.

    A pod starts once: one that was ready and is not any more is no start-up, however old it is.
    """

    def __init__(self) -> None:
        """No pod has been seen."""
        self._targets: tuple[TargetRef, ...] = ()
        self._looked: dict[TargetRef, _Looked] = {}
        self._told_at_s: dict[TargetRef, float] = {}
        self._starting: set[int] = set()  # lanes

    def follow(self, targets: tuple[TargetRef, ...]) -> None:
        """Look at these targets from now on; what is known of others is forgotten."""
        self._targets = targets
        kept = set(targets)
        self._looked = {target: looked for target, looked in self._looked.items() if target in kept}
        self._told_at_s = {target: at_s for target, at_s in self._told_at_s.items() if target in kept}
        self._starting = set(range(len(targets)))

    def recall(self, targets: Iterable[TargetRef], at_s: float) -> None:
        """Pods of these targets that were ready by `at_s` have been told before a restart, and are not told again."""
        self._told_at_s.update(dict.fromkeys(targets, at_s))

    def look(self, columns: Sequence[PodColumns], changed: Iterable[int], now_s: float) -> Starts:
        """Start-ups that finished since the last look, and those under way. `changed` are lanes with other pods."""
        rows: list[tuple[int, _Start]] = []
        for lane in sorted(self._starting.union(changed)):
            rows += [(lane, start) for start in self._look_at(lane, columns[lane], now_s)]
        return Starts(
            lane=np.array([lane for lane, _ in rows], np.int64),
            duration_s=np.array([start.duration_s for _, start in rows], np.float64),
            finished=np.array([start.finished for _, start in rows], np.bool_),
            waited=np.array([start.waited for _, start in rows], np.int8),
            together=np.array([start.together for _, start in rows], np.int64),
        )

    def _look_at(self, lane: int, pods: PodColumns, now_s: float) -> list[_Start]:
        target = self._targets[lane]
        before = self._looked.get(target) or _Looked(None, _fallen(pods), frozenset())
        self._starting.discard(lane)
        if before.pods is pods and not before.starting:
            return []
        if target in self._told_at_s:
            before = replace(before, served=before.served | _ready_by(pods, self._told_at_s[target]))
        ready = frozenset(pods.names[row] for row in np.flatnonzero(pods.ready == 1))
        waiting = ~pods.deleted & (pods.phase <= Phase.RUNNING) & (pods.ready != 1)
        starting = frozenset(pods.names[row] for row in np.flatnonzero(waiting)) - before.served
        self._looked[target] = _Looked(pods, (before.served | ready) & frozenset(pods.names), starting)
        if starting:
            self._starting.add(lane)
        return _starts(pods, before, starting, now_s)


def _ready_by(pods: PodColumns, at_s: float) -> frozenset[str]:
    """The pods that were ready then and still are."""
    rows = (pods.ready == 1) & (pods.created_at_s <= at_s) & (pods.transition_at_s <= at_s)
    return frozenset(pods.names[row] for row in np.flatnonzero(rows))


def _fallen(pods: PodColumns) -> frozenset[str]:
    """At first sight: pods that are not ready, but changed so late that they must have been."""
    late = pods.transition_at_s - np.maximum(pods.started_at_s, pods.created_at_s) > NEVER_READY_S
    return frozenset(pods.names[row] for row in np.flatnonzero((pods.ready == 0) & late))


def _starts(pods: PodColumns, before: _Looked, starting: frozenset[str], now_s: float) -> list[_Start]:
    """One target's start-ups; those not seen starting when they are short."""
    new = [row for row, name in enumerate(pods.names) if name in starting or name not in before.served]
    if not new:
        return []
    waited, together = _waited(pods, now_s), _together(pods)
    rows = []
    for row in new:
        name = pods.names[row]
        if name in starting:
            took_s, finished = max(0.0, now_s - float(pods.created_at_s[row])), False
        elif (
            pods.ready[row] == 1 and (found_s := _took_s(pods, row, now_s, watched=name in before.starting)) is not None
        ):
            took_s, finished = found_s, True
        else:
            continue
        rows.append(_Start(took_s, finished, int(waited[row]), int(together[row])))
    return rows


def _took_s(pods: PodColumns, row: int, now_s: float, *, watched: bool) -> float | None:
    """How long a pod that is ready took; None where that cannot be known, or is not believed of one not watched.

    The time of readiness is told by the node, whose clock may be off, the others by the API server. One that cannot
    be, before the pod was scheduled or well in the future, gives way to the moment at which a watched pod was seen
    ready; unless our own clock is behind the API server's.
    """
    created_s, ready_s = float(pods.created_at_s[row]), float(pods.transition_at_s[row])
    earliest_s = max(created_s, float(pods.scheduled_at_s[row]))
    latest_s = now_s + AHEAD_S if now_s >= earliest_s else np.inf
    if ready_s == UNKNOWN or not earliest_s <= ready_s <= latest_s:
        return now_s - created_s if watched and now_s >= earliest_s else None
    took_s = ready_s - created_s
    return took_s if watched or took_s <= LONGEST_FIRST_START_S else None


def _waited(pods: PodColumns, now_s: float) -> SmallArray:
    """Whether each pod waited for a node, `[pod]`: 1, 0, or UNKNOWN where that cannot be told yet."""
    placed_s = np.where(pods.scheduled_at_s != UNKNOWN, pods.scheduled_at_s, pods.started_at_s)
    placed, pending = placed_s != UNKNOWN, pods.phase == Phase.PENDING
    since_s = np.where(placed, placed_s, now_s) - pods.created_at_s
    long = since_s > WAITED_S
    waits = pending & (pods.unschedulable | long)
    return np.select([placed, waits], [long.astype(np.int8), np.int8(1)], np.int8(UNKNOWN)).astype(np.int8)


def _together(pods: PodColumns) -> IntArray:
    """How many pods were created at about the same time as each, itself included, `[pod]`."""
    created_s = np.sort(pods.created_at_s)
    end = np.searchsorted(created_s, pods.created_at_s + TOGETHER_S, side="right")
    return (end - np.searchsorted(created_s, pods.created_at_s - TOGETHER_S)).astype(np.int64)
