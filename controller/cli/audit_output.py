"""How the audit leaves the command: a table, JSON, YAML or HTML on stdout, and files where they are asked for."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from controller.cli.output import Output, console, emit, note, table_of

if TYPE_CHECKING:
    from rich.table import Table

    from simulations.audit.document import Report
    from simulations.audit.verdict import Audited

_COLUMNS = {
    "WORKLOAD": "left",
    "REPLICA-HOURS": "right",
    "COST": "right",
    "LATE": "right",
    "WITH FORESAIL": "right",
    "ITS COST": "right",
    "ITS LATE": "right",
    "COST RATIO": "right",
    "IF AS LATE": "right",
    "CHURN A DAY": "right",
}


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
        out.print(_table(report))
    for each in report.audited:
        out.print(f"\n{each.case.name}: {verdict(each)}", markup=False)
        for finding in each.findings:
            out.print(f"  {finding.about}: {finding.message}", markup=False)
    for passed in report.passed:
        out.print(f"\n{passed.name}: not audited: {passed.why}", markup=False)
    for finding in report.findings:
        out.print(f"\n{finding.about}: {finding.message}", markup=False)


def _table(report: "Report") -> "Table":
    from simulations.report.words import amount, count, money, ratio, share

    rows = []
    for each in report.audited:
        price = each.case.replica_hour_price
        paid, planned = each.incumbent.replica_hours, each.foresail.replica_hours
        rows.append(
            (
                each.case.name,
                count(paid),
                money(price, paid, report.currency),
                share(each.incumbent.late_ratio, each.incumbent.late),
                count(planned),
                money(price, planned, report.currency),
                share(each.foresail.late_ratio, each.foresail.late),
                ratio(each.cost_ratio, each.cost),
                _if_as_late(each),
                f"{amount(each.incumbent.churn_per_day)} -> {amount(each.foresail.churn_per_day)}",
            )
        )
    return table_of(_COLUMNS, rows)


def _if_as_late(each: "Audited") -> str:
    """The cost ratio at the late share of before; a dash where the plain one is fair."""
    from simulations.audit.figures import cost_interval, cost_ratio
    from simulations.report.words import ratio

    if each.as_late is None:
        return "-"
    who = each.as_late.foresail
    return ratio(cost_ratio(who, each.incumbent), cost_interval(who, each.incumbent))


def _tell_spent(report: "Report") -> None:
    spent = report.spent
    if spent.most_queries is None:
        note(f"took {spent.wall_s:.1f} s")
        return
    note(f"took {spent.wall_s:.1f} s; {spent.queries} of {spent.most_queries} queries, {spent.query_s:.1f} s of them")
