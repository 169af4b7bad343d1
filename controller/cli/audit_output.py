"""How the audit leaves the command: a table, JSON, YAML or HTML on stdout, and files where they are asked for."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from controller.cli.output import Output, console, emit, note, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from simulations.audit.document import Report
    from simulations.audit.figures import Outcome
    from simulations.audit.verdict import Audited

WIDE_COLUMNS = 110  # from here on there is room for intervals


class Form(StrEnum):
    """How the report is written to stdout."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    HTML = "html"


def written(report: "Report", form: Form, html: Path | None, policies: Path | None) -> None:
    """Write the report to stdout and to the files that were asked for. Raises OSError."""
    if html is not None:
        html.write_text(_page(report), encoding="utf-8")
        note(f"report with plots: {html}")
    if policies is not None:
        policies.write_text(_policies(report), encoding="utf-8")
        note(f"policies to start with: {policies}")
    match form:
        case Form.HTML:
            typer.echo(_page(report), nl=False)
        case Form.JSON | Form.YAML:
            from simulations.audit.document import document_of

            emit("Audit", document_of(report), Output(form.value), lambda: "")
        case Form.TABLE:
            _show(report)
    _tell_spent(report)


def _page(report: "Report") -> str:
    from simulations.report.page import page

    return page(report, _policies_by_name(report))


def _policies(report: "Report") -> str:
    return "---\n".join(_policies_by_name(report).values())


def _policies_by_name(report: "Report") -> dict[str, str]:
    import yaml

    from simulations.audit.starter import starter_document

    return {
        each.case.name: yaml.safe_dump(starter_document(each.case), sort_keys=False, allow_unicode=True, width=100)
        for each in report.audited
    }


def _show(report: "Report") -> None:
    """The table, and below it what each workload's figures rest on."""
    from simulations.report.words import verdict

    out = console()
    if report.audited:
        out.print(_table(report, wide=out.width >= WIDE_COLUMNS))
    for each in report.audited:
        out.print(f"\n{each.case.name}: {verdict(each)}", markup=False)
        for finding in each.findings:
            out.print(f"  {finding.about}: {finding.message}", markup=False)
    for passed in report.passed:
        out.print(f"\n{passed.name}: not audited: {passed.why}", markup=False)
    for finding in report.findings:
        out.print(f"\n{finding.about}: {finding.message}", markup=False)


def _table(report: "Report", *, wide: bool) -> "Table":
    """Two or three rows a workload: as it was, with Foresail, and with Foresail as late as it was."""
    names = ("WORKLOAD", "", "REPLICA-\nHOURS", f"COST\n({report.currency})", "LATE", "COST\nRATIO", "CHURN\nA DAY")
    columns = {name: "left" if place < 2 else "right" for place, name in enumerate(names)}  # noqa: PLR2004 - two columns of words
    rows = []
    for each in report.audited:
        rows.append((each.case.name, "as it was", *_figures(each, each.incumbent, wide=wide)))
        rows.append(("", "Foresail", *_figures(each, each.foresail, wide=wide)))
        if each.as_late is not None:
            rows.append(("", "if as late", *_figures(each, each.as_late.foresail, wide=wide)))
    table = table_of(columns, rows)
    table.columns[0].no_wrap = False  # a name is folded before a figure is cut
    return table


def _figures(each: "Audited", who: "Outcome", *, wide: bool) -> tuple[str, ...]:
    """Replica-hours, money, late share, cost over that of before, and replicas started or stopped a day."""
    from simulations.audit.figures import cost_interval, cost_ratio
    from simulations.report.words import amount, count, ratio, share

    price = each.case.replica_hour_price
    around = cost_interval(who, each.incumbent) if wide else None
    return (
        count(who.replica_hours),
        "-" if price is None else f"{price * who.replica_hours:,.2f}",
        share(who.late_ratio, who.late if wide else None),
        "-" if who is each.incumbent else ratio(cost_ratio(who, each.incumbent), around),
        amount(who.churn_per_day),
    )


def _tell_spent(report: "Report") -> None:
    spent = report.spent
    if spent.most_queries is None:
        note(f"took {spent.wall_s:.1f} s")
        return
    note(f"took {spent.wall_s:.1f} s; {spent.queries} of {spent.most_queries} queries, {spent.query_s:.1f} s of them")
