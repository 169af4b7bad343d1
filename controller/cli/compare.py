"""`foresail compare`: two what-if answers beside each other, and what drives their difference."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.exits import INVALID
from controller.cli.output import console, note, table_of
from controller.cli.sweep import answered_over
from controller.cli.variants import load_variants, read_document

if TYPE_CHECKING:
    from simulations.sweep.compare import Comparison, Pair, Side

_FIGURES = ("cost", "late_ratio", "unserved_ratio", "replicas", "churn_per_day")


class Form(StrEnum):
    """How a comparison is written."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def compare(
    before: Annotated[Path, typer.Argument(help="Answer (JSON of `simulate`) or scenario.", exists=True)],
    after: Annotated[Path, typer.Argument(help="The other one.", exists=True)],
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes, for scenarios.", show_default="all cores")] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write it.")] = Form.TABLE,
) -> None:
    """Put two answers beside each other: differences with their intervals, what changed, and what drives it.

    Files are answers that `foresail simulate -o json` wrote, or scenarios, which are run. With one seed, both have the
    same luck run by run, and differences are surer than what they are taken from.
    """
    from simulations.sweep.compare import CompareError, compared

    try:
        found = compared(*_sides((before, after), jobs))
    except CompareError as error:
        note(f"error: {error}")
        raise typer.Exit(INVALID) from error
    match output:
        case Form.HTML:
            from simulations.report.compare_page import compare_page

            typer.echo(compare_page(found), nl=False)
        case Form.JSON:
            typer.echo(json.dumps(found.document(), indent=2, ensure_ascii=False, allow_nan=False))
        case Form.TABLE:
            _show(found)


def _sides(paths: tuple[Path, Path], jobs: int | None) -> "list[Side]":
    """Both sides; scenarios are run together. Raises CompareError."""
    from simulations.sweep.compare import side_from, side_of

    read = [read_document(path) for path in paths]
    scenarios = [place for place, document in enumerate(read) if document.get("kind") == "Scenario"]
    loaded = [load_variants(paths[place], ())[0] for place in scenarios]
    answers = answered_over([(each.scenario, each.inputs) for each in loaded], jobs=jobs) if loaded else []
    run = dict(zip(scenarios, zip(loaded, answers, strict=True), strict=True))
    return [
        side_of(run[place][0].scenario, run[place][1], str(path)) if place in run else side_from(read[place], str(path))
        for place, path in enumerate(paths)
    ]


def _show(found: "Comparison") -> None:
    from simulations.report.compare_page import basis

    out = console()
    out.print(f"{found.before.source} -> {found.after.source}, costs in {found.before.currency}", markup=False)
    for line in (basis(found), *found.notes):
        out.print(line, markup=False)
    if found.changes is not None:
        out.print("\nWhat changed in the scenario:", markup=False)
        for change in found.changes:
            out.print(f"  {change}", markup=False)
        if not found.changes:
            out.print("  nothing", markup=False)
    for pair in found.policies:
        _show_pair(pair)


def _show_pair(pair: "Pair") -> None:
    from simulations.report.answer_page import DRIVER_WORDS
    from simulations.report.estimates import TITLES, estimate_text

    rows = [
        (TITLES[name], *(estimate_text(name, each) for each in (figure.before, figure.after, figure.change)))
        for name, figure in pair.figures.items()
        if name in _FIGURES
    ]
    out = console()
    out.print(f"\n{pair.name}: saves {estimate_text('saving_ratio', pair.saving_ratio)}", markup=False)
    out.print(table_of({"": "left", "BEFORE": "right", "AFTER": "right", "DIFFERENCE": "right"}, rows))
    driven = sorted(pair.drivers.items(), key=lambda each: -abs(each[1].mean))
    told = [f"{DRIVER_WORDS[name]} {estimate_text('change', each)}" for name, each in driven if each.mean]
    out.print(f"driven by {'; '.join(told) or 'nothing: cost is the same'}", markup=False)
