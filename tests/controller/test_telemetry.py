"""Telemetry: what a tick did, under the catalogue's names, in both formats, and gone with its workload."""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from controller.records import Outcome, PolicySet, ScaleOrder, SourceHealth, TargetRef, TickReport
from controller.telemetry import About, Telemetry
from controller.telemetry.changes import Changes
from policies.contradiction import Contradicted
from policies.model import UNKNOWN, Applied, Forecast, Hold, Status
from policies.signals import BY_WORKLOAD, EXPORTED
from policies.tournament import INCUMBENT
from tests.builders import policy as written
from tests.controller.decisions import decided, measured, policy, with_standing

if TYPE_CHECKING:
    from tests.controller.decisions import Decided

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
REF = TargetRef("apps/v1", "Deployment", "shop", "chat")


@dataclass(slots=True)
class Clock:
    at_s: float = 1_000.0

    def now_s(self) -> float:
        return self.at_s


@dataclass(frozen=True, slots=True)
class Journal:
    pending: int = 0
    dropped: int = 0
    failures: int = 0
    last_write_at_s: float | None = None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def telemetry(clock: Clock) -> Telemetry:
    return Telemetry(About("1.2.3", 900.0, stale_after_s=60.0), clock.now_s)


def test_every_name_is_there_with_its_type_and_no_other(telemetry: Telemetry) -> None:
    telemetry.show(report(decided("shop/chat", load=[20])))
    text = telemetry.render(OPENMETRICS)[0].decode()
    found = {family.name: family for family in openmetrics(text)}  # type: ignore[no-untyped-call]  # it has no types
    assert set(found) == {metric.name.removesuffix("_total") for metric in EXPORTED}
    for metric in EXPORTED:
        family = found[metric.name.removesuffix("_total")]
        assert family.type == type(metric).__name__.lower()
        assert family.documentation == metric.help
        assert all(sample.labels.keys() - {"le"} == set(metric.labels) for sample in family.samples)


def test_known_label_sets_stand_at_zero_before_the_first_tick(telemetry: Telemetry) -> None:
    values = samples(telemetry)
    assert values['foresail_actuations_total{kind="scale",result="conflict"}'] == 0
    assert values['foresail_decisions_total{action="lower",reason="forecast"}'] == 0
    assert values['foresail_source_queries_total{result="failure",source="prometheus"}'] == 0
    assert values['foresail_safe_mode{reason="kill_switch"}'] == 0
    assert values["foresail_unhandled_errors_total"] == 0
    assert values['foresail_build_info{python="' + python() + '",version="1.2.3"}'] == 1
    assert not any(name.startswith("foresail_desired_replicas") for name in values)


def test_shows_what_a_tick_saw_and_decided(telemetry: Telemetry) -> None:
    # 50 per second at 10 per replica, aimed at 70 %: 8 replicas, of which the default behavior
    # lets four come at once. At the serving limit they would be 50 / (10 * 0.8) = 6.25.
    telemetry.show(report(decided("shop/chat", load=[50])))
    values = samples(telemetry)
    chat = 'namespace="shop",workload="chat"'
    assert values[f"foresail_desired_replicas{{{chat}}}"] == 3
    assert values[f"foresail_current_replicas{{{chat}}}"] == 3
    assert values[f"foresail_ready_replicas{{{chat}}}"] == 3
    assert values[f"foresail_min_replicas{{{chat}}}"] == 1
    assert values[f"foresail_max_replicas{{{chat}}}"] == 9
    assert values[f"foresail_recommended_replicas{{{chat}}}"] == 7
    assert values[f"foresail_load_replicas{{{chat}}}"] == 6.25
    # 50 over the 30 that three replicas serve.
    assert values['foresail_saturation_ratio{namespace="shop",signal="rps",workload="chat"}'] == pytest.approx(5 / 3)
    assert values['foresail_decision_reason{namespace="shop",reason="rate_limit",workload="chat"}'] == 1
    assert values['foresail_decisions_total{action="raise",reason="rate_limit"}'] == 1
    assert values[f"foresail_stale_signals{{{chat}}}"] == 0
    assert values[f"foresail_awaits_node{{{chat}}}"] == 0
    assert values['foresail_source_last_sample_timestamp_seconds{source="prometheus"}'] == 995.0
    assert values['foresail_safe_mode{reason="no_fresh_data"}'] == 0


