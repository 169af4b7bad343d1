"""Every alert in Prometheus' own evaluator: it fires, with the text that is read at night, and it stays silent."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from alerts.catalogue import alerts, files
from tests.alerts import cases_burn, cases_costs, cases_gpus, cases_health, cases_workloads
from tests.alerts.case import Case
from tests.alerts.promtool import promtool

on_promtool = pytest.mark.server("prometheus")

ALERTS = {alert.name: alert for alert in alerts()}
CASES = (cases_health, cases_workloads, cases_burn, cases_costs, cases_gpus)
FIRING = [case for module in CASES for case in module.FIRING]
SILENT = [param for module in CASES for param in module.SILENT]


@on_promtool
def test_the_rules_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "foresail.rules.yaml"
    path.write_text(files()["foresail.rules.yaml"], encoding="utf-8")
    code, output = promtool("check", "rules", path)
    assert code == 0, output
    assert "SUCCESS" in output


@on_promtool
@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.alert}-{i}") for i, case in enumerate(FIRING)])
def test_an_alert_fires_and_says_what_is_wrong(case: Case, tmp_path: Path) -> None:
    alert = ALERTS[case.alert]
    annotations = {
        "summary": alert.summary,
        "description": case.described,
        "runbook_url": f"docs/runbooks/{case.alert.lower()}.md",
        "dashboard_url": f"/d/{alert.dashboard}{case.dashboard}",
    }
    labels = {"severity": str(alert.severity), **case.labels}
    _judge(case, [{"exp_labels": labels, "exp_annotations": annotations}], tmp_path)


@on_promtool
@pytest.mark.parametrize("case", SILENT)
def test_an_alert_stays_silent(case: Case, tmp_path: Path) -> None:
    _judge(case, [], tmp_path)


def test_every_alert_has_a_case_that_fires() -> None:
    assert {case.alert for case in FIRING} == set(ALERTS)


def test_every_alert_has_a_case_in_which_it_stays_silent() -> None:
    always = {"ForesailWatchdog"}
    assert {case.alert for case in (param.values[0] for param in SILENT)} == set(ALERTS) - always


def _judge(case: Case, expected: list[dict[str, Any]], folder: Path) -> None:
    (folder / "rules.yaml").write_text(_rules_of(case.alert), encoding="utf-8")
    test = {
        "interval": case.each,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }
    script = {"rule_files": ["rules.yaml"], "evaluation_interval": case.each, "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    code, output = promtool("test", "rules", folder / "test.yaml")
    assert code == 0, output


def _rules_of(alert: str) -> str:
    """The groups that an alert stands on, as days of all of them take promtool minutes."""
    groups = yaml.safe_load(files()["foresail.rules.yaml"])["groups"]
    chosen = [group for group in groups if any(rule.get("alert") == alert for rule in group["rules"])]
    asked = " ".join(rule["expr"] for group in chosen for rule in group["rules"])
    recorded = [group for group in groups if any(rule.get("record", "\0") in asked for rule in group["rules"])]
    return yaml.safe_dump({"groups": [group for group in groups if group in chosen or group in recorded]})
