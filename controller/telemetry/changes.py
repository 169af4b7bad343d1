"""When the replicas asked for changed, by whom, and how often they turned: as ticks saw it, forgotten at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from policies import signals
from policies.model import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import TickReport
    from policies.arrays import FloatArray, IntArray
    from policies.metric import Gauge

OURS, OTHERS = BY = ("foresail", "other")
WINDOW_S = 3600.0  # in which turns are counted


@dataclass(frozen=True, slots=True)
class Turns:
    """Which way replicas went last, 1 or -1 or 0 before any change, and when they turned of late."""

    way: int = 0
    at_s: tuple[float, ...] = ()

    def after(self, step: int, at_s: float) -> Turns:
        """With a step up or down at a time."""
        way = 1 if step > 0 else -1
        if self.way in (0, way):
            return Turns(way, self.at_s)
        return Turns(way, (*(each for each in self.at_s if each > at_s - WINDOW_S), at_s))


@dataclass(slots=True)
class Changes:
    """What is remembered of each workload, by uid."""

    _asked: dict[str, int] = field(default_factory=dict)  # replicas, as last seen
    _ordered: dict[str, int] = field(default_factory=dict)  # by Foresail's last change: seen late, it is still its own
    _at_s: dict[str, dict[str, float]] = field(default_factory=dict)  # by who changed it
    _turns: dict[str, Turns] = field(default_factory=dict)

    def take(self, report: TickReport) -> None:
        """Take what a tick saw; workloads that are gone are forgotten."""
        seen, uids = report.seen, report.fleet.uid
        here = set(uids)
        for known in (self._asked, self._ordered, self._at_s, self._turns):
            for uid in known.keys() - here:
                del known[uid]
        applied = seen.applied
        for lane, at_s, after in zip(applied.lane, applied.at_s, applied.after, strict=True):
            self._ordered[uids[lane]] = int(after)
            self._note(uids[lane], OURS, float(at_s))
        asked = np.where(report.fleet.spot.placed, UNKNOWN, seen.spec_replicas)
        for uid, replicas in zip(uids, asked.tolist(), strict=True):
            if replicas == UNKNOWN:
                continue
            before = self._asked.get(uid, replicas)
            if replicas not in (before, self._ordered.get(uid)):
                self._note(uid, OTHERS, report.at_s)
            if replicas != before:
                self._ordered.pop(uid, None)
                self._turns[uid] = self._turns.get(uid, Turns()).after(replicas - before, report.at_s)
            self._asked[uid] = replicas

    def by_workload(self, report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], FloatArray]:
        """The gauge, the labels of its series and their values."""
        told = [
            (f'{label},by="{by}"}}', at_s)
            for uid, label in zip(report.fleet.uid, labels, strict=True)
            for by, at_s in self._at_s.get(uid, {}).items()
        ]
        return signals.LAST_CHANGE, [name for name, _ in told], np.array([at_s for _, at_s in told], np.float64)

    def turns(self, report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], IntArray]:
        """How often the replicas of each workload turned in the last hour, of those that ever changed."""
        since_s = report.at_s - WINDOW_S
        told = [
            (f"{label}}}", sum(at_s > since_s for at_s in turns.at_s))
            for uid, label in zip(report.fleet.uid, labels, strict=True)
            if (turns := self._turns.get(uid)) is not None
        ]
        return signals.TURNS, [name for name, _ in told], np.array([count for _, count in told], np.int64)

    def _note(self, uid: str, by: str, at_s: float) -> None:
        # A new mapping each time: a scrape may read the old one in another thread meanwhile.
        self._at_s[uid] = {**self._at_s.get(uid, {}), by: at_s}
