"""Every dashboard: what an on-call engineer relies on in each panel, as a lint of the JSON."""

import json
import re
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards import foreign, links
from dashboards.catalogue import Document, documents, text_of
from dashboards.panels import Means
from dashboards.queries import told_before
from policies.gpus.exported import AGENT
from policies.metric import Histogram
from policies.signals import EXPORTED
from tests.alerts.promtool import promtool
from tests.architecture.source import ROOT
from tests.dashboards.boards import DOCUMENTS, asked, filled_in, metrics_in, panels_of
from tests.dashboards.registry import PANELS as REGISTRY

BOARDS = [pytest.param(document, id=document.uid) for document in DOCUMENTS]
PANELS = [
    pytest.param(panel, id=f"{document.uid} {panel['id']}") for document in DOCUMENTS for panel in panels_of(document)
]
UIDS = {links.FLEET, links.WORKLOAD, links.FORECAST, links.GPU, links.COST, links.SELF}
UNITS = {"bool", "bytes", "Bps", "celsius", "currencyUSD", "hertz", "percentunit", "s", "short", "watt"}
MOST_VISIBLE = 25
OWN = {metric.name for metric in (*EXPORTED, *AGENT)} | {
    f"{metric.name}_bucket" for metric in EXPORTED if isinstance(metric, Histogram)
}
FOREIGN = set(chain.from_iterable(foreign.EXPORTERS.values()))


def test_there_are_six_and_a_second_upload_finds_the_same_ones() -> None:
    assert [document.uid for document in DOCUMENTS] == [
        *("foresail-fleet", "foresail-workload", "foresail-forecast"),
        *("foresail-gpu", "foresail-cost", "foresail-self"),
    ]
    assert all(len(document.uid) <= 40 for document in DOCUMENTS)
    assert len({document.title for document in DOCUMENTS}) == len(DOCUMENTS)
    assert [document.text for document in documents()] == [document.text for document in DOCUMENTS]
    assert text_of("foresail-fleet") == DOCUMENTS[0].text


@pytest.mark.parametrize("document", BOARDS)
def test_a_dashboard_has_what_all_have(document: Document) -> None:
    body = document.body
    assert (body["uid"], body["title"], body["timezone"]) == (document.uid, document.title, "utc")
    assert body["tags"] == ["foresail", "generated"]
    assert body["graphTooltip"] == 1  # a crosshair for all panels
    assert body["description"].endswith(".")
    assert "id" not in body
    assert "version" not in body
    visible = [panel for panel in body["panels"] if panel["type"] != "row"]
    assert 1 <= len(visible) <= MOST_VISIBLE
    rows = [panel for panel in body["panels"] if panel["type"] == "row"]
    assert all(row["collapsed"] and row["panels"] for row in rows)


def test_panel_ids_are_those_that_links_know() -> None:
    found = {
        document.uid: {
            panel["id"]: panel["title"]
            for panel in chain(panels_of(document), (each for each in document.body["panels"] if each["type"] == "row"))
        }
        for document in DOCUMENTS
    }
    assert found == REGISTRY
    for document in DOCUMENTS:
        rows = [panel for panel in document.body["panels"] if panel["type"] == "row"]
        assert len(found[document.uid]) == len([*panels_of(document)]) + len(rows)


@pytest.mark.parametrize("document", BOARDS)
def test_variables_are_in_the_usual_order(document: Document) -> None:
    variables = document.body["templating"]["list"]
    names = [variable["name"] for variable in variables]
    assert names[:4] == ["datasource", "cluster", "namespace", "workload"]
    assert set(names[4:]) <= {"horizon", "node", "gpu"}
    assert variables[0]["query"] == "prometheus"
    fixed = [variable for variable in variables if variable["type"] == "custom"]
    assert all(variable["query"] == "1h,5m,1d,7d" for variable in fixed)
    queried = [variable for variable in variables if variable["type"] == "query"]
    assert {variable["datasource"]["uid"] for variable in queried} == {"${datasource}"}
    one = {variable["name"] for variable in queried if not variable.get("multi")}
    assert one == ({"namespace", "workload"} if document.uid == links.WORKLOAD else set())
    assert {variable["allValue"] for variable in queried if variable.get("multi")} == {".*"}


