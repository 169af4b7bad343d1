"""The dashboard "Forecast quality": how far what was told was from what came, and whom it rests on."""

from __future__ import annotations

from functools import partial

from dashboards import links, shared
from dashboards.board import HORIZONS, Board, Details, Drawn, Variable, shown
from dashboards.panels import Bounds, Link, Means, Query, Sheet, lines
from dashboards.queries import age, largest, missed, per_workload
from policies import signals
from policies.forecast import exported as foretold

_SHOWN = ("5m", "1h", "1d")
_LOAD, _READY = per_workload(signals.LOAD), per_workload(signals.READY_REPLICAS)
_OVER = "[1h:5m]"


def _by_horizon(kind: str) -> tuple[Query, ...]:
    return tuple(Query(missed(kind, horizon), f"{horizon} ahead") for horizon in _SHOWN)


_FIGURES = (
    shown(
        Sheet(
            id=1,
            title="Error, $horizon ahead",
            description="Sum of misses over the sum of loads (WAPE) in the last hour, of the median that was told.",
            unit="percentunit",
            queries=(Query(missed("error", "$horizon"), "error"),),
            span=4,
            links=(Link("Workload", links.dashboard(links.WORKLOAD)),),
        ),
        Bounds(0.2, 0.35),
    ),
    shown(
        Sheet(
            id=2,
            title="Bias, $horizon ahead",
            description="Sum of what was told less what came over the sum of loads, in the last hour: above 0, too much"
            " was told.",
            unit="percentunit",
            queries=(Query(missed("bias", "$horizon"), "bias"),),
            span=4,
        ),
    ),
    shown(
        Sheet(
            id=3,
            title="Below the 0.9 quantile, $horizon ahead",
            description="Share of time and workloads in the last hour with a load at or below the 0.9 quantile told:"
            " 0.9 is to be expected.",
            unit="percentunit",
            queries=(Query(missed("coverage", "$horizon"), "coverage"),),
            span=4,
            links=(Link("Workload", links.dashboard(links.WORKLOAD)),),
        ),
        Bounds(0.85, 0.7, bad_below=True),
    ),
    shown(
        Sheet(
            id=4,
            title="Time short of replicas",
            description="Share of time and workloads in the last hour in which load was above what ready replicas serve"
            " in time.",
            unit="percentunit",
            queries=(Query(f"avg (avg_over_time(({_LOAD} > bool {_READY}){_OVER}))", "short"),),
            span=4,
            runbooks=("ForesailMaxedOut",),
        ),
        Bounds(0.01, 0.05),
    ),
    shown(
        Sheet(
            id=5,
            title="Replicas to spare",
            description="Ready replicas above the load, on average over the last hour, summed over workloads.",
            unit="short",
            queries=(Query(f"sum (avg_over_time(clamp_min({_READY} - {_LOAD}, 0){_OVER}))", "to spare"),),
            span=4,
        ),
    ),
    shown(
        Sheet(
            id=6,
            title="Oldest fit",
            description="How long ago the oldest fit was made that what is told of the next week rests on.",
            unit="s",
            queries=(Query(f"max ({age(foretold.OUTLOOK_OLDEST_FIT, 'cluster')})", "age"),),
            span=4,
            links=(Link("Foresail itself", links.dashboard(links.SELF)),),
            no_value="nothing fitted yet",
        ),
        Bounds(86_400, 2 * 86_400),
    ),
)
_ERROR = Drawn(
    Sheet(
        id=8,
        title="Error by horizon",
        description="Sum of misses over the sum of loads (WAPE), each point over the hour before it.",
        unit="percentunit",
        queries=_by_horizon("error"),
        span=8,
    ),
    lines,
)
_BIAS = Drawn(
    Sheet(
        id=9,
        title="Bias by horizon",
        description="What was told less what came, over the load, each point over the hour before it.",
        unit="percentunit",
        queries=_by_horizon("bias"),
        span=8,
    ),
    partial(lines, below_zero=True),
)
_COVERAGE = Drawn(
    Sheet(
        id=10,
        title="Below the 0.9 quantile, by horizon",
        description="Share of loads at or below the 0.9 quantile told, each point over the hour before it.",
        unit="percentunit",
        queries=(*_by_horizon("coverage"), Query("vector(0.9)", "to be expected", Means.LIMIT)),
        span=8,
    ),
    lines,
)
_WORST = Drawn(
    Sheet(
        id=11,
        title="Workloads with the largest error, $horizon ahead",
        description="Sum of misses over the sum of loads in the hour before each point: the ten largest. Models know a"
        " workload by its past; one without a day of it is guessed from its last values.",
        unit="percentunit",
        queries=(Query(f"topk(10, {missed('error', '$horizon', by_workload=True)})", "{{namespace}}/{{workload}}"),),
        links=(Link("Workload", links.dashboard(links.WORKLOAD)),),
    ),
    lines,
)
_MODELS = Drawn(
    Sheet(
        id=12,
        title="Models of the next week",
        description="For how many demand signals each model speaks, and for how many it may not because its coverage or"
        " error left its range; each of the eight horizons from a minute to a week counts.",
        unit="short",
        queries=tuple(
            Query(f"sum by (model) ({largest(metric, 'cluster', 'model', 'horizon')})", f"{{{{model}}}}{told}")
            for metric, told in ((foretold.OUTLOOK_MODELS, ""), (foretold.OUTLOOK_DEMOTED, " demoted"))
        ),
    ),
    partial(lines, stepped=True),
)
_BACKTEST = Drawn(
    Sheet(
        id=13,
        title="Coverage and error in the backtest",
        description="In the newest part of the backtest: the share of loads below the 0.95 quantile, which is to be"
        " 0.95, and the loss over the mean load, by how far ahead.",
        unit="percentunit",
        queries=(
            Query(largest(foretold.OUTLOOK_COVERAGE, "cluster", "horizon"), "coverage {{horizon}}"),
            Query(largest(foretold.OUTLOOK_ERROR, "cluster", "horizon"), "loss {{horizon}}"),
        ),
    ),
    lines,
)

BOARD = Board(
    uid=links.FORECAST,
    title="Forecast quality",
    description="How far what was told was from what came, by horizon, and whom it rests on.",
    first=(
        *_FIGURES,
        shared.placed(shared.BAND, 7),
        _ERROR,
        _BIAS,
        _COVERAGE,
        _WORST,
        shared.placed(shared.IN_CHARGE, 14, title="Workloads by the family in charge"),
    ),
    details=(
        Details(101, "Models", (_MODELS, _BACKTEST)),
        Details(
            102,
            "Against the incumbent",
            (
                shared.placed(shared.SHADOW_REPLICAS, 15, span=12),
                shared.placed(shared.SHADOW_LATE, 16, span=12),
            ),
        ),
    ),
    further=(Variable("horizon", "Forecast of", values=HORIZONS),),
)
