"""The metrics source on a real Prometheus: what a healthy one tells, and what each way of failing looks like."""

from __future__ import annotations

import time
from math import isnan
from typing import TYPE_CHECKING

import pytest

from controller.adapters.prometheus import Allowance, PrometheusSource
from controller.clients.http import HttpAccess
from controller.errors import Rejected, Unavailable
from controller.records import Answered, SignalQuery, Unanswered
from policies.model import Why
from tests.integration.servers import bad_prometheus as bad
from tests.integration.servers.process import eventually, eventually_async
from tests.integration.servers.prometheus import Series

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from controller.records import Answer
    from tests.integration.servers.bad_prometheus import BadPrometheus
    from tests.integration.servers.exporter import Exporter
    from tests.integration.servers.prometheus import Prometheus

MIDNIGHT_S = 1_760_000_400  # a whole number of minutes
RATE = SignalQuery("sum by (app) (rate(requests_total[1m]))", ("app",))
SHARE = SignalQuery(
    'clamp(1 - sum(requests_good_total{app="chat"}) / sum(requests_total{app="chat"}), 0, 1)'
)  # of requests that are late, as a signal of kind late asks for it
WAITING = SignalQuery("sum by (app) (vllm:num_requests_waiting)", ("app",))


@pytest.fixture
async def source(prometheus: Prometheus) -> AsyncIterator[PrometheusSource]:
    async with PrometheusSource(HttpAccess(prometheus.url)) as made:
        yield made


async def ask(source: PrometheusSource, *queries: SignalQuery, deadline_s: float = 5.0) -> Sequence[Answer]:
    return await source.ask(queries, at_s=time.time(), deadline_s=deadline_s)


async def answered(source: PrometheusSource, query: SignalQuery) -> Answered:
    [answer] = await ask(source, query)
    assert isinstance(answer, Answered), answer
    return answer


async def unanswered(source: PrometheusSource, query: SignalQuery = WAITING, *, deadline_s: float = 5.0) -> Unanswered:
    [answer] = await ask(source, query, deadline_s=deadline_s)
    assert isinstance(answer, Unanswered), answer
    return answer


def scraped(prometheus: Prometheus, *exporters: Exporter, query: str) -> None:
    prometheus.scrape(*(exporter.address for exporter in exporters))
    eventually(lambda: prometheus.query(query), 20, what=f"an answer to {query}")


