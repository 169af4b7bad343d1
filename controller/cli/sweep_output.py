"""How a sweep and a comparison leave the command: a table, JSON, CSV or an HTML page on stdout."""

import csv
import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

from controller.cli.output import console, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from simulations.sweep.grid import Row, Sweep

WIDE_COLUMNS = 120  # from here on there is room for intervals


class Form(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


def written(sweep: "Sweep", form: Form) -> None:
    """Write a sweep to stdout."""
    match form:
        case Form.TABLE:
            out = console()
            out.print(_table(sweep, wide=out.width >= WIDE_COLUMNS))
        case Form.JSON:
            typer.echo(json.dumps(sweep.document(), indent=2, ensure_ascii=False, allow_nan=False))
        case Form.CSV:
            from simulations.sweep.grid import table_rows

            csv.writer(sys.stdout, lineterminator="\n").writerows(table_rows(sweep))
        case Form.HTML:
            from simulations.report.sweep_page import sweep_page

            typer.echo(sweep_page(sweep), nl=False)


def _table(sweep: "Sweep", *, wide: bool) -> "Table":
    titles = {f"COST ({sweep.currency})": "right", "LATE": "right", "REPLICAS": "right", "KEEPS": "left", "": "left"}
    places = {each.name: "left" for each in sweep.places}
    return table_of({**places, "POLICY": "left", **titles}, [_cells(row, wide=wide) for row in sweep.rows])


def _cells(row: "Row", *, wide: bool) -> list[str]:
    from simulations.report.conclusion import kept
    from simulations.report.estimates import estimate_text, figure_text
    from simulations.report.sweep_page import marks
    from simulations.sweep.vary import scalar_text

    figures = [(name, row.verdict.figures[name]) for name in ("cost", "late_ratio", "replicas")]
    told = [estimate_text(name, each) if wide else figure_text(name, each.mean) for name, each in figures]
    return [*(scalar_text(value) for _, value in row.varied), row.verdict.name, *told, kept(row.verdict), marks(row)]
