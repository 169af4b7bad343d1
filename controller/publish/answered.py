"""Whose queries Prometheus takes: one rule that it refuses would keep it from loading any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.model import Kind, Why

if TYPE_CHECKING:
    from controller.records import TickReport
    from policies.arrays import BoolArray
    from policies.spec import WorkloadPolicy

_UNANSWERED = (Why.SOURCE_DOWN, Why.DEADLINE, Why.NOT_ASKED)


@dataclass(frozen=True, slots=True)
class Answered:
    """The policies of the last tick whose rules may be published, and what tells one such set from another.

    `version` is empty until Prometheus has answered once: until then it is not known what it refuses.
    """

    policies: tuple[WorkloadPolicy, ...] = ()
    version: str = ""
    refused: frozenset[str] = frozenset()  # uids of policies with a query that Prometheus refused when it last answered

    def after(self, report: TickReport) -> Answered:
        """What is known with one more tick. A silent Prometheus takes nothing back."""
        why = report.seen.readings.why
        silent = np.isin(why, _UNANSWERED)
        if not self.version and why.size and silent.all():
            return self
        refused = _with_any(report, why == Why.BAD_QUERY) | (self.refused & _with_any(report, silent))
        taken = tuple(policy for policy in report.policies.policies if policy.uid not in refused)
        version = " ".join((report.policies.digest, *sorted(refused)))
        return Answered(taken, version, refused)


def _with_any(report: TickReport, tracks: BoolArray) -> frozenset[str]:
    """The uids of the lanes with any of these tracks, `[track]`. Signals of pressure are in no rule."""
    own = report.fleet.tracks
    lanes = np.unique(own.lane[tracks & (own.kind != Kind.PRESSURE)])
    return frozenset(report.fleet.uid[lane] for lane in lanes)
