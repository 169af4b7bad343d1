"""`foresail replay`: a daemon's journal decided again and compared, or a load file under a policy."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.agreement import asked_of, decided_again, journal_document, journal_words
from controller.cli.backtest_options import one_source
from controller.cli.exits import INVALID
from controller.cli.output import Output
from controller.cli.past_loads import workloads_of
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
    from controller.recorded import Asked
    from policies.arrays import IntArray
    from simulations.protocol import Capacity, Grid
    from simulations.replay import ReplayPolicy
    from simulations.scenario import Pace
    from simulations.serving import Figures

_TITLES = {
    "load": "load",
    "policy": "policy",
    "startup_s": "start-up (s)",
    "steps": "steps",
    "warmup_steps": "steps of warm-up",
    "cost_replica_hours": "cost (replica-hours)",
    "clairvoyant_replica_hours": "clairvoyant's cost (replica-hours)",
    "cost_ratio": "cost over the clairvoyant's",
    "late_ratio": "late (share of requests)",
    "unserved_ratio": "unserved (share of requests)",
    "churn_per_day": "replicas started or stopped a day",
    "unavoidable_ratio": "late whatever is decided (share of requests)",
    "wall_s": "time taken (s)",
}


_JOURNAL, _LOAD = "Of a journal", "Of a load file"
_OF_JOURNAL = ("--journal", "--since", "--until", "--workload")
_OF_LOAD = (
    *("--load", "--policy", "--capacity", "--serving-limit", "--startup", "--metric-delay", "--step", "--sync"),
    "--plan-out",
)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the options ask for, parsed."""

    load: Path
    policy: "ReplayPolicy"
    capacity: "Capacity"
    pace: "Pace"
    serving_limit_ratio: float
    startup_s: float


@dataclass(frozen=True, slots=True)
class _Done:
    """A replay that has been run."""

    grid: "Grid"
    plan: "IntArray"
    figures: "Figures"
    wall_s: float


def replay(
    context: typer.Context,
    journal: Annotated[
        str | None,
        typer.Option(
            help="What a daemon recorded, or `foresail journal export` took out of it: it is decided again, and "
            "compared; exit code 3 when a decision differs.",
            metavar="FILE|URL",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            help="First time to compare, as RFC 3339 or so long ago, as in -2h.",
            metavar="TIME",
            show_default="all",
            rich_help_panel=_JOURNAL,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Last time.", metavar="TIME", show_default="all", rich_help_panel=_JOURNAL)
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            help="To compare; may be repeated.", metavar="NAMESPACE/NAME", show_default="all", rich_help_panel=_JOURNAL
        ),
    ] = None,
    load: Annotated[
        Path | None,
        typer.Option(help="Parquet or CSV with columns timestamp (s, UTC) and value.", rich_help_panel=_LOAD),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="hpa:TARGET (Kubernetes' rule with its defaults) or predictive.", rich_help_panel=_LOAD),
    ] = None,
    capacity: CapacityOption = "p99.9/40",
    serving_limit: ServingLimitOption = 0.8,
    startup: Annotated[str, typer.Option(help="Time from a decision until a replica serves.")] = "60s",
    metric_delay: MetricDelayOption = "30s",
    step: StepOption = "30s",
    sync: SyncOption = "15s",
    output: FiguresOption = Output.TABLE,
    plan_out: Annotated[
        Path | None, typer.Option(help="Write the plan here: parquet with timestamp, demand, replicas.")
    ] = None,
) -> None:
    """Decide again what a daemon decided, from its journal; or replay a policy on a load file on virtual time."""
    from simulations.protocol import Capacity
    from simulations.replay import ReplayPolicy

    told = _told(context)
    one_source({names[0]: {name: told.get(name) for name in names} for names in (_OF_LOAD, _OF_JOURNAL)})
    if journal is not None:
        _again(asked_of(journal, workloads_of(workload or []), since, until), output)
        return
    if load is None or policy is None:
        raise typer.BadParameter("is needed with --load", param_hint="--policy")
    if plan_out is not None and not plan_out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {plan_out.parent}", param_hint="--plan-out")
    _of_file(
        _Wanted(
            load=load,
            policy=given("--policy", ReplayPolicy.parse, policy),
            capacity=given("--capacity", Capacity.parse, capacity),
            pace=pace_of(step=step, sync=sync, metric_delay=metric_delay),
            serving_limit_ratio=given("--serving-limit", share, serving_limit),
            startup_s=given("--startup", parse_duration_s, startup),
        ),
        plan_out,
        output,
    )


def _told(context: typer.Context) -> "dict[str, object]":
    """The options of the command line, by name."""
    return {
        f"--{name.replace('_', '-')}": value
        for name, value in context.params.items()
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }


def _again(asked: "Asked", output: Output) -> None:
    """Decide a journal again and say whether all came out the same."""
    recorded = decided_again(asked)
    show(journal_document(recorded), output, lambda: typer.echo(journal_words(recorded)))
    if not recorded.agreement.equal:
        raise typer.Exit(INVALID)


def _of_file(wanted: _Wanted, plan_out: Path | None, output: Output) -> None:
    """Replay a policy on a load file."""
    from controller.errors import ForesailError
    from simulations.protocol import ProtocolError
    from simulations.scenario import ReplayError

    try:
        done = _run(wanted)
        if plan_out is not None:
            write_plan(plan_out, done.grid, done.plan)
    except (ForesailError, ProtocolError, ReplayError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    report = _report(wanted, done)
    show(report, output, lambda: _show_table(report))


def _run(wanted: _Wanted) -> _Done:
    from simulations.replay import Lane, replay
    from simulations.scenario import scored
    from simulations.serving import Serving

    began_s = time.perf_counter()
    limit = wanted.serving_limit_ratio
    steps, warmup_steps = steps_of(wanted.load, step_s=wanted.pace.step_s)
    capacity = capacity_of(wanted.load, wanted.capacity, steps, serving_limit_ratio=limit)
    lane = Lane(steps.demand, Serving(steps.step_s, capacity, limit, wanted.startup_s), steps.known)
    with progress("replaying", steps.demand.size) as on_step:
        plan = replay([lane], wanted.policy, wanted.pace, start_s=float(steps.at_s[0]), on_step=on_step)[0]
    figures = scored(plan, lane, warmup_steps=warmup_steps)
    return _Done(steps, plan, figures, time.perf_counter() - began_s)


def _report(wanted: _Wanted, done: _Done) -> dict[str, str | int | float]:
    return {
        "load": str(wanted.load),
        "policy": wanted.policy.text,
        "startup_s": wanted.startup_s,
        "steps": done.plan.size,
        "warmup_steps": done.grid.warmup_steps,
        **asdict(done.figures),
        "wall_s": round(done.wall_s, 3),
    }


def _show_table(report: dict[str, str | int | float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in report.items():
        table.add_row(_TITLES[name], f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)
