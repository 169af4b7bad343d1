"""What the doctor says of clocks, rules, freshness, the journal and packages, without servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import urllib3
from aiohttp import web
from sqlalchemy import create_engine, text

from controller.clients.http import HttpAccess
from controller.doctor import Finding, Severity
from controller.doctor import own as own_checks
from controller.doctor.own import examine_daemon, examine_journal, examine_packages
from controller.doctor.prometheus import examine_prometheus
from controller.doctor.rights import Account
from controller.doctor.signals import examine_signals
from controller.journal import Journal
from controller.publish import Content
from controller.records import (
    Answered,
    ClusterView,
    PastSeries,
    PolicySet,
    SignalQuery,
    TargetRef,
    TargetView,
    Unanswered,
)
from controller.settings import Settings
from policies.model import Why
from policies.quantities import parse_duration_s
from tests.builders import policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from controller.records import Answer

GROUPS = Content().rule_groups()
RULES = len({rule.get("alert") or rule["record"] for group in GROUPS for rule in group["rules"]})
NOW_S = 1_800_000_000.0


@dataclass
class FakePrometheus:
    """Answers as Prometheus does; `date` is in its headers."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    alertmanagers: int = 1
    date: str = ""
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        document: object = {"result": []}
        if request.path == "/api/v1/query" and "build_info" in request.query["query"]:
            document = {"result": [{"value": [0, "1"]}]}
        elif request.path == "/api/v1/rules":
            document = {"groups": self.groups}
        elif request.path == "/api/v1/format_query":
            document = request.query["query"].replace("(", " ( ")
        elif request.path == "/api/v1/alertmanagers":
            document = {"activeAlertmanagers": [{"url": "x"}] * self.alertmanagers}
        elif request.path == "/api/v1/status/buildinfo":
            document = {"version": "2.42.0"}
        headers = {"Date": self.date} if self.date else None
        return web.json_response({"status": "success", "data": document}, headers=headers)


