"""What `replay` and `backtest` share: their options, the load on steps, progress, and the plan's file."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from controller.cli.output import Output
from policies.quantities import duration_text, parse_duration_s

if TYPE_CHECKING:
    from policies.arrays import IntArray
    from simulations.protocol import Capacity, Grid
    from simulations.scenario import Pace

Given = TypeVar("Given")
Parsed = TypeVar("Parsed")

_STEPS_BETWEEN_NEWS = 500

CapacityOption = Annotated[
    str, typer.Option(help="Load that one replica serves at 100 %: a number, or p99.9/40 to fit it to the load.")
]
ServingLimitOption = Annotated[float, typer.Option(help="Share of its capacity up to which a replica serves in time.")]
MetricDelayOption = Annotated[str, typer.Option(help="Age of the load that a decision sees.")]
StepOption = Annotated[str, typer.Option(help="Step of the replay.")]
SyncOption = Annotated[str, typer.Option(help="Time between decisions; divides the step.")]
FiguresOption = Annotated[Output, typer.Option("-o", "--output", help="How to write the figures.")]


def given(option: str, parse: Callable[[Given], Parsed], value: Given) -> Parsed:
    """Parse an option's value; what is wrong with it ends the command as a usage error."""
    try:
        return parse(value)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def share(ratio: float) -> float:
    """A share above 0. Raises ValueError for what is none."""
    if not 0 < ratio <= 1:
        raise ValueError(f"must be above 0 and up to 1, not {ratio:g}")
    return ratio


def pace_of(*, step: str, sync: str, metric_delay: str) -> "Pace":
    """How time passes, as the options say."""
    from simulations.scenario import Pace

    step_s = given("--step", parse_duration_s, step)
    sync_s = given("--sync", parse_duration_s, sync)
    delay_s = given("--metric-delay", parse_duration_s, metric_delay)
    return given("--sync", lambda seconds: Pace(step_s, seconds, delay_s), sync_s)


def steps_of(load: Path, *, step_s: float, warmup_s: float | None = None) -> tuple["Grid", int]:
    """A load file on steps, and how many of them warm the policy up.

    Raises LoadFileError, ProtocolError, and ReplayError for a load that is no longer than its warm-up.
    """
    from simulations.load_file import read_load
    from simulations.protocol import grid
    from simulations.scenario import ReplayError

    steps = grid(read_load(load), step_s=step_s)
    warmup_steps = steps.warmup_steps if warmup_s is None else round(warmup_s / step_s)
    if steps.demand.size <= warmup_steps:
        held, needed = (duration_text(round(each * step_s)) for each in (steps.demand.size, warmup_steps))
        raise ReplayError(f"{load}: holds {held} of load; more than {needed} is needed, as so much warms the policy up")
    return steps, warmup_steps


def capacity_of(load: Path, capacity: "Capacity", steps: "Grid", *, serving_limit_ratio: float) -> float:
    """What one replica serves of this load. Raises ProtocolError, naming the file."""
    from simulations.protocol import ProtocolError

    try:
        return capacity.of(steps.demand, serving_limit_ratio=serving_limit_ratio)
    except ProtocolError as error:
        raise ProtocolError(f"{load}: {error}") from error


@contextmanager
def progress(words: str, steps: int) -> Iterator[Callable[[int], None]]:
    """Progress on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(words, total=steps)

        def on_step(step: int) -> None:
            if step % _STEPS_BETWEEN_NEWS == 0:
                shown.update(task, completed=step)

        yield on_step


def write_plan(path: Path, steps: "Grid", plan: "IntArray") -> None:
    """Write every step of a plan, warm-up included: timestamp, demand, replicas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # By buffers: where pandas is installed, pa.array imports it, which takes a second.
    columns = [
        pa.Array.from_buffers(kind, values.size, [None, pa.py_buffer(values.tobytes())])
        for kind, values in ((pa.float64(), steps.at_s), (pa.float64(), steps.demand), (pa.int64(), plan))
    ]
    pq.write_table(pa.table(columns, names=["timestamp", "demand", "replicas"]), path)


def show(report: Mapping[str, object], output: Output, table: Callable[[], None]) -> None:
    """Write a report to stdout as it is, or as what `table` prints."""
    match output:
        case Output.JSON:
            typer.echo(json.dumps(report, indent=2, allow_nan=False))
        case Output.YAML:
            import yaml

            typer.echo(yaml.safe_dump(report, sort_keys=False), nl=False)
        case Output.TABLE:
            table()
