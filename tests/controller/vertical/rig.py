"""Usage that a test sets, as a metrics source answers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from controller.errors import Unavailable
from controller.records import Answered, PastSeries, Unanswered
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import Answer, SignalQuery
    from policies.arrays import FloatArray

Place = tuple[str, str, str]  # namespace, container, pod


def _evaluated(series: PastSeries, grid_s: FloatArray) -> PastSeries:
    """A series at these times, each the newest value of an hour, as an expression is evaluated."""
    at_s = np.asarray(series.at_s)
    newest = np.searchsorted(at_s, grid_s, side="right") - 1
    known = (newest >= 0) & (grid_s - at_s[newest] < 3600)
    return PastSeries(series.key, grid_s[known].tolist(), np.asarray(series.values)[newest[known]].tolist())


@dataclass
class UsageSource:
    """What containers use, in cores and bytes, by namespace, container and pod; `down` says why nothing is told."""

    cores: dict[Place, float] = field(default_factory=dict)
    bytes: dict[Place, float] = field(default_factory=dict)
    age_s: float = 5.0
    down: str | None = None
    past_down: str | None = None  # what queries have in them that the past is not told of
    past_cores: list[PastSeries] = field(default_factory=list)
    past_bytes: list[PastSeries] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        assert deadline_s > 0
        self.asked += [query.text for query in queries]
        return [self._answer(query, at_s) for query in queries]

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        assert min(step_s, deadline_s) > 0
        self.asked.append(query.text)
        if self.past_down is not None and self.past_down in query.text:
            raise Unavailable("prometheus did not answer")
        found = self.past_cores if "cpu" in query.text else self.past_bytes
        return [_evaluated(series, np.arange(start_s, end_s + 1, step_s)) for series in found]

    def _answer(self, query: SignalQuery, at_s: float) -> Answer:
        if self.down is not None:
            return Unanswered(query, Why.SOURCE_DOWN, self.down)
        found = self.cores if "cpu" in query.text else self.bytes
        mine = {place: value for place, value in found.items() if place[0] in query.text}
        newest: dict[tuple[str, ...], float] = {place[:2]: at_s - self.age_s for place in mine}
        return Answered(query, list(mine), list(mine.values()), newest, dict.fromkeys(newest, 1))
