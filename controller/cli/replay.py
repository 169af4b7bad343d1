"""`foresail replay`: what a policy would have decided on a load file, its cost and what came late."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.output import Output
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
    load: Annotated[Path, typer.Option(help="Parquet or CSV with columns timestamp (s, UTC) and value.")],
    policy: Annotated[str, typer.Option(help="hpa:TARGET (Kubernetes' rule with its defaults) or predictive.")],
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
    """Replay a policy on a load file: the same decisions as live, on virtual time."""
    from controller.errors import ForesailError
    from simulations.protocol import Capacity, ProtocolError
    from simulations.replay import ReplayPolicy
    from simulations.scenario import ReplayError

    if plan_out is not None and not plan_out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {plan_out.parent}", param_hint="--plan-out")
    try:
        wanted = _Wanted(
            load=load,
            policy=given("--policy", ReplayPolicy.parse, policy),
            capacity=given("--capacity", Capacity.parse, capacity),
            pace=pace_of(step=step, sync=sync, metric_delay=metric_delay),
            serving_limit_ratio=given("--serving-limit", share, serving_limit),
            startup_s=given("--startup", parse_duration_s, startup),
        )
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
