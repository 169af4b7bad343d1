"""`foresail compare`: two what-if answers beside each other, and what drives their difference."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from controller.cli.exits import INVALID
from controller.cli.flags import with_settings
from controller.cli.output import console, note, table_of
from controller.cli.sweep import answered_over
from controller.cli.variants import JournalOption, Outside, load_variants
from controller.settings import catalogue

if TYPE_CHECKING:
    from simulations.sweep.compare import Comparison, Pair, Side

_FIGURES = ("cost", "late_ratio", "unserved_ratio", "replicas", "churn_per_day")


class Form(StrEnum):
    """How a comparison is written."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def compare(
    before: Annotated[str, typer.Argument(help="Answer (JSON of `simulate`), scenario file, or a ready one's name.")],
    after: Annotated[str, typer.Argument(help="The other one.")],
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes, for scenarios.", show_default="all cores")] = None,
    journal: JournalOption = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write it.")] = Form.TABLE,
    **flags: object,
) -> None:
    """Put two answers beside each other: differences with their intervals, what changed, and what drives it.

    Files are answers that `foresail simulate -o json` wrote, or scenarios, which are run. With one seed, both have the
    same luck run by run, and differences are surer than what they are taken from.
    """
    from simulations.sweep.compare import CompareError, compared

    try:
        found = compared(*_sides((before, after), jobs, Outside(journal, flags)))
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


def _sides(names: tuple[str, str], jobs: int | None, outside: Outside) -> "list[Side]":
    """Both sides; scenarios are run together. Raises CompareError."""
    from simulations.sweep.compare import side_from, side_of

    answers = [_answer(name) for name in names]
    loaded = {
        name: load_variants(name, (), outside)[0] for name, answer in zip(names, answers, strict=True) if answer is None
    }
    made = answered_over([(each.scenario, each.inputs) for each in loaded.values()], jobs=jobs) if loaded else []
    run = dict(zip(loaded, made, strict=True))
    return [
        side_from(answer, name) if answer is not None else side_of(loaded[name].scenario, run[name], name)
        for name, answer in zip(names, answers, strict=True)
    ]


def _answer(name: str) -> object | None:
    """The document of a JSON file; None for anything else, which is a scenario. Raises CompareError."""
    from simulations.sweep.compare import CompareError

    path = Path(name)
    if path.suffix != ".json":
        return None
    try:
        return cast("object", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CompareError(f"{name}: cannot be read: {error}") from error


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
    from simulations.report.estimates import SHOWN, TITLES, estimate_text, saving_text

    rows = [
        (TITLES[name], *(estimate_text(name, each) for each in (figure.before, figure.after, figure.change)))
        for name, figure in pair.figures.items()
        if name in _FIGURES
    ]
    out = console()
    out.print(f"\n{pair.name}: {saving_text(pair.saving_ratio)}", markup=False)
    out.print(table_of({"": "left", "BEFORE": "right", "AFTER": "right", "DIFFERENCE": "right"}, rows))
    driven = sorted(pair.drivers.items(), key=lambda each: -abs(each[1].mean))
    told = [f"{DRIVER_WORDS[name]} {estimate_text('change', each)}" for name, each in driven if abs(each.mean) >= SHOWN]
    out.print(f"driven by {'; '.join(told) or 'nothing: cost is the same'}", markup=False)
