"""Usage that a test sets, as a metrics source answers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from controller.errors import Unavailable
from controller.records import Answered, PastSeries, Unanswered
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.records import Answer, SignalQuery

Place = tuple[str, str, str]  # namespace, container, pod


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
        kept = []
        for series in found:
            inside = [place for place, at_s in enumerate(series.at_s) if start_s <= at_s <= end_s]
            at_s, values = [series.at_s[place] for place in inside], [series.values[place] for place in inside]
            kept.append(PastSeries(series.key, at_s, values))
        return kept

    def _answer(self, query: SignalQuery, at_s: float) -> Answer:
        if self.down is not None:
            return Unanswered(query, Why.SOURCE_DOWN, self.down)
        found = self.cores if "cpu" in query.text else self.bytes
        mine = {place: value for place, value in found.items() if place[0] in query.text}
        newest: dict[tuple[str, ...], float] = {place[:2]: at_s - self.age_s for place in mine}
        return Answered(query, list(mine), list(mine.values()), newest, dict.fromkeys(newest, 1))
