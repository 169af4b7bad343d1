"""How the answer of `foresail simulate` leaves the command: tables, JSON, CSV or an HTML page on stdout."""

import csv
import json
import sys
from typing import TYPE_CHECKING

import typer

from controller.cli.output import console, fitting, table_of
from controller.cli.sweep_output import Form

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

    from simulations.whatif.answer import Answer, Estimate, Verdict
    from simulations.whatif.calibration import Gap, Observed
    from simulations.whatif.document import Scenario
    from simulations.whatif.inputs import Inputs

    Told = Callable[[str, Estimate], str]

_FEW = ("LATE", "UNSERVED", "REPLICAS")
_FIGURES = {
    "LATE": "late_ratio",
    "UNSERVED": "unserved_ratio",
    "AVAILABLE": "available_time_ratio",
    "REPLICAS": "replicas",
    "CHURN/DAY": "churn_per_day",
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
    from simulations.report.conclusion import conclusion

    days = f"{answer.days:g} day" + ("s" if answer.days != 1 else "")
    runs = f"{answer.runs} runs" if answer.runs > 1 else "1 run (no intervals; they take two)"
    typer.echo(f"{scenario.name}: {days}, {runs}, seed {answer.seed}; beside {answer.incumbent}; in {answer.currency}")
    if scenario.description:
        typer.echo(scenario.description)
    typer.echo()
    console().print(_as_wide_as_fits(answer, found))
    if found:
        typer.echo()
        console().print(table_of(_OBSERVED, [_beside(name, each) for name, each in found.items()]))
    for table in (_by_type(answer), _driven(answer)):
        if table is not None:
            typer.echo()
            console().print(table)
    typer.echo()
    for sentence in conclusion(answer):
        typer.echo(sentence)


def _as_wide_as_fits(answer: "Answer", found: "Mapping[str, Gap] | None") -> "Table":
    """The figures of all policies: with intervals where there is room for them, else without, else fewer."""
    from simulations.report.estimates import estimate_text, figure_text

    def mean(name: str, each: "Estimate") -> str:
        return figure_text(name, each.mean)

    forms = ((tuple(_FIGURES), estimate_text), (tuple(_FIGURES), mean), (_FEW, mean))
    return fitting(_figures(answer, found, titles, told) for titles, told in forms)


def _figures(answer: "Answer", found: "Mapping[str, Gap] | None", titles: "Sequence[str]", told: "Told") -> "Table":
    late, *others = titles
    sides = dict.fromkeys(["COST", "SAVES", *(["MODEL"] if found else []), late], "right") | {"KEEPS": "left"}
    rows = [[each.name, *_cost(answer, each, found, told), *_service(each, titles, told)] for each in answer.policies]
    return table_of({"POLICY": "left", **sides, **dict.fromkeys(others, "right")}, rows)


def _cost(answer: "Answer", each: "Verdict", found: "Mapping[str, Gap] | None", told: "Told") -> list[str]:
    """What a policy costs and saves, and beside it how far the model is from the bill on which that is saved."""
    saves = "-" if each.name == answer.incumbent else told("saving_ratio", each.saving_ratio)
    model = [] if not found else [_gap_text(found["cost"]) if "cost" in found else "no bill"]
    return [told("cost", each.figures["cost"]), saves, *model]


def _service(each: "Verdict", titles: "Sequence[str]", told: "Told") -> list[str]:
    late, *others = (told(name, each.figures[name]) for name in map(_FIGURES.__getitem__, titles))
    return [late, ("yes" if each.keeps else "no") if each.sure else "unsure", *others]


def _by_type(answer: "Answer") -> "Table | None":
    """Cost by capacity type and of late requests; None where all is of one type."""
    from simulations.whatif.answer import estimate

    runs = answer.by_run
    costs = {
        each.name: {**each.cost_by_capacity_type, "late requests": estimate(runs.column("driver:late")[place])}
        for place, each in enumerate(answer.policies)
    }
    return _parts("COST OF", "cost", costs, least=2)


def _driven(answer: "Answer") -> "Table | None":
    """What drives each difference in cost from the incumbent's; None where there is none."""
    others = [each for each in answer.policies if each.name != answer.incumbent]
    parts = {each.name: {"in all": each.difference["cost"], **each.drivers} for each in others}
    return _parts(f"AGAINST {answer.incumbent}", "change", parts, least=1)


def _parts(title: str, figure: str, rows: "Mapping[str, Mapping[str, Estimate]]", *, least: int) -> "Table | None":
    """A table of money; columns in which nothing shows are left out. None where fewer than so many are left."""
    from simulations.report.estimates import SHOWN, estimate_text

    every = next(iter(rows.values()), {})
    shown = [name for name in every if any(abs(row[name].mean) >= SHOWN for row in rows.values())]
    if len(shown) < least:
        return None
    cells = [[policy, *(estimate_text(figure, row[name]) for name in shown)] for policy, row in rows.items()]
    return table_of({title: "left", **{name.upper(): "right" for name in shown}}, cells)


def _beside(name: str, gap: "Gap") -> list[str]:
    from simulations.report.estimates import estimate_text, figure_text

    figure = {"cost": "cost", "replicas": "replicas", "late": "late_ratio"}[name]
    words = "cost a day" if name == "cost" else name
    within = "in the interval" if gap.reproduced else "outside the interval"
    return [words, figure_text(figure, gap.observed), estimate_text(figure, gap.simulated), _gap_text(gap), within]


def _gap_text(gap: "Gap") -> str:
    return "-" if gap.ratio is None else f"{gap.ratio * 100:+.1f} %"
