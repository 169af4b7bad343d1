"""The dashboard of the fleet: what an on-call engineer relies on in every panel."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import queries
from dashboards.fleet import UID, render
from policies import signals
from policies.metric import Histogram
from policies.signals import EXPORTED
from tests.alerts.promtool import promtool

BOARD: dict[str, Any] = json.loads(render())
PANELS = [pytest.param(panel, id=panel["title"]) for panel in BOARD["panels"]]
# What Grafana puts in before it asks: one namespace is chosen, and all of the rest.
FILLED_IN = {"$__rate_interval": "5m", "$cluster": ".*", "$namespace": "shop", "$workload": ".*"}
CHAT = 'namespace="shop",workload="chat"'


def _expressions() -> Iterator[tuple[str, str]]:
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]


def _exported_names() -> set[str]:
    buckets = {f"{metric.name}_bucket" for metric in EXPORTED if isinstance(metric, Histogram)}
    return {metric.name for metric in EXPORTED} | buckets


def test_the_same_bytes_every_time() -> None:
    assert render() == render()


def test_a_second_upload_finds_the_same_dashboard() -> None:
    assert BOARD["uid"] == UID == "foresail-fleet"
    assert BOARD["title"] == "Foresail fleet"
    assert "id" not in BOARD
    assert "version" not in BOARD


def test_panel_ids_are_those_that_links_know() -> None:
    ids = {panel["id"]: panel["title"] for panel in BOARD["panels"]}
    assert ids == {
        1: "Workloads",
        2: "Replicas and forecast",
        3: "Safe mode",
        4: "Workloads by last reason, and holds",
        5: "Loop duration by phase",
        6: "Time since the last tick",
        7: "Source freshness",
        8: "Changes by result",
        9: "Journal",
        10: "Replicas in shadow: in charge, runner-up, incumbent",
        11: "Late load in shadow, and really",
        12: "Evidence of the tournament",
        13: "Next week",
        14: "Time until more than maximum or quota is needed",
        15: "Models of the next week",
        16: "Coverage and error of the next week's models",
        17: "Budgets: used, and replicas withheld",
    }
    assert len(ids) == len(BOARD["panels"])


def test_variables_are_in_the_usual_order() -> None:
    variables = BOARD["templating"]["list"]
    assert [variable["name"] for variable in variables] == ["datasource", "cluster", "namespace", "workload"]
    assert variables[0]["query"] == "prometheus"
    assert {variable["datasource"]["uid"] for variable in variables[1:]} == {"${datasource}"}
    assert {variable["allValue"] for variable in variables[1:]} == {".*"}


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_description_a_unit_and_its_place(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["noValue"] == "no data"
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_the_chosen_data_source(panel: dict[str, Any]) -> None:
    asked = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in asked)
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH")[: len(panel["targets"])]


@pytest.mark.parametrize("panel", [panel for panel in PANELS if panel.id != "Workloads"])
def test_missing_samples_are_gaps(panel: dict[str, Any]) -> None:
    assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False


def test_panels_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in BOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)


def test_the_table_shows_a_column_for_every_value() -> None:
    table = BOARD["panels"][0]
    organized = table["transformations"][1]["options"]
    assert {"Mode", "Last reason", "In charge"} < set(organized["renameByName"].values())
    shown = {name for field, name in organized["renameByName"].items() if field.startswith("Value #")}
    assert shown == {"Desired", "Ready", "Min", "Max", "Load", "Saturation"}
    assert set(organized["excludeByName"]) == {"Time", "Value #G", "Value #H"}


def test_metric_names_are_those_of_the_catalogue() -> None:
    asked = " ".join([*(expr for _, expr in _expressions()), json.dumps(BOARD["templating"])])
    assert set(re.findall(r"foresail_\w+", asked)) <= _exported_names()


def test_every_query_is_narrowed_to_the_chosen_cluster() -> None:
    selectors = [found for _, expr in _expressions() for found in re.findall(r"foresail_\w+(\{[^}]*\})?", expr)]
    assert selectors
    assert [selector for selector in selectors if 'cluster=~"$cluster"' not in selector] == []


@pytest.mark.server("prometheus")
def test_every_query_parses(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{place}", "expr": _filled_in(expr), "labels": {"panel": name}}
        for place, (name, expr) in enumerate(_expressions())
    ]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    code, output = promtool("check", "rules", path)
    assert code == 0, output
    assert f"{len(rules)} rules found" in output


@pytest.mark.server("prometheus")
@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        pytest.param(
            queries.sum_of_workloads(signals.DESIRED_REPLICAS),
            [{"labels": "{}", "value": 7}],  # chat 4, counted once, and search 3; not bulk of the other namespace
            id="a-workload-that-two-instances-export-is-counted-once",
        ),
        pytest.param(
            queries.sum_of_workloads(signals.CANDIDATE_REPLICAS, "candidate"),
            [{"labels": '{candidate="in_charge"}', "value": 10}, {"labels": '{candidate="incumbent"}', "value": 13}],
            id="each-candidate-has-its-own-sum",
        ),
        pytest.param(
            f"count ({queries.per_workload(signals.EVIDENCE)} >= 1)",
            [{"labels": "{}", "value": 1}],
            id="a-workload-without-evidence-is-not-counted",
        ),
        pytest.param(
            queries.age(signals.LOOP_LAST_SUCCESS, "cluster"),
            [{"labels": '{cluster="a"}', "value": 300}],  # minute 10 less minute 5; b has not ticked since its start
            id="never-has-no-age",
        ),
    ],
)
def test_a_query_means_what_its_panel_says(expr: str, expected: list[dict[str, Any]], tmp_path: Path) -> None:
    series = {
        f'foresail_desired_replicas{{{CHAT},pod="x"}}': "4x20",
        f'foresail_desired_replicas{{{CHAT},pod="y"}}': "4x20",
        'foresail_desired_replicas{namespace="shop",workload="search"}': "3x20",
        'foresail_desired_replicas{namespace="batch",workload="bulk"}': "9x20",
        f'foresail_candidate_replicas{{{CHAT},candidate="in_charge"}}': "7x20",
        'foresail_candidate_replicas{namespace="shop",workload="search",candidate="in_charge"}': "3x20",
        f'foresail_candidate_replicas{{{CHAT},candidate="incumbent"}}': "9x20",
        'foresail_candidate_replicas{namespace="shop",workload="search",candidate="incumbent"}': "4x20",
        f"foresail_tournament_evidence_ratio{{{CHAT}}}": "1x20",
        'foresail_tournament_evidence_ratio{namespace="shop",workload="search"}': "0.5x20",
        'foresail_loop_last_success_timestamp_seconds{cluster="a"}': "0+60x5 300x20",
        'foresail_loop_last_success_timestamp_seconds{cluster="b"}': "0x20",
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": _filled_in(expr), "eval_time": "10m", "exp_samples": expected}],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}), encoding="utf-8")
    code, output = promtool("test", "rules", path)
    assert code == 0, output


def test_a_query_by_a_label_that_the_metric_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="foresail_safe_mode has no label workload"):
        queries.largest(signals.SAFE_MODE, "workload")


def _filled_in(expr: str) -> str:
    for variable, value in FILLED_IN.items():
        expr = expr.replace(variable, value)
    return expr
