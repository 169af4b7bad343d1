"""The rendered rules: their conventions, and that each has a page that says what to do."""

import re
from typing import Any

import pytest
import yaml

from alerts.catalogue import alerts, files
from alerts.rule import Alert, Links
from dashboards.fleet import UID
from policies.signals import EXPORTED
from tests.architecture.source import ROOT

FILE = "foresail.rules.yaml"
HEADINGS = ("Meaning", "Impact", "First look", "Causes", "Mend", "When to override")


def _rules(links: Links | None = None) -> list[dict[str, Any]]:
    groups = yaml.safe_load(files(links)[FILE])["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


RULES = [pytest.param(rule, id=rule["alert"]) for rule in _rules()]
PAGES = [pytest.param(alert, id=alert.name) for alert in alerts()]


def test_the_same_links_give_the_same_bytes() -> None:
    assert files() == files(Links())


def test_names_are_unique_and_begin_with_the_component() -> None:
    names = [rule["alert"] for rule in _rules()]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"Foresail([A-Z]+[a-z]+)+", name)] == []


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_follows_the_conventions(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "none"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in rule["annotations"]["summary"]
    # Two evaluations of the usual minute at the least.
    assert rule["alert"] == "ForesailWatchdog" or int(rule["for"].removesuffix("m")) >= 2


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_asks_only_for_metrics_that_are_exported(rule: dict[str, Any]) -> None:
    assert set(re.findall(r"foresail_\w+", rule["expr"])) <= {metric.name for metric in EXPORTED}


@pytest.mark.parametrize("alert", PAGES)
def test_the_labels_that_an_alert_names_are_those_that_its_series_keep(alert: Alert) -> None:
    assert set(re.findall(r"\$labels\.(\w+)", alert.description)) <= set(alert.labels)
    kept = {label for by in re.findall(r"by \(([^)]*)\)", alert.expr) for label in by.split(", ")}
    assert kept == set(alert.labels)


@pytest.mark.parametrize("alert", PAGES)
def test_an_alert_has_a_runbook_with_every_part(alert: Alert) -> None:
    page = (ROOT / "docs" / "runbooks" / alert.runbook).read_text(encoding="utf-8")
    assert page.startswith(f"# {alert.name}\n")
    assert tuple(re.findall(r"^## (.+)$", page, flags=re.MULTILINE)) == HEADINGS


def test_no_runbook_is_left_over() -> None:
    pages = {path.name for path in (ROOT / "docs" / "runbooks").glob("*.md")}
    assert pages == {alert.runbook for alert in alerts()}


def test_links_lead_to_the_runbooks_and_the_grafana_that_are_named() -> None:
    links = Links(runbooks="https://example.org/runbooks/", grafana="https://grafana.example.org/")
    annotations = {rule["alert"]: rule["annotations"] for rule in _rules(links)}
    assert annotations["ForesailMaxedOut"]["runbook_url"] == "https://example.org/runbooks/foresailmaxedout.md"
    assert annotations["ForesailAbsent"]["dashboard_url"] == f"https://grafana.example.org/d/{UID}"
