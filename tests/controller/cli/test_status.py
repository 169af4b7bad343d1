"""`foresail status` and `foresail explain` against the daemon's own web application on a loopback socket."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import yaml
from aiohttp import web

from controller.records import PolicySet, TargetRef, TickReport
from controller.settings.values import Listen
from controller.web import Views, serving, web_app
from policies.forecast.horizon import HorizonFit
from policies.model import UNKNOWN, Hold
from policies.projection.origin import Left
from policies.tournament import INCUMBENT
from tests.controller.cli.shared import run
from tests.controller.decisions import decided, with_standing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from typer.testing import Result

    from tests.controller.decisions import Decided


def _report(tick: Decided, *, age_s: float = 0.0, owners: dict[str, str] | None = None) -> TickReport:
    at_s = time.time() - age_s
    targets = tuple(TargetRef("apps/v1", "Deployment", *uid.split("/")) for uid in tick.fleet.uid)
    return TickReport(
        at_s=at_s,
        policies=PolicySet(()),
        fleet=tick.fleet,
        seen=tick.seen,
        decision=replace(tick.decision, at_s=at_s),
        targets=targets,
        owners=owners or {},
        outcomes=(),
        sources=(),
        phases_s={},
        quarantined={"web/odd": "ZeroDivisionError"},
        problems=("a.yaml: spec.mode: must be shadow",),
    )


@asynccontextmanager
async def _daemon(report: TickReport | None, left: Left | None = None) -> AsyncIterator[str]:
    nothing = (lambda: report, lambda _: (b"", "text/plain"), lambda: (), lambda: ())
    views = Views(*nothing, {"version": "0"}, left=lambda: left)
    async with serving(web_app(views), Listen("127.0.0.1", 0)) as url:
        yield url


async def _run(*arguments: str) -> Result:
    return await asyncio.to_thread(run, *arguments)


async def test_workloads_as_a_table() -> None:
    tick = decided("api/search", "web/shop", load=[30.0, 70.0])
    async with _daemon(_report(tick)) as url:
        done = await _run("status", "--url", url)
    assert done.exit_code == 0, done.output
    header, search, shop = (line.split() for line in done.stdout.splitlines())
    figures = ["READY", "NOW", "WANTED", "MIN", "MAX", "LOAD", "FORECAST"]
    assert header == ["NAMESPACE", "NAME", "MODE", *figures, "IN", "CHARGE", "REASON"]
    assert (search[:8], search[-1]) == (["api", "search", "active", "3", "3", "5", "1", "9"], "signals")
    # 70 / s on replicas that serve 10 / s up to 80 % of it: 8.75 replicas.
    assert (shop[7], shop[8]) == ("9", "8.8")
    assert "problem: a.yaml: spec.mode: must be shadow" in done.stderr
    assert "problem: web/odd is in quarantine: ZeroDivisionError" in done.stderr


async def test_who_is_in_charge_and_how_far_its_evidence_goes() -> None:
    rows = decided("api/search", "web/shop", "web/till", load=[30.0, 70.0, 70.0])
    thin, enough = with_standing(rows, 37, INCUMBENT, UNKNOWN, known_h=9), with_standing(rows, 37, INCUMBENT, UNKNOWN)
    for tick, expected in (
        (thin, ["largest, 37 %", "incumbent, 37 %", "-"]),  # 9 of 24 h are 37.5 %
        (enough, ["largest", "incumbent", "-"]),
    ):
        async with _daemon(_report(tick)) as url:
            done = await _run("status", "--url", url)
        header, *lines = done.stdout.splitlines()
        begin, end = header.index("IN CHARGE"), header.index("REASON")
        assert [line[begin:end].strip() for line in lines] == expected


async def test_the_signals_that_evidence_waits_for_are_named() -> None:
    unread = decided("api/search", "web/shop", "web/till")
    tick = with_standing(unread, 37, UNKNOWN, UNKNOWN, known_h=9)
    async with _daemon(_report(tick)) as url:
        done = await _run("status", "--url", url)
    header, *lines = done.stdout.splitlines()
    begin, end = header.index("IN CHARGE"), header.index("REASON")
    waiting = "none: waits for rps"
    assert [line[begin:end].strip() for line in lines] == ["largest, 37 %, waits for rps", waiting, waiting]


async def test_the_owner_is_named() -> None:
    tick = decided("web/shop", load=[70.0], hold=Hold.OWNED)
    async with _daemon(_report(tick, owners={"web/shop": "HPA shop scales it; delete it"})) as url:
        done = await _run("status", "--url", url)
    assert done.stdout.splitlines()[1].endswith("owned: HPA shop scales it; delete it")


async def test_one_namespace_as_json_and_yaml() -> None:
    tick = decided("api/search", "web/shop", load=[30.0, 70.0])
    async with _daemon(_report(tick)) as url:
        done = await _run("status", "--url", url, "-n", "web", "-o", "json")
        also = await _run("status", "--url", url, "-n", "web", "-o", "yaml")
    document = json.loads(done.stdout)
    assert (document["apiVersion"], document["kind"]) == ("foresail.dev/v1alpha1", "WorkloadStatusList")
    assert [item["name"] for item in document["items"]] == ["shop"]
    assert yaml.safe_load(also.stdout) == document


async def test_all_pages_are_read() -> None:
    tick = decided(*(f"web/w{number:04}" for number in range(1203)))
    async with _daemon(_report(tick)) as url:
        done = await _run("status", "--url", url, "-o", "json")
    assert [item["name"] for item in json.loads(done.stdout)["items"]] == [f"w{number:04}" for number in range(1203)]


async def test_an_old_tick_is_noted() -> None:
    async with _daemon(_report(decided("web/shop"), age_s=300)) as url:
        done = await _run("status", "--url", url)
    assert done.exit_code == 0
    assert "the last tick was 300 s ago" in done.stderr


async def test_a_daemon_before_its_first_tick_says_so() -> None:
    async with _daemon(None) as url:
        done = await _run("status", "--url", url)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no tick has come to a decision yet" in done.stderr


async def test_no_daemon_is_a_clear_error() -> None:
    async with _daemon(None) as url:
        pass
    done = await _run("status", "--url", url)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"error: no daemon answers at {url}" in done.stderr
    assert "Traceback" not in done.stderr


async def test_something_else_that_answers_is_told_apart() -> None:
    app = web.Application()
    async with serving(app, Listen("127.0.0.1", 0)) as url:
        done = await _run("status", "--url", url)
    assert (done.exit_code, done.stderr) == (1, f"error: what answers at {url} is not Foresail: HTTP status 404\n")


def test_a_url_that_is_none_is_a_usage_error() -> None:
    assert run("status", "--url", "localhost:9870").exit_code == 2


async def test_the_present_decision_is_explained() -> None:
    async with _daemon(_report(with_standing(decided("web/shop", load=[70.0]), 37))) as url:
        done = await _run("explain", "web/shop", "--url", url)
        short = await _run("explain", "-n", "web", "shop", "--url", url, "-o", "json")
    assert done.exit_code == 0
    assert done.stdout.startswith("web/shop at ")
    saturated = "5 s old (the workload was saturated, so it is a lower bound)"
    assert f"  Signal rps is 70, {saturated}; it asks for 10.\n" in done.stdout
    assert "  Evidence: 24 h and more, so it decides alone while all data is fresh.\n" in done.stdout
    # The API's default rates allow four more in one step.
    *_, decision, did, ahead = done.stdout.splitlines()
    assert (decision, did) == ("  Decision: raise from 3 to 7.", "  No order of it is recorded until then.")
    assert ahead.startswith("  Next decision: ")
    assert json.loads(short.stdout)["replicas"]["recommended"] == 7


async def test_the_next_half_hour_is_told_after_the_decision() -> None:
    tick = decided("web/shop", load=[70.0])
    async with _daemon(_report(tick), Left(tick.state, HorizonFit.empty(()))) as url:
        done = await _run("explain", "web/shop", "--url", url)
    *_, decision, _, _, as_now, paused = done.stdout.splitlines()
    assert decision == "  Decision: raise from 3 to 7."
    why = "no model speaks for signal rps yet"
    assert as_now == f"  If it goes on as now, nobody can say how many replicas web/shop will have: {why}."
    assert paused.startswith("  If nobody changes anything, web/shop will have 3 replicas ready at ")
    assert paused.endswith(f" UTC; what its load will need is not known: {why}.")


async def test_a_daemon_that_does_not_tell_the_next_half_hour_is_noted() -> None:
    async with _daemon(_report(decided("web/shop", load=[70.0]))) as url:
        done = await _run("explain", "web/shop", "--url", url)
    assert done.exit_code == 0
    assert "  Decision: raise from 3 to 7.\n" in done.stdout
    assert "the next half hour is not told: what the last tick left for the next one is not known" in done.stderr


async def test_a_workload_that_is_not_there() -> None:
    async with _daemon(_report(decided("web/shop"))) as url:
        done = await _run("explain", "web/till", "--url", url)
    told = "error: no policy is in force for web/till; those in force begin with web/shop\n"
    assert (done.exit_code, done.stderr) == (1, told)