@pytest.mark.parametrize("document", BOARDS)
def test_annotations_and_links_are_seen_and_not_in_a_menu(document: Document) -> None:
    annotations = document.body["annotations"]["list"]
    assert {each["name"]: each["enable"] for each in annotations} == {
        "Replicas asked for changed": True,
        "Somebody else changed replicas": True,
        "People paused or fixed": True,
        "Rollout": True,
        "An HPA changed its mind": False,
        "A node came, or is not ready": False,
        "Quota or budget withholds replicas": False,
    }
    (others,) = document.body["links"]
    assert (others["type"], others["tags"], others["includeVars"], others["keepTime"]) == (
        *("dashboards", ["foresail"]),
        *(True, True),
    )
    assert not any(each.get("placement") for each in (*annotations, others))
    assert all(each["datasource"]["uid"] == "${datasource}" for each in annotations)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_a_description_a_unit_and_its_place(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_asks_the_chosen_data_source(panel: dict[str, Any]) -> None:
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGHIJKL")[: len(panel["targets"])]


@pytest.mark.parametrize("panel", PANELS)
def test_missing_samples_are_gaps(panel: dict[str, Any]) -> None:
    match panel["type"]:
        case "timeseries" | "state-timeline":
            assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False
        case "stat":
            # Of a query over time the last value may be an old one.
            assert all(target["instant"] and not target.get("range") for target in panel["targets"])
        case kind:
            assert kind in ("table", "heatmap")  # which show only what there is


def panel_of(uid: str, panel_id: int) -> dict[str, Any]:
    """One panel by its id."""
    (document,) = (each for each in DOCUMENTS if each.uid == uid)
    (panel,) = (each for each in panels_of(document) if each["id"] == panel_id)
    return panel


def test_one_colour_has_one_meaning() -> None:
    colours = [means.value[0] for means in Means if means is not Means.ANY]
    assert len(set(colours)) == len(colours)
    used = {
        each["value"]["fixedColor"]
        for document in DOCUMENTS
        for panel in panels_of(document)
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "color"
    }
    assert used == set(colours)


def test_a_band_is_filled_down_to_a_series_of_its_panel() -> None:
    filled = 0
    for document in DOCUMENTS:
        for panel in panels_of(document):
            legends = {target.get("legendFormat") for target in panel["targets"]}
            for override in panel["fieldConfig"]["overrides"]:
                below = [each["value"] for each in override["properties"] if each["id"] == "custom.fillBelowTo"]
                filled += len(below)
                assert set(below) <= legends
    assert filled == 2
    assert {target["expr"] for target in panel_of(links.WORKLOAD, 8)["targets"]} > {
        f"sum ({told_before('$horizon', quantile)})" for quantile in ("0.1", "0.5", "0.9")
    }


@pytest.mark.parametrize("document", BOARDS)
def test_panels_do_not_overlap(document: Document) -> None:
    groups = [[panel for panel in document.body["panels"] if panel["type"] != "row"]]
    groups += [row["panels"] for row in document.body["panels"] if row["type"] == "row"]
    for group in groups:
        cells = [
            (x, y)
            for place in (panel["gridPos"] for panel in group)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(set(cells)) == len(cells)


@pytest.mark.parametrize("document", BOARDS)
def test_links_lead_to_known_dashboards(document: Document) -> None:
    led = re.findall(r"/d/([\w-]+)", document.text)
    assert set(led) <= UIDS
    urls = [each["url"] for panel in panels_of(document) for each in panel["links"]]
    assert all(url.startswith("/d/") and "${__url_time_range}" in url for url in urls)


@pytest.mark.parametrize("document", BOARDS)
def test_a_figure_that_can_be_red_leads_on(document: Document) -> None:
    red = [
        panel
        for panel in panels_of(document)
        if any(
            step["color"] == "red" for step in panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())
        )
    ]
    assert [panel["title"] for panel in red if not panel["links"] and "Runbooks: " not in panel["description"]] == []
    assert red


@pytest.mark.parametrize("document", BOARDS)
def test_runbooks_exist(document: Document) -> None:
    pages = re.findall(r"docs/runbooks/[a-z]+\.md", document.text)
    assert [page for page in pages if not (ROOT / page).is_file()] == []


def test_runbooks_are_links_where_their_site_is_known() -> None:
    (fleet, *_) = documents(runbooks="https://example.org/runbooks/")
    urls = [each["url"] for panel in panels_of(fleet) for each in panel["links"]]
    assert "https://example.org/runbooks/foresailmaxedout.md" in urls
    assert "docs/runbooks" not in fleet.text


def test_tables_show_a_column_for_every_value() -> None:
    table = next(panel for panel in panels_of(DOCUMENTS[0]) if panel["type"] == "table")
    organized = table["transformations"][1]["options"]
    assert {"Mode", "Last reason", "In charge"} < set(organized["renameByName"].values())
    shown = {name for field, name in organized["renameByName"].items() if field.startswith("Value #")}
    assert shown == {
        *("Desired", "Ready", "Min", "Max", "Load", "Saturation", "Late budget left", "Per hour", "Changed"),
    }
    assert set(organized["excludeByName"]) == {"Time", "Value #G", "Value #H"}
    assert table["options"]["sortBy"] == [{"displayName": "Saturation", "desc": True}]
    assert "/d/foresail-workload?" in json.dumps(table["fieldConfig"]["overrides"])


def test_the_last_decisions_are_rows_with_their_time_the_newest_first() -> None:
    merged, newest, last, organized = (each["options"] for each in panel_of(links.WORKLOAD, 22)["transformations"])
    assert (merged, newest, last) == ({}, {"sort": [{"field": "Time", "desc": True}]}, {"limitField": 20})
    assert organized["renameByName"] == {
        "Time": "When",
        "reason": "Reason",
        "in_charge": "In charge",
        "mode": "Mode",
        "Value #A": "Decided",
        "Value #B": "Before",
        "Value #C": "Asked for",
        "Value #D": "Ready",
    }
    assert set(organized["excludeByName"]) == {"Value #E", "Value #F"}


@pytest.mark.parametrize(
    ("panel_id", "calculated", "form"),
    [pytest.param(24, True, "time_series", id="of-series"), pytest.param(33, False, "heatmap", id="of-buckets")],
)
def test_a_density_counts_series_or_buckets(panel_id: int, calculated: bool, form: str) -> None:  # noqa: FBT001 - a case
    panel = panel_of(links.WORKLOAD, panel_id)
    assert (panel["type"], panel["options"]["calculate"]) == ("heatmap", calculated)
    assert [target["format"] for target in panel["targets"]] == [form]


def test_metrics_are_those_of_the_catalogue_or_of_a_named_exporter() -> None:
    found = {name for each in asked() for name in metrics_in(each.expr)}
    assert found <= OWN | FOREIGN
    assert found >= FOREIGN, "named, and asked for by no panel"
    variables = json.dumps([document.body["templating"] for document in DOCUMENTS])
    assert set(re.findall(r"foresail_\w+", variables)) <= OWN


def test_every_query_is_narrowed_to_the_chosen_cluster() -> None:
    selectors = [selector for each in asked() for selector in re.findall(r"\{[^}]*\}", each.expr)]
    assert selectors
    assert [selector for selector in selectors if 'cluster=~"$cluster"' not in selector] == []


@pytest.mark.server("prometheus")
def test_every_query_parses(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{place}", "expr": filled_in(each.expr), "labels": {"panel": each.title}}
        for place, each in enumerate(asked())
    ]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    code, output = promtool("check", "rules", path)
    assert code == 0, output
    assert f"{len(rules)} rules found" in output
