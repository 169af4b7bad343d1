"""The past of a query: chunks, smaller chunks, and failures that name their part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from controller.adapters.prometheus import Allowance
from controller.errors import Rejected, Unavailable
from controller.records import SignalQuery
from tests.controller.adapters.prometheus_server import AT_S, A, Server, refused, serving, source_on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as served:
        yield served


def _range(form: Mapping[str, str], labels: Sequence[Mapping[str, str]] = (A,)) -> web.Response:
    """Serve each time of the range with itself as value."""
    start, end, step = (float(form[name]) for name in ("start", "end", "step"))
    times = [start + number * step for number in range(round((end - start) / step) + 1)]
    result = [{"metric": dict(one), "values": [[at_s, str(at_s)] for at_s in times]} for one in labels]
    return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


async def _past(
    server: Server, *, points: int, deadline_s: float = 10.0
) -> Sequence[tuple[tuple[str, ...], list[float]]]:
    end_s = AT_S + 30 * (points - 1)
    async with source_on(server, Allowance(answer_bytes=1_000_000)) as source:
        series = await source.past(
            SignalQuery("x", ("app",)), start_s=AT_S, end_s=end_s, step_s=30, deadline_s=deadline_s
        )
    assert all(list(one.at_s) == list(one.values) for one in series)
    return [(one.key, list(one.at_s)) for one in series]


async def test_the_past_is_read_in_chunks_that_join_without_a_seam(server: Server) -> None:
    server.answer = _range

    [(key, at_s)] = await _past(server, points=25_000)

    assert key == ("a",)
    assert at_s == [AT_S + 30 * number for number in range(25_000)]
    sizes = [(float(form["end"]) - float(form["start"])) / 30 + 1 for form in server.forms]
    assert sizes == [11_000, 11_000, 3_000]


async def test_a_chunk_that_is_too_much_is_halved(server: Server) -> None:
    def answer(form: Mapping[str, str]) -> web.Response:
        if float(form["end"]) - float(form["start"]) > 30 * 3000:
            return refused(422, "execution", "query processing would load too many samples into memory")
        return _range(form)

    server.answer = answer
    [(_, at_s)] = await _past(server, points=5_000)

    assert at_s == [AT_S + 30 * number for number in range(5_000)]


async def test_a_failed_chunk_is_named(server: Server) -> None:
    server.answer = lambda form: _range(form) if float(form["start"]) == AT_S else refused(500, "internal", "down")

    # The second chunk begins 11,000 steps of 30 s after 2023-11-14T22:13:20Z: 3 days, 19 h 40 min later.
    with pytest.raises(Unavailable, match=r"the past of 'x' from 2023-11-18T17:53:20\+00:00 to .* every 30 s: .*down"):
        await _past(server, points=12_000)


async def test_a_refused_chunk_is_rejected(server: Server) -> None:
    server.answer = lambda _: refused(400, "bad_data", "parse error")

    with pytest.raises(Rejected, match="parse error"):
        await _past(server, points=10)


async def test_the_past_keeps_its_deadline(server: Server) -> None:
    server.answer, server.delay_s = _range, 0.2

    with pytest.raises(Unavailable, match="from 2023-11-14"):
        await _past(server, points=12_000, deadline_s=0.1)


async def test_series_that_share_a_key_have_no_past(server: Server) -> None:
    server.answer = lambda form: _range(form, [{**A, "pod": "1"}, {**A, "pod": "2"}])

    with pytest.raises(Rejected, match="aggregate by these labels"):
        await _past(server, points=2)


async def test_a_span_without_points_is_rejected(server: Server) -> None:
    async with source_on(server) as source:
        with pytest.raises(Rejected, match="no points"):
            await source.past(SignalQuery("x"), start_s=10, end_s=0, step_s=1, deadline_s=1)
