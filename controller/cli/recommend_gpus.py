"""`foresail recommend gpus`: idle, badly packed and scarce GPUs, with why, money and mend. Changes nothing."""

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import PARTIAL
from controller.cli.flags import loaded, with_settings
from controller.cli.priced import PriceOptions, inventory_of, price_settings, price_sources
from controller.errors import ForesailError
from controller.settings import DEFAULT
from policies.quantities import parse_duration_s, parse_share

if TYPE_CHECKING:
    from controller.adapters.prometheus.gpus import GpuReadings
    from controller.cost.gpu_findings import GpuReport, Rules
    from controller.settings import Loaded

_SHORTEST_S = 300.0  # of a window: less says little, and is cut into steps of seconds


class Form(StrEnum):
    """How the findings are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class _Asked:
    rules: "Rules"
    prices: PriceOptions
    at_s: float


@with_settings(price_settings())
def gpus(
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Only what is about the workloads of this namespace.")
    ] = None,
    all_namespaces: Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="All namespaces, and nodes; so it is without -n.")
    ] = False,
    window: Annotated[str, typer.Option(help="How long a GPU must be idle, or a pool full or empty.")] = "1h",
    idle_below: Annotated[str, typer.Option(help="Activity below which a GPU is idle.")] = "2%",
    add_above: Annotated[str, typer.Option(help="Share above which a pool of GPUs is full.")] = "90%",
    consolidate_below: Annotated[str, typer.Option(help="Share below which a pool is too empty.")] = "60%",
    hysteresis: Annotated[str, typer.Option(help="How far back a full or empty pool must come.")] = "5%",
    prices: Annotated[
        Path | None,
        typer.Option(help="Prices of your own, YAML or CSV, for nodes that OpenCost and Karpenter tell no price of."),
    ] = None,
    opencost_job: Annotated[str, typer.Option(help="Job under which Prometheus scrapes OpenCost.")] = "opencost",
    karpenter_job: Annotated[str, typer.Option(help="Job under which Prometheus scrapes Karpenter.")] = "karpenter",
    currency: Annotated[str, typer.Option(help="Currency of all amounts.")] = "USD",
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the findings.")] = Form.TABLE,
    **flags: object,
) -> None:
    """Find GPUs that are allocated and idle, free and unusable, or too few. Nothing is changed anywhere.

    Readings come from `foresail agent` or DCGM exporter, whichever Prometheus has. Exit code 4 when GPUs could not be
    read or a node with GPUs has no price.
    """
    if namespace is not None and all_namespaces:
        raise typer.BadParameter("either a namespace or all of them", param_hint="--namespace")
    rules = _rules(window, idle_below, (add_above, consolidate_below, hysteresis))
    options = PriceOptions(prices, opencost_job, karpenter_job, currency)
    report, readings, unread = asyncio.run(_report(_Asked(rules, options, time.time()), loaded(flags)))

    from controller.cli.recommend_gpus_output import Shown, written

    written(Shown(report, readings, currency, namespace, tuple(unread)), output)
    if report.unpriced or not readings.peak:
        raise typer.Exit(PARTIAL)


def _rules(window: str, idle_below: str, fleet: tuple[str, str, str]) -> "Rules":
    """The rules as given. Raises BadParameter, naming the option."""
    from controller.cost.gpu_findings import Rules
    from policies.gpus.fleet import FleetRule
    from policies.gpus.idle import IdleRule

    try:
        window_s = parse_duration_s(window)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--window") from error
    if window_s < _SHORTEST_S:
        raise typer.BadParameter(f"must be 5m or longer, not {window}", param_hint="--window")
    add, consolidate, hysteresis = (
        _share(given, option)
        for given, option in zip(fleet, ("--add-above", "--consolidate-below", "--hysteresis"), strict=True)
    )
    try:
        return Rules(
            IdleRule(_share(idle_below, "--idle-below"), window_s), FleetRule(add, consolidate, hysteresis, window_s)
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _share(given: str, option: str) -> float:
    try:
        return parse_share(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


async def _report(asked: _Asked, settings: "Loaded") -> "tuple[GpuReport, GpuReadings, list[str]]":
    """The findings, what was read, and what could not be. Raises ForesailError."""
    from controller.cost import built_in, priced_nodes
    from controller.cost.gpu_findings import Known, gpu_report

    inventory = await inventory_of(settings)
    readings, unread = await _readings(asked, settings)
    sources, unpriced_why = await price_sources(asked.prices, settings, inventory, asked.at_s)
    priced, unpriced, warnings = priced_nodes(inventory.nodes, [*sources, built_in()], asked.prices.currency)
    told = [each for each in (unread, unpriced_why) if each is not None]
    known = Known(inventory, priced, unpriced, readings, asked.at_s)
    return gpu_report(known, asked.rules), readings, [*told, *warnings]


async def _readings(asked: _Asked, settings: "Loaded") -> "tuple[GpuReadings, str | None]":
    """What Prometheus tells of GPUs. One that nobody named may be away."""
    from controller.adapters.prometheus.gpus import QUERIES, GpuReadings, read_gpus
    from controller.adapters.prometheus.metered import Budget, MeteredPrometheus
    from controller.clients.access import prometheus_access

    try:
        async with MeteredPrometheus(prometheus_access(settings.settings), Budget(QUERIES)) as prometheus:
            return await read_gpus(prometheus, at_s=asked.at_s, window_s=asked.rules.idle.window_s), None
    except ForesailError as error:
        if settings.origins["prometheus_url"] != DEFAULT:
            raise type(error)(f"{error}; check --prometheus-url and the other --prometheus-... options") from error
        return GpuReadings(), f"GPUs were not read: {error}; name Prometheus with --prometheus-url"
