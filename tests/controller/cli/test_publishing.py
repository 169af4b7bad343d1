"""`foresail dashboards` and `foresail alerts`: what they write, compare, check and how they end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from alerts import catalogue
from controller.cli.exits import INVALID, RUNTIME, USAGE
from controller.cli.rule_checks import own_problems
from dashboards.catalogue import documents
from tests.controller.cli.shared import run

if TYPE_CHECKING:
    from pathlib import Path

BOARDS = {document.file: document.text for document in documents()}
RULES = catalogue.files()
RENDERED = {**RULES, catalogue.INHIBIT_FILE: catalogue.inhibitions()}  # Alertmanager reads no file of its own


def there(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize(("topic", "files"), [("dashboards", BOARDS), ("alerts", RENDERED)])
def test_renders_into_a_folder_and_then_nothing_differs(topic: str, files: dict[str, str], tmp_path: Path) -> None:
    assert run(topic, "diff", "--out", str(tmp_path)).exit_code == INVALID
    done = run(topic, "render", "--out", str(tmp_path))
    assert (done.exit_code, done.stdout) == (0, "")
    assert there(tmp_path) == files
    same = run(topic, "diff", "--out", str(tmp_path))
    assert (same.exit_code, same.stdout) == (0, "")


def test_a_difference_is_shown_line_by_line(tmp_path: Path) -> None:
    run("dashboards", "render", "--out", str(tmp_path))
    file = tmp_path / "foresail-fleet.json"
    file.write_text(file.read_text().replace('"uid": "foresail-fleet"', '"uid": "mine"'))
    (tmp_path / "foresail-old.json").write_text("{}\n")

    done = run("dashboards", "diff", "--out", str(tmp_path))
    assert done.exit_code == INVALID
    assert '-  "uid": "mine"' in done.stdout
    assert '+  "uid": "foresail-fleet"' in done.stdout
    assert "foresail-old.json" in done.stdout


def test_publishes_to_a_folder_once_and_keeps_what_a_person_changed(tmp_path: Path) -> None:
    first = run("alerts", "publish", "--out", str(tmp_path), "-o", "json")
    assert first.exit_code == 0
    assert [each["result"] for each in json.loads(first.stdout)["items"]] == ["created"] * len(RULES)
    run("dashboards", "publish", "--out", str(tmp_path))
    assert there(tmp_path) == BOARDS | RULES
    (tmp_path / next(iter(RULES))).write_text("mine")
    again = run("alerts", "publish", "--out", str(tmp_path))
    assert again.exit_code == 0
    assert "kept" in again.stdout
    assert (tmp_path / next(iter(RULES))).read_text() == "mine"
    assert run("alerts", "publish", "--out", str(tmp_path), "--force").exit_code == 0
    assert there(tmp_path) == BOARDS | RULES


def test_no_target_is_a_usage_error_that_names_them() -> None:
    done = run("dashboards", "publish")
    assert done.exit_code == USAGE
    assert "--grafana-url" in done.stderr
    assert run("alerts", "diff").exit_code == USAGE


def test_a_target_that_fails_ends_the_command_with_an_error_and_no_token() -> None:
    done = run("dashboards", "publish", "--grafana-url", "http://127.0.0.1:9", FORESAIL_GRAFANA_TOKEN="glsa-secret")
    assert done.exit_code == RUNTIME
    assert "unavailable" in done.stdout
    assert "glsa-secret" not in done.output
    without = run("dashboards", "publish", "--grafana-url", "http://127.0.0.1:9")
    assert without.exit_code == RUNTIME
    assert "FORESAIL_GRAFANA_TOKEN" in without.stderr


def test_links_are_those_that_are_set(tmp_path: Path) -> None:
    run("alerts", "render", "--out", str(tmp_path), "--runbook-url", "https://runbooks.example")
    assert "runbook_url: https://runbooks.example/" in "".join(there(tmp_path).values())


def test_our_rules_have_no_problem() -> None:
    done = run("alerts", "check")
    assert (done.exit_code, done.stdout) == (0, "")


def test_without_promtool_a_note_says_what_is_not_checked(tmp_path: Path) -> None:
    done = run("alerts", "check", "--promtool", str(tmp_path / "none"))
    assert done.exit_code == 0
    assert "PromQL is not checked" in done.stderr


def test_problems_of_a_folder_end_with_three(tmp_path: Path) -> None:
    (tmp_path / "a.rules.yaml").write_text("groups: 1")
    done = run("alerts", "check", "--out", str(tmp_path), "--promtool", "none-such")
    assert done.exit_code == INVALID
    assert done.stdout.splitlines() == ["a.rules.yaml: groups: must be a list of groups"]
    (tmp_path / "a.rules.yaml").unlink()
    assert run("alerts", "check", "--out", str(tmp_path)).exit_code == USAGE


GOOD = {
    "alert": "Good",
    "expr": "up == 0",
    "labels": {"severity": "warning"},
    "annotations": {"summary": "a", "description": "b", "runbook_url": "c"},
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"alert": "not_camel"}, "alert: must be CamelCase", id="name"),
        pytest.param({"expr": ""}, "expr: must not be empty", id="no-expression"),
        pytest.param({"for": "soon"}, "for: 'soon' is no duration, such as 15m", id="duration"),
        pytest.param({"labels": {"severity": "page"}}, "labels.severity: is 'page'", id="severity"),
        pytest.param({"annotations": {}}, "annotations.runbook_url: must not be empty", id="no-runbook"),
        pytest.param({"fore": "1m"}, "fore: no field of a rule", id="unknown-field"),
        pytest.param({"record": "a:b"}, "must have either alert or record", id="both"),
        pytest.param(
            {"annotations": {**GOOD["annotations"], "summary": "{{ $value }}"}},  # type: ignore[dict-item]  # a mapping
            "annotations.summary: must hold no values",
            id="values-in-the-summary",
        ),
    ],
)
def test_a_rule_that_breaks_a_convention_is_told_with_its_place(change: dict[str, object], problem: str) -> None:
    assert list(own_problems({"r.yaml": yaml.safe_dump({"groups": [{"name": "g", "rules": [GOOD]}]})})) == []
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": [{**GOOD, **change}]}]})
    found = list(own_problems({"r.yaml": text}))
    assert any(each.startswith("r.yaml: groups[0]: rules[0]") and problem in each for each in found), found


def test_names_that_are_there_twice_are_told() -> None:
    text = yaml.safe_dump({"groups": [{"name": "g", "rules": [GOOD, GOOD]}, {"name": "g", "rules": []}]})
    assert list(own_problems({"r.yaml": text})) == [
        "r.yaml: groups[0]: rules[1] Good: alert: r.yaml: groups[0]: rules[0] Good has the same name and severity",
        "r.yaml: groups[1]: name: 'g' is the name of another group",
        "r.yaml: groups[1]: rules: must be a list with at least one rule",
    ]
