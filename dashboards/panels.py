"""How a panel is drawn: one place for what all panels share, so that they cannot differ in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import prometheus, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import (
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and what its series are called; in a table, the name of its column."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a panel shows. `id` never changes once published: links and annotations name it. `span` is out of 24."""

    id: int
    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    span: int = 12
    height: int = 8


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's columns: the labels in front, the units that differ from the panel's, and what sorts it downwards."""

    labels: Mapping[str, str]
    units: Mapping[str, str]
    worst_first: str


def lines(sheet: Sheet, *, stepped: bool = False) -> timeseries.Panel:
    """Series over time; where there is no sample the line has a gap."""
    panel = timeseries.Panel().id(sheet.id).title(sheet.title).description(sheet.description).unit(sheet.unit)
    panel.datasource(SOURCE).span(sheet.span).height(sheet.height).targets([*_targets(sheet)])
    panel.span_nulls(False).show_points(VisibilityMode.NEVER).line_width(1).fill_opacity(0)  # noqa: FBT003 - the SDK's
    panel.line_interpolation(LineInterpolation.STEP_AFTER if stepped else LineInterpolation.LINEAR)
    return panel.min(0).legend(_legend()).tooltip(_tooltip()).no_value("no data")


def states(sheet: Sheet) -> statetimeline.Panel:
    """Values as coloured bands over time; where there is no sample the band has a gap."""
    panel = statetimeline.Panel().id(sheet.id).title(sheet.title).description(sheet.description).unit(sheet.unit)
    panel.datasource(SOURCE).span(sheet.span).height(sheet.height).targets([*_targets(sheet)])
    return panel.span_nulls(False).legend(_legend()).no_value("no data")  # noqa: FBT003 - the SDK's


def rows(sheet: Sheet, columns: Columns) -> table.Panel:
    """One row for each combination of labels, one column for each query; the present values."""
    panel = table.Panel().id(sheet.id).title(sheet.title).description(sheet.description).unit(sheet.unit)
    panel.datasource(SOURCE).span(sheet.span).height(sheet.height).targets([*_targets(sheet, instant=True)])
    panel.transformations([DataTransformerConfig(id_val="merge", options={}), _organized(sheet, columns)])
    for name, unit in columns.units.items():
        panel.override_by_name(name, [DynamicConfigValue("unit", unit)])
    worst_first = common_builders.TableSortByFieldState().display_name(columns.worst_first).desc(True)  # noqa: FBT003 - the SDK's
    return panel.sort_by([worst_first]).no_value("no data")


def _targets(sheet: Sheet, *, instant: bool = False) -> list[prometheus.Dataquery]:
    return [_target(query, _ref(place), instant=instant) for place, query in enumerate(sheet.queries)]


def _target(query: Query, ref: str, *, instant: bool) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE)
    if instant:
        return target.instant().format(PromQueryFormat.TABLE)
    return target.range().legend_format(query.legend)


def _organized(sheet: Sheet, columns: Columns) -> DataTransformerConfig:
    """Name the merged columns and put them in order. A query that yields a state by its label has no value to show."""
    values = {f"Value #{_ref(place)}": query.legend for place, query in enumerate(sheet.queries)}
    shown = {**columns.labels, **{field: name for field, name in values.items() if name}}
    hidden = ["Time", *(field for field, name in values.items() if not name)]
    options = {
        "renameByName": shown,
        "indexByName": {field: place for place, field in enumerate(shown)},
        "excludeByName": dict.fromkeys(hidden, True),
    }
    return DataTransformerConfig(id_val="organize", options=options)


def _ref(place: int) -> str:
    return chr(ord("A") + place)


def _legend() -> common_builders.VizLegendOptions:
    legend = common_builders.VizLegendOptions().show_legend(True)  # noqa: FBT003 - the SDK's
    return legend.display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)


def _tooltip() -> common_builders.VizTooltipOptions:
    return common_builders.VizTooltipOptions().mode(TooltipDisplayMode.MULTI)
