"""`foresail simulate`: what policies would cost and miss under a scenario, side by side."""

import csv
import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.flags import with_settings
from controller.cli.output import console, table_of
from controller.cli.scenarios import found, inputs_of, ready_names, validated
from controller.cli.sweep_output import Form
from controller.settings import catalogue

if TYPE_CHECKING:
    from simulations.whatif.answer import Answer, Estimate
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs

_FIGURES = {
    "cost": "COST",
    "late_ratio": "LATE",
    "unserved_ratio": "UNSERVED",
    "available_time_ratio": "AVAILABLE",
    "replicas": "REPLICAS",
    "churn_per_day": "CHANGES/DAY",
}


@with_settings(each for each in catalogue() if each.name.startswith("prometheus_"))
def simulate(
    scenario: Annotated[
        str | None, typer.Argument(help="Scenario file (YAML), or the name of a ready one.", show_default=False)
    ] = None,
    output: Annotated[Form, typer.Option("-o", "--output", help="How to write the answer.")] = Form.TABLE,
    runs: Annotated[int | None, typer.Option(min=1, help="Runs, instead of the scenario's.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, instead of the scenario's.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all cores")] = None,
    journal: Annotated[
        str | None, typer.Option(help="Journal with the loads that the scenario names: its file or address.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Tell the ready scenarios, and nothing else.")] = False,
    **flags: object,
) -> None:
    """Answer a what-if: cost, lateness, availability and churn of each policy beside the incumbent's.

    Every figure has the interval in which its mean lies in 95 of 100 such simulations.
    """
    if list_:
        _list()
        return
    if scenario is None:
        raise typer.BadParameter("give a file or a ready scenario; --list tells them", param_hint="SCENARIO")
    from controller.cli.sweep import answered_over

    document, source, folder = found(scenario)
    given = {name: value for name, value in (("runs", runs), ("seed", seed)) if value is not None}
    asked = validated({**document, **given}, source)
    inputs = inputs_of(asked, folder, journal, flags)
    (answer,) = answered_over([(asked, inputs)], jobs=jobs)
    _write(asked, inputs, answer, output)


def _list() -> None:
    described = [(name, validated(found(name).document, name).description) for name in ready_names()]
    console().print(table_of({"SCENARIO": "left", "WHAT IT ASKS": "left"}, described))


def _write(scenario: "Scenario", inputs: "Inputs", answer: "Answer", output: Form) -> None:
    match output:
        case Form.TABLE:
            _show(scenario, answer)
        case Form.JSON:
            typer.echo(json.dumps(answer.document(), indent=2, ensure_ascii=False, allow_nan=False))
        case Form.CSV:
            csv.writer(sys.stdout, lineterminator="\n").writerows(csv_rows(answer))
        case Form.HTML:
            from simulations.report.answer_page import answer_page
            from simulations.whatif.day import typical_days

            typer.echo(answer_page(answer, typical_days(scenario, inputs)), nl=False)


def csv_rows(answer: "Answer") -> list[list[object]]:
    """A row for each policy and figure: its mean and interval, and the same of its difference from the incumbent."""
    rows: list[list[object]] = [
        ["policy", "figure", "mean", "low", "high", "difference", "difference_low", "difference_high"]
    ]
    for each in answer.policies:
        for name, figure in each.figures.items():
            rows.append([each.name, name, *_ends(figure), *_ends(each.difference[name])])
        rows += [
            [each.name, f"cost:{name}", *_ends(cost), "", "", ""] for name, cost in each.cost_by_capacity_type.items()
        ]
        rows += [[each.name, f"driver:{name}", "", "", "", *_ends(part)] for name, part in each.drivers.items()]
        rows.append([each.name, "saving_ratio", *_ends(each.saving_ratio), "", "", ""])
    return rows


def _ends(each: "Estimate") -> list[object]:
    return [each.mean, each.low, each.high]


def _show(scenario: "Scenario", answer: "Answer") -> None:
    """Three tables: figures, cost by capacity type, and what makes the difference."""
    from simulations.report.estimates import estimate_text

    days, runs = f"{answer.days:g} days", f"{answer.runs} run" + ("s" if answer.runs > 1 else "")
    typer.echo(f"{scenario.name}: {days}, {runs}, seed {answer.seed}; beside {answer.incumbent}; in {answer.currency}")
    if scenario.description:
        typer.echo(scenario.description)
    typer.echo()
    others = [each for each in answer.policies if each.name != answer.incumbent]
    figures = [
        [each.name, *(estimate_text(name, each.figures[name]) for name in _FIGURES), _saving(answer, each.name)]
        for each in answer.policies
    ]
    columns = {"POLICY": "left", **dict.fromkeys(_FIGURES.values(), "right"), "SAVES": "right"}
    console().print(table_of(columns, figures))
    typer.echo()
    types = list(answer.policies[0].cost_by_capacity_type)
    costs = [
        [each.name, *(estimate_text("cost", each.cost_by_capacity_type[name]) for name in types)]
        for each in answer.policies
    ]
    console().print(table_of({"COST OF": "left", **{name.upper(): "right" for name in types}}, costs))
    if others:
        typer.echo()
        drivers = [[each.name, *(estimate_text("change", part) for part in each.drivers.values())] for each in others]
        console().print(
            table_of(
                {f"AGAINST {answer.incumbent}": "left", **{name.upper(): "right" for name in others[0].drivers}},
                drivers,
            )
        )


def _saving(answer: "Answer", name: str) -> str:
    from simulations.report.estimates import estimate_text

    (saving,) = (each.saving_ratio for each in answer.policies if each.name == name)
    return "-" if name == answer.incumbent else estimate_text("saving_ratio", saving)