class TestFreshness:
    async def test_values_come_with_the_age_of_their_samples(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        exporter.set("vllm:num_requests_waiting", 4, app="chat", pod="chat-1")
        exporter.set("vllm:num_requests_waiting", 5, app="chat", pod="chat-2")
        exporter.set("vllm:num_requests_waiting", 1, app="code", pod="code-1")
        scraped(prometheus, exporter, query=WAITING.text)

        now_s = time.time()
        answer = await answered(source, WAITING)

        assert dict(zip(answer.keys, answer.values, strict=True)) == {("chat",): 9.0, ("code",): 1.0}
        assert answer.newest_at_s is not None
        assert answer.targets == {("chat",): 2, ("code",): 1}
        assert all(0 <= now_s - newest_at_s < 3 for newest_at_s in answer.newest_at_s.values())
        assert source.clock_skew_s == pytest.approx(0, abs=1)

    async def test_a_share_of_late_requests_rests_on_both_of_its_series(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        exporter.set("requests_good_total", 99_960, kind="counter", app="chat")
        exporter.set("requests_total", 100_000, kind="counter", app="chat")
        scraped(prometheus, exporter, query=SHARE.text)
        whole = await answered(source, SHARE)
        exporter.remove("requests_good_total", app="chat")
        exporter.set("requests_good_total", 0, kind="counter", app="code")

        async def without_the_good_ones() -> list[Answered]:
            answer = await answered(source, SHARE)
            return [answer] if not answer.keys else []

        [half] = await eventually_async(without_the_good_ones, 20, what="an answer without series")

        assert list(whole.values) == [pytest.approx(0.0004)]
        assert whole.targets == {(): 1}
        assert half.newest_at_s == {}

    async def test_a_rate_goes_on_after_its_target_died_and_the_witness_does_not(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        exporter.set("requests_total", 1, kind="counter", app="chat")
        scraped(prometheus, exporter, query=RATE.text)
        alive = await answered(source, RATE)
        exporter.die()

        async def lost() -> list[Answered]:
            answer = await answered(source, RATE)
            return [] if answer.newest_at_s else [answer]

        [dead] = await eventually_async(lost, 20, what="the loss of the target")

        assert alive.newest_at_s is not None
        assert list(alive.newest_at_s) == [("chat",)]
        assert list(dead.keys) == [("chat",)]
        assert (dead.newest_at_s, dead.targets) == ({}, {})

    async def test_the_loss_of_some_series_shows_in_the_number_of_targets(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        for number in range(3):
            exporter.set("requests_total", number, kind="counter", app="chat", pod=f"chat-{number}")
        scraped(prometheus, exporter, query=RATE.text)
        whole = await answered(source, RATE)
        exporter.remove("requests_total", app="chat", pod="chat-1")

        async def fewer() -> bool:
            return (await answered(source, RATE)).targets == {("chat",): 2}

        await eventually_async(fewer, 20, what="two targets")

        assert whole.targets == {("chat",): 3}

    async def test_nan_is_passed_on_as_served(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        exporter.set("vllm:num_requests_waiting", float("nan"), app="chat")
        scraped(prometheus, exporter, query=WAITING.text)

        answer = await answered(source, WAITING)

        assert isnan(answer.values[0])
        assert answer.targets == {("chat",): 1}

    async def test_an_answer_of_no_series_is_an_answer(self, source: PrometheusSource) -> None:
        answer = await answered(source, WAITING)

        assert (list(answer.keys), answer.newest_at_s) == ([], {})


async def test_witnesses_of_real_queries_are_understood_by_prometheus(
    prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
) -> None:
    exporter.set("requests_total", 5, kind="counter", app="chat", code="200")
    exporter.set("capacity", 40, app="chat")
    exporter.set("latency_seconds_bucket", 3, kind="counter", app="chat", le="+Inf")
    scraped(prometheus, exporter, query="rate(requests_total[1m])")
    texts = [
        'sum by (app) (rate(requests_total{code=~"2..|5.."}[1m])) / on (app) group_left sum by (app) (capacity)',
        "histogram_quantile(0.99, sum by (le, app) (rate(latency_seconds_bucket[1m])))",
        "sum by (app) (requests_total) or sum by (app) (capacity)",
        '{__name__="requests_total", app!="{"}',
        "max by (app) (requests_total) # the largest {of them}",
    ]

    answers = await ask(source, *(SignalQuery(text, ("app",)) for text in texts), SignalQuery("sum(requests_total)"))

    told = [(list(answer.keys), answer.targets) for answer in answers if isinstance(answer, Answered)]
    assert told == [([("chat",)], {("chat",): 1})] * 5 + [([()], {(): 1})]


class TestBatches:
    async def test_fifty_workloads_are_one_query_and_its_witness(self, bad_prometheus: BadPrometheus) -> None:
        samples: list[bad.Sample] = [({"app": f"app-{number}"}, number) for number in range(50)]
        bad_prometheus.answers(bad.vector(samples, at_s=1.0, warnings=["partial response"]))
        async with PrometheusSource(HttpAccess(bad_prometheus.url)) as source:
            answer = await answered(source, WAITING)

        assert len(answer.keys) == 50
        assert len(bad_prometheus.requests) == 2
        assert answer.warnings == ("partial response",)

    async def test_a_thousand_workloads_are_read_within_a_second(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        for number in range(1000):
            for pod in range(3):
                exporter.set("requests_total", number, kind="counter", app=f"app-{number}", pod=f"{number}-{pod}")
        scraped(prometheus, exporter, query=RATE.text)

        began_s = time.monotonic()
        answer = await answered(source, RATE)
        took_s = time.monotonic() - began_s

        assert len(answer.keys) == 1000
        assert answer.targets is not None
        assert set(answer.targets.values()) == {3}
        assert took_s < 1.0


class TestFailures:
    async def test_a_query_that_is_wrong_says_where(self, source: PrometheusSource) -> None:
        answer = await unanswered(source, SignalQuery("sum((up)"))

        assert answer.why is Why.BAD_QUERY
        assert "unclosed left parenthesis" in answer.message

    async def test_a_query_that_fails_when_it_runs_is_wrong_too(
        self, prometheus: Prometheus, exporter: Exporter, source: PrometheusSource
    ) -> None:
        exporter.set("a", 1, pod="1")
        exporter.set("a", 1, pod="2")
        scraped(prometheus, exporter, query="a")

        answer = await unanswered(source, SignalQuery("a + on (app) a"))

        assert answer.why is Why.BAD_QUERY
        assert "many-to-many" in answer.message

    async def test_a_dead_server_is_down_and_one_that_is_back_answers(
        self, prometheus: Prometheus, source: PrometheusSource
    ) -> None:
        await answered(source, WAITING)
        prometheus.kill()
        dead = await unanswered(source)
        prometheus.start()
        back = await answered(source, WAITING)

        assert dead.why is Why.SOURCE_DOWN
        assert back.warnings == ()

    async def test_a_frozen_server_costs_no_more_than_the_deadline(
        self, prometheus: Prometheus, source: PrometheusSource
    ) -> None:
        prometheus.pause()
        began_s = time.monotonic()
        answers = await ask(source, *(SignalQuery(f"up + {number}") for number in range(20)), deadline_s=0.5)
        took_s = time.monotonic() - began_s
        prometheus.resume()

        assert took_s < 1.0
        assert {answer.why for answer in answers if isinstance(answer, Unanswered)} == {Why.DEADLINE}
        assert len(answers) == 20

    async def test_a_query_that_prometheus_gives_up_is_past_its_deadline(
        self, prometheus: Prometheus, source: PrometheusSource
    ) -> None:
        hour = [MIDNIGHT_S + 15 * number for number in range(240)]
        prometheus.backfill([Series("x", {"n": str(number)}, hour, hour) for number in range(20)])
        heavy = SignalQuery("sum(sum_over_time((x + on (n) x)[300h:1s]))")

        [answer] = await source.ask([heavy], at_s=hour[-1], deadline_s=0.2)

        assert isinstance(answer, Unanswered), answer
        assert answer.why in (Why.DEADLINE, Why.BAD_QUERY)  # 0.2 s, or 50 million samples, whichever comes first

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            pytest.param(bad.garbage(), "not Prometheus's", id="garbage"),
            pytest.param(bad.truncated(), "cut short", id="truncated"),
            pytest.param(bad.half(), "payload is not completed", id="half-an-answer"),
            pytest.param(bad.drop(), "Server disconnected", id="dropped"),
            pytest.param(bad.status(503), "HTTP 503", id="unavailable"),
            pytest.param(bad.status(401), "credentials were refused", id="unauthorised"),
            pytest.param(bad.status(404), "no Prometheus API", id="wrong-url"),
        ],
    )
    async def test_wrong_answers_are_the_servers_fault(
        self, bad_prometheus: BadPrometheus, wrong: bad.Answer, told: str
    ) -> None:
        bad_prometheus.answers(wrong)
        async with PrometheusSource(HttpAccess(bad_prometheus.url)) as source:
            answer = await unanswered(source)

        assert answer.why is Why.SOURCE_DOWN
        assert told in answer.message

    async def test_a_slow_query_leaves_the_others_their_answers(self, bad_prometheus: BadPrometheus) -> None:
        quick = bad.vector([({"app": "chat"}, 1)], at_s=1.0)
        bad_prometheus.route(lambda asked: bad.slow(30, quick) if "slow" in asked.params["query"] else quick)
        async with PrometheusSource(HttpAccess(bad_prometheus.url), Allowance(concurrency=4)) as source:
            began_s = time.monotonic()
            answers = await ask(source, SignalQuery("slow"), WAITING, RATE, deadline_s=0.6)

        assert time.monotonic() - began_s < 1.2
        assert [type(answer) for answer in answers] == [Unanswered, Answered, Answered]

    async def test_tenant_and_the_token_in_force_are_sent(self, bad_prometheus: BadPrometheus, tmp_path: Path) -> None:
        token = tmp_path / "token"
        access = HttpAccess(bad_prometheus.url, bearer_file=token, headers={"X-Scope-OrgID": "team-a"})
        bad_prometheus.answers(bad.vector([], at_s=1.0))
        async with PrometheusSource(access) as source:
            missing = await unanswered(source, SignalQuery("vector(1)"))
            for written in ("first", "second"):
                token.write_text(written)
                await answered(source, SignalQuery("vector(1)"))

        sent = [(asked.headers["Authorization"], asked.headers["X-Scope-OrgID"]) for asked in bad_prometheus.requests]
        assert sent == [("Bearer first", "team-a"), ("Bearer second", "team-a")]
        assert missing.why is Why.SOURCE_DOWN
        assert "bearer token file" in missing.message


class TestPast:
    async def test_more_points_than_one_query_may_ask_for_come_whole_and_gaps_stay_gaps(
        self, prometheus: Prometheus, source: PrometheusSource
    ) -> None:
        at_s = [MIDNIGHT_S + number for number in range(12_000)]
        kept = [one for number, one in enumerate(at_s) if not 500 <= number < 600]
        prometheus.backfill([Series("load", {"app": "chat"}, kept, [float(one - MIDNIGHT_S) for one in kept])])

        [series] = await source.past(
            SignalQuery("last_over_time(load[500ms])", ("app",)),
            start_s=at_s[0],
            end_s=at_s[-1],
            step_s=1,
            deadline_s=20,
        )

        assert series.key == ("chat",)
        assert list(series.at_s) == kept
        assert list(series.values) == [one - MIDNIGHT_S for one in kept]

    async def test_a_wrong_query_or_a_dead_server_has_no_past(
        self, prometheus: Prometheus, source: PrometheusSource
    ) -> None:
        with pytest.raises(Rejected, match="parse error"):
            await source.past(SignalQuery("sum("), start_s=0, end_s=60, step_s=60, deadline_s=5)
        prometheus.kill()
        with pytest.raises(Unavailable, match="from 1970-01-01T00:00:00"):
            await source.past(SignalQuery("up"), start_s=0, end_s=60, step_s=60, deadline_s=5)
