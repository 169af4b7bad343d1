"""A source inside the process, for a machine without Prometheus: it answers the demo's own queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from controller.demo.load import ARRIVALS, LATE_RATIO, NAMESPACE, WAITING
from controller.errors import Rejected
from controller.records import Answered, PastSeries, Unanswered
from policies.model import Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.demo.servers import ModelServers
    from controller.records import Answer, SignalQuery

RANGE_S = 120.0  # of the rates in the queries


class EmbeddedSource:
    """The MetricsSource on the simulated servers' own figures."""

    def __init__(self, servers: ModelServers) -> None:
        """Answers come from what `servers` has exported so far, and the past from its loads."""
        self._servers = servers

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:  # noqa: ARG002 - the port's signature; answers are immediate
        """Answer the demo's queries; any other is refused. Never raises."""
        return [self._answer(query) for query in queries]

    async def past(
        self,
        query: SignalQuery,
        *,
        start_s: float,
        end_s: float,
        step_s: float,
        deadline_s: float,  # noqa: ARG002 - the port's signature; answers are immediate
    ) -> Sequence[PastSeries]:
        """Arrivals a second between two wall times of the past week. Raises Rejected for another query."""
        if query.text != ARRIVALS:
            raise Rejected(f"the embedded source knows no past of {query.text!r}")
        return [
            PastSeries(_key(query, app), at_s, load.rate(at_s, over_s=RANGE_S))
            for app, load in self._servers.loads.items()
            for at_s in [np.arange(max(start_s, load.at_s[0] + RANGE_S), end_s + step_s / 2, step_s).tolist()]
        ]

    def _answer(self, query: SignalQuery) -> Answer:
        now = self._servers.last
        if now is None:
            return Unanswered(query, Why.SOURCE_DOWN, "the simulated servers have not begun")
        if query.text == ARRIVALS:
            loads = self._servers.loads
            values = {app: load.rate([now.at_s], over_s=RANGE_S)[0] for app, load in loads.items()}
        elif query.text == LATE_RATIO:
            values = {app: self._servers.late_ratio_lately(app, RANGE_S) for app in self._servers.loads}
        elif query.text == WAITING:
            values = dict(now.waiting)
        else:
            return Unanswered(query, Why.BAD_QUERY, f"the embedded source does not know {query.text!r}")
        keys = [_key(query, app) for app in values]
        return Answered(query, keys, list(values.values()), dict.fromkeys(keys, now.at_s), None)


def _key(query: SignalQuery, app: str) -> tuple[str, ...]:
    known = {"namespace": NAMESPACE, "app": app}
    return tuple(known.get(label, "") for label in query.labels)
