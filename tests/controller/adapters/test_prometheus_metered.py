"""A Prometheus that is asked for a one-off command: day by day, counted, and within the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from controller.adapters.prometheus.metered import Budget, MeteredPrometheus, Spent
from controller.adapters.prometheus.past import Span
from controller.clients.http import HttpAccess
from controller.errors import Rejected, Unavailable
from controller.records import SignalQuery
from tests.controller.adapters.prometheus_server import A, B, refused, serving, vector

if TYPE_CHECKING:
    from collections.abc import Mapping

QUERY = SignalQuery("load", ("app",))
DAY_S = 86_400


def metered(url: str, queries: int = 100) -> MeteredPrometheus:
    return MeteredPrometheus(HttpAccess(url, timeout_s=5), Budget(queries, pause_s=0.0))


def first_points(form: Mapping[str, str]) -> web.Response:
    """The first and the last time of the range, but nothing on the second day."""
    start, end = float(form["start"]), float(form["end"])
    values = [] if start == DAY_S else [[start, "1"], [end, "NaN"]]
    result = [{"metric": A, "values": values}] if values else []
    return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


async def test_the_past_is_read_in_pieces_of_a_day_and_a_hole_stays_one() -> None:
    async with serving() as server, metered(server.url) as prometheus:
        server.answer = first_points
        [series] = await prometheus.past(QUERY, Span(0, 3 * DAY_S - 60, 60))
        assert [(form["start"], form["end"]) for form in server.forms] == [
            ("0.000", "86340.000"),
            ("86400.000", "172740.000"),
            ("172800.000", "259140.000"),
        ]
        assert list(series.at_s) == [0.0, 172_800.0]
        assert (prometheus.queries, prometheus.left, server.most_together) == (3, 97, 1)
        assert prometheus.query_s > 0


async def test_the_budget_ends_the_asking() -> None:
    async with serving() as server, metered(server.url, queries=2) as prometheus:
        server.answer = first_points
        with pytest.raises(Spent, match="the budget of 2 queries is used up; raise --max-queries"):
            await prometheus.past(QUERY, Span(0, 3 * DAY_S - 60, 60))
        assert len(server.forms) == 2


async def test_values_of_now_come_by_labels() -> None:
    async with serving() as server, metered(server.url) as prometheus:
        server.answer = lambda _: vector((A, "1"), (B, "2"))
        assert await prometheus.now(QUERY, at_s=0) == {("a",): 1.0, ("b",): 2.0}


async def test_a_refusal_and_a_silence_are_told() -> None:
    async with serving() as server, metered(server.url) as prometheus:
        server.answer = lambda _: refused(400, "bad_data", "parse error")
        with pytest.raises(Rejected, match=r"'load': the server refuses the query .*parse error"):
            await prometheus.now(QUERY, at_s=0)
    async with metered("http://127.0.0.1:9") as prometheus:
        with pytest.raises(Unavailable):
            await prometheus.now(QUERY, at_s=0)
