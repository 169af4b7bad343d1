"""`foresail audit`: what existing autoscalers cost and missed, and what Foresail would have done. Changes nothing."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from controller.cli.audit_output import Form, written
from controller.cli.exits import PARTIAL, RUNTIME
from controller.cli.flags import loaded, with_settings
from controller.cli.output import note
from controller.cli.reading import QUERY_S, patient, progress
from controller.errors import ForesailError
from controller.settings import catalogue
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from controller.audit.gather import Gathered
    from controller.settings import Loaded
    from simulations.audit.document import Report
    from simulations.audit.price import Price

Given = TypeVar("Given")
Parsed = TypeVar("Parsed")

PAUSE_S, MAX_QUERIES, DAYS, INCUMBENT = 0.05, 2000, 14, "hpa:0.70"
_SETTINGS = ("kubeconfig", "context")
_OF_THE_DAEMON = ("prometheus_concurrency", "prometheus_query_budget", "prometheus_timeout_s")  # an audit has its own
_LOADS, _READING, _REPORT = "Load files", "Reading", "Report"


@dataclass(frozen=True, slots=True)
class _Options:
    """What the options say, parsed as far as both ways need it."""

    loads: tuple[Path, ...]
    incumbent: str
    namespace: str | None
    days: int
    cluster: bool
    max_queries: int
    query_pause_s: float
    query_timeout_s: float | None
    capacity: str | None
    serving_limit_ratio: float | None
    startup_s: float | None
    prices: "tuple[Price, ...]"


@with_settings(
    each
    for each in catalogue()
    if each.name in _SETTINGS or (each.name.startswith("prometheus_") and each.name not in _OF_THE_DAEMON)
)
def audit(
    load: Annotated[
        list[Path] | None,
        typer.Option(help="Audit this load file instead of a server; repeatable.", rich_help_panel=_LOADS),
    ] = None,
    incumbent: Annotated[
        str | None,
        typer.Option(
            help="Who scales the load files today: hpa:TARGET.", show_default=INCUMBENT, rich_help_panel=_LOADS
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Audit this namespace alone.", rich_help_panel=_READING)
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=2, max=90, help="How many days back.", show_default=f"{DAYS}", rich_help_panel=_READING),
    ] = None,
    cluster: Annotated[
        bool | None,
        typer.Option(
            "--cluster/--no-cluster",
            help="Read autoscalers from the cluster, or from kube-state-metrics alone.",
            show_default="cluster",
            rich_help_panel=_READING,
        ),
    ] = None,
    max_queries: Annotated[
        int | None,
        typer.Option(
            min=5, help="Queries to Prometheus at most.", show_default=f"{MAX_QUERIES}", rich_help_panel=_READING
        ),
    ] = None,
    query_timeout: Annotated[
        str | None,
        typer.Option(help="Longest wait for one query.", show_default=f"{QUERY_S:g}s", rich_help_panel=_READING),
    ] = None,
    query_pause: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds between two queries.", show_default=f"{PAUSE_S:g}", rich_help_panel=_READING),
    ] = None,
    capacity: Annotated[
        str | None,
        typer.Option(help="Load that one replica serves at 100 %; of load files also p99.9/40, their default."),
    ] = None,
    serving_limit: Annotated[
        float | None,
        typer.Option(
            help="Share of its capacity up to which a replica serves in time;"
            " 0.8 if not told, or more where the autoscaler aims above 0.7."
        ),
    ] = None,
    startup: Annotated[
        str | None, typer.Option(help="Time from a decision until a replica serves; measured if not told, else 60s.")
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(help="AMOUNT/replica-hour, AMOUNT/cpu-hour or AMOUNT/gpu-hour; several add up."),
    ] = None,
    currency: Annotated[str, typer.Option(help="Unit of the prices.")] = "USD",
    output: Annotated[
        Form, typer.Option("-o", "--output", help="How to write the report.", rich_help_panel=_REPORT)
    ] = Form.TABLE,
    html: Annotated[
        Path | None, typer.Option(help="Write the report with plots to this file too.", rich_help_panel=_REPORT)
    ] = None,
    policies_out: Annotated[
        Path | None, typer.Option(help="Write the policies to start with to this file.", rich_help_panel=_REPORT)
    ] = None,
    **flags: object,
) -> None:
    """Tell what your autoscalers cost and missed, and what Foresail would have done. Nothing is changed anywhere.

    Reads HorizontalPodAutoscalers and KEDA ScaledObjects, and their past from Prometheus. Exit code 4 when some
    workload could not be audited.
    """
    from simulations.audit.price import Price
    from simulations.protocol import ProtocolError
    from simulations.scenario import ReplayError

    _check_folders(html=html, policies_out=policies_out)
    of_server: dict[str, object] = {
        "namespace": namespace,
        "days": days,
        "cluster": cluster,
        "max_queries": max_queries,
    }
    of_server |= {"query_timeout": query_timeout, "query_pause": query_pause, **flags}
    _refuse("--load", given=bool(load), others=of_server)
    _refuse("a server", given=not load, others={"incumbent": incumbent})
    options = _Options(
        loads=tuple(load or ()),
        incumbent=incumbent or INCUMBENT,
        namespace=namespace,
        days=days or DAYS,
        cluster=cluster is not False,
        max_queries=max_queries or MAX_QUERIES,
        query_pause_s=PAUSE_S if query_pause is None else query_pause,
        query_timeout_s=_optional("--query-timeout", parse_duration_s, query_timeout),
        capacity=capacity,
        serving_limit_ratio=_optional("--serving-limit", _share, serving_limit),
        startup_s=_optional("--startup", parse_duration_s, startup),
        prices=tuple(_given("--price", Price.parse, each) for each in price or ()),
    )
    try:
        report = _audited(options, loaded(flags), currency)
        written(report, output, html, policies_out)
    except (ForesailError, ProtocolError, ReplayError, OSError) as error:
        note(f"error: {error}")
        raise typer.Exit(RUNTIME) from error
    if report.passed:
        raise typer.Exit(PARTIAL)


def _audited(options: _Options, settings: "Loaded", currency: str) -> "Report":
    """Gather, replay and judge, with progress on stderr."""
    from simulations.audit.document import Report
    from simulations.audit.verdict import audit as judged

    began_s = time.perf_counter()
    with progress() as told:
        found = _of_files(options) if options.loads else asyncio.run(_of_server(options, settings, told))
        audited, short = judged(found.cases, told=told)
    return Report(
        at_s=time.time(),
        source=found.source,
        audited=audited,
        passed=[*found.passed, *short],
        spent=replace(found.spent, wall_s=time.perf_counter() - began_s),
        currency=currency,
        findings=found.findings,
    )


def _of_files(options: _Options) -> "Gathered":
    from controller.audit.gather import Gathered
    from simulations.audit.loads import Replayed, case_of_load, incumbent_target
    from simulations.load_file import read_load
    from simulations.protocol import Capacity

    how = Replayed(
        capacity=_given("--capacity", Capacity.parse, options.capacity or "p99.9/40"),
        serving_limit_ratio=options.serving_limit_ratio or 0.8,
        startup_s=options.startup_s,
        target_ratio=_given("--incumbent", incumbent_target, options.incumbent),
        prices=options.prices,
    )
    cases = [case_of_load(path.stem, read_load(path), how) for path in options.loads]
    return Gathered("load files", cases)


async def _of_server(options: _Options, settings: "Loaded", told: Callable[[str], None]) -> "Gathered":
    from controller.adapters.prometheus.metered import Budget
    from controller.audit.cases import Assumptions
    from controller.audit.gather import ClusterAccess, Wanted, gather

    chosen = settings.settings
    access = patient(settings, options.query_timeout_s)
    wanted = Wanted(
        end_s=time.time(),
        days=options.days,
        budget=Budget(options.max_queries, options.query_pause_s),
        cluster=ClusterAccess(options.cluster, chosen.kubeconfig, chosen.context, options.namespace),
        assumed=Assumptions(
            capacity=_optional("--capacity", _amount, options.capacity),
            serving_limit_ratio=options.serving_limit_ratio,
            startup_s=options.startup_s,
            prices=options.prices,
        ),
    )
    return await gather(access, wanted, told)


def _given(option: str, parse: Callable[[Given], Parsed], given: Given) -> Parsed:
    """Parse an option's value; what is wrong with it ends the command as a usage error."""
    try:
        return parse(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _optional(option: str, parse: Callable[[Given], Parsed], given: Given | None) -> Parsed | None:
    return None if given is None else _given(option, parse, given)


def _share(ratio: float) -> float:
    if not 0 < ratio <= 1:
        raise ValueError(f"must be above 0 and up to 1, not {ratio:g}")
    return ratio


def _amount(text: str) -> float:
    from simulations.protocol import Capacity

    plain = Capacity.parse(text).plain
    if plain is None:
        raise ValueError(f"must be a number for a server's workloads, not {text!r}; quantiles are for load files")
    return plain


def _refuse(source: str, *, given: bool, others: dict[str, object]) -> None:
    """Refuse options that what is audited has no use for."""
    useless = [name for name, value in others.items() if given and value is not None]
    if useless:
        raise typer.BadParameter(f"does not go with {source}", param_hint=f"--{useless[0].replace('_', '-')}")


def _check_folders(**files: Path | None) -> None:
    for name, path in files.items():
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=f"--{name.replace('_', '-')}")
