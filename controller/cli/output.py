"""How data leaves the command: as a table, JSON or YAML on stdout; everything else goes to stderr."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

API_VERSION = "foresail.dev/v1alpha1"

_UNBOUND_COLUMNS = 10_000  # of a table that is read by a program


class Output(StrEnum):
    """How data is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[Output, typer.Option("-o", "--output", help="How to write the data.")]


def emit(kind: str, content: Mapping[str, object], output: Output, table: "Callable[[], Table | str]") -> None:
    """Write data to stdout: as a document with apiVersion and kind, or as what `table` makes."""
    document = {"apiVersion": API_VERSION, "kind": kind, **content}
    match output:
        case Output.JSON:
            typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
        case Output.YAML:
            import yaml

            typer.echo(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
        case Output.TABLE:
            made = table()
            if isinstance(made, str):
                typer.echo(made)
            else:
                console().print(made)


def table_of(columns: Mapping[str, str], rows: Sequence[Sequence[object]]) -> "Table":
    """A table without lines. `columns` gives each title its justification; the last column takes what is cut."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    last = list(columns)[-1]
    for title, side in columns.items():
        table.add_column(title, justify="right" if side == "right" else "left", no_wrap=title != last, overflow="fold")
    for row in rows:
        table.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    return table


def fitting(tables: "Iterable[Table]") -> "Table":
    """The first table that the terminal is wide enough for, else the last. Raises ValueError where there is none."""
    from rich.measure import Measurement

    out, table = console(), None
    for table in tables:
        if Measurement.get(out, out.options.update(max_width=_UNBOUND_COLUMNS), table).maximum <= out.width:
            return table
    if table is None:
        raise ValueError("there is no table to choose from")
    return table


def console(*, stderr: bool = False) -> "Console":
    """A console as wide as the terminal; what is no terminal gets lines as long as they are."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _UNBOUND_COLUMNS
    return made


def note(message: str) -> None:
    """Tell the user something that is no data."""
    typer.echo(message, err=True)
