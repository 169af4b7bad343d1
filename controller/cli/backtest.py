"""`foresail backtest`: what several policies would have cost and missed on recorded loads, side by side."""

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from controller.cli.agreement import asked_of, decided_again, journal_document, journal_words
from controller.cli.backtest_options import (
    CAPACITY,
    DAYS,
    MAX_QUERIES,
    OBJECTIVE,
    SERVING_LIMIT,
    STARTUP,
    DaysOption,
    DwellOption,
    HighOption,
    JournalOption,
    LoadOption,
    LowOption,
    MaxQueriesOption,
    ObjectiveOption,
    OfFilesCapacityOption,
    OfFilesServingLimitOption,
    PlanOutOption,
    PoliciesOption,
    PolicyOption,
    SinceOption,
    StartupOption,
    UntilOption,
    WarmupOption,
    WorkloadOption,
    one_source,
)
from controller.cli.exits import INVALID, PARTIAL
from controller.cli.flags import with_settings
from controller.cli.output import Output, console, note, table_of
from controller.cli.past_loads import loads_read, past_of, workloads_of
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
from controller.settings import catalogue
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from controller.recorded import Recorded
    from policies.arrays import IntArray
    from simulations.contenders import Contender
    from simulations.intervals import Interval
    from simulations.protocol import Capacity, Grid
    from simulations.recorded import RecordedLoad
    from simulations.scenario import Pace, Scenario
    from simulations.serving import Serving

Run = dict[str, str | int | float | list[float] | None]

