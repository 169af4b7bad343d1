"""Every alert in Prometheus' own evaluator: it fires, with the text that is read at night, and it stays silent."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.catalogue import files
from alerts.rules import ALERTS
from tests.alerts.promtool import promtool

on_promtool = pytest.mark.server("prometheus")

RULES = {rule["alert"]: rule for rule in yaml.safe_load(files()["foresail.rules.yaml"])["groups"][0]["rules"]}
CLUSTER = "?var-cluster=a"
CHAT = 'cluster="a",namespace="shop",workload="chat"'
AHEAD = f"foresail_outlook_above_max_timestamp_seconds{{{CHAT}"


@dataclass(frozen=True, slots=True)
class Case:
    """Samples, one each minute from time 0, and what the alert says `at`; silent without `described`."""

    alert: str
    at: str
    series: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    described: str = ""
    dashboard: str = ""


FIRING = [
    Case(
        "ForesailAbsent",
        "20m",
        # The last sample is of minute 2; it counts for 5 minutes, and 5 more pass until the alert fires.
        {'foresail_build_info{version="1"}': "1 1 1"},
        described="No instance of Foresail has been seen for 5 minutes: no workload is scaled by it."
        " First see whether its pod runs, then whether Prometheus scrapes it.",
    ),
    Case(
        "ForesailLoopStalled",
        "20m",
        {
            'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="x"}': "0+60x10 600x20",
            'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="y"}': "0x30",
            'foresail_loop_last_success_timestamp_seconds{cluster="b",pod="x"}': "0+60x30",
        },
        {"cluster": "a"},
        "The last tick ended at 1970-01-01 00:10:00 +0000 UTC (1970: none has since the start), over 300 s ago:"
        " workloads keep the replicas they have. First read the log for the phase that hangs.",
        CLUSTER,
    ),
    Case(
        "ForesailSourceStale",
        "20m",
        {
            'foresail_source_last_sample_timestamp_seconds{cluster="a",source="prometheus"}': "0+60x5 300x20",
            'foresail_source_last_sample_timestamp_seconds{cluster="a",source="other"}': "0+60x30",
        },
        {"cluster": "a", "source": "prometheus"},
        "The newest sample from prometheus was measured at 1970-01-01 00:05:00 +0000 UTC, over 180 s ago: nothing is"
        " lowered, and no rise in load is seen. First query the source by hand.",
        CLUSTER,
    ),
    Case(
        "ForesailActuationFailing",
        "20m",
        {
            'foresail_actuations_total{cluster="a",kind="scale",result="rejected"}': "0+2x30",
            'foresail_actuations_total{cluster="a",kind="scale",result="unavailable"}': "0+1x30",
            'foresail_actuations_total{cluster="a",kind="event",result="applied"}': "0+9x30",
        },
        {"cluster": "a", "kind": "scale"},
        # (2 + 1) each minute, over 10 minutes.
        "About 30 changes of kind scale were rejected or found no API server in 10 minutes. First read the daemon's"
        " log for the message of the API server.",
        CLUSTER,
    ),
    Case(
        "ForesailSafeModeActive",
        "10m",
        {
            'foresail_safe_mode{cluster="a",reason="kill_switch"}': "0 0 1x20",
            'foresail_safe_mode{cluster="a",reason="other"}': "0x20",
        },
        {"cluster": "a", "reason": "kill_switch"},
        "Workloads are held for 5 minutes now: kill_switch (kill_switch: set, or not readable;"
        " cluster_down: the API server is out of sight; no_fresh_data: no reading is fresh)."
        " First see whether somebody meant it.",
        CLUSTER,
    ),
    Case(
        "ForesailMaxedOut",
        "20m",
        {
            f"foresail_desired_replicas{{{CHAT}}}": "8x30",
            f"foresail_max_replicas{{{CHAT}}}": "8x30",
            f"foresail_min_replicas{{{CHAT}}}": "2x30",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat asks for 8 replicas, all that its policy allows."
        " First compare its load with what these replicas serve; raise the bound if load needs more.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailBudgetBinds",
        "20m",
        {f"foresail_budget_withheld_replicas{{{CHAT}}}": "2x30"},
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat asks for 2 replicas more than a budget of money or GPUs leaves it."
        " First read with `foresail explain` whose budget that is and who keeps the rest.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailGPUIdle",
        "150m",
        {
            f"foresail_gpu_idle_devices{{{CHAT}}}": "4x160",
            'foresail_gpu_idle_devices{cluster="a",namespace="shop",workload="other"}': "0x160",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat has 4 GPUs that did nothing for three hours."
        " First see with `foresail recommend gpus -n shop` which those are and what they cost.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailObjectiveMissed",
        "27h",
        # Over the budget since the beginning, and growing: a day ago is known from the 24th hour on.
        {
            f"foresail_realised_late_ratio{{{CHAT}}}": "0.02+0.00001x1700",
            f"foresail_late_budget_ratio{{{CHAT}}}": "0.01x1700",
            f"foresail_tournament_evidence_ratio{{{CHAT}}}": "1x1700",
            f'foresail_workload_info{{{CHAT},mode="active",in_charge="largest"}}': "1x1700",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        # 0.02 + 27 h of 60 minutes, 0.00001 each.
        "shop/chat served 3.62% of its load late over about two weeks, more than may, and no smaller a share in the"
        " last day. First see on the dashboard whether it is at its upper bound, then compare what is late in shadow"
        " with what really is.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailCapacityContradicted",
        "30m",
        {f"foresail_capacity_seen_ratio{{{CHAT}}}": "0.7x40"},
        {"cluster": "a", "namespace": "shop", "workload": "chat"},
        "shop/chat queued or was late, with all replicas ready, at 70% of the load that its policy says they serve in"
        " time. First measure it with `foresail calibrate`, then correct capacityPerReplica or servingLimit.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailMaximumAhead",
        "70m",
        {
            # A standby tells an older value.
            f'{AHEAD},pod="x",quantile="0.5",bound="quota"}}': "176999x20 177000x80",
            f'{AHEAD},pod="y",quantile="0.5",bound="quota"}}': "176000x100",
        },
        {"cluster": "a", "namespace": "shop", "workload": "chat", "bound": "quota"},
        # 177,000 s less the 4,200 s of 70 minutes are two days.
        "shop/chat is more likely than not to need more replicas than its quota allows in 2d 0h 0m 0s. First see"
        " whether load grows or an event comes; raise the policy's maximum or the namespace's quota in time, after"
        " seeing that there are nodes and budget for it.",
        f"{CLUSTER}&var-namespace=shop&var-workload=chat",
    ),
    Case(
        "ForesailJournalFailing",
        "20m",
        {
            'foresail_journal_write_failures_total{cluster="a"}': "0+4x30",
            'foresail_journal_dropped_ticks_total{cluster="a"}': "0x30",
        },
        {"cluster": "a"},
        # 4 each minute, over 5 minutes.
        "About 20 writes failed or ticks were given up in 5 minutes: scaling goes on, but a restart now forgets what"
        " was not written. First look at the database's disk and connection.",
        CLUSTER,
    ),
    Case("ForesailWatchdog", "0m", described="Route it to a service that calls when it stops coming."),
]


def _late(late: str, *, budget: str = "0.01x1700", evidence: str = "1x1700", mode: str = "active") -> Case:
    """A workload of which so much came late, by the time that the case that fires does."""
    series = {
        f"foresail_realised_late_ratio{{{CHAT}}}": late,
        f"foresail_late_budget_ratio{{{CHAT}}}": budget,
        f"foresail_tournament_evidence_ratio{{{CHAT}}}": evidence,
        f'foresail_workload_info{{{CHAT},mode="{mode}",in_charge="largest"}}': "1x1700",
    }
    return Case("ForesailObjectiveMissed", "27h", series)


GROWING = "0.02+0.00001x1700"

SILENT = [
    pytest.param(
        Case("ForesailCapacityContradicted", "20m", {f"foresail_capacity_seen_ratio{{{CHAT}}}": "0.7x9 _x20"}),
        id="capacity-contradicted-not-for-ten-minutes",
    ),
    pytest.param(_late(GROWING, budget="0.05x1700"), id="objective-missed-not-within-the-budget"),
    pytest.param(_late("0.03-0.00001x1700"), id="objective-missed-not-while-the-share-falls"),
    pytest.param(_late(GROWING, evidence="0.9x1700"), id="objective-missed-not-while-evidence-is-thin"),
    pytest.param(_late(GROWING, mode="shadow"), id="objective-missed-not-for-what-somebody-else-scales"),
    pytest.param(
        Case("ForesailAbsent", "20m", {'foresail_build_info{version="1"}': "1x30"}),
        id="absent-not-while-it-is-scraped",
    ),
    pytest.param(
        Case(
            "ForesailLoopStalled",
            "20m",
            {
                'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="x"}': "0+60x30",
                'foresail_loop_last_success_timestamp_seconds{cluster="a",pod="y"}': "0x30",
            },
        ),
        id="loop-stalled-not-while-one-instance-ticks",
    ),
    pytest.param(
        Case(
            "ForesailSourceStale",
            "20m",
            {'foresail_source_last_sample_timestamp_seconds{cluster="a",source="prometheus"}': "0+60x30"},
        ),
        id="source-stale-not-while-samples-are-new",
    ),
    pytest.param(
        Case(
            "ForesailActuationFailing",
            "30m",
            {
                'foresail_actuations_total{cluster="a",kind="scale",result="applied"}': "0+3x30",
                'foresail_actuations_total{cluster="a",kind="scale",result="conflict"}': "0+1x30",
                'foresail_actuations_total{cluster="a",kind="scale",result="unavailable"}': "3x30",
            },
        ),
        id="actuation-failing-not-for-conflicts-and-old-failures",
    ),
    pytest.param(
        # The step is in the window from minute 3 to minute 12, which is shorter than the wait.
        Case(
            "ForesailActuationFailing",
            "12m",
            {'foresail_actuations_total{cluster="a",kind="scale",result="unavailable"}': "0 0 0 1x30"},
        ),
        id="actuation-failing-not-for-one-failure",
    ),
    pytest.param(
        Case(
            "ForesailSafeModeActive",
            "10m",
            {'foresail_safe_mode{cluster="a",reason="kill_switch"}': "0 0 1 1 1 1 0x20"},
        ),
        id="safe-mode-not-for-four-minutes",
    ),
    pytest.param(
        Case(
            "ForesailMaxedOut",
            "30m",
            {
                f"foresail_desired_replicas{{{CHAT}}}": "4x30",
                f"foresail_max_replicas{{{CHAT}}}": "4x30",
                f"foresail_min_replicas{{{CHAT}}}": "4x30",
            },
        ),
        id="maxed-out-not-where-the-policy-fixes-the-replicas",
    ),
    pytest.param(
        Case(
            "ForesailMaxedOut",
            "30m",
            {
                f"foresail_desired_replicas{{{CHAT}}}": "7x30",
                f"foresail_max_replicas{{{CHAT}}}": "8x30",
                f"foresail_min_replicas{{{CHAT}}}": "2x30",
            },
        ),
        id="maxed-out-not-one-below-the-bound",
    ),
    pytest.param(
        Case("ForesailBudgetBinds", "30m", {f"foresail_budget_withheld_replicas{{{CHAT}}}": "0x30"}),
        id="budget-binds-not-where-all-is-left",
    ),
    pytest.param(
        Case("ForesailGPUIdle", "150m", {f"foresail_gpu_idle_devices{{{CHAT}}}": "4x60 0x5 4x90"}),
        id="gpu-idle-not-where-they-worked-meanwhile",
    ),
    pytest.param(
        Case(
            "ForesailMaximumAhead",
            "90m",
            {
                f'{AHEAD},quantile="0.9",bound="maximum"}}': "100000x100",
                f'{AHEAD},quantile="0.5",bound="maximum"}}': "300000x100",
            },
        ),
        id="maximum-ahead-not-for-a-tenths-chance-nor-beyond-three-days",
    ),
    pytest.param(
        Case(
            "ForesailMaximumAhead",
            "90m",
            {f'{AHEAD},quantile="0.5",bound="maximum"}}': "100000x40 _x10 100000x50"},
        ),
        id="maximum-ahead-not-for-what-is-not-told-for-an-hour",
    ),
    pytest.param(
        Case(
            "ForesailJournalFailing",
            "20m",
            {
                'foresail_journal_write_failures_total{cluster="a"}': "0 0 3x30",
                'foresail_journal_dropped_ticks_total{cluster="a"}': "0x30",
            },
        ),
        id="journal-failing-not-for-one-bad-moment",
    ),
]


@on_promtool
def test_the_rules_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "foresail.rules.yaml"
    path.write_text(files()["foresail.rules.yaml"], encoding="utf-8")
    code, output = promtool("check", "rules", path)
    assert code == 0, output
    assert "13 rules found" in output


@on_promtool
@pytest.mark.parametrize("case", [pytest.param(case, id=case.alert) for case in FIRING])
def test_an_alert_fires_and_says_what_is_wrong(case: Case, tmp_path: Path) -> None:
    rule = RULES[case.alert]
    annotations = {
        "summary": rule["annotations"]["summary"],
        "description": case.described,
        "runbook_url": f"docs/runbooks/{case.alert.lower()}.md",
        "dashboard_url": f"/d/foresail-fleet{case.dashboard}",
    }
    labels = {"severity": rule["labels"]["severity"], **case.labels}
    _judge(case, [{"exp_labels": labels, "exp_annotations": annotations}], tmp_path)


@on_promtool
@pytest.mark.parametrize("case", SILENT)
def test_an_alert_stays_silent(case: Case, tmp_path: Path) -> None:
    _judge(case, [], tmp_path)


def test_every_alert_has_a_case_that_fires() -> None:
    assert [case.alert for case in FIRING] == [alert.name for alert in ALERTS]


def _judge(case: Case, expected: list[dict[str, Any]], folder: Path) -> None:
    (folder / "rules.yaml").write_text(files()["foresail.rules.yaml"], encoding="utf-8")
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }
    script = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    code, output = promtool("test", "rules", folder / "test.yaml")
    assert code == 0, output
