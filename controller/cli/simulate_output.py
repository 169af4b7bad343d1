"""How the answer of `foresail simulate` leaves the command: tables, JSON, CSV or an HTML page on stdout."""

import csv
import json
import sys
from typing import TYPE_CHECKING

import typer

from controller.cli.output import console, table_of
from controller.cli.sweep_output import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulations.whatif.answer import Answer, Estimate
    from simulations.whatif.calibration import Gap, Observed
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
_OBSERVED = {"LAST MONTH": "left", "OBSERVED": "right", "SIMULATED": "right", "MODEL": "right", "OBSERVED IS": "left"}


def written(
    scenario: "Scenario", inputs: "Inputs", answer: "Answer", output: Form, observed: "Observed | None" = None
) -> None:
    """Write an answer to stdout, with how far its incumbent is from what was observed."""
    from simulations.whatif.calibration import document, gaps

    found = None if observed is None else gaps(answer, observed)
    match output:
        case Form.TABLE:
            _show(scenario, answer, found)
        case Form.JSON:
            calibration = {} if observed is None or found is None else {"calibration": document(found, observed)}
            typer.echo(json.dumps(answer.document() | calibration, indent=2, ensure_ascii=False, allow_nan=False))
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


def _show(scenario: "Scenario", answer: "Answer", found: "Mapping[str, Gap] | None") -> None:
    """Three tables: figures, cost by capacity type, and what makes the difference; and what was observed."""
    from simulations.report.estimates import estimate_text

    days, runs = f"{answer.days:g} days", f"{answer.runs} run" + ("s" if answer.runs > 1 else "")
    typer.echo(f"{scenario.name}: {days}, {runs}, seed {answer.seed}; beside {answer.incumbent}; in {answer.currency}")
    if scenario.description:
        typer.echo(scenario.description)
    typer.echo()
    others = [each for each in answer.policies if each.name != answer.incumbent]
    figures = [
        [each.name, *(estimate_text(name, each.figures[name]) for name in _FIGURES), *_saving(answer, each.name, found)]
        for each in answer.policies
    ]
    titles = dict.fromkeys([*_FIGURES.values(), "SAVES", *(["MODEL"] if found else [])], "right")
    console().print(table_of({"POLICY": "left", **titles}, figures))
    if found:
        typer.echo()
        console().print(table_of(_OBSERVED, [_beside(name, each) for name, each in found.items()]))
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


def _saving(answer: "Answer", name: str, found: "Mapping[str, Gap] | None") -> list[str]:
    """What a policy saves, and beside it how far the model is from the bill on which that is saved."""
    from simulations.report.estimates import estimate_text

    (saving,) = (each.saving_ratio for each in answer.policies if each.name == name)
    told = ["-" if name == answer.incumbent else estimate_text("saving_ratio", saving)]
    return told if not found else [*told, _gap_text(found["cost"]) if "cost" in found else "no bill"]


def _beside(name: str, gap: "Gap") -> list[str]:
    from simulations.report.estimates import estimate_text, figure_text

    figure = {"cost": "cost", "replicas": "replicas", "late": "late_ratio"}[name]
    words = "cost a day" if name == "cost" else name
    within = "in the interval" if gap.reproduced else "outside the interval"
    return [words, figure_text(figure, gap.observed), estimate_text(figure, gap.simulated), _gap_text(gap), within]


def _gap_text(gap: "Gap") -> str:
    return "-" if gap.ratio is None else f"{gap.ratio:+.1%}"
