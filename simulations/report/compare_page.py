"""Two answers beside each other as one HTML page: what changed in the scenario, what that did, and what drives it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from simulations.report.answer_page import drivers_html, look
from simulations.report.estimates import TITLES, around, estimate_html, figure_text, saving_text
from simulations.report.frame import card, framed, table, unbroken
from simulations.report.points import Point, Scatter, scatter_svg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulations.sweep.compare import Comparison, Pair

_PERCENT = 100.0


def compare_page(found: Comparison) -> str:
    """The whole page."""
    parts = [
        _heading(found),
        f'<section class="cards" aria-label="Savings">{"".join(_cards(found))}</section>',
        _changes(found),
        scatter_svg(_cost_against_late(found)),
        drivers_html(
            "What drives the difference in cost",
            found.before.currency,
            {pair.name: (pair.figures["cost"].change, pair.drivers) for pair in found.policies},
        ),
        *(text for pair in found.policies for text in _pair(pair)),
    ]
    return framed(f"Compare: {found.before.scenario}, {found.after.scenario}", parts)


def basis(found: Comparison) -> str:
    """How the differences are taken, in a sentence."""
    if found.paired is None:
        return "Runs of both are independent: differences are of means."
    return f"Differences are run by run, over {found.paired} runs with the same luck."


def _heading(found: Comparison) -> str:
    notes = "".join(f'<li class="warn">{escape(note)}</li>' for note in found.notes)
    return (
        f"<header><h1>{escape(found.before.source)} &rarr; {escape(found.after.source)}</h1>"
        f"<p>{escape(found.before.scenario)} and {escape(found.after.scenario)}; costs in"
        f' {escape(found.before.currency)}.</p><p class="soft">{basis(found)}</p>'
        f'<ul class="findings">{notes}</ul></header>'
    )


def _cards(found: Comparison) -> Iterator[str]:
    for pair in found.policies[:4]:
        cost = pair.figures["cost"]
        yield card(
            f"Cost of {escape(pair.name)}",
            f"{figure_text('cost', cost.before.mean)} <span class=arrow>&rarr;</span>"
            f" {figure_text('cost', cost.after.mean)}",
            unbroken(saving_text(pair.saving_ratio)),
        )


def _changes(found: Comparison) -> str:
    if found.changes is None:
        return (
            '<p class="soft">The scenarios themselves are not in the files, so what changed in them is not known.</p>'
        )
    if not found.changes:
        return '<p class="soft">The two scenarios say the same.</p>'
    rows = [
        (
            f"<code>{escape(each.path)}</code>",
            ["absent" if text is None else escape(text) for text in (each.before, each.after)],
        )
        for each in found.changes
    ]
    return f"<h3>What changed in the scenario</h3>{table(('place', 'before', 'after'), rows)}"


def _cost_against_late(found: Comparison) -> Scatter:
    points = []
    for place, pair in enumerate(found.policies):
        cost, late = pair.figures["cost"], pair.figures["late_ratio"]
        for words, x, y in (("before", cost.before, late.before), ("after", cost.after, late.after)):
            points.append(
                Point(
                    f"{pair.name}, {words}",
                    look(place),
                    around(x),
                    around(y, _PERCENT),
                    ringed=words == "after",
                )
            )
    legend = [(look(place), pair.name) for place, pair in enumerate(found.policies)]
    title = "Cost against late share; ringed: after"
    return Scatter(title, f"cost in {found.before.currency}", "late, % of the load", points, legend)


def _pair(pair: Pair) -> Iterator[str]:
    rows = [
        (
            TITLES[name],
            [unbroken(estimate_html(name, each)) for each in (figure.before, figure.after, figure.change)],
        )
        for name, figure in pair.figures.items()
    ]
    yield f"<h3>{escape(pair.name)}</h3>{table(('', 'before', 'after', 'difference'), rows)}"