def test_shows_forecasts_where_there_are_any(telemetry: Telemetry) -> None:
    made = decided("shop/chat", "shop/search", load=[10, 10])
    forecast = Forecast(
        known=np.array([True, False]),
        lead_s=np.array([75.0, 75.0]),
        median=np.array([2.5, 0.0]),
        upper=np.array([4.25, 0.0]),
        replicas=np.array([5, 0]),
    )
    telemetry.show(report(replace(made, decision=replace(made.decision, forecast=forecast))))
    values = samples(telemetry)
    chat = 'namespace="shop",quantile="{}",workload="chat"'
    assert values[f"foresail_forecast_replicas{{{chat.format(0.5)}}}"] == 2.5
    assert values[f"foresail_forecast_replicas{{{chat.format(0.99)}}}"] == 4.25
    assert values['foresail_forecast_timestamp_seconds{namespace="shop",workload="chat"}'] == 1_075.0
    assert sum(name.startswith("foresail_forecast_") for name in values) == 3


def test_shows_who_is_in_charge_and_what_it_cost_and_missed(telemetry: Telemetry) -> None:
    telemetry.show(report(with_standing(decided("shop/chat", "shop/search"), 37, UNKNOWN, known_h=12)))
    values = samples(telemetry)
    chat, role = 'namespace="shop",workload="chat"', 'candidate="{}",namespace="shop",workload="chat"'
    found = {
        each: tuple(
            values[f"foresail_candidate_{metric}{{{role.format(each)}}}"] for metric in ("replicas", "late_ratio")
        )
        for each in ("in_charge", "runner_up", "incumbent")
    }
    assert found == {"in_charge": (8.5, 0.007), "runner_up": (9.0, 0.008), "incumbent": (11.0, 0.002)}
    assert values[f"foresail_realised_late_ratio{{{chat}}}"] == 0.006
    assert values[f"foresail_late_budget_ratio{{{chat}}}"] == 0.01
    assert values[f"foresail_tournament_evidence_ratio{{{chat}}}"] == 0.5
    assert values[f'foresail_workload_info{{in_charge="largest",mode="active",{chat}}}'] == 1
    about_search = {name.partition("{")[0] for name in values if 'workload="search"' in name}
    assert 'foresail_workload_info{in_charge="none",mode="active",namespace="shop",workload="search"}' in values
    assert not any("candidate" in name or "evidence" in name or "late" in name for name in about_search)


def test_shows_no_costs_before_there_is_evidence_of_them(telemetry: Telemetry) -> None:
    telemetry.show(report(with_standing(decided("shop/chat"), INCUMBENT, known_h=0.5)))
    values = samples(telemetry)
    assert values['foresail_workload_info{in_charge="incumbent",mode="active",namespace="shop",workload="chat"}'] == 1
    assert values['foresail_late_budget_ratio{namespace="shop",workload="chat"}'] == 0.01
    assert not any("candidate" in name or "realised" in name for name in values)


def test_shows_what_is_late_and_what_starts_take(telemetry: Telemetry) -> None:
    telemetry.show(report(measured(slow_ratio=0.0004)))
    values = samples(telemetry)
    assert values['foresail_late_ratio{namespace="shop",workload="chat"}'] == 0.0004
    assert not any(name.startswith("foresail_saturation_ratio") for name in values)
    assert values['foresail_startup_case_seconds{case="free_node",namespace="shop",workload="chat"}'] == 60.0
    assert values['foresail_startup_case_seconds{case="new_node",namespace="shop",workload="chat"}'] == 240.0
    assert values['foresail_startup_seconds{namespace="shop",workload="chat"}'] == 240.0
    assert sum(name.startswith("foresail_startup_case_seconds") for name in values) == 2


