"""How a panel is drawn: one place for what all panels share, so that they cannot differ in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    DataSourceRef,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.variants import Dataquery


SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
NO_DATA = "no data"
LOGGED = 20  # rows of a table of what was
HAPPENED = "dark-blue"  # the colour of what is so or happens, for better or worse

Panel = TypeVar("Panel", timeseries.Panel, stat.Panel, statetimeline.Panel, table.Panel, heatmap.Panel)

_MERGE = DataTransformerConfig(id_val="merge", options={})


class Means(Enum):
    """What a series stands for, and with that its colour and dash: the same on every dashboard."""

    ANY = ("", ())  # told apart by name: the same name has the same colour
    ACTUAL = ("text", ())
    ASKED = ("blue", ())
    READY = ("green", ())
    EXPECTED = ("orange", (6, 4))
    AT_MOST = ("light-orange", ())
    AT_LEAST = ("super-light-orange", ())
    LIMIT = ("purple", (10, 10))
    BAD = ("red", ())


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and what its series are called; in a table, the name of its column."""

    expr: str
    legend: str
    means: Means = Means.ANY


@dataclass(frozen=True, slots=True)
class Link:
    """Where a panel leads."""

    title: str
    url: str


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
    no_value: str = NO_DATA
    runbooks: tuple[str, ...] = ()  # alerts that tell more
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Columns:
    """A table's columns: the labels in front, the units that differ from the panel's, and what sorts it downwards.

    `Time` among the labels is when it was. `url` is where a row leads.
    """

    labels: Mapping[str, str]
    units: Mapping[str, str]
    worst_first: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From which values on a figure is to be looked at, and is bad. `bad_below` turns it round."""

    look: float
    bad: float
    bad_below: bool = False


def lines(sheet: Sheet, *, stepped: bool = False, below_zero: bool = False) -> timeseries.Panel:
    """Series over time; where there is no sample the line has a gap."""
    panel = _begun(timeseries.Panel(), sheet).targets(_over_time(sheet))
    panel.span_nulls(False).show_points(VisibilityMode.NEVER).line_width(1).fill_opacity(0)  # noqa: FBT003 - the SDK's
    panel.line_interpolation(LineInterpolation.STEP_AFTER if stepped else LineInterpolation.LINEAR)
    panel.color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    for place, query in enumerate(sheet.queries):
        if query.means is not Means.ANY:
            panel.override_by_query(_ref(place), _look(query.means))
    if not below_zero:
        panel.min(0)
    return panel.legend(_legend()).tooltip(_tooltip())


def band(sheet: Sheet) -> timeseries.Panel:
    """Lines of which the one that is AT_MOST is filled down to the one that is AT_LEAST."""
    panel = lines(sheet)
    lower = next(query.legend for query in sheet.queries if query.means is Means.AT_LEAST)
    for place, query in enumerate(sheet.queries):
        if query.means is Means.AT_MOST:
            filled = [DynamicConfigValue("custom.fillBelowTo", lower), DynamicConfigValue("custom.fillOpacity", 25)]
            panel.override_by_query(_ref(place), filled)
    return panel


def figure(sheet: Sheet, bounds: Bounds | None = None) -> stat.Panel:
    """The present value of each series. It is asked for at once, as over time an old value would be shown as new."""
    panel = _begun(stat.Panel(), sheet)
    panel.targets([each.instant().legend_format(query.legend) for query, each in _asked(sheet)])
    panel.reduce_options(common_builders.ReduceDataOptions().calcs(["last"])).graph_mode(BigValueGraphMode.NONE)
    panel.text_mode(BigValueTextMode.VALUE_AND_NAME if len(sheet.queries) > 1 else BigValueTextMode.AUTO)
    panel.thresholds(_thresholds(bounds)).color_mode(BigValueColorMode.VALUE)
    return panel.color_scheme(dashboard_builders.FieldColor().mode(FieldColorModeId.THRESHOLDS))


def states(sheet: Sheet, words: Mapping[int, tuple[str, str]] | None = None) -> statetimeline.Panel:
    """Values as coloured bands over time, with words and colours by value; a gap where there is no sample."""
    panel = _begun(statetimeline.Panel(), sheet).targets(_over_time(sheet))
    told = words or {0: ("", "transparent"), 1: ("yes", HAPPENED)}
    results = {str(value): ValueMappingResult(text=text, color=colour) for value, (text, colour) in told.items()}
    panel.mappings([ValueMap(options=results)]).thresholds(_thresholds(None)).show_value(VisibilityMode.NEVER)
    panel.merge_values(True).row_height(0.8)  # noqa: FBT003 - the SDK's
    return panel.span_nulls(False).legend(_legend())  # noqa: FBT003 - the SDK's


def rows(sheet: Sheet, columns: Columns) -> table.Panel:
    """One row for each combination of labels, one column for each query; the present values."""
    return _table(sheet, columns).targets([each.instant().format(PromQueryFormat.TABLE) for _, each in _asked(sheet)])


def entries(sheet: Sheet, columns: Columns) -> table.Panel:
    """One row for each moment at which the queries have a value, one column for each query; the last LOGGED."""
    panel = _table(sheet, columns).targets(_over_time(sheet, PromQueryFormat.TABLE))
    newest = DataTransformerConfig(id_val="sortBy", options={"sort": [{"field": "Time", "desc": True}]})
    last = DataTransformerConfig(id_val="limit", options={"limitField": LOGGED})
    return panel.transformations([_MERGE, newest, last, _organized(sheet, columns)])


def density(sheet: Sheet, *, buckets: bool = False) -> heatmap.Panel:
    """How many values lie where over time: of the series themselves, or of a histogram's buckets by `le`."""
    panel = _begun(heatmap.Panel(), sheet).calculate(not buckets).show_legend()
    panel.targets(_over_time(sheet, PromQueryFormat.HEATMAP if buckets else PromQueryFormat.TIME_SERIES))
    panel.y_axis(heatmap.YAxisConfig().unit(sheet.unit).min(0))
    colour = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.OPACITY).fill(HAPPENED)
    return panel.color(colour.scale(HeatmapColorScale.EXPONENTIAL).exponent(0.5).steps(32))


