"""`foresail backtest`: what several policies would have cost and missed on recorded loads, side by side."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.output import Output, console, table_of
from controller.cli.whatif import (
    CapacityOption,
    FiguresOption,
    MetricDelayOption,
    ServingLimitOption,
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
    from policies.arrays import IntArray
    from simulations.contenders import Contender
    from simulations.intervals import Interval
    from simulations.protocol import Capacity, Grid
    from simulations.scenario import Pace, Scenario

Run = dict[str, str | int | float | list[float] | None]

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
    startups_s: tuple[float, ...]
    capacity: "Capacity"
    pace: "Pace"
    warmup_s: float | None
    serving_limit_ratio: float
    objective: float
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


def backtest(
    load: Annotated[
        list[Path], typer.Option(help="Parquet or CSV with columns timestamp (s, UTC) and value; may be repeated.")
    ],
    policy: Annotated[
        list[str],
        typer.Option(
            help="predictive (what the daemon decides), reactive (the same without its models), kpa or hpa:TARGET, as "
            "in hpa:0.70 or hpa:0.70,tolerance=0.05,window=60s; may be repeated."
        ),
    ],
    capacity: CapacityOption = "p99.9/40",
    serving_limit: ServingLimitOption = 0.8,
    startup: Annotated[
        list[str] | None,
        typer.Option(help="Time from a decision until a replica serves; may be repeated.", show_default="60s"),
    ] = None,
    metric_delay: MetricDelayOption = "30s",
    step: StepOption = "30s",
    sync: SyncOption = "15s",
    objective: Annotated[float, typer.Option(help="Share of requests that may be late.")] = 0.01,
    warmup: Annotated[
        str | None,
        typer.Option(help="Time that is not scored.", show_default="3d, or 1d of a load of a week or less"),
    ] = None,
    low: Annotated[int, typer.Option("--min", min=1, help="Smallest number of replicas.")] = 1,
    high: Annotated[
        int | None, typer.Option("--max", min=1, help="Largest number of replicas.", show_default="none")
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

    if high is not None and high < low:
        raise typer.BadParameter(f"--max ({high}) is below --min ({low})", param_hint="--max")
    wanted = _Wanted(
        loads=given("--load", _loads, load),
        contenders=tuple(given("--policy", parse_contender, each) for each in dict.fromkeys(policy)),
        startups_s=tuple(dict.fromkeys(given("--startup", parse_duration_s, each) for each in startup or ["60s"])),
        capacity=given("--capacity", Capacity.parse, capacity),
        pace=pace_of(step=step, sync=sync, metric_delay=metric_delay),
        warmup_s=None if warmup is None else given("--warmup", parse_duration_s, warmup),
        serving_limit_ratio=given("--serving-limit", share, serving_limit),
        objective=given("--objective", _objective, objective),
        replicas=(low, high),
        dwell_s=given("--dwell", parse_duration_s, dwell),
        plan_out=plan_out,
    )
    try:
        if plan_out is not None:
            plan_out.mkdir(parents=True, exist_ok=True)
        runs = [run for path in wanted.loads for run in _runs(wanted, _trace(wanted, path))]
    except (ForesailError, ProtocolError, ReplayError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    show({"runs": runs}, output, lambda: _show_table(runs))


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
    from simulations.scenario import Scenario
    from simulations.serving import MOST_REPLICAS, Serving

    steps, warmup_steps = steps_of(path, step_s=wanted.pace.step_s, warmup_s=wanted.warmup_s)
    limit = wanted.serving_limit_ratio
    capacity = capacity_of(path, wanted.capacity, steps, serving_limit_ratio=limit)
    low, high = wanted.replicas
    bounds = (low, MOST_REPLICAS if high is None else high)
    servings = (
        Serving(steps.step_s, capacity, limit, startup_s, *bounds, wanted.dwell_s) for startup_s in wanted.startups_s
    )
    scenarios = tuple(Scenario.of(steps, wanted.pace, serving) for serving in servings)
    return _Trace(path.stem, steps, warmup_steps, scenarios)


def _runs(wanted: _Wanted, trace: _Trace) -> Iterator[Run]:
    """A run for each policy and start-up; the start-ups of a policy are planned in one pass."""
    from simulations.backtest import Aim, plans_of

    for contender in wanted.contenders:
        began_s = time.perf_counter()
        with progress(f"{trace.name}: {contender.text}", trace.steps.demand.size) as on_step:
            plans = plans_of(contender, trace.scenarios, Aim(wanted.objective, on_step))
        shared_s = (time.perf_counter() - began_s) / len(plans)
        for scenario, plan in zip(trace.scenarios, plans, strict=True):
            if wanted.plan_out is not None:
                name = f"{trace.name}.{contender.text}.{scenario.serving.startup_s:g}s.parquet"
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


def _show_table(runs: list[Run]) -> None:
    console().print(table_of(_COLUMNS, [_row(run) for run in runs]))


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
