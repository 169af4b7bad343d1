"""The answer of a what-if as one HTML page: what each policy costs and misses, when, on which capacity, and why."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import yaml

from simulations.report.bars import Bar, Bars, bars_svg
from simulations.report.charts import Line, Plot, svg
from simulations.report.conclusion import conclusion, kept
from simulations.report.estimates import SHOWN, TITLES, around, estimate_html, estimate_text, figure_text, range_text
from simulations.report.frame import card, framed, table, unbroken
from simulations.report.points import Point, Scatter, scatter_svg
from simulations.whatif.answer import COSTS, DRIVERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulations.whatif.answer import Answer, Estimate, Verdict
    from simulations.whatif.day import Day

LOOKS = tuple(f"c{number}" for number in range(8))
DRIVER_WORDS = {
    "replicas": "replicas",
    "price": "size and price of a replica",
    "nodes": "nodes beyond replicas",
    "mix": "cheaper pools",
    "commitments": "commitments",
    "late": "late requests",
}
_COST_LOOKS = tuple(zip(("c0", "c2", "c4"), COSTS, strict=True))
_SHOWN = (
    "late_ratio",
    "unserved_ratio",
    "available_time_ratio",
    "replicas",
    "churn_per_day",
)
_PERCENT = 100.0


def answer_page(answer: Answer, days: Sequence[Day]) -> str:
    """The whole page; `days` has a typical day of each workload."""
    parts = [
        _heading(answer),
        f'<section class="cards" aria-label="The answer">{"".join(_cards(answer))}</section>',
        f"<p>{escape(' '.join(conclusion(answer)))}</p>",
        _figures(answer),
        _reading(answer),
        scatter_svg(_cost_against_late(answer)),
        bars_svg(_cost_by_type(answer)),
        _drivers(answer),
        *(text for day in days for text in _day(day)),
        f"<details><summary>The scenario</summary><pre>{escape(_text(answer.asked))}</pre></details>",
    ]
    return framed(f"What if: {answer.scenario}", parts)


def look(place: int) -> str:
    """The CSS class of the policy at a place."""
    return LOOKS[place % len(LOOKS)]


def drivers_html(title: str, currency: str, differences: Mapping[str, tuple[Estimate, Mapping[str, Estimate]]]) -> str:
    """What differences in cost are made of: a plot and a table, a row each; drivers that drive none are left out."""
    names = [name for name in DRIVERS if any(abs(found[name].mean) >= SHOWN for _, found in differences.values())]
    if not names:
        return f'<p class="soft">{escape(title)}: nothing, costs are the same.</p>'
    parts = [(look(DRIVERS.index(name)), DRIVER_WORDS[name]) for name in names]
    bars = [
        Bar(row, [found[name].mean for name in names], figure_text("change", total.mean))
        for row, (total, found) in differences.items()
    ]
    rows = [
        (escape(row), [estimate_html("change", each) for each in (total, *(found[name] for name in names))])
        for row, (total, found) in differences.items()
    ]
    titles = ("policy", "in all", *(DRIVER_WORDS[name] for name in names))
    return bars_svg(Bars(title, currency, parts, bars, marked=True)) + table(titles, rows)


def _heading(answer: Answer) -> str:
    asked = str(answer.asked.get("description", ""))
    runs = f"{answer.runs} run{'' if answer.runs == 1 else 's'} of {answer.days:g} days, seed {answer.seed}"
    return (
        f"<header><h1>{escape(answer.scenario)}</h1><p>{escape(asked)}</p>"
        f'<p class="soft">{runs}; costs in {escape(answer.currency)} over those days; beside the incumbent'
        f" {escape(answer.incumbent)}.</p></header>"
    )


def _cards(answer: Answer) -> Iterator[str]:
    incumbent = next(each for each in answer.policies if each.name == answer.incumbent)
    cheapest = answer.cheapest(lambda each: each.keeps)
    for name, who in (("Incumbent", incumbent), ("Cheapest that keeps its objective", cheapest)):
        if who is not None:
            yield card(
                f"{name}: {escape(who.name)}",
                f"{figure_text('cost', who.figures['cost'].mean)} {escape(answer.currency)}",
                unbroken(f"{range_text('cost', who.figures['cost'])}; {_late(who)} late"),
            )
    if cheapest is not None and cheapest.name != incumbent.name:
        saved = figure_text("saving_ratio", cheapest.saving_ratio.mean)
        yield card("It saves", saved, unbroken(range_text("saving_ratio", cheapest.saving_ratio)))


def _late(each: Verdict) -> str:
    return estimate_text("late_ratio", each.figures["late_ratio"])


def _figures(answer: Answer) -> str:
    titles = ("policy", "cost", "saving", "keeps", *(TITLES[name] for name in _SHOWN))
    rows = [
        (
            f'<span class="key wide {look(place)}" aria-hidden="true"></span>{escape(each.name)}',
            [
                estimate_html("cost", each.figures["cost"]),
                "-" if each.name == answer.incumbent else unbroken(estimate_html("saving_ratio", each.saving_ratio)),
                kept(each),
                *(unbroken(estimate_html(name, each.figures[name])) for name in _SHOWN),
            ],
        )
        for place, each in enumerate(answer.policies)
    ]
    return table(titles, rows)


def _reading(answer: Answer) -> str:
    return (
        "<details><summary>How to read this</summary>"
        "<p><b>Late</b> is the share of the load that arrives while replicas are above the share of their capacity up"
        " to which they serve in time; <b>unserved</b> is what is never served. A policy <b>keeps</b> its objective"
        " where its late share is within what the scenario allows it, 1 % unless written. <b>Cost</b> has nodes,"
        " commitments, and late requests where the scenario gives them a price.</p>"
        f"<p><b>Ranges</b> are 95 % intervals of the mean over {answer.runs} runs (Student's t). Every policy has the"
        " same luck in a run, so a saving is surer than the costs it comes from. They tell what chance makes of this"
        " scenario, not whether the scenario is the world.</p></details>"
    )


def _cost_against_late(answer: Answer) -> Scatter:
    points = [
        Point(
            f"{each.name}: {estimate_text('cost', each.figures['cost'])}, {_late(each)} late",
            look(place),
            around(each.figures["cost"]),
            around(each.figures["late_ratio"], _PERCENT),
        )
        for place, each in enumerate(answer.policies)
    ]
    legend = [(look(place), each.name) for place, each in enumerate(answer.policies)]
    return Scatter("Cost against late share", f"cost in {answer.currency}", "late, % of the load", points, legend)


def _cost_by_type(answer: Answer) -> Bars:
    bars = [
        Bar(
            each.name,
            [each.cost_by_capacity_type[name].mean for name in COSTS],
            figure_text("cost", sum(each.cost_by_capacity_type[name].mean for name in COSTS)),
        )
        for each in answer.policies
    ]
    return Bars("Cost by capacity type", answer.currency, _COST_LOOKS, bars)


def _drivers(answer: Answer) -> str:
    others: list[Verdict] = [each for each in answer.policies if each.name != answer.incumbent]
    if not others:
        return ""
    title = f"What drives the difference in cost from {answer.incumbent}"
    return drivers_html(title, answer.currency, {each.name: (each.difference["cost"], each.drivers) for each in others})


def _day(day: Day) -> Iterator[str]:
    """Replicas that are needed, asked for and ready, by policy; all on one scale."""
    yield f"<h3>A typical day of {escape(day.workload)}: of the first run, the one with the median load; in UTC</h3>"
    for course in day.courses:
        lines = [
            Line("needed", "load", course.needed, filled=True),
            Line("asked for", "then", course.asked),
            Line("ready", "now", course.ready),
        ]
        yield svg(Plot(course.policy, "replicas", day.at_s, lines))


def _text(document: Mapping[str, object]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=100)
