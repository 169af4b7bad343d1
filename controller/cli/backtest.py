"""`foresail backtest`: what several policies would have cost and missed on recorded loads, side by side."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.agreement import asked_of, decided_again, journal_document, journal_words
from controller.cli.exits import INVALID
from controller.cli.output import Output, console, note, table_of
from controller.cli.whatif import (
    FiguresOption,
    MetricDelayOption,
    StepOption,
    SyncOption,
    capacity_of,
    given,
    pace_of,
    progress,
    share,
    show,
    steps_of,
    write_plan,
)
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from controller.cli.recorded import Recorded
    from policies.arrays import IntArray
    from simulations.contenders import Contender
    from simulations.intervals import Interval
    from simulations.protocol import Capacity, Grid
    from simulations.scenario import Pace, Scenario
    from simulations.serving import Serving

Run = dict[str, str | int | float | list[float] | None]

_CAPACITY, _SERVING_LIMIT, _STARTUP, _OBJECTIVE = "p99.9/40", 0.8, "60s", 0.01
_FILES, _JOURNAL = "Of files", "Of a journal"

_COLUMNS = {
    "trace": "left",
    "policy": "left",
    "start-up": "right",
    "replica-hours": "right",
    "over clairvoyant": "right",
    "late %": "right",
    "unserved %": "right",
    "changes/day": "right",
    "95 % of late": "left",
}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the options ask for, parsed."""

    loads: tuple[Path, ...]
    contenders: "tuple[Contender, ...]"
    startups_s: tuple[float, ...]  # () = as recorded
    capacity: "Capacity"
    pace: "Pace"
    warmup_s: float | None
    serving_limit_ratio: float
    objective: float | None  # None = as recorded
    replicas: tuple[int, int | None]
    dwell_s: float
    plan_out: Path | None


@dataclass(frozen=True, slots=True)
class _Trace:
    """A load on steps, with one scenario for each start-up."""

    name: str
    steps: "Grid"
    warmup_steps: int
    scenarios: "tuple[Scenario, ...]"
    objective: float