def test_shows_a_declared_capacity_that_is_contradicted_and_no_other(telemetry: Telemetry) -> None:
    """8 of 10 are declared to be served in time; 6 were served by replicas that queued, and 4 of another signal."""
    made = decided("shop/calm", "shop/chat", load=[20, 20])
    lane, track = np.array([1, 1]), np.array([1, 1])
    found = Contradicted(lane, track, np.array([6.0, 4.0]), np.array([8.0, 8.0]), np.array([900.0, 900.0]))
    telemetry.show(report(replace(made, decision=replace(made.decision, contradicted=found))))
    told = {name: value for name, value in samples(telemetry).items() if name.startswith("foresail_capacity_seen")}
    assert told == {'foresail_capacity_seen_ratio{namespace="shop",workload="chat"}': 0.5}


def test_a_late_signal_is_no_fresh_data_to_decide_on(telemetry: Telemetry) -> None:
    telemetry.show(report(measured(slow_ratio=0.0)))
    assert samples(telemetry)['foresail_safe_mode{reason="no_fresh_data"}'] == 1


def test_shows_no_late_share_that_is_old(telemetry: Telemetry) -> None:
    telemetry.show(report(measured(slow_ratio=0.0004, status=Status.STALE)))
    assert not any(name.startswith("foresail_late_ratio") for name in samples(telemetry))


def test_recommends_nothing_while_a_workload_is_held(telemetry: Telemetry) -> None:
    telemetry.show(report(decided("shop/chat", load=[50], hold=Hold.KILL_SWITCH)))
    values = samples(telemetry)
    assert not any(name.startswith("foresail_recommended_replicas") for name in values)
    assert values['foresail_safe_mode{reason="kill_switch"}'] == 1


def test_counts_and_times(telemetry: Telemetry) -> None:
    made = decided("shop/chat")
    order = ScaleOrder("shop/chat", REF, 3, 5, "17", "signals")
    outcomes = tuple(Outcome(order, 1_000.0, result) for result in ("applied", "conflict"))
    sources = (SourceHealth("prometheus", ok=False, queries=5, failed=2, elapsed_s=0.3),)
    tick = replace(
        report(made), outcomes=outcomes, sources=sources, phases_s={"decide": 0.02}, quarantined={"a/b": "x"}
    )
    telemetry.show(tick)
    telemetry.show(tick)
    telemetry.count_unhandled_error()
    values = samples(telemetry)
    assert values['foresail_actuations_total{kind="scale",result="applied"}'] == 2
    assert values["foresail_conflicts_total"] == 2
    assert values['foresail_source_queries_total{result="success",source="prometheus"}'] == 6
    assert values['foresail_source_queries_total{result="failure",source="prometheus"}'] == 4
    assert values['foresail_loop_duration_seconds_bucket{le="0.025",phase="decide"}'] == 2
    assert values["foresail_quarantined_workloads"] == 1
    assert values["foresail_loop_last_success_timestamp_seconds"] == 1_000.0
    assert values["foresail_unhandled_errors_total"] == 1
    assert values['foresail_safe_mode{reason="no_fresh_data"}'] == 1


def test_a_bad_reload_is_counted_once(telemetry: Telemetry) -> None:
    good = report(decided("shop/chat"))
    bad = replace(good, policies=replace(good.policies, problems=("a.yaml: broken",), digest="other"))
    for tick in (good, bad, bad, good, bad):
        telemetry.show(tick)
    values = samples(telemetry)
    assert values["foresail_policy_reload_failures_total"] == 2
    assert values['foresail_policies{state="valid"}'] == 1
    assert values['foresail_policies{state="invalid"}'] == 1
    assert [name for name in values if "config_hash" in name] == ['foresail_config_hash_info{hash="other"}']