LOADS_AT_ONCE = 64  # of a journal or a server: they are on the same steps, and are decided together

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


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def backtest(
    policy: PolicyOption,
    load: LoadOption = None,
    journal: JournalOption = None,
    policies: PoliciesOption = None,
    workload: WorkloadOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    days: DaysOption = None,
    max_queries: MaxQueriesOption = None,
    capacity: OfFilesCapacityOption = None,
    serving_limit: OfFilesServingLimitOption = None,
    startup: StartupOption = None,
    metric_delay: MetricDelayOption = "30s",
    step: StepOption = "30s",
    sync: SyncOption = "15s",
    objective: ObjectiveOption = None,
    warmup: WarmupOption = None,
    low: LowOption = None,
    high: HighOption = None,
    dwell: DwellOption = "0s",
    output: FiguresOption = Output.TABLE,
    plan_out: PlanOutOption = None,
    **flags: object,
) -> None:
    """Replay policies on recorded loads, side by side: cost, late share, churn."""
    from controller.errors import ForesailError
    from simulations.contenders import parse_contender
    from simulations.protocol import Capacity, ProtocolError
    from simulations.scenario import ReplayError

    for_files = {"--capacity": capacity, "--serving-limit": serving_limit, "--min": low, "--max": high}
    of_server = {f"--{name.replace('_', '-')}": value for name, value in flags.items()}
    one_source(
        {
            "--load": {"--load": load, **for_files},
            "--journal": {"--journal": journal, "--since": since, "--until": until},
            "--policies": {"--policies": policies, "--days": days, "--max-queries": max_queries, **of_server},
        }
    )
    if load and workload:
        raise typer.BadParameter("goes with --journal and --policies, not with --load", param_hint="--workload")
    low = 1 if low is None else low
    if high is not None and high < low:
        raise typer.BadParameter(f"--max ({high}) is below --min ({low})", param_hint="--max")
    own = [STARTUP] if load else []
    wanted = _Wanted(
        loads=given("--load", _loads, load or []),
        contenders=tuple(given("--policy", parse_contender, each) for each in dict.fromkeys(policy)),
        startups_s=tuple(dict.fromkeys(given("--startup", parse_duration_s, each) for each in startup or own)),
        capacity=given("--capacity", Capacity.parse, capacity or CAPACITY),
        pace=pace_of(step=step, sync=sync, metric_delay=metric_delay),
        warmup_s=None if warmup is None else given("--warmup", parse_duration_s, warmup),
        serving_limit_ratio=given("--serving-limit", share, SERVING_LIMIT if serving_limit is None else serving_limit),
        objective=None if objective is None else given("--objective", _objective, objective),
        replicas=(low, high),
        dwell_s=given("--dwell", parse_duration_s, dwell),
        plan_out=plan_out,
    )
    workloads = workloads_of(workload or [])
    asked = None if journal is None else asked_of(journal, workloads, since, until)
    past = None if policies is None else past_of(policies, workloads, days or DAYS, max_queries or MAX_QUERIES)
    try:
        if plan_out is not None:
            plan_out.mkdir(parents=True, exist_ok=True)
        recorded = None if asked is None else decided_again(asked)
        read = None if past is None else loads_read(past, flags)
        loads = recorded.loads if recorded else read.loads if read else ()
        of_files = ([_trace(wanted, path)] for path in wanted.loads)
        batches = chain(of_files, _together(_recorded(wanted, loads), LOADS_AT_ONCE))
        runs = [run for traces in batches for run in _runs(wanted, traces)]
    except (ForesailError, ProtocolError, ReplayError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error
    compared = recorded if "predictive" in policy else None
    document = {"runs": runs} if compared is None else {"runs": runs, "journal": journal_document(compared)}
    show(document, output, lambda: _show_tables(runs, compared))
    if compared is not None and not compared.agreement.equal:
        raise typer.Exit(INVALID)
    if read is not None and read.passed:
        raise typer.Exit(PARTIAL)


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
    objective = OBJECTIVE if wanted.objective is None else wanted.objective
    return _Trace(path.stem, steps, warmup_steps, _scenarios(wanted, steps, servings), objective)


def _recorded(wanted: _Wanted, loads: "Iterable[RecordedLoad]") -> Iterator[_Trace]:
    """Loads that a daemon or a Prometheus recorded; a workload without a reading of demand has none."""
    from simulations.recorded import warmup_s

    step_s = wanted.pace.step_s
    for load in loads:
        steps = load.grid(step_s)
        if steps is None:
            note(f"{load.name}: no reading of a demand signal is recorded, so there is no load to replay")
            continue
        warmup_steps = math.ceil((warmup_s(load, steps) if wanted.warmup_s is None else wanted.warmup_s) / step_s)
        servings = [
            load.serving(step_s=step_s, startup_s=startup_s, dwell_s=wanted.dwell_s)
            for startup_s in wanted.startups_s or [load.startup_s]
        ]
        objective = load.late_ratio if wanted.objective is None else wanted.objective
        yield _Trace(load.name, steps, warmup_steps, _scenarios(wanted, steps, servings), objective)


def _scenarios(wanted: _Wanted, steps: "Grid", servings: "Sequence[Serving]") -> "tuple[Scenario, ...]":
    from simulations.scenario import Scenario

    return tuple(Scenario.of(steps, wanted.pace, serving) for serving in servings)


def _together(traces: Iterable[_Trace], most: int) -> Iterator[list[_Trace]]:
    """Traces with the same objective that follow each other, at most so many at once."""
    for _, alike in groupby(traces, lambda trace: trace.objective):
        while batch := list(islice(alike, most)):
            yield batch


def _runs(wanted: _Wanted, traces: Sequence[_Trace]) -> Iterator[Run]:
    """A run for each trace, policy and start-up; a policy plans all traces and start-ups in one pass."""
    from simulations.backtest import Aim, plans_of

    runs: dict[str, list[Run]] = {trace.name: [] for trace in traces}
    planned = [(trace, scenario) for trace in traces for scenario in trace.scenarios]
    words = traces[0].name if len(traces) == 1 else f"{traces[0].name} and {len(traces) - 1} more"
    for contender in wanted.contenders:
        began_s = time.perf_counter()
        with progress(f"{words}: {contender.text}", traces[0].steps.demand.size) as on_step:
            plans = plans_of(contender, [each for _, each in planned], Aim(traces[0].objective, on_step))
        shared_s = (time.perf_counter() - began_s) / len(plans)
        for (trace, scenario), plan in zip(planned, plans, strict=True):
            if wanted.plan_out is not None:
                name = f"{trace.name.replace('/', '.')}.{contender.text}.{scenario.serving.startup_s:g}s.parquet"
                write_plan(wanted.plan_out / name, trace.steps, plan)
            runs[trace.name].append(_run(trace, contender, (scenario, plan), shared_s))
    for of_trace in runs.values():
        yield from of_trace


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