def as_served(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as /api/v1/rules has it; the query on one line."""
    waits = {"duration": parse_duration_s(rule.get("for", "0s"))} if "alert" in rule else {}
    name, query = rule.get("alert") or rule["record"], " ".join(rule["expr"].split())
    return {"name": name, "query": query, "health": "ok", "annotations": rule.get("annotations", {}), **waits}


@pytest.fixture
async def server() -> AsyncIterator[FakePrometheus]:
    fake = FakePrometheus([{"name": group["name"], "rules": [*map(as_served, group["rules"])]} for group in GROUPS])
    app = web.Application()
    app.router.add_get("/{rest:.*}", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield fake
    await runner.cleanup()


def faults(found: Sequence[Finding]) -> list[tuple[str, str, str]]:
    assert all(bool(each.means) == bool(each.mend) == (each.severity is not Severity.OK) for each in found)
    return [(each.severity.value, each.check, each.message) for each in found if each.severity is not Severity.OK]


async def test_a_sound_prometheus(server: FakePrometheus) -> None:
    found = await examine_prometheus(HttpAccess(server.url), GROUPS)
    assert faults(found) == []
    assert "version 2.42.0" in found[0].message
    assert found[-2].message == f"all {RULES} are loaded as this version renders them"


async def test_its_clock(server: FakePrometheus) -> None:
    server.date = "Thu, 01 Jan 2026 00:00:00 GMT"
    [told] = faults(await examine_prometheus(HttpAccess(server.url), GROUPS))
    assert told[:2] == ("error", "clocks")
    assert "behind this clock" in told[2]


async def test_rules_that_lack_and_one_that_fails(server: FakePrometheus) -> None:
    rules = server.groups[0]["rules"]
    server.groups[0]["rules"] = [*rules[2:-1], {**rules[-1], "health": "err", "lastError": "many-to-many"}]
    server.alertmanagers, missing = 0, ", ".join(sorted(each["name"] for each in rules[:2]))
    assert faults(await examine_prometheus(HttpAccess(server.url), GROUPS)) == [
        ("error", "rules", "fails: many-to-many"),
        ("warning", "rules", f"2 of {RULES} are not loaded: {missing}"),
        ("warning", "rules", "Prometheus knows none"),
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"query": "up == 0"}, "older or changed (1): {}", id="query"),
        pytest.param({"duration": 1.0}, "older or changed (1): {}", id="wait"),
        pytest.param({"annotations": {"summary": "old"}}, "older or changed (1): {}", id="text"),
    ],
)
async def test_a_rule_of_other_text(server: FakePrometheus, change: dict[str, object], words: str) -> None:
    rule = next(each for each in server.groups[0]["rules"] if "duration" in each)
    rule |= change
    [(severity, check, message)] = faults(await examine_prometheus(HttpAccess(server.url), GROUPS))
    assert (severity, check, message) == ("warning", "rules", words.format(rule["name"]))


async def test_a_query_that_the_server_only_lays_out_otherwise_is_the_same(server: FakePrometheus) -> None:
    rule = server.groups[0]["rules"][0]
    rule["query"] = rule["query"].replace("(", " ( ")
    assert faults(await examine_prometheus(HttpAccess(server.url), GROUPS)) == []


async def test_rules_that_are_left_over_and_rules_that_are_loaded_twice(server: FakePrometheus) -> None:
    rules = server.groups[0]["rules"]
    server.groups[0]["rules"] = [*rules, {**rules[0], "name": "ForesailOfYesterday"}]
    server.groups.append({"name": "a copy", "rules": [rules[0]]})
    server.groups.append({"name": "somebody else's", "rules": [{**rules[0], "name": "NotOurs"}]})
    assert [message for _, _, message in faults(await examine_prometheus(HttpAccess(server.url), GROUPS))] == [
        "not of this version (1): ForesailOfYesterday",
        f"loaded more than once (1): {rules[0]['name']}",
    ]


async def test_what_is_no_prometheus(server: FakePrometheus) -> None:
    server.groups = []
    [(severity, _, message)] = faults(await examine_prometheus(HttpAccess("http://127.0.0.1:9"), GROUPS))
    assert severity == "error"
    assert message.startswith("does not answer")


@dataclass
class Source:
    """Answers each query alike."""

    why: Why = Why.OK
    newest_s: float = NOW_S
    values: tuple[float, ...] = (3.0,)

    async def ask(self, queries: Sequence[SignalQuery], *, at_s: float, deadline_s: float) -> Sequence[Answer]:
        del at_s, deadline_s
        if self.why != Why.OK:
            return [Unanswered(query, self.why, "told to fail") for query in queries]
        keys: list[tuple[str, ...]] = [()] * len(self.values)
        newest, targets = dict.fromkeys(keys, self.newest_s), dict.fromkeys(keys, 1)
        return [Answered(query, keys, self.values, newest, targets) for query in queries]

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        del query, start_s, end_s, step_s, deadline_s
        raise AssertionError("the doctor reads no past")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(Source(newest_s=NOW_S - 300), "its newest sample is too old", id="exporter-stopped"),
        pytest.param(Source(newest_s=NOW_S + 60), "is from the future", id="clock-ahead"),
        pytest.param(Source(values=(float("nan"),)), "it is no number", id="divided-by-zero"),
        pytest.param(Source(values=()), "no series answers", id="no-series"),
        pytest.param(Source(why=Why.DEADLINE), "no answer in time (told to fail)", id="slow"),
        pytest.param(Source(why=Why.SOURCE_DOWN), "Prometheus does not answer (told to fail)", id="down"),
    ],
)
async def test_a_signal_that_cannot_decide(source: Source, words: str) -> None:
    found = await examine_signals(PolicySet((policy("web"),)), source, seen(), at_s=NOW_S, deadline_s=1)
    [(_, check, message)] = faults(found)
    assert check == "signals"
    assert words in message


async def test_a_signal_that_is_fresh() -> None:
    found = await examine_signals(PolicySet((policy("web"),)), Source(), seen(), at_s=NOW_S, deadline_s=1)
    assert [each.message for each in found] == ["all 1 are fresh"]


@dataclass
class Scraped(Source):
    """A source that has a series of each of these metrics under the labels of shop/web, and of the overwritten."""

    metrics: tuple[str, ...] = ()
    overwritten: tuple[str, ...] = ()

    async def past(
        self, query: SignalQuery, *, start_s: float, end_s: float, step_s: float, deadline_s: float
    ) -> Sequence[PastSeries]:
        assert (start_s, step_s, deadline_s > 0) == (end_s, 1.0, True)
        if "exported_namespace" in query.text:
            return [PastSeries((name,), [end_s], [1.0]) for name in self.overwritten]
        return [PastSeries((name, "shop", "web"), [end_s], [1.0]) for name in self.metrics]


QUEUE = {"preset": "vllm/queue", "target": {"averageValue": 4}}


async def test_a_preset_names_what_it_is_read_from_or_what_was_tried() -> None:
    policies = PolicySet((policy("web", QUEUE),))

    lacking = await examine_signals(policies, Scraped(values=()), seen(), at_s=NOW_S, deadline_s=1)
    tried = "vllm/queue has none of vllm:num_requests_waiting, kserve_vllm:num_requests_waiting"
    assert tried in lacking[0].message

    source = Scraped(values=(), metrics=("vllm:num_requests_waiting",), overwritten=("vllm:num_requests_waiting",))
    found = await examine_signals(policies, source, seen(), at_s=NOW_S, deadline_s=1)
    assert "(vllm/queue is read from vllm:num_requests_waiting)" in found[0].message
    assert found[1].message == "is read from vllm:num_requests_waiting in 1 signal"
    assert "honor_labels" in found[2].mend


def seen() -> ClusterView:
    ref = TargetRef("apps/v1", "Deployment", "shop", "web")
    return ClusterView({ref: TargetView(ref, 2, 2, "1")}, {ref: ()}, NOW_S)


def settings(folder: Path) -> Settings:
    return Settings(journal_url=f"sqlite+aiosqlite:///{folder / 'foresail.db'}")


async def test_a_journal_that_is_not_there_and_one_that_is(tmp_path: Path) -> None:
    [(severity, check, message)] = faults(await examine_journal(settings(tmp_path)))
    assert (severity, check) == ("warning", "journal")
    assert "there is no journal" in message
    assert not (tmp_path / "foresail.db").exists(), "nothing is written"

    journal = await Journal.open(settings(tmp_path).journal_url)
    await journal.close()
    assert faults(await examine_journal(settings(tmp_path))) == []


async def test_a_journal_of_another_version(tmp_path: Path) -> None:
    journal = await Journal.open(settings(tmp_path).journal_url)
    await journal.close()
    engine = create_engine(f"sqlite:///{tmp_path / 'foresail.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    [(_, _, message)] = faults(await examine_journal(settings(tmp_path)))
    assert "newer than" in message


async def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_checks, "LEAST_FREE_BYTES", 2**62)
    journal = await Journal.open(settings(tmp_path).journal_url)
    await journal.close()
    [(_, _, message)] = faults(await examine_journal(settings(tmp_path)))
    assert message.endswith("GiB are free")


def test_a_fork_in_the_place_of_urllib3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib3, "__version__", "2.25.904")
    [(severity, check, message)] = faults(examine_packages())
    assert (severity, check) == ("error", "packages")
    assert "imports as 2.25.904, a fork" in message


async def test_what_answers_in_the_daemons_place(server: FakePrometheus) -> None:
    found = await examine_daemon(server.url)
    assert ("error", "daemon", "is not Foresail") in faults(found)


def test_the_groups_of_an_account() -> None:
    foresail = Account("system:serviceaccount:foresail:foresail")
    assert "system:serviceaccounts:foresail" in foresail.groups
    assert Account("ann").groups == ("system:authenticated",)
    assert Account().shown == "this account"
