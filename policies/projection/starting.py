"""Replicas that are ready and those that start, as they are scaled in a projection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from policies.projection.origin import Origin


@dataclass(slots=True)
class Replicas:
    """Those of one lane. `overdue` ones started longer ago than starts take, and are not counted on."""

    ready: int
    coming: list[tuple[float, int]] = field(default_factory=list)  # when how many are ready, wall time
    overdue: int = 0

    @classmethod
    def of(cls, origin: Origin) -> Replicas:
        """As they are seen now. Those that are asked for and not seen to start, start now."""
        startup_s, asked = float(origin.state.starts.quantile_s[0]), origin.told.asked
        here = cls(min(max(origin.ready, 0), asked))
        pods = max(int(origin.seen.pods_per_replica[0]), 1)
        so_far_s = np.sort(origin.starts.duration_s[~origin.starts.finished])[::-1][pods - 1 :: pods]
        for age_s in so_far_s[: asked - here.ready].tolist():
            if age_s < startup_s:
                here.coming.append((origin.at_s + startup_s - age_s, 1))
            else:
                here.overdue += 1
        here.scaled(asked, origin.at_s, startup_s)
        return here

    @property
    def asked(self) -> int:
        """All that are asked for."""
        return self.ready + self.starting + self.overdue

    @property
    def starting(self) -> int:
        """Those that are counted on and not ready."""
        return sum(count for _, count in self.coming)

    def scaled(self, asked: int, at_s: float, startup_s: float) -> None:
        """Ask for so many: more start now; of fewer, those go first that would be ready last."""
        if asked > self.asked:
            self.coming.append((at_s + startup_s, asked - self.asked))
            return
        gone = self.asked - asked
        gone -= (late := min(gone, self.overdue))
        self.overdue -= late
        self.coming.sort()
        while gone and self.coming:
            ready_s, count = self.coming.pop()
            if count > gone:
                self.coming.append((ready_s, count - gone))
            gone -= min(gone, count)
        self.ready -= gone

    def ready_at(self, at_s: float) -> int:
        """How many are ready then; times are told in order."""
        self.ready += sum(count for ready_s, count in self.coming if ready_s <= at_s)
        self.coming = [(ready_s, count) for ready_s, count in self.coming if ready_s > at_s]
        return self.ready
