"""`foresail recommend resources`: what containers should request, and why; of a cluster, or of a usage file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import PARTIAL
from controller.cli.flags import loaded, with_settings
from controller.cli.reading import QUERY_S
from controller.cli.recommend_live import DAYS, MAX_QUERIES, PAUSE_S, Live, recommended
from controller.cli.recommend_output import Form, written
from controller.cli.recommend_usage import UsageAsked, method_named, overrun_ratio, told
from controller.settings import catalogue
from policies.quantities import parse_duration_s

EVERY, CHANGES = "1h", 8
_SETTINGS = ("kubeconfig", "context")
_OF_THE_DAEMON = ("prometheus_concurrency", "prometheus_query_budget", "prometheus_timeout_s")
_READING, _FILE = "Cluster", "Usage file"


class ResourceName(StrEnum):
    """What is sized."""

    CPU = "cpu"
    MEMORY = "memory"


@with_settings(
    each
    for each in catalogue()
    if each.name in _SETTINGS or (each.name.startswith("prometheus_") and each.name not in _OF_THE_DAEMON)
)
def resources(
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Size this namespace alone.", rich_help_panel=_READING)
    ] = None,
    every_namespace: Annotated[
        bool | None,
        typer.Option("-A", "--all-namespaces", help="Size all namespaces, the default.", rich_help_panel=_READING),
    ] = None,
    usage: Annotated[
        Path | None,
        typer.Option(
            help="Parquet or CSV with series, timestamp (s, UTC) and value (cores or bytes), instead of a cluster.",
            metavar="FILE",
            rich_help_panel=_FILE,
        ),
    ] = None,
    resource: Annotated[
        ResourceName | None, typer.Option(help="What the usage file holds.", rich_help_panel=_FILE)
    ] = None,
    method: Annotated[str, typer.Option(help="foresail, vpa, krr or static (the peak of the past).")] = "foresail",
    overrun: Annotated[
        str, typer.Option(help="Share of samples that may be above the request; vpa, krr and static know none.")
    ] = "1%",
    evaluate: Annotated[
        bool,
        typer.Option(
            "--evaluate",
            help="Walk forward over the file, seeing only the past, and score the requests.",
            rich_help_panel=_FILE,
        ),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            help="Time between decisions; requests are held between.", show_default=EVERY, rich_help_panel=_FILE
        ),
    ] = None,
    max_changes_per_day: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Changes of a request a day, on average; kills for want of memory are beyond it.",
            show_default=f"{CHANGES}",
            rich_help_panel=_FILE,
        ),
    ] = None,
    requests_out: Annotated[
        Path | None,
        typer.Option(
            help="Parquet file to write: series, timestamp, request, a row for each sample after the warm-up.",
            rich_help_panel=_FILE,
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=30, help="How many days of use to read.", show_default=f"{DAYS}", rich_help_panel=_READING
        ),
    ] = None,
    cluster: Annotated[
        bool | None,
        typer.Option(
            "--cluster/--no-cluster",
            help="Read workloads from the cluster, or from Prometheus alone.",
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
    query_pause: Annotated[
        float | None,
        typer.Option(min=0, help="Seconds between two queries.", show_default=f"{PAUSE_S:g}", rich_help_panel=_READING),
    ] = None,
    query_timeout: Annotated[
        str | None,
        typer.Option(help="Longest wait for one query.", show_default=f"{QUERY_S:g}s", rich_help_panel=_READING),
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            help="Prices of your own, YAML or CSV, before the built-in list prices.", rich_help_panel=_READING
        ),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Currency of the prices.", show_default="USD", rich_help_panel=_READING)
    ] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the recommendations.")] = Form.TABLE,
    **flags: object,
) -> None:
    """Tell what containers request, what they should, why, and what that saves a month. Nothing is changed anywhere.

    Reads the running pods of a cluster and what they used from Prometheus, one query at a time. Size and count are
    planned together where an autoscaler follows the requests. Exit code 4 when nothing was measured of some workload.

    With --usage a file tells what was used. With --evaluate the method is walked over it: it decides every hour by what
    came before, the request is held until the next decision, and what it wasted and missed is told. The first 3 days of
    CPU and 6 hours of memory are watched only (a quarter of a series shorter than 4 days, or 8 hours). Resizing is in
    place. A sample of memory above the request is a kill, after which the request is 1.2 times as large.
    """
    of_cluster: dict[str, object] = {
        "namespace": namespace,
        "all_namespaces": every_namespace,
        "days": days,
        "cluster": cluster,
        "max_queries": max_queries,
        "query_pause": query_pause,
        "query_timeout": query_timeout,
        "prices": prices,
        "currency": currency,
        **flags,
    }
    of_file = {"resource": resource, "evaluate": evaluate or None, "every": every, "requests_out": requests_out}
    if usage is not None:
        _refuse("--usage", of_cluster)
        if resource is None:
            raise typer.BadParameter("is required with --usage: cpu or memory", param_hint="--resource")
        if requests_out is not None and not evaluate:
            raise typer.BadParameter("needs --evaluate: without it no request is made", param_hint="--requests-out")
        if output in (Form.HTML, Form.PATCH):
            raise typer.BadParameter(f"{output.value} is of a cluster's workloads, not of a file", param_hint="-o")
        changes = CHANGES if max_changes_per_day is None else max_changes_per_day
        asked = UsageAsked(usage, resource.value, method, every or EVERY, overrun, changes)
        told(asked, evaluate=evaluate, requests_out=requests_out, form=output.value)
        return
    _refuse("a cluster; name a file with --usage", {**of_file, "max_changes_per_day": max_changes_per_day})
    if namespace is not None and every_namespace:
        raise typer.BadParameter("does not go with -n", param_hint="-A")
    live = Live(
        namespace=namespace,
        days=days or DAYS,
        cluster=cluster is not False,
        max_queries=max_queries or MAX_QUERIES,
        query_pause_s=PAUSE_S if query_pause is None else query_pause,
        query_timeout_s=_seconds("--query-timeout", query_timeout),
        prices=prices,
        currency=currency or "USD",
        method=method_named(method),
        overrun_ratio=overrun_ratio(overrun),
    )
    found = recommended(live, loaded(flags))
    written(found, output)
    if not all(each.measured for each in found.workloads):
        raise typer.Exit(PARTIAL)


def _refuse(source: str, others: dict[str, object]) -> None:
    """Refuse options that what is sized has no use for."""
    useless = [name for name, value in others.items() if value is not None]
    if useless:
        raise typer.BadParameter(f"does not go with {source}", param_hint=f"--{useless[0].replace('_', '-')}")


def _seconds(option: str, duration: str | None) -> float | None:
    try:
        return None if duration is None else parse_duration_s(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