def test_the_journal_is_shown(telemetry: Telemetry) -> None:
    telemetry.show_journal(Journal(pending=2, dropped=1, failures=3, last_write_at_s=990.0))
    telemetry.show_journal(Journal(pending=0, dropped=1, failures=4, last_write_at_s=995.0))
    values = samples(telemetry)
    assert values["foresail_journal_pending_writes"] == 0
    assert values["foresail_journal_dropped_ticks_total"] == 1
    assert values["foresail_journal_write_failures_total"] == 4
    assert values["foresail_journal_last_write_timestamp_seconds"] == 995.0


def test_series_go_with_their_policy_and_with_the_ticks(telemetry: Telemetry, clock: Clock) -> None:
    telemetry.show(report(decided("shop/chat", "shop/search")))
    telemetry.show(report(decided("shop/chat")))
    assert not any("search" in name for name in samples(telemetry))
    assert any("chat" in name for name in samples(telemetry))
    clock.at_s += 61.0
    assert not any("chat" in name for name in samples(telemetry))


def test_serves_the_format_that_is_asked_for(telemetry: Telemetry) -> None:
    telemetry.show(report(decided("shop/chat")))
    text, content_type = telemetry.render("")
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"# EOF" not in text
    text, content_type = telemetry.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert text.count(b"# EOF") == 1
    assert text.endswith(b"# EOF\n")


def test_two_registries_do_not_meet(clock: Clock) -> None:
    about = About("1", 0.0, 60.0)
    one, other = Telemetry(about, clock.now_s), Telemetry(about, clock.now_s)
    one.count_unhandled_error()
    assert samples(other)["foresail_unhandled_errors_total"] == 0


def test_tells_when_replicas_changed_and_whose_change_it_was(telemetry: Telemetry) -> None:
    """Three are asked for at first; Foresail's order of five is seen a tick late; then somebody asks for seven."""
    made = decided("shop/chat", "shop/search")

    def tick(at_s: float, asked: int, *, ordered: int | None = None) -> None:
        lanes = [] if ordered is None else [0]
        orders = Applied(np.array(lanes, np.int64), np.array(lanes) + at_s, np.array(lanes) + 3, np.array(lanes) + 5)
        spec = np.array([asked, 3])
        telemetry.show(replace(report(made), at_s=at_s, seen=replace(made.seen, spec_replicas=spec, applied=orders)))

    def changed() -> dict[str, float]:
        return {n: v for n, v in samples(telemetry).items() if n.startswith("foresail_replicas_changed")}

    name = 'foresail_replicas_changed_timestamp_seconds{{by="{}",namespace="shop",workload="chat"}}'
    tick(970.0, 3)
    assert changed() == {}
    tick(980.0, 3, ordered=5)
    tick(985.0, 5)
    assert changed() == {name.format("foresail"): 980.0}
    tick(990.0, 7)
    assert changed() == {name.format("foresail"): 980.0, name.format("other"): 990.0}
    tick(995.0, 5)  # what Foresail once ordered is somebody else's change now
    assert changed() == {name.format("foresail"): 980.0, name.format("other"): 995.0}


def test_counts_how_often_replicas_turned_in_the_last_hour() -> None:
    made, changes = decided("shop/chat", "shop/search"), Changes()

    def turns(at_s: float, asked: int) -> list[tuple[str, int]]:
        seen = replace(made.seen, spec_replicas=np.array([asked, 3]))
        tick = replace(report(made), at_s=at_s, seen=seen)
        changes.take(tick)
        _, names, counts = changes.turns(tick, ["chat{", "search{"])
        return list(zip(names, counts.tolist(), strict=True))

    assert turns(0.0, 3) == []
    # Up twice is no turn; down, up and down again are three.
    told = [turns(60.0, 4), turns(120.0, 6), turns(180.0, 5), turns(240.0, 9), turns(300.0, 2)]
    assert told == [[("chat{}", count)] for count in (0, 0, 1, 2, 3)]
    # The turns at 180 and 240 s lie over an hour back.
    assert turns(3_850.0, 2) == [("chat{}", 1)]