def _table(sheet: Sheet, columns: Columns) -> table.Panel:
    panel = _begun(table.Panel(), sheet)
    panel.transformations([_MERGE, _organized(sheet, columns)])
    for name, unit in columns.units.items():
        panel.override_by_name(name, [DynamicConfigValue("unit", unit)])
    if columns.url:
        link = {"title": "Open the workload", "url": columns.url, "targetBlank": False}
        panel.override_by_name("Workload", [DynamicConfigValue("links", [link])])
    worst_first = common_builders.TableSortByFieldState().display_name(columns.worst_first).desc(True)  # noqa: FBT003 - the SDK's
    return panel.sort_by([worst_first])


def _begun(panel: Panel, sheet: Sheet) -> Panel:
    panel.id(sheet.id).title(sheet.title).description(sheet.description).unit(sheet.unit).no_value(sheet.no_value)
    panel.datasource(SOURCE).span(sheet.span).height(sheet.height)
    panel.links([_link(each) for each in sheet.links])
    return panel


def _link(link: Link) -> dashboard_builders.DashboardLink:
    return dashboard_builders.DashboardLink(link.title).type(DashboardLinkType.LINK).url(link.url)


def _look(means: Means) -> list[DynamicConfigValue]:
    colour, dash = means.value
    look = [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})]
    if dash:
        look.append(DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [*dash]}))
    return look


def _thresholds(bounds: Bounds | None) -> dashboard_builders.ThresholdsConfig:
    if bounds is None:
        steps = [Threshold(value=None, color="text")]
    elif bounds.bad_below:
        steps = [Threshold(None, "red"), Threshold(bounds.bad, "yellow"), Threshold(bounds.look, "green")]
    else:
        steps = [Threshold(None, "green"), Threshold(bounds.look, "yellow"), Threshold(bounds.bad, "red")]
    return dashboard_builders.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _asked(sheet: Sheet) -> Iterator[tuple[Query, prometheus.Dataquery]]:
    for place, query in enumerate(sheet.queries):
        yield query, prometheus.Dataquery().expr(query.expr).ref_id(_ref(place)).datasource(SOURCE)


def _over_time(sheet: Sheet, form: PromQueryFormat = PromQueryFormat.TIME_SERIES) -> list[Builder[Dataquery]]:
    return [target.range().format(form).legend_format(query.legend) for query, target in _asked(sheet)]


def _organized(sheet: Sheet, columns: Columns) -> DataTransformerConfig:
    """Name the merged columns and put them in order. A query that yields a state by its label has no value to show."""
    values = {f"Value #{_ref(place)}": query.legend for place, query in enumerate(sheet.queries)}
    shown = {**columns.labels, **{field: name for field, name in values.items() if name}}
    hidden = [field for field in ("Time", *values) if field not in shown]
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
