"""`foresail history`: past load from Prometheus into a file, to look at and to replay."""

import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import PARTIAL
from controller.cli.flags import loaded, with_settings
from controller.cli.output import Output, OutputOption, console, emit, note, table_of
from controller.cli.times import moment_s, moment_text
from controller.settings import DEFAULT, catalogue
from policies.quantities import parse_duration_s

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.table import Table

    from controller.adapters.history_import import HistoryQuery, ImportReport

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Read past load from Prometheus.")

DAY_S = 86_400
ANSWER_S = 60.0  # a chunk of history takes longer than a tick's query
LEAST_COVERED = 0.99
"""Below this share of the times asked for, the data counts as partial."""


@app.callback()
def history() -> None:
    """Read past load from Prometheus."""


@app.command("import")
@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def import_(
    query: Annotated[str, typer.Option(help="PromQL of the load; several series get a column for each label.")],
    out: Annotated[Path, typer.Option(help="The parquet file to write, with columns timestamp and value.")],
    days: Annotated[float | None, typer.Option(min=0.01, help="How many days back from the end.")] = None,
    start: Annotated[str | None, typer.Option(help="The first time, instead of --days.", metavar="TIME")] = None,
    end: Annotated[str, typer.Option(help="The last time, as RFC 3339, now, or -2h.", metavar="TIME")] = "now",
    step: Annotated[str, typer.Option(help="Time between points, in whole seconds.")] = "60s",
    output: OutputOption = Output.TABLE,
    **flags: object,
) -> None:
    """Read a query's history once and write it to a parquet file, which `foresail replay --load` reads.

    Exit code 4 when less than 99 % of the points asked for are there; the file is written all the same.
    """
    from controller.adapters.history_import import import_history
    from controller.clients.access import prometheus_access

    settings = loaded(flags)
    access = prometheus_access(settings.settings)
    if settings.origins["prometheus_timeout"] == DEFAULT:
        access = replace(access, timeout_s=ANSWER_S)
    wanted = _query(query, days, start, end, step)
    with _progress(wanted):
        report = import_history(access, wanted, out)
    emit("HistoryImport", _content(report), output, lambda: _table(report))
    if report.labels:
        note(f"{report.series} series, told apart by {', '.join(report.labels)}: foresail replay takes one; sum them")
    if report.covered_ratio < LEAST_COVERED:
        note(f"partial: {report.covered_ratio:.1%} of the points asked for are there")
        raise typer.Exit(PARTIAL)


def _query(query: str, days: float | None, start: str | None, end: str, step: str) -> "HistoryQuery":
    from controller.adapters.history_import import HistoryQuery

    if (days is None) == (start is None):
        raise typer.BadParameter("give one of --days and --start", param_hint="--days")
    end_s = moment_s(end, "--end")
    start_s = end_s - (days or 0) * DAY_S if start is None else moment_s(start, "--start")
    try:
        step_s = parse_duration_s(step)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--step") from error
    if step_s != int(step_s) or step_s < 1:
        raise typer.BadParameter(f"must be whole seconds, at least 1, not {step!r}", param_hint="--step")
    if end_s < start_s:
        raise typer.BadParameter(f"{moment_text(start_s)} is after the end, {moment_text(end_s)}", param_hint="--start")
    return HistoryQuery(query, int(start_s), int(min(end_s, time.time())), int(step_s))


def _progress(wanted: "HistoryQuery") -> "AbstractContextManager[object]":
    """A sign of life on stderr, where that is a terminal."""
    shown = console(stderr=True)
    if not shown.is_terminal:
        return nullcontext()
    return shown.status(f"reading {wanted.points} points from {moment_text(wanted.start_s)}")


def _content(report: "ImportReport") -> dict[str, object]:
    return {
        "path": str(report.path),
        "series": report.series,
        "points": report.points,
        "coveredRatio": report.covered_ratio,
        "first": moment_text(report.first_s),
        "last": moment_text(report.last_s),
        "notFinite": report.not_finite,
    }


def _table(report: "ImportReport") -> "Table":
    columns = {
        **dict.fromkeys(("SERIES", "POINTS", "COVERED"), "right"),
        **dict.fromkeys(("FIRST", "LAST"), "left"),
        "NOT FINITE": "right",
        "FILE": "left",
    }
    row = (
        report.series,
        report.points,
        f"{report.covered_ratio:.1%}",
        moment_text(report.first_s),
        moment_text(report.last_s),
        report.not_finite,
        report.path,
    )
    return table_of(columns, [row])