def test_prices_replicas_and_what_they_save_where_the_policy_has_a_price(telemetry: Telemetry) -> None:
    """Three replicas at 2 an hour; in the mean of a week 8.5 are in charge of what 11 of the incumbent would do."""
    made = with_standing(decided("shop/chat", "shop/search"), 37, 37, known_h=12)
    need = np.array([[2.0, UNKNOWN], [UNKNOWN, UNKNOWN]])
    fleet = replace(made.fleet, budget=replace(made.fleet.budget, need=need))
    telemetry.show(report(replace(made, fleet=fleet)))
    values = samples(telemetry)
    told = {name.partition("{")[0]: value for name, value in values.items() if "_usd_" in name}
    assert told == {
        "foresail_price_usd_per_replica_hour": 2.0,
        "foresail_cost_usd_per_hour": 6.0,
        "foresail_savings_usd_per_hour": 5.0,
    }
    assert all("search" not in name for name in values if "_usd_" in name)
    chat = 'namespace="shop",workload="chat"'
    assert f'foresail_savings_usd_per_hour{{against="incumbent",{chat}}}' in values
    assert f'foresail_cost_usd_per_hour{{capacity_type="any",{chat}}}' in values


def test_when_prices_held_where_the_policy_says_so(telemetry: Telemetry) -> None:
    told = report(decided("shop/chat", "shop/search"))
    dated = written("chat", objective={"prices": {"replicaHour": 2, "asOf": "2026-11-01T00:00:00Z"}})
    policies = (dated, written("search", objective={"prices": {"replicaHour": 2}}))
    telemetry.show(replace(told, policies=PolicySet(policies)))
    held = {name: value for name, value in samples(telemetry).items() if "foresail_price_timestamp" in name}
    assert held == {'foresail_price_timestamp_seconds{namespace="shop",workload="chat"}': 1_793_491_200.0}


@pytest.mark.bench
def test_bench_ten_thousand_workloads(telemetry: Telemetry) -> None:
    uids = [f"shop/workload-{i:05d}" for i in range(10_000)]
    tick = report(with_standing(decided(*uids, load=[20.0] * len(uids)), *[37] * len(uids)))
    start = time.perf_counter()
    telemetry.show(tick)
    shown = time.perf_counter()
    text, _ = telemetry.render(OPENMETRICS)
    rendered = time.perf_counter()
    print(  # noqa: T201
        f"10,000 workloads: show {1e3 * (shown - start):.1f} ms, "
        f"scrape {1e3 * (rendered - shown):.0f} ms, {len(text) / 1e6:.1f} MB, {len(BY_WORKLOAD)} metrics by workload"
    )


def report(made: Decided) -> TickReport:
    uids = made.fleet.uid
    return TickReport(
        at_s=made.decision.at_s,
        policies=PolicySet(tuple(policy(uid) for uid in uids[:10]), (), "digest"),
        fleet=made.fleet,
        seen=made.seen,
        decision=made.decision,
        targets=(REF,) * len(uids),
        owners={},
        outcomes=(),
        sources=(SourceHealth("prometheus", ok=True, queries=1, elapsed_s=0.1),),
        phases_s={},
        quarantined={},
        problems=(),
    )


def samples(telemetry: Telemetry) -> dict[str, float]:
    text, _ = telemetry.render("")
    return {
        _written(sample.name, sample.labels): sample.value
        for family in plain(text.decode())
        for sample in family.samples
    }


def _written(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if inside else name


def python() -> str:
    return platform.python_version()
