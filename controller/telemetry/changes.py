"""When the replicas asked for last changed, and by whom: seen from one tick to the next, forgotten with the process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from policies import signals
from policies.model import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import TickReport
    from policies.arrays import FloatArray
    from policies.metric import Gauge

OURS, OTHERS = BY = ("foresail", "other")


@dataclass(slots=True)
class Changes:
    """What is remembered of each workload, by uid."""

    _asked: dict[str, int] = field(default_factory=dict)  # replicas, as last seen
    _ordered: dict[str, int] = field(default_factory=dict)  # by Foresail's last change: seen late, it is still its own
    _at_s: dict[str, dict[str, float]] = field(default_factory=dict)  # by who changed it

    def take(self, report: TickReport) -> None:
        """Take what a tick saw; workloads that are gone are forgotten."""
        seen, uids = report.seen, report.fleet.uid
        here = set(uids)
        for known in (self._asked, self._ordered, self._at_s):
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
            self._asked[uid] = replicas

    def by_workload(self, report: TickReport, labels: Sequence[str]) -> tuple[Gauge, list[str], FloatArray]:
        """The gauge, the labels of its series and their values."""
        told = [
            (f'{label},by="{by}"}}', at_s)
            for uid, label in zip(report.fleet.uid, labels, strict=True)
            for by, at_s in self._at_s.get(uid, {}).items()
        ]
        return signals.LAST_CHANGE, [name for name, _ in told], np.array([at_s for _, at_s in told], np.float64)

    def _note(self, uid: str, by: str, at_s: float) -> None:
        # A new mapping each time: a scrape may read the old one in another thread meanwhile.
        self._at_s[uid] = {**self._at_s.get(uid, {}), by: at_s}
