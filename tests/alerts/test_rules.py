"""The rendered rules: their conventions, and that each has a page that says what to do."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from alerts.catalogue import alerts, files
from alerts.rule import Alert, Links, Severity
from controller.web.console.sections import SECTIONS
from dashboards.catalogue import BOARDS, documents
from dashboards.fleet import UID
from policies.gpus.exported import AGENT
from policies.signals import EXPORTED
from tests.architecture.source import ROOT
from tests.controller.cli.shared import run

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


def test_at_most_six_wake_somebody() -> None:
    # The watchdog does so by whoever misses it.
    waking = [alert.name for alert in alerts() if alert.severity in {Severity.CRITICAL, Severity.NONE}]
    assert 2 <= len(waking) <= 6


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_follows_the_conventions(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info", "none"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in rule["annotations"]["summary"]
    # Two evaluations of the usual minute at the least.
    assert rule["alert"] == "ForesailWatchdog" or int(rule["for"].removesuffix("m")) >= 2


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_asks_only_for_metrics_that_are_exported(rule: dict[str, Any]) -> None:
    named = {name.removesuffix("_bucket") for name in re.findall(r"foresail_\w+", rule["expr"])}
    assert named <= {metric.name for metric in (*EXPORTED, *AGENT)}


@pytest.mark.parametrize("alert", PAGES)
def test_the_labels_that_an_alert_names_are_those_that_its_series_keep(alert: Alert) -> None:
    assert set(re.findall(r"\$labels\.(\w+)", alert.description)) <= set(alert.labels)
    kept = {label for by in re.findall(r"by \(([^)]*)\)", alert.expr) for label in by.split(", ")} - {"le"}
    assert kept == set(alert.labels)


@pytest.mark.parametrize("alert", PAGES)
def test_an_alert_leads_to_a_dashboard_that_there_is(alert: Alert) -> None:
    assert alert.dashboard in {board.uid for board in BOARDS}


@pytest.mark.parametrize("alert", PAGES)
def test_what_an_alert_needs_is_what_it_asks_for(alert: Alert) -> None:
    assert [name for name in alert.needs if name not in alert.expr] == []


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
    assert annotations["ForesailWatchdog"]["dashboard_url"] == f"https://grafana.example.org/d/{UID}"


def _panels(panels: list[dict[str, Any]]) -> Iterator[str]:
    for panel in panels:
        yield panel.get("title", "")
        yield from _panels(panel.get("panels", []))


def test_runbooks_name_panels_boards_and_sections_that_there_are() -> None:
    shown = [title for each in documents() for title in (each.title, *_panels(each.body["panels"]))]
    shown += [section.title for section in SECTIONS] + [alert.name for alert in alerts()] + list(HEADINGS)
    for page in (ROOT / "docs" / "runbooks").glob("*.md"):
        named = re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", page.read_text(encoding="utf-8"))
        unknown = [
            name
            for name in (" ".join(each.split()) for each in named)
            if not any(title.startswith(name) for title in shown)
        ]
        assert (page.name, unknown) == (page.name, [])


def test_runbooks_name_commands_that_there_are() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "runbooks").glob("*.md")]
    named = {name for page in pages for name in re.findall(r"`foresail\s+([a-z-]+)", page)}
    assert named
    assert sorted(name for name in named if run(name, "--help").exit_code != 0) == []
