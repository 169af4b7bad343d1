"""A dashboard's frame: variables, annotations, links, what is seen at first, and rows of details below."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard, prometheus
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableRefresh,
    VariableSort,
)

from dashboards import foreign
from dashboards.links import RUNBOOKS
from dashboards.panels import HAPPENED, SOURCE, Bounds, Link, Sheet, figure
from dashboards.queries import EACH, WORKLOADS, changed_just_now, chosen, fixed_by_people, or_zero, paused_by_people
from policies import signals

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models import dashboard as model

Draw = Callable[[Sheet], "Builder[model.Panel]"]

HORIZONS = ("1h", "5m", "1d", "7d")  # of the outlook that is exported; the first is chosen at first


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sheet and how it is drawn."""

    sheet: Sheet
    draw: Draw


def shown(sheet: Sheet, bounds: Bounds | None = None) -> Drawn:
    """A figure, as high as all of them."""
    return Drawn(replace(sheet, height=4), partial(figure, bounds=bounds))


@dataclass(frozen=True, slots=True)
class Details:
    """A collapsed row. `id` is of the same registry as those of panels."""

    id: int
    title: str
    panels: tuple[Drawn, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """One further choice: the values of a label of `series`, or fixed ones; the first value is chosen at first."""

    name: str
    label: str
    series: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard. `one` means that a single workload is looked at."""

    uid: str
    title: str
    description: str
    first: tuple[Drawn, ...]
    details: tuple[Details, ...] = ()
    further: tuple[Variable, ...] = ()
    one: bool = False


def rendered(board: Board, *, runbooks: str = RUNBOOKS) -> dict[str, Any]:
    """The dashboard in Grafana's classic form (10 to 13 take it), the same every time.

    Links to runbooks are made when `runbooks` is the address of a site (https://...); else descriptions name the files.
    """
    made = dashboard.Dashboard(board.title).uid(board.uid).tags(["foresail", "generated"]).timezone("utc")
    made.description(board.description).refresh("30s").time("now-6h", "now").tooltip(DashboardCursorSync.CROSSHAIR)
    for variable in _variables(board):
        made.with_variable(variable)
    for annotation in _annotations():
        made.annotation(annotation)
    made.link(_others())
    for drawn in board.first:
        made.with_panel(drawn.draw(_told(drawn.sheet, runbooks)))
    for row in board.details:
        shelf = dashboard.Row(row.title).id(row.id)
        for drawn in row.panels:
            shelf.with_panel(drawn.draw(_told(drawn.sheet, runbooks)))
        made.with_row(shelf)
    body: dict[str, Any] = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
    panels = [panel for each in body["panels"] for panel in (each, *each.get("panels", ()))]
    of_panels = [link for panel in panels for link in panel.get("links", ())]
    for each in (*body["links"], *body["annotations"]["list"], *of_panels):
        del each["placement"]  # in a menu, as the SDK has it
    return body


def _told(sheet: Sheet, runbooks: str) -> Sheet:
    """The sheet with its runbooks as links, or named in the description where there is no site of them."""
    pages = [(alert, f"{runbooks.rstrip('/')}/{alert.lower()}.md") for alert in sheet.runbooks]
    if not pages:
        return sheet
    if runbooks.startswith(("https://", "http://")):
        return replace(sheet, links=(*sheet.links, *(Link(f"Runbook {alert}", url) for alert, url in pages)))
    return replace(sheet, description=f"{sheet.description} Runbooks: {', '.join(page for _, page in pages)}.")


def _variables(board: Board) -> list[dashboard.DatasourceVariable | dashboard.QueryVariable | dashboard.CustomVariable]:
    desired = signals.DESIRED_REPLICAS.name
    of_cluster, of_namespace = (f"{desired}{{{found}}}" for found in (WORKLOADS[0], ",".join(WORKLOADS[:2])))
    found: list[dashboard.DatasourceVariable | dashboard.QueryVariable | dashboard.CustomVariable] = [
        dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _label("cluster", "Cluster", signals.BUILD.name),
        _label("namespace", "Namespace", of_cluster, one=board.one),
        _label("workload", "Workload", of_namespace, one=board.one),
    ]
    for each in board.further:
        if each.values:
            found.append(dashboard.CustomVariable(each.name).label(each.label).values(",".join(each.values)))
        else:
            found.append(_label(each.name, each.label, each.series))
    return found


def _label(name: str, label: str, series: str, *, one: bool = False) -> dashboard.QueryVariable:
    """Offer the values that a label has in `series`: one, several or all; or only one."""
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(f"label_values({series}, {name})")
    variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)
    if one:
        return variable
    return variable.multi(True).include_all(True).all_value(".*")  # noqa: FBT003 - the SDK's


@dataclass(frozen=True, slots=True)
class _Event:
    """What is marked on all panels while `expr` is above 0; `shown` at first, or only when it is switched on."""

    name: str
    expr: str
    colour: str = HAPPENED
    shown: bool = True
    told: str = "{{namespace}}/{{workload}}"


def _annotations() -> Iterator[dashboard.AnnotationQuery]:
    asked = f"{EACH} (changes({chosen(signals.DESIRED_REPLICAS)}[$__rate_interval]))"
    nodes = f"({foreign.NODE_CAME}) + ({foreign.NODE_NOT_READY})"
    caps = (signals.GPU_QUOTA_WITHHELD, signals.BUDGET_WITHHELD)
    withheld = or_zero(" or ".join(f"{EACH} ({chosen(each)}) > 0" for each in caps))
    for event in (
        _Event("Replicas asked for changed", asked, "blue"),
        _Event("Somebody else changed replicas", changed_just_now("other", of=EACH), "red"),
        _Event("People paused or fixed", f"{paused_by_people(of=EACH)} or {fixed_by_people(of=EACH)}"),
        _Event("Rollout", foreign.ROLLOUT),
        _Event("An HPA changed its mind", foreign.HPA, shown=False, told="{{namespace}}"),
        _Event("A node came, or is not ready", nodes, shown=False, told=""),
        _Event("Quota or budget withholds replicas", withheld, shown=False),
    ):
        yield _annotation(event)


def _annotation(event: _Event) -> dashboard.AnnotationQuery:
    expr = f"({event.expr}) > 0"
    target = prometheus.Dataquery().expr(expr).ref_id("A").datasource(SOURCE).range().legend_format(event.told)
    annotation = dashboard.AnnotationQuery().name(event.name).datasource(SOURCE).enable(event.shown).hide(False)  # noqa: FBT003 - the SDK's
    annotation.icon_color(event.colour).target(target).expr(expr)
    return annotation.title_format(event.name).text_format(event.told)


def _others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Foresail").type(DashboardLinkType.DASHBOARDS).tags(["foresail"])
    return link.as_dropdown(True).include_vars(True).keep_time(True)  # noqa: FBT003 - the SDK's
