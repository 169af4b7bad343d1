"""`foresail replay`: what a policy would have decided on a load file, its cost and what came late."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from policies.quantities import duration_text, parse_duration_s

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from simulations.protocol import Capacity, Grid
    from simulations.replay import Pace, ReplayPolicy
    from simulations.serving import Figures

Given = TypeVar("Given")
Parsed = TypeVar("Parsed")

_STEPS_BETWEEN_NEWS = 500
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


class Output(StrEnum):
    """How figures are written to stdout."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


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
    capacity: Annotated[
        str,
        typer.Option(help="Load that one replica serves at 100 %: a number, or p99.9/40 to fit it to the load."),
    ] = "p99.9/40",
    serving_limit: Annotated[
        float, typer.Option(help="Share of its capacity up to which a replica serves in time.")
    ] = 0.8,
    startup: Annotated[str, typer.Option(help="Time from a decision until a replica serves.")] = "60s",
    metric_delay: Annotated[str, typer.Option(help="Age of the load that a decision sees.")] = "30s",
    step: Annotated[str, typer.Option(help="Step of the replay.")] = "30s",
    sync: Annotated[str, typer.Option(help="Time between decisions; divides the step.")] = "15s",
    output: Annotated[Output, typer.Option("-o", "--output", help="How to write the figures.")] = Output.TABLE,
    plan_out: Annotated[
        Path | None, typer.Option(help="Write the plan here: parquet with timestamp, demand, replicas.")
    ] = None,
) -> None:
    """Replay a policy on a load file: the same decisions as live, on virtual time."""
    from controller.errors import ForesailError
    from simulations.protocol import Capacity, ProtocolError
    from simulations.replay import ReplayError, ReplayPolicy

    if plan_out is not None and not plan_out.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {plan_out.parent}", param_hint="--plan-out")
    try:
        wanted = _Wanted(
            load=load,
            policy=_given("--policy", ReplayPolicy.parse, policy),
            capacity=_given("--capacity", Capacity.parse, capacity),
            pace=_pace(step=step, sync=sync, metric_delay=metric_delay),
            serving_limit_ratio=_given("--serving-limit", _share, serving_limit),
            startup_s=_given("--startup", parse_duration_s, startup),
        )
        done = _run(wanted)
        if plan_out is not None:
            _write_plan(plan_out, done)
    except (ForesailError, ProtocolError, ReplayError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    _show(_report(wanted, done), output)


def _given(option: str, parse: Callable[[Given], Parsed], given: Given) -> Parsed:
    """Parse an option's value; what is wrong with it ends the command as a usage error."""
    try:
        return parse(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _share(ratio: float) -> float:
    if not 0 < ratio <= 1:
        raise ValueError(f"must be above 0 and up to 1, not {ratio:g}")
    return ratio


def _pace(*, step: str, sync: str, metric_delay: str) -> "Pace":
    from simulations.replay import Pace

    step_s = _given("--step", parse_duration_s, step)
    sync_s = _given("--sync", parse_duration_s, sync)
    delay_s = _given("--metric-delay", parse_duration_s, metric_delay)
    return _given("--sync", lambda seconds: Pace(step_s, seconds, delay_s), sync_s)


def _run(wanted: _Wanted) -> _Done:
    from simulations.load_file import read_load
    from simulations.protocol import grid
    from simulations.replay import Lane, replay, scored
    from simulations.serving import Serving

    began_s = time.perf_counter()
    steps = grid(read_load(wanted.load), step_s=wanted.pace.step_s)
    _check_length(wanted.load, steps)
    capacity = wanted.capacity.of(steps.demand, serving_limit_ratio=wanted.serving_limit_ratio)
    lane = Lane(steps.demand, Serving(steps.step_s, capacity, wanted.serving_limit_ratio, wanted.startup_s))
    with _progress(steps.demand.size) as on_step:
        plan = replay([lane], wanted.policy, wanted.pace, start_s=float(steps.at_s[0]), on_step=on_step)[0]
    figures = scored(plan, lane, warmup_steps=steps.warmup_steps)
    return _Done(steps, plan, figures, time.perf_counter() - began_s)


def _check_length(load: Path, steps: "Grid") -> None:
    from simulations.replay import ReplayError

    held_s, warmup_s = (round(each * steps.step_s) for each in (steps.demand.size, steps.warmup_steps))
    if held_s <= warmup_s:
        needed, held = duration_text(warmup_s), duration_text(held_s)
        raise ReplayError(f"{load}: holds {held} of load; more than {needed} is needed, as so much warms the policy up")


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[int], None]]:
    """Progress on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("replaying", total=steps)

        def on_step(step: int) -> None:
            if step % _STEPS_BETWEEN_NEWS == 0:
                progress.update(task, completed=step)

        yield on_step


def _write_plan(path: Path, done: _Done) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"timestamp": done.grid.at_s, "demand": done.grid.demand, "replicas": done.plan}
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)


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


def _show(report: dict[str, str | int | float], output: Output) -> None:
    match output:
        case Output.JSON:
            typer.echo(json.dumps(report, indent=2))
        case Output.YAML:
            import yaml

            typer.echo(yaml.safe_dump(report, sort_keys=False), nl=False)
        case Output.TABLE:
            _show_table(report)


def _show_table(report: dict[str, str | int | float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    for name, value in report.items():
        table.add_row(_TITLES[name], f"{value:.6g}" if isinstance(value, float) else str(value))
    Console().print(table)
