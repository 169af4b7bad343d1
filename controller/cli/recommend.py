"""`foresail recommend`: what to change about workloads. Changes nothing itself."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.exits import PARTIAL
from controller.cli.flags import loaded, with_settings
from controller.cli.recommend_live import DAYS, MAX_QUERIES, PAUSE_S, QUERY_S, Live, recommended
from controller.cli.recommend_output import Form, written
from controller.settings import catalogue
from policies.quantities import parse_duration_s, parse_share

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Recommend what to change about workloads.")

_SETTINGS = ("kubeconfig", "context")
_OF_THE_DAEMON = ("prometheus_concurrency", "prometheus_query_budget", "prometheus_timeout_s")
_READING = "Reading"


@app.callback()
def recommend() -> None:
    """Recommend what to change about workloads."""


@app.command()
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
        bool,
        typer.Option("-A", "--all-namespaces", help="Size all namespaces, the default.", rich_help_panel=_READING),
    ] = False,
    method: Annotated[str, typer.Option(help="Who recommends.")] = "vpa",
    overrun: Annotated[str, typer.Option(help="Share of the time that use may be above the request.")] = "1%",
    days: Annotated[
        int, typer.Option(min=1, max=30, help="How many days of use to read.", rich_help_panel=_READING)
    ] = DAYS,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster/--no-cluster",
            help="Read workloads from the cluster, or from Prometheus alone.",
            rich_help_panel=_READING,
        ),
    ] = True,
    max_queries: Annotated[
        int, typer.Option(min=5, help="Queries to Prometheus at most.", rich_help_panel=_READING)
    ] = MAX_QUERIES,
    query_pause: Annotated[
        float, typer.Option(min=0, help="Seconds between two queries.", rich_help_panel=_READING)
    ] = PAUSE_S,
    query_timeout: Annotated[
        str | None,
        typer.Option(help="Longest wait for one query.", show_default=f"{QUERY_S:g}s", rich_help_panel=_READING),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="Prices of your own, YAML or CSV, before the built-in list prices.")
    ] = None,
    currency: Annotated[str, typer.Option(help="Currency of the prices.")] = "USD",
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the sizes.")] = Form.TABLE,
    **flags: object,
) -> None:
    """Tell what containers request, what they should, why, and what that saves a month. Nothing is changed anywhere.

    Reads the running pods of a cluster and what they used from Prometheus, one query at a time. Size and count are
    planned together where an autoscaler follows the requests. Exit code 4 when nothing was measured of some workload.
    """
    if namespace is not None and every_namespace:
        raise typer.BadParameter("does not go with -n", param_hint="-A")
    live = Live(
        namespace=namespace,
        days=days,
        cluster=cluster,
        max_queries=max_queries,
        query_pause_s=query_pause,
        query_timeout_s=_parsed("--query-timeout", query_timeout),
        prices=prices,
        currency=currency,
    )
    try:
        overrun_ratio = parse_share(overrun)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--overrun") from error
    found = recommended(live, method, overrun_ratio, loaded(flags))
    written(found, output)
    if not all(each.measured for each in found.workloads):
        raise typer.Exit(PARTIAL)


def _parsed(option: str, duration: str | None) -> float | None:
    try:
        return None if duration is None else parse_duration_s(duration)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error
