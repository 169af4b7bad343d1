"""A sweep as one HTML page: every variant and policy, what costs least, and figures along each varied place."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from simulations.report.answer_page import look
from simulations.report.conclusion import kept
from simulations.report.estimates import TITLES, around, estimate_html, estimate_text, figure_text, range_text
from simulations.report.frame import card, framed, table, unbroken
from simulations.report.points import Curve, Curves, Point, Scatter, curves_svg, scatter_svg
from simulations.sweep.vary import scalar_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulations.sweep.grid import Row, Sweep
    from simulations.sweep.vary import Scalar, Vary

SHOWN = ("cost", "late_ratio", "unserved_ratio", "replicas")
_ALONG = (("cost", 1.0), ("late_ratio", 100.0))
_PERCENT, _MOST_CARDS = 100.0, 8


def sweep_page(sweep: Sweep) -> str:
    """The whole page."""
    parts = [
        _heading(sweep),
        f'<section class="cards" aria-label="The cheapest">{"".join(_cards(sweep))}</section>',
        _table(sweep),
        _reading(),
        scatter_svg(_cost_against_late(sweep)),
        *(text for place in range(len(sweep.places)) for text in _along(sweep, place)),
    ]
    return framed(f"Sweep: {sweep.scenario}", parts)


def marks(row: Row) -> str:
    """What a row is among those of its world, in words."""
    return ", ".join([*([_cheapest(row)] if row.cheapest_at else []), *(["Pareto"] if row.front else [])])


def _cheapest(row: Row) -> str:
    return f"cheapest at {' and '.join(f'{each * _PERCENT:g} %' for each in row.cheapest_at)} late"


def _heading(sweep: Sweep) -> str:
    varied = "; ".join(f"{each.name}: {', '.join(map(scalar_text, each.values))}" for each in sweep.places)
    least, most = min(sweep.runs), max(sweep.runs)
    runs = f"{least}" if least == most else f"{least} to {most}"
    return (
        f"<header><h1>{escape(sweep.scenario)}: sweep</h1><p>{escape(varied or 'nothing varied')}</p>"
        f'<p class="soft">{len(sweep.runs)} variants, {runs} runs each; costs in {escape(sweep.currency)} over the'
        " scored days of each.</p></header>"
    )


def _cards(sweep: Sweep) -> Iterator[str]:
    found = [(objective, row) for row in sweep.rows for objective in row.cheapest_at]
    for objective, row in sorted(found, key=lambda each: each[0])[:_MOST_CARDS]:
        cost, late = row.verdict.figures["cost"], estimate_text("late_ratio", row.verdict.figures["late_ratio"])
        more = f"{range_text('cost', cost)}; {late} late; {_place(row.own)}"
        yield card(
            unbroken(f"Cheapest at {objective * _PERCENT:g} % late: {escape(row.verdict.name)}"),
            f"{figure_text('cost', cost.mean)} {escape(sweep.currency)}",
            unbroken(escape(more)),
        )


def _place(varied: Sequence[tuple[str, Scalar]]) -> str:
    return ", ".join(f"{name}={scalar_text(value)}" for name, value in varied)


def _table(sweep: Sweep) -> str:
    places = (escape(each.name).replace(".", ".<wbr>") for each in sweep.places)
    titles = ("policy", *places, *(TITLES[name] for name in SHOWN), "keeps its objective")
    rows = [
        (
            f'{escape(row.verdict.name)}<span class="range">{unbroken(escape(marks(row)))}</span>',
            [
                *(escape(scalar_text(value)) for _, value in row.varied),
                *(unbroken(estimate_html(name, row.verdict.figures[name])) for name in SHOWN),
                kept(row.verdict),
            ],
        )
        for row in sweep.rows
    ]
    return table(titles, rows)


def _reading() -> str:
    return (
        "<details><summary>How to read this</summary>"
        "<p>Rows are compared within one <b>world</b>: places under <code>policies</code> and"
        " <code>capacity.commitments</code> are choices, everything else that varies is the world. A row is on the"
        " <b>Pareto</b> front when no other row of its world is cheaper without being later, nor less late without"
        " being dearer. It keeps its objective when its mean late share is within what its policy asks for;"
        " <b>unsure</b>: its 95 % interval is not wholly on that side. <b>Cheapest at</b> a late share: no cheaper row"
        " of its world is within it.</p></details>"
    )


def _cost_against_late(sweep: Sweep) -> Scatter:
    names = list(dict.fromkeys(row.verdict.name for row in sweep.rows))
    points = [
        Point(
            f"{row.verdict.name}, {_place(row.own)}",
            look(names.index(row.verdict.name)),
            around(row.verdict.figures["cost"]),
            around(row.verdict.figures["late_ratio"], _PERCENT),
            ringed=row.front,
            tag=_cheapest(row) if row.cheapest_at else "",
        )
        for row in sweep.rows
    ]
    legend = [(look(place), name) for place, name in enumerate(names)]
    title = "Cost against late share; rings: the Pareto front"
    return Scatter(title, f"cost in {sweep.currency}", "late, % of the load", points, legend)


def _along(sweep: Sweep, place: int) -> Iterator[str]:
    """Figures along one varied place, every other place at its first value."""
    where = sweep.places[place]
    others = {each.name: each.values[0] for each in sweep.places if each is not where}
    rows = [row for row in sweep.rows if all(value == others.get(name, value) for name, value in row.varied)]
    names = list(dict.fromkeys(row.verdict.name for row in rows))
    held = f", {_place(tuple(others.items()))}" if others else ""
    yield f"<h3>Along {escape(where.name)}{escape(held)}</h3>"
    for figure, factor in _ALONG:
        curves = [
            Curve(
                name,
                look(number),
                [around(row.verdict.figures[figure], factor) for row in rows if row.verdict.name == name],
            )
            for number, name in enumerate(names)
        ]
        unit = sweep.currency if figure == "cost" else "% of the load"
        yield curves_svg(Curves(TITLES[figure].capitalize(), unit, where.name, _labels(where), curves))


def _labels(where: Vary) -> list[str]:
    return [scalar_text(value) for value in where.values]
