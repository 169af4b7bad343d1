"""Tables of the report: the fleet, and a workload day by day."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from simulations.audit.figures import cost_interval, cost_ratio
from simulations.report.axes import moment_text
from simulations.report.frame import table
from simulations.report.plots import day_start_s
from simulations.report.words import amount, count, money, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulations.audit.document import Report
    from simulations.audit.figures import Interval, Outcome
    from simulations.audit.verdict import Audited

_SUMMARY = (
    "workload",
    "cost as it was",
    "late",
    "cost with Foresail",
    "late",
    "cost ratio",
    "ratio if as late as it was",
)


def summary(report: Report) -> str:
    """Every workload in a row, with a link to its part of the page."""
    rows = [_row(number, each, report.currency) for number, each in enumerate(report.audited)]
    words = '<p class="soft">As it was, and with Foresail; small: 95 % intervals over days</p>'
    return f"{words}{table(_SUMMARY, rows)}"


def by_day(each: Audited, currency: str) -> str:
    """What each compared day cost and how much of it was late."""
    price, days = each.case.replica_hour_price, each.incumbent.days
    titles = ("day from", "replica-hours", "with Foresail", "money", "with Foresail", "late", "with Foresail")
    rows = [
        (moment_text(day_start_s(each, day)), _day(each, day, price, currency))
        for day in np.flatnonzero(days.load > 0).tolist()
    ]
    return table(titles, rows)


def _row(number: int, each: Audited, currency: str) -> tuple[str, list[str]]:
    price = each.case.replica_hour_price
    cells = [
        _paid(each.incumbent, price, currency),
        _late(each.incumbent),
        _paid(each.foresail, price, currency),
        _late(each.foresail),
        f"{each.cost_ratio:.2f}{_range(each.cost, lambda value: f'{value:.2f}')}",
        _as_late(each),
    ]
    name = escape(each.case.name).replace("/", "/<wbr>")
    return f'<a href="#w{number}">{name}</a>', cells


def _day(each: Audited, day: int, price: float | None, currency: str) -> list[str]:
    hours = [float(who.days.replica_hours[day]) for who in (each.incumbent, each.foresail)]
    late = [float(who.days.late[day] / who.days.load[day]) for who in (each.incumbent, each.foresail)]
    paid = [money(price, each_hours, escape(currency)) for each_hours in hours]
    return [*map(amount, hours), *paid, *map(percent, late)]


def _paid(who: Outcome, price: float | None, currency: str) -> str:
    """Money with replica-hours below it, or replica-hours alone where there is no price."""
    hours = f"{count(who.replica_hours)} replica-hours"
    if price is None:
        return hours
    return f'{money(price, who.replica_hours, escape(currency))}<span class="range">{hours}</span>'


def _late(who: Outcome) -> str:
    return f"{percent(who.late_ratio)}{_range(who.late, percent)}"


def _as_late(each: Audited) -> str:
    """The cost ratio at the incumbent's late share; a dash where the plain one is fair."""
    if each.as_late is None:
        return "-"
    who = each.as_late.foresail
    around = cost_interval(who, each.incumbent)
    return f"{cost_ratio(who, each.incumbent):.2f}{_range(around, lambda value: f'{value:.2f}')}"


def _range(around: Interval | None, shown: Callable[[float], str]) -> str:
    if around is None:
        return '<span class="range">no interval</span>'
    return f'<span class="range">{shown(around.low)} to {shown(around.high)}</span>'
