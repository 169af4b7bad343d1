"""The metrics source against a server on loopback: deadline, budget, fairness, and the class of each failure."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.adapters.prometheus import Allowance, PrometheusSource
from controller.adapters.prometheus import api as prometheus_api
from controller.clients.http import HttpAccess
from controller.errors import ForesailError
from controller.records import Answered, SignalQuery, Unanswered
from policies.model import Why
from tests.controller.adapters.prometheus_server import (
    AT_S,
    A,
    B,
    Server,
    is_witness,
    refused,
    serving,
    source_on,
    vector,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from controller.records import Answer

SHORT = Allowance(concurrency=2, requests_per_tick=6)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as served:
        yield served


async def ask_one(server: Server, query: SignalQuery, *, deadline_s: float = 5.0) -> Answer:
    async with source_on(server) as source:
        [answer] = await source.ask([query], at_s=AT_S, deadline_s=deadline_s)
    return answer


async def test_a_query_is_posted_with_its_time_and_what_is_left_of_the_deadline(server: Server) -> None:
    await ask_one(server, SignalQuery("vector(1)"), deadline_s=2.0)

    [form] = server.forms
    assert form["path"] == "/api/v1/query"
    assert (form["query"], form["time"]) == ("vector(1)", "1700000000.000")
    assert 1.5 < float(form["timeout"]) <= 2.0


async def test_an_answer_comes_with_its_witness_and_all_warnings(server: Server) -> None:
    def answer(form: Mapping[str, str]) -> web.Response:
        if is_witness(form):
            newest, targets = ({"__witness__": tag} for tag in ("newest-0", "targets-0"))
            return vector(({**A, **newest}, "1699999990.5"), ({**A, **targets}, "3"), infos=["i"])
        return vector((A, "7"), (B, "NaN"), warnings=["w"])

    server.answer = answer
    query = SignalQuery("sum by (app) (rate(x[5m]))", ("app",))
    answered = await ask_one(server, query)

    assert isinstance(answered, Answered)
    assert list(answered.keys) == [("a",), ("b",)]
    assert answered.values[0] == 7.0
    assert answered.newest_at_s == {("a",): 1_699_999_990.5}
    assert answered.targets == {("a",): 3}
    assert answered.warnings == ("w", "i")


async def test_samples_by_pod_are_keyed_with_the_pod_and_witnessed_without(server: Server) -> None:
    def answer(form: Mapping[str, str]) -> web.Response:
        if is_witness(form):
            return vector(({**A, "__witness__": "newest-0"}, "1"), ({**A, "__witness__": "targets-0"}, "2"))
        return vector(({**A, "pod": "a-1"}, "1"), ({**A, "pod": "a-2"}, "2"))

    server.answer = answer
    answered = await ask_one(server, SignalQuery("x", ("app",), per_pod=True))

    assert isinstance(answered, Answered)
    assert list(answered.keys) == [("a", "a-1"), ("a", "a-2")]
    assert answered.newest_at_s == {("a",): 1.0}


async def test_a_failed_witness_leaves_the_answer_without_freshness(server: Server) -> None:
    server.answer = lambda form: refused(422, "execution", "no") if is_witness(form) else vector((A, "7"))

    answered = await ask_one(server, SignalQuery("x", ("app",)))

    assert isinstance(answered, Answered)
    assert (answered.newest_at_s, answered.targets) == (None, None)
    assert "freshness unknown" in answered.warnings[0]


async def test_no_witness_is_asked_where_none_can_be_derived(server: Server) -> None:
    answered = await ask_one(server, SignalQuery("x offset 5m"))

    assert isinstance(answered, Answered)
    assert answered.newest_at_s is None
    assert len(server.forms) == 1


async def test_queries_with_the_same_selectors_share_one_witness(server: Server) -> None:
    queries = [SignalQuery(f"sum by (app) (rate(x[{minutes}m]))", ("app",)) for minutes in (1, 5)]
    async with source_on(server) as source:
        await source.ask(queries, at_s=AT_S, deadline_s=5)

    assert Counter(map(is_witness, server.forms)) == {False: 2, True: 1}


@pytest.mark.parametrize(
    ("response", "why", "told"),
    [
        pytest.param(lambda: refused(400, "bad_data", "parse error"), Why.BAD_QUERY, "parse error", id="bad-query"),
        pytest.param(lambda: refused(503, "internal", "down"), Why.SOURCE_DOWN, "HTTP 503", id="unavailable"),
        pytest.param(lambda: web.Response(text="<html>"), Why.SOURCE_DOWN, "not Prometheus's", id="garbage"),
        pytest.param(lambda: web.Response(status=401), Why.SOURCE_DOWN, "credentials were refused", id="credentials"),
        pytest.param(lambda: web.Response(status=429), Why.SOURCE_DOWN, "fewer queries", id="too-many-requests"),
        pytest.param(
            lambda: web.Response(status=302, headers={"Location": "https://sso/login?from=secret"}),
            Why.SOURCE_DOWN,
            "redirects to https://sso/login (HTTP 302)",
            id="redirect",
        ),
    ],
)
async def test_failures_are_classed(server: Server, response: Callable[[], web.Response], why: Why, told: str) -> None:
    server.answer = lambda _: response()

    answer = await ask_one(server, SignalQuery("vector(1)"))

    assert isinstance(answer, Unanswered)
    assert answer.why is why
    assert told in answer.message


async def test_a_server_that_is_not_there_is_down(server: Server) -> None:
    async with PrometheusSource(HttpAccess("http://127.0.0.1:1")) as source:
        [answer] = await source.ask([SignalQuery("up")], at_s=AT_S, deadline_s=5)

    assert isinstance(answer, Unanswered)
    assert answer.why is Why.SOURCE_DOWN
    assert answer.message.startswith("http://127.0.0.1:1: Cannot connect")
    assert server.forms == []


async def test_an_answer_that_is_too_large_is_a_fault_of_the_query(server: Server) -> None:
    server.answer = lambda _: vector(*[(A, "1")] * 100)
    async with source_on(server, Allowance(answer_bytes=1000)) as source:
        [answer] = await source.ask([SignalQuery("vector(1)")], at_s=AT_S, deadline_s=5)

    assert isinstance(answer, Unanswered)
    assert answer.why is Why.BAD_QUERY
    assert "larger than 1000 bytes" in answer.message


async def test_the_deadline_holds_for_all_queries_together(server: Server) -> None:
    server.delay_s = 0.15
    queries = [SignalQuery(f"vector({number})") for number in range(8)]
    loop = asyncio.get_running_loop()
    async with source_on(server, Allowance(concurrency=2)) as source:
        began_s = loop.time()
        answers = await source.ask(queries, at_s=AT_S, deadline_s=0.25)
        took_s = loop.time() - began_s

    assert took_s < 0.5
    assert [isinstance(answer, Answered) for answer in answers[:2]] == [True, True]
    assert {answer.why for answer in answers[4:] if isinstance(answer, Unanswered)} == {Why.DEADLINE}


async def test_no_more_queries_than_allowed_are_under_way(server: Server) -> None:
    server.delay_s = 0.02
    queries = [SignalQuery(f"vector({number})") for number in range(10)]
    async with source_on(server, Allowance(concurrency=3)) as source:
        await source.ask(queries, at_s=AT_S, deadline_s=5)

    assert server.most_together == 3


async def test_what_is_beyond_the_budget_has_its_turn_in_the_next_tick(server: Server) -> None:
    queries = [SignalQuery(f"metric_{number}") for number in range(7)]  # with its witness, each is two requests
    async with source_on(server, SHORT) as source:
        ticks = [await source.ask(queries, at_s=AT_S, deadline_s=5) for _ in range(7)]

    assert [_not_asked(answers) for answers in ticks[:3]] == [[3, 4, 5, 6], [0, 1, 2, 6], [2, 3, 4, 5]]
    # Seven ticks of three queries are 21 turns: three for each of the seven.
    assert set(Counter(server.asked()).values()) == {3}
    message = next(answer.message for answer in ticks[0] if isinstance(answer, Unanswered))
    assert message == "not asked: the tick's budget of 6 requests was spent"


async def test_slow_queries_do_not_starve_the_others(server: Server) -> None:
    slow = asyncio.Event()

    async def handle(request: web.Request) -> web.Response:
        form = await request.post()
        if "slow" in str(form["query"]):
            await slow.wait()
        return vector()

    app = web.Application()
    app.router.add_post("/{path:.*}", handle)
    async with TestServer(app) as listener:
        server.url = str(listener.make_url("")).rstrip("/")
        queries = [SignalQuery(f"vector(1) # {name}") for name in ("slow_1", "slow_2", "1", "2", "3")]
        async with source_on(server, SHORT) as source:
            first = await source.ask(queries, at_s=AT_S, deadline_s=0.1)
            second = await source.ask(queries, at_s=AT_S, deadline_s=0.1)
        slow.set()

    assert [answer.why for answer in first if isinstance(answer, Unanswered)] == [Why.DEADLINE] * 5
    assert [type(answer) for answer in second] == [Unanswered, Unanswered, Answered, Answered, Answered]


async def test_large_answers_are_decoded_away_from_the_event_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []
    decode = json.loads

    def loads(*args: object, **options: object) -> object:
        threads.append(threading.current_thread().name)
        return decode(*args, **options)  # type: ignore[arg-type] # handed through

    monkeypatch.setattr("controller.adapters.prometheus.decode.json.loads", loads)
    many = prometheus_api.AWAY_FROM_THE_LOOP_BYTES // 50
    for samples in (1, many):
        body = [(A, "1")] * samples
        server.answer = lambda _, body=body: vector(*body)  # type: ignore[misc] # bound by the loop
        await ask_one(server, SignalQuery("vector(1)"))

    assert [thread == "MainThread" for thread in threads] == [True, False]


async def test_the_clock_skew_is_known_after_the_first_answer(server: Server) -> None:
    async with source_on(server) as source:
        before = source.clock_skew_s
        await source.ask([SignalQuery("up")], at_s=AT_S, deadline_s=5)
        after = source.clock_skew_s

    assert before is None
    assert after is not None
    assert abs(after) < 5


def test_an_allowance_for_nothing_is_refused() -> None:
    with pytest.raises(ForesailError, match=r"requests per tick \(1\) at least 2"):
        replace(Allowance(), requests_per_tick=1)


def _not_asked(answers: Sequence[Answer]) -> list[int]:
    return [
        number
        for number, answer in enumerate(answers)
        if isinstance(answer, Unanswered) and answer.why is Why.NOT_ASKED
    ]