def backtest(
    policy: Annotated[
        list[str],
        typer.Option(
            help="predictive (what the daemon decides), tournament (the lead-time layer, which the daemon does not "
            "use yet), reactive (the same without its models), kpa or hpa:TARGET, as in hpa:0.70 or "
            "hpa:0.70,tolerance=0.05,window=60s; may be repeated."
        ),
    ],
    load: Annotated[
        list[Path] | None,
        typer.Option(help="Parquet or CSV with columns timestamp (s, UTC) and value; may be repeated."),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            help="Instead of files, what a daemon recorded: its loads, start-ups and bounds. With --policy predictive "
            "its decisions are made again and compared; exit code 3 when one differs.",
            metavar="FILE|URL",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            help="Of the journal; may be repeated.",
            metavar="NAMESPACE/NAME",
            show_default="all",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="First time, as RFC 3339 or so long ago, as in -2h.",
            metavar="TIME",
            show_default="all",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last time.", metavar="TIME", show_default="all", rich_help_panel=_JOURNAL)
    ] = None,
    capacity: Annotated[
        str | None,
        typer.Option(
            help="Load that one replica serves at 100 %: a number, or p99.9/40 to fit it to the load.",
            show_default=_CAPACITY,
            rich_help_panel=_FILES,
        ),
    ] = None,
    serving_limit: Annotated[
        float | None,
        typer.Option(
            help="Share of its capacity up to which a replica serves in time.",
            show_default=f"{_SERVING_LIMIT:g}",
            rich_help_panel=_FILES,
        ),
    ] = None,
    startup: Annotated[
        list[str] | None,
        typer.Option(
            help="Time from a decision until a replica serves; may be repeated.",
            show_default=f"{_STARTUP}, or as recorded",
        ),
    ] = None,
    metric_delay: MetricDelayOption = "30s",
    step: StepOption = "30s",
    sync: SyncOption = "15s",
    objective: Annotated[
        float | None,
        typer.Option(
            help="Share of requests that may be late.", show_default=f"{_OBJECTIVE:g}, or as the policy had it"
        ),
    ] = None,
    warmup: Annotated[
        str | None,
        typer.Option(
            help="Time that is not scored.",
            show_default="3d, or 1d of a load of a week or less; of a journal at most a quarter",
        ),
    ] = None,
    low: Annotated[
        int | None,
        typer.Option("--min", min=1, help="Smallest number of replicas.", show_default="1", rich_help_panel=_FILES),
    ] = None,
    high: Annotated[
        int | None,
        typer.Option("--max", min=1, help="Largest number of replicas.", show_default="none", rich_help_panel=_FILES),
    ] = None,
    dwell: Annotated[str, typer.Option(help="Time for which a released replica is still paid.")] = "0s",
    output: FiguresOption = Output.TABLE,
    plan_out: Annotated[
        Path | None,
        typer.Option(help="Write plans to this folder: TRACE.POLICY.STARTUP.parquet (timestamp, demand, replicas)."),
    ] = None,
) -> None:
    """Replay policies on recorded loads, side by side: cost, late share, churn."""
    from controller.errors import ForesailError
    from simulations.contenders import parse_contender
    from simulations.protocol import Capacity, ProtocolError
    from simulations.scenario import ReplayError

    of_files = {"--capacity": capacity, "--serving-limit": serving_limit, "--min": low, "--max": high}
    of_journal = {"--workload": workload, "--since": since, "--until": until}
    _one_source(load, journal, of_files, of_journal)
    low = 1 if low is None else low
    if high is not None and high < low:
        raise typer.BadParameter(f"--max ({high}) is below --min ({low})", param_hint="--max")
    own = [] if journal is not None else [_STARTUP]
    wanted = _Wanted(
        loads=given("--load", _loads, load or []),
        contenders=tuple(given("--policy", parse_contender, each) for each in dict.fromkeys(policy)),
        startups_s=tuple(dict.fromkeys(given("--startup", parse_duration_s, each) for each in startup or own)),
        capacity=given("--capacity", Capacity.parse, capacity or _CAPACITY),
        pace=pace_of(step=step, sync=sync, metric_delay=metric_delay),
        warmup_s=None if warmup is None else given("--warmup", parse_duration_s, warmup),
        serving_limit_ratio=given("--serving-limit", share, _SERVING_LIMIT if serving_limit is None else serving_limit),
        objective=None if objective is None else given("--objective", _objective, objective),
        replicas=(low, high),
        dwell_s=given("--dwell", parse_duration_s, dwell),
        plan_out=plan_out,
    )
    asked = None if journal is None else asked_of(journal, tuple(workload or ()), since, until)
    try:
        if plan_out is not None:
            plan_out.mkdir(parents=True, exist_ok=True)
        recorded = None if asked is None else decided_again(asked)
        traces = _recorded(wanted, recorded) if recorded else (_trace(wanted, path) for path in wanted.loads)
        runs = [run for trace in traces for run in _runs(wanted, trace)]
    except (ForesailError, ProtocolError, ReplayError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    compared = recorded if "predictive" in policy else None
    document = {"runs": runs} if compared is None else {"runs": runs, "journal": journal_document(compared)}
    show(document, output, lambda: _show_tables(runs, compared))
    if compared is not None and not compared.agreement.equal:
        raise typer.Exit(INVALID)


def _one_source(
    load: list[Path] | None, journal: str | None, of_files: Mapping[str, object], of_journal: Mapping[str, object]
) -> None:
    """Refuse both or neither of files and a journal, and options that the one given has no use for."""
    if bool(load) == (journal is not None):
        raise typer.BadParameter("give either files to replay or, with --journal, a journal", param_hint="--load")
    unfit, words = (of_journal, "is of --journal") if journal is None else (of_files, "is what the journal recorded")
    for option, value in unfit.items():
        if value is not None:
            raise typer.BadParameter(f"{words}; leave it out", param_hint=option)


def _loads(paths: list[Path]) -> tuple[Path, ...]:
    """Load files; their names without ending name the traces, so each may stand for one only."""
    known: dict[str, Path] = {}
    for path in paths:
        if (other := known.setdefault(path.stem, path)) != path:
            raise ValueError(f"{other} and {path} have the same name; rename one, as plans and figures are named so")
    return tuple(known.values())


def _objective(ratio: float) -> float:
    most = 0.5
    if not 0 < ratio <= most:
        raise ValueError(f"must be above 0 and up to {most:g}, not {ratio:g}")
    return ratio


def _trace(wanted: _Wanted, path: Path) -> _Trace:
    from simulations.serving import MOST_REPLICAS, Serving

    steps, warmup_steps = steps_of(path, step_s=wanted.pace.step_s, warmup_s=wanted.warmup_s)
    limit = wanted.serving_limit_ratio
    capacity = capacity_of(path, wanted.capacity, steps, serving_limit_ratio=limit)
    low, high = wanted.replicas
    bounds = (low, MOST_REPLICAS if high is None else high)
    servings = [
        Serving(steps.step_s, capacity, limit, startup_s, *bounds, wanted.dwell_s) for startup_s in wanted.startups_s
    ]
    objective = _OBJECTIVE if wanted.objective is None else wanted.objective
    return _Trace(path.stem, steps, warmup_steps, _scenarios(wanted, steps, servings), objective)


def _recorded(wanted: _Wanted, recorded: "Recorded") -> Iterator[_Trace]:
    """The loads of a journal; a workload without a fresh reading of demand has none."""
    from simulations.recorded import warmup_s

    step_s = wanted.pace.step_s
    for load in recorded.loads:
        steps = load.grid(step_s)
        if steps is None:
            note(f"{load.name}: no fresh reading of a demand signal is recorded, so there is no load to replay")
            continue
        warmup_steps = int((warmup_s(steps) if wanted.warmup_s is None else wanted.warmup_s) / step_s)
        servings = [
            load.serving(step_s=step_s, startup_s=startup_s, dwell_s=wanted.dwell_s)
            for startup_s in wanted.startups_s or [load.startup_s]
        ]
        objective = load.late_ratio if wanted.objective is None else wanted.objective
        yield _Trace(load.name, steps, warmup_steps, _scenarios(wanted, steps, servings), objective)


def _scenarios(wanted: _Wanted, steps: "Grid", servings: "Sequence[Serving]") -> "tuple[Scenario, ...]":
    from simulations.scenario import Scenario

    return tuple(Scenario.of(steps, wanted.pace, serving) for serving in servings)


def _runs(wanted: _Wanted, trace: _Trace) -> Iterator[Run]:
    """A run for each policy and start-up; the start-ups of a policy are planned in one pass."""
    from simulations.backtest import Aim, plans_of

    for contender in wanted.contenders:
        began_s = time.perf_counter()
        with progress(f"{trace.name}: {contender.text}", trace.steps.demand.size) as on_step:
            plans = plans_of(contender, trace.scenarios, Aim(trace.objective, on_step))
        shared_s = (time.perf_counter() - began_s) / len(plans)
        for scenario, plan in zip(trace.scenarios, plans, strict=True):
            if wanted.plan_out is not None:
                name = f"{trace.name.replace('/', '.')}.{contender.text}.{scenario.serving.startup_s:g}s.parquet"
                write_plan(wanted.plan_out / name, trace.steps, plan)
            yield _run(trace, contender, (scenario, plan), shared_s)


def _run(trace: _Trace, contender: "Contender", planned: "tuple[Scenario, IntArray]", shared_s: float) -> Run:
    from simulations.intervals import day_intervals
    from simulations.scenario import scored

    began_s = time.perf_counter()
    scenario, plan = planned
    figures = asdict(scored(plan, scenario, warmup_steps=trace.warmup_steps))
    unavoidable = figures.pop("unavoidable_ratio")
    known = day_intervals(plan, scenario, trace.warmup_steps)
    return {
        "trace": trace.name,
        "policy": contender.text,
        "startup_s": scenario.serving.startup_s,
        **figures,
        "wall_s": round(shared_s + time.perf_counter() - began_s, 4),
        "late_ratio_95": known and _ends(known.late),
        "cost_ratio_95": known and _ends(known.cost_ratio),
        "unavoidable_ratio": unavoidable,
        "unknown_ratio": float(1 - trace.steps.known[trace.warmup_steps :].mean()),
        "capacity": scenario.serving.capacity,
        "steps": plan.size,
        "warmup_steps": trace.warmup_steps,
    }


def _ends(interval: "Interval") -> list[float]:
    return [interval.low, interval.high]


def _show_tables(runs: list[Run], compared: "Recorded | None") -> None:
    if runs:
        console().print(table_of(_COLUMNS, [_row(run) for run in runs]))
    if compared is not None:
        typer.echo(journal_words(compared))


def _row(run: Run) -> list[str]:
    interval = run["late_ratio_95"]
    return [
        str(run["trace"]),
        str(run["policy"]),
        f"{run['startup_s']:g}s",
        f"{run['cost_replica_hours']:.1f}",
        f"{run['cost_ratio']:.3f}",
        f"{_percent(run['late_ratio'])}",
        f"{_percent(run['unserved_ratio'])}",
        f"{run['churn_per_day']:.0f}",
        " to ".join(map(_percent, interval)) if isinstance(interval, list) else "-",
    ]


def _percent(ratio: object) -> str:
    return f"{100 * float(str(ratio)):.2f}"
