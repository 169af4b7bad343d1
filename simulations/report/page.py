"""An audit as one HTML page that needs nothing from elsewhere: the fleet, each workload with its plots, policies."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from policies.objective import DEFAULT_LATE
from policies.quantities import duration_text
from simulations.audit.autoscaler import About, per_cent
from simulations.audit.document import time_text
from simulations.report.axes import moment_text
from simulations.report.charts import svg
from simulations.report.frame import card, framed, table, unbroken
from simulations.report.plots import day_start_s, overview, worst_day
from simulations.report.tables import by_day, summary
from simulations.report.words import amount, count, money, percent, ratio, share, verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulations.audit.autoscaler import Finding
    from simulations.audit.document import Report
    from simulations.audit.verdict import Audited, Fleet

_GRAVE = frozenset({About.CAPACITY, About.CENSORED, About.HISTORY, About.METRIC, About.REPLICAS})


def page(report: Report, policies: Mapping[str, str]) -> str:
    """The whole page; `policies` are the YAML texts to start with, by workload."""
    parts = [
        _heading(report),
        *([_cards(report, report.fleet)] if report.fleet is not None else []),
        *([summary(report)] if report.audited else []),
        _passed(report),
        _findings(report.findings),
        _reading(),
        *(_workload(number, each, report, policies) for number, each in enumerate(report.audited)),
    ]
    return framed("Foresail audit", parts)


def _heading(report: Report) -> str:
    spent = report.spent
    asked = f", {spent.queries} of {spent.most_queries} queries" if spent.most_queries is not None else ""
    return (
        "<header><h1>Autoscaling audit</h1>"
        "<p>What each autoscaler cost over the days below and how much of the load met too few ready replicas, beside"
        " what Foresail would have done on the same load.</p>"
        f'<p class="soft">{_workloads(len(report.audited))} read from {escape(report.source)} at'
        f" {time_text(report.at_s)}; took {spent.wall_s:.0f} s{asked}. Nothing was changed anywhere.</p></header>"
    )


def _workloads(number: int) -> str:
    return f"{number} workload{'' if number == 1 else 's'}"


def _cards(report: Report, fleet: Fleet) -> str:
    monthly = "" if fleet.incumbent_money is None or fleet.foresail_money is None else _money(report, fleet)
    cards = [
        card(
            "Paid, in replica-hours",
            f"{count(fleet.incumbent_hours)} <span class=arrow>&rarr;</span> {count(fleet.foresail_hours)}",
            f"{ratio(fleet.cost_ratio, fleet.cost)} of today's cost",
        ),
        monthly,
        card(
            "Late share of the load",
            f"{percent(fleet.incumbent_late)} <span class=arrow>&rarr;</span> {percent(fleet.foresail_late)}",
            "load that met replicas above their serving limit",
        ),
        card(
            "Compared",
            _days(report.audited),
            f"of {_workloads(len(report.audited))}{_left_out(report)}",
        ),
    ]
    return f'<section class="cards" aria-label="The fleet">{"".join(cards)}</section>'


def _left_out(report: Report) -> str:
    return f"; {len(report.passed)} could not be audited" if report.passed else ""


def _days(audited: Iterable[Audited]) -> str:
    """How many days are compared, where workloads differ the fewest and the most."""
    shown = [f"{each.scored_days:.1f}" for each in sorted(audited, key=lambda each: each.scored_days)]
    return f"{shown[0]} days" if shown[0] == shown[-1] else f"{shown[0]} to {shown[-1]} days"


def _money(report: Report, fleet: Fleet) -> str:
    before, after = (f"{value:,.0f}" for value in (fleet.incumbent_money or 0.0, fleet.foresail_money or 0.0))
    return card(
        f"Paid, in {escape(report.currency)}",
        f"{before} <span class=arrow>&rarr;</span> {after}",
        "at the prices given, for the days compared",
    )


def _passed(report: Report) -> str:
    if not report.passed:
        return ""
    rows = "".join(
        f'<li class="warn"><b>{escape(each.name)}</b> ({escape(each.autoscaler)}): {escape(each.why)}</li>'
        for each in report.passed
    )
    return f'<h3>Not audited</h3><ul class="findings">{rows}</ul>'


def _findings(findings: Iterable[Finding]) -> str:
    rows = "".join(
        f'<li class="{"warn" if each.about in _GRAVE else "note"}"><b class="about">{escape(each.about)}</b>: '
        f"{escape(each.message)}</li>"
        for each in findings
    )
    return f'<ul class="findings">{rows}</ul>' if rows else ""


def _reading() -> str:
    return (
        "<details><summary>How to read this</summary>"
        "<p><b>As it was</b> is what the autoscaler did, by the replicas that Prometheus recorded (for a load file: its"
        " rule, replayed). <b>With Foresail</b> is what Foresail would have done on the same load, deciding at each"
        " moment from what was known then, with the same bounds and start-up time.</p>"
        "<p><b>Late</b> is the share of the load that arrived while ready replicas were above their serving limit, the"
        " share of capacity up to which they serve in time. Foresail is asked to keep it at"
        f" {per_cent(DEFAULT_LATE)} or less, the default of a policy. Where that costs less but is late more than"
        " before, or the reverse, it is replayed once more, asked for the late share of before; the last column of the"
        " first table and a row of the workload's tell what that costs. <b>Cost</b> counts each replica from the moment"
        " it is asked for until it is released.</p>"
        "<p><b>Ranges</b> are 95 % intervals from resampling days: they tell how much days differ, not whether"
        " the assumptions below are right. <b>The forecast</b> in the plots was made a start-up before the moment at"
        " which it is drawn: the load that was expected then, and above it the margin that whoever was in charge"
        " added. <b>Needed</b> is the load in replicas at their serving limit.</p></details>"
    )


def _workload(number: int, each: Audited, report: Report, policies: Mapping[str, str]) -> str:
    name, sentence = each.case.name, verdict(each)
    worst = worst_day(each)
    zoom = ""
    if worst is not None:
        day, plots = worst
        begins = moment_text(day_start_s(each, day))
        zoom = f"<h3>The day with most late load as it was, from {begins}</h3>{''.join(map(svg, plots))}"
    return (
        f'<section id="w{number}"><h2>{escape(name)}</h2>'
        f'<p class="soft">{escape(str(each.case.autoscaler))}</p>'
        f'<p class="verdict">{escape(unbroken(sentence[:1].upper() + sentence[1:]))}</p>'
        f"{_facts(each, report.currency)}"
        f"<h3>What these figures rest on</h3>{_findings(each.findings)}"
        f"<h3>All days, times in UTC</h3>{''.join(map(svg, overview(each, report.currency)))}{zoom}"
        f"<details><summary>Day by day</summary>{by_day(each, report.currency)}</details>"
        f"<details><summary>The policy to start with, in shadow</summary><pre>{escape(policies[name])}</pre></details>"
        "</section>"
    )


def _facts(each: Audited, currency: str) -> str:
    """The incumbent, its rule replayed, Foresail, and the least possible, side by side."""
    price = each.case.replica_hour_price
    rows = [("As it was", each.incumbent), ("Its rule, replayed", each.rule), ("With Foresail", each.foresail)]
    if each.case.seen is None:
        del rows[1]
    if each.as_late is not None:
        asked = f"With Foresail, asked for {percent(each.as_late.late_ratio)} late"
        rows.append((asked, each.as_late.foresail))
    told = [
        (
            name,
            (
                count(who.replica_hours),
                money(price, who.replica_hours, escape(currency)),
                share(who.late_ratio, who.late),
                amount(who.churn_per_day),
            ),
        )
        for name, who in rows
    ]
    least = each.least_replica_hours
    paid = money(price, least, escape(currency))
    told.append(("Least, knowing the load beforehand", (count(least), paid, percent(0.0), "-")))
    serving = each.case.serving
    caption = (
        f"At 100 % a replica serves {amount(serving.capacity)}"
        f" ({escape(each.case.measure.unit)}), in time up to {serving.serving_limit_ratio * 100:.4g} %, and takes"
        f" {duration_text(serving.startup_s)} from a decision until it serves."
    )
    titles = ("", "replica-hours", "money", "late (95 % interval)", "started or stopped a day")
    return f'<p class="soft">{unbroken(caption)}</p>{table(titles, told)}'
