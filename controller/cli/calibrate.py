"""`foresail calibrate`: what a replica can serve within an objective, by what was seen. Changes nothing."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.calibration.questions import Own, Preset, Questions, Unit, Wording, Workload, questions_of
from controller.cli.calibrate_output import show
from controller.cli.exits import INVALID, RUNTIME
from controller.cli.flags import loaded, with_settings
from controller.cli.output import Output, OutputOption, note
from controller.cli.reading import patient, progress
from controller.cli.whatif import given
from controller.errors import ForesailError
from controller.settings import catalogue
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from policies.calibration.calibrate import Declared
    from policies.calibration.history import History, Kind
    from policies.spec import DemandSignal, WorkloadPolicy

DAYS, WINDOW, MAX_QUERIES, PAUSE_S = 7.0, "2m", 500, 0.05
_OF_THE_DAEMON = ("prometheus_concurrency", "prometheus_query_budget")
_READING, _QUERIES, _DECLARED = "Reading", "Queries of your own", "What is declared"


@dataclass(frozen=True, slots=True)
class _FromServer:
    """What is read of a Prometheus, parsed."""

    asked: Questions
    days: float
    window_s: int
    max_queries: int


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_") and each.name not in _OF_THE_DAEMON)
def calibrate(
    workload: Annotated[str | None, typer.Argument(help="Name of the workload, as its pods' names begin.")] = None,
    history: Annotated[
        Path | None, typer.Option(help="Read this parquet or CSV file instead of a server.", rich_help_panel=_READING)
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(help="ttft|itl|latency=TIME@PERCENTILE, such as itl=40ms@p95; repeatable."),
    ] = None,
    namespace: Annotated[
        str, typer.Option("-n", "--namespace", help="Namespace of the workload.", rich_help_panel=_READING)
    ] = "default",
    metrics: Annotated[
        Preset, typer.Option(help="Whose metric names to read.", rich_help_panel=_READING)
    ] = Preset.VLLM,
    load: Annotated[
        Unit, typer.Option(help="What the capacity counts.", rich_help_panel=_READING)
    ] = Unit.OUTPUT_TOKENS,
    days: Annotated[
        float, typer.Option(min=0.05, max=3650, help="How many days back.", rich_help_panel=_READING)
    ] = DAYS,
    window: Annotated[
        str, typer.Option(help="Length of a window; four scrapes or more.", rich_help_panel=_READING)
    ] = WINDOW,
    by: Annotated[
        str | None,
        typer.Option(help="Tell the values of this label apart, such as pod.", rich_help_panel=_READING),
    ] = None,
    max_queries: Annotated[
        int, typer.Option(min=10, help="Queries to Prometheus at most.", rich_help_panel=_READING)
    ] = MAX_QUERIES,
    throughput: Annotated[
        str | None, typer.Option(help="PromQL of what is served a second.", rich_help_panel=_QUERIES)
    ] = None,
    replicas: Annotated[
        str | None, typer.Option(help="PromQL of the replicas that serve.", rich_help_panel=_QUERIES)
    ] = None,
    waiting: Annotated[
        str | None, typer.Option(help="PromQL of the requests that wait.", rich_help_panel=_QUERIES)
    ] = None,
    in_flight: Annotated[
        str | None, typer.Option(help="PromQL of the requests being served.", rich_help_panel=_QUERIES)
    ] = None,
    rejected: Annotated[
        str | None,
        typer.Option(help="PromQL of what is refused a second, in the throughput's unit.", rich_help_panel=_QUERIES),
    ] = None,
    histogram: Annotated[
        list[str] | None,
        typer.Option(help="ttft|itl|latency=METRIC, a histogram's name without _bucket.", rich_help_panel=_QUERIES),
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Policy of the workload: its demand signal is the throughput, and its capacity is tested.",
            rich_help_panel=_DECLARED,
        ),
    ] = None,
    declared: Annotated[
        float | None, typer.Option(min=0, help="capacityPerReplica to test.", rich_help_panel=_DECLARED)
    ] = None,
    serving_limit: Annotated[
        float | None,
        typer.Option(min=0.01, max=1, help="servingLimit to test.", show_default="0.8", rich_help_panel=_DECLARED),
    ] = None,
    output: OutputOption = Output.TABLE,
    **flags: object,
) -> None:
    """Fit capacity and latency by what was seen, and find the load that one replica serves within objectives.

    Exit code 3 where what is declared is contradicted.
    """
    from policies.calibration.calibrate import calibrate as fitted
    from policies.calibration.objective import LatencyObjective

    objectives = [given("--objective", LatencyObjective.parse, each) for each in objective or ()]
    if (history is None) == (workload is None):
        raise typer.BadParameter("give the name of a workload, or --history FILE", param_hint="WORKLOAD")
    spoken = _policy(policy, workload, namespace)
    signal = None if spoken is None else _demand(spoken)
    tested = _declared(spoken, declared, serving_limit)
    own = {"throughput": throughput, "replicas": replicas, "waiting": waiting, "in_flight": in_flight}
    own |= {"rejected": rejected}
    try:
        if history is not None:
            seen = _of_file(history)
        else:
            place = Workload(namespace, workload or "")
            if spoken is not None and signal is not None:
                own["throughput"] = throughput or _query_of(spoken, signal)
            window_s = int(given("--window", _window_s, window))
            queries = Own({name: text for name, text in own.items() if text}, _histograms(histogram or ()))
            asked = questions_of(place, Wording(metrics, load, window_s, by), queries)
            seen, told = _of_server(_FromServer(asked, days, window_s, max_queries), flags)
            for words in told:
                note(words)
        found = fitted(seen, objectives, tested)
    except (ForesailError, ValueError) as error:
        note(f"error: {error}")
        raise typer.Exit(RUNTIME) from error
    show(found, output)
    if any(each.contradicts for each in found.findings):
        raise typer.Exit(INVALID)


def _of_file(path: Path) -> "History":
    from simulations.history_file import read_history

    return read_history(path)


def _of_server(wanted: _FromServer, flags: Mapping[str, object]) -> "tuple[History, Sequence[str]]":
    from controller.adapters.prometheus.metered import Budget
    from controller.calibration.reading import Wanted, read_history

    access = patient(loaded(flags))
    span = Wanted(time.time(), wanted.days, wanted.window_s, Budget(wanted.max_queries, PAUSE_S))
    with progress() as told:
        read = asyncio.run(read_history(access, wanted.asked, span, told))
    return read.history, (*read.notes, f"asked {read.queries} of {wanted.max_queries} queries, {read.query_s:.1f} s")


def _policy(path: Path | None, workload: str | None, namespace: str) -> "WorkloadPolicy | None":
    """The policy of the workload in a file; the only one of it where no workload is named."""
    from controller.policy_text import load_policies
    from policies.problems import PolicyError

    if path is None:
        return None
    try:
        policies = load_policies(path)
    except (PolicyError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--policy") from error
    fitting = [
        each
        for each in policies
        if workload is None or (each.metadata.namespace == namespace and each.spec.target.name == workload)
    ]
    if len(fitting) != 1:
        what = "policies" if workload is None else f"policies of {namespace}/{workload}"
        raise typer.BadParameter(f"{path} has {len(fitting)} {what}; one is needed", param_hint="--policy")
    return fitting[0]


def _demand(policy: "WorkloadPolicy") -> "DemandSignal":
    from policies.spec import DemandSignal

    signals = [each for each in policy.spec.signals if isinstance(each, DemandSignal) and each.capacity_per_replica]
    if len(signals) != 1:
        words = f"{policy.uid} has {len(signals)} demand signals with capacityPerReplica; one is needed"
        raise typer.BadParameter(words, param_hint="--policy")
    return signals[0]


def _query_of(policy: "WorkloadPolicy", signal: "DemandSignal") -> str:
    """The signal's query with its variables filled in and, where it serves many workloads, cut down to this one."""
    bound = next(each for each in policy.queries() if each.signal == signal.name)
    if bound.match:
        words = f"signal {signal.name} of {policy.uid} has `match`; give its query for this workload by --throughput"
        raise typer.BadParameter(words, param_hint="--policy")
    return bound.query


def _declared(policy: "WorkloadPolicy | None", capacity: float | None, limit: float | None) -> "Declared | None":
    from policies.calibration.calibrate import Declared

    if policy is not None and capacity is None:
        capacity = float(_demand(policy).capacity_per_replica or 0)
    if capacity is None:
        return None
    told = 0.8 if policy is None else policy.spec.objective.serving_limit
    return Declared(capacity, told if limit is None else limit)


def _histograms(given: Sequence[str]) -> "dict[Kind, str]":
    from policies.calibration.history import Kind

    made = {}
    for each in given:
        kind, _, name = each.partition("=")
        if kind not in set(Kind) or not name:
            words = f"must be ttft, itl or latency, =, and a metric's name, not {each!r}"
            raise typer.BadParameter(words, param_hint="--histogram")
        made[Kind(kind)] = name
    return made


def _window_s(text: str) -> float:
    window_s = parse_duration_s(text)
    if window_s < 1:
        raise ValueError(f"must be 1s or longer, not {text!r}")
    return window_s
