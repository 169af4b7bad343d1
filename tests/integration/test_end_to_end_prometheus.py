"""The daemon when Prometheus fails in each of its ways: nothing shrinks, the reason is shown, and it goes on after."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import yaml

from tests.integration.daemon import LOAD, PATIENCE_S, REQUESTS
from tests.integration.servers.bad_prometheus import (
    Answer,
    BadPrometheus,
    Request,
    drop,
    garbage,
    half,
    slow,
    status,
    truncated,
    vector,
)
from tests.integration.servers.process import eventually, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.daemon import Stage

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment"}
RATE = f"sum by (namespace, app) (rate({REQUESTS}[10s]))"


async def test_a_dead_prometheus_shrinks_nothing_and_decisions_resume_when_it_is_back(stage: Stage) -> None:
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        stage.prometheus.kill()
        stage.load(7)
        shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "missing")
        assert shown["signals"][0]["why"] == "source_down"
        await stage.keeps(5)
        assert daemon.metric("foresail_safe_mode", reason="no_fresh_data") == 1
        assert (daemon.metric("foresail_source_queries_total", source="prometheus", result="failure") or 0) > 0
        assert any(LOAD in problem for problem in daemon.api("workloads")["problems"])

        stage.prometheus.start()
        await stage.scaled(1)
        assert daemon.metric("foresail_safe_mode", reason="no_fresh_data") == 0
        assert daemon.api("workloads")["problems"] == []


async def test_a_target_that_dies_under_a_rate_lowers_nothing(stage: Stage) -> None:
    stage.policy(query=RATE)
    with requests_of(stage, per_s=32):
        eventually(lambda: (stage.prometheus.value(stage_rate(stage)) or 0) > 29, PATIENCE_S, what="a rate of 32")
        with stage.daemon:
            await stage.scaled(5)
            stage.exporter.die()
            shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "stale")
            assert shown["signals"][0]["why"] == "too_old"
            # The rate itself falls to nothing while the window of its range passes.
            eventually(lambda: stage.prometheus.value(stage_rate(stage)) is None, PATIENCE_S)
            await stage.keeps(5)
            shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "missing")
            assert shown["signals"][0]["why"] == "no_series"
            stage.exporter.revive()
            stage.shows(lambda shown: shown["signals"][0]["status"] == "fresh")


async def test_a_prometheus_that_hangs_delays_no_tick_and_shrinks_nothing(stage: Stage) -> None:
    with stage.daemon as daemon:
        stage.load(35)
        await stage.scaled(5)
        stage.load(7)
        stage.prometheus.pause()
        shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "missing")
        assert shown["signals"][0]["why"] in {"deadline", "source_down"}
        before, began_s = daemon.ticks(), time.monotonic()
        await stage.keeps(5)
        # A tick waits for two thirds of a second; the interval is one.
        assert (time.monotonic() - began_s) / (daemon.ticks() - before) < 2.5
        stage.prometheus.resume()
        await stage.scaled(1)


async def test_wrong_answers_of_every_kind_shrink_nothing(stage: Stage, bad_prometheus: BadPrometheus) -> None:
    stage.settings["prometheus_url"] = bad_prometheus.url
    at_s = time.time()
    wrong: dict[str, Answer] = {
        "a proxy's page": garbage(),
        "JSON cut off": truncated(),
        "half an answer": half(),
        "no answer": drop(),
        "HTTP 503": status(503),
        "HTTP 422": status(422),
        "too late": slow(5, vector([], at_s=at_s)),
        "no series": vector([], at_s=at_s),
    }

    def as_it_is(request: Request) -> Answer:
        code, body = http_request("GET", f"{stage.prometheus.url}{request.path}?{urlencode(request.params)}")
        return Answer(body, status=code)

    bad_prometheus.route(as_it_is)
    with stage.daemon:
        stage.load(35)
        await stage.scaled(5)
        stage.load(7)
        for name, answer in wrong.items():
            bad_prometheus.answers(answer)
            shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "missing")
            assert shown["signals"][0]["value"] is None, name
            await stage.keeps(5, ticks=4)
        bad_prometheus.route(as_it_is)
        await stage.scaled(1)


async def test_a_load_that_is_no_number_shrinks_nothing(stage: Stage) -> None:
    with stage.daemon:
        stage.load(35)
        await stage.scaled(5)
        stage.load(math.nan)
        shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "missing")
        assert shown["signals"][0]["why"] == "not_finite"
        await stage.keeps(5)
        stage.load(7)
        await stage.scaled(1)


async def test_loads_that_all_fall_to_nothing_at_once_lower_nothing_until_they_are_back(stage: Stage) -> None:
    (web,) = yaml.safe_load_all(stage.policy_file.read_text())
    others = [
        web
        | {"metadata": {**web["metadata"], "name": name}, "spec": web["spec"] | {"target": {**TARGET, "name": name}}}
        for name in ("chat", "rag")
    ]
    stage.policy_file.write_text(yaml.safe_dump_all([web, *others]))

    def loads(value: float) -> None:
        for app in ("web", "chat", "rag"):
            stage.exporter.set(LOAD, value, namespace=stage.namespace, app=app)

    with stage.daemon:
        loads(35)
        await stage.scaled(5)
        loads(0)
        shown = stage.shows(lambda shown: shown["signals"][0]["status"] == "stale")
        assert shown["signals"][0]["why"] == "mass_drop"
        await stage.keeps(5)
        loads(14)
        await stage.scaled(2)


def stage_rate(stage: Stage) -> str:
    return f'rate({REQUESTS}{{namespace="{stage.namespace}"}}[10s])'


@contextmanager
def requests_of(stage: Stage, *, per_s: float) -> Iterator[None]:
    """Let the workload's counter of requests rise by so many a second."""
    began_s, over = time.monotonic(), threading.Event()

    def count() -> None:
        while not over.wait(0.05):
            served = per_s * (time.monotonic() - began_s)
            stage.exporter.set(REQUESTS, served, kind="counter", namespace=stage.namespace, app="web")

    counting = threading.Thread(target=count, name="requests")
    counting.start()
    try:
        yield
    finally:
        over.set()
        counting.join()
