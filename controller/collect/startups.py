"""Start-up times: which pods were seen starting, and how long they took to become ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.model import UNKNOWN, Phase, Starts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from controller.collect.pods import PodColumns
    from controller.records import TargetRef

LONGEST_FIRST_START_S = 1800.0  # a pod first seen ready tells its start-up time when it took no longer than this
NEVER_READY_S = 30.0  # a pod that turned unready later than this after its start has been ready (as Kubernetes has it)


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
        self._starting: set[int] = set()  # lanes

    def follow(self, targets: tuple[TargetRef, ...]) -> None:
        """Look at these targets from now on; what is known of others is forgotten."""
        self._targets = targets
        kept = set(targets)
        self._looked = {target: looked for target, looked in self._looked.items() if target in kept}
        self._starting = set(range(len(targets)))

    def look(self, columns: Sequence[PodColumns], changed: Iterable[int], now_s: float) -> Starts:
        """Start-ups that finished since the last look, and those under way. `changed` are lanes with other pods."""
        rows: list[tuple[int, float, bool]] = []
        for lane in sorted(self._starting.union(changed)):
            rows += [(lane, *start) for start in self._look_at(lane, columns[lane], now_s)]
        return Starts(
            lane=np.array([lane for lane, *_ in rows], np.int64),
            duration_s=np.array([duration for _, duration, _ in rows], np.float64),
            finished=np.array([finished for *_, finished in rows], np.bool_),
        )

    def _look_at(self, lane: int, pods: PodColumns, now_s: float) -> list[tuple[float, bool]]:
        target = self._targets[lane]
        before = self._looked.get(target) or _Looked(None, _fallen(pods), frozenset())
        self._starting.discard(lane)
        if before.pods is pods and not before.starting:
            return []
        ready = frozenset(pods.names[row] for row in np.flatnonzero(pods.ready == 1))
        waiting = ~pods.deleted & (pods.phase <= Phase.RUNNING) & (pods.ready != 1)
        starting = frozenset(pods.names[row] for row in np.flatnonzero(waiting)) - before.served
        self._looked[target] = _Looked(pods, (before.served | ready) & frozenset(pods.names), starting)
        if starting:
            self._starting.add(lane)
        return _starts(pods, before, starting, now_s)


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
