"""`foresail mix plan`: how much capacity to commit to, what it costs, and what it would have cost."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.output import Output, OutputOption, emit, note, table_of
from controller.cli.times import moment_s, moment_text
from controller.cli.whatif import given, share

if TYPE_CHECKING:
    from rich.table import Table

    from policies.mix.commitments import Bill, Prices, Term
    from policies.mix.hours import Hours
    from policies.mix.ladder import Holding

_TERM = re.compile(r"(?P<count>[1-9]\d?)(?P<unit>[ym])=(?P<price>.+)")
_WEEKS = {"y": 52.0, "m": 52.0 / 12}
_FEWEST_HOURS = 24
_SURE = 1.96  # standard deviations on each side of a 95 % interval
_YEAR_WEEKS = 52


@dataclass(frozen=True, slots=True)
class _Made:
    """A plan, and what it rests on."""

    prices: "Prices"
    seen: "Hours"
    paid: "Hours"
    units: tuple[float, ...]
    bill: "Bill"
    interval: tuple[float, float] | None
    holding: "Holding | None"


def plan(
    demand: Annotated[Path, typer.Option(help="Parquet or CSV with timestamp (s, UTC) and value: units needed.")],
    commitment: Annotated[
        list[str],
        typer.Option(
            metavar="TERM=PRICE", help="A term on offer and its price per unit-hour: 1y=0.63, 6m=0.8. Again for more."
        ),
    ],
    on_demand: Annotated[
        float, typer.Option(help="Price per unit-hour. All prices are in one currency, or shares of this one.")
    ] = 1.0,
    spot: Annotated[float | None, typer.Option(help="Price of spot per unit-hour.")] = None,
    spot_share: Annotated[
        float | None, typer.Option(help="Share of each hour's demand that spot may serve, above 0 and up to 1.")
    ] = None,
    history_until: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Plan on the hours that end by then, pay for those that begin then or later: "
            "2026-03-14T09:00:00Z, or seconds since 1970 as in the file. [default: plan on and pay for all]",
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """How much to commit to, and what it costs. A report: nothing is bought, nothing is changed.

    Demand is averaged by the hour; hours without a sample are unknown: neither planned on nor paid for. Units may be
    fractions. Each hour uses commitments first, then spot up to its share, then on-demand; commitments are paid through
    all hours whether used or not, and renewed when they end.

    commitments are those that cost least over the hours seen, should they come again; hold now (from eight weeks on) is
    what is worth holding today if demand drifts on as it did: buy what is missing, and look again in two weeks.
    cost_usd is the cost of commitments over the hours paid; lower_bound_usd that of the best constant ones there, known
    in hindsight; all_on_demand_usd has neither commitments nor spot, uncommitted_usd has spot alone.
    """
    prices = _prices(on_demand, commitment, spot, spot_share)
    until_s = None if history_until is None else _moment_s(history_until)
    seen, paid = _hours(demand, until_s)
    made = _made(prices, seen, paid)
    _warn(made)
    emit("MixPlan", _document(made), output, lambda: _table(made))


def _prices(on_demand: float, offers: list[str], spot: float | None, spot_share: float | None) -> "Prices":
    from policies.mix.commitments import Prices

    given("--on-demand", lambda price: _below(price, math.inf), on_demand)
    terms = tuple(given("--commitment", lambda text: _term(text, on_demand), text) for text in offers)
    if len({term.name for term in terms}) < len(terms):
        raise typer.BadParameter("names a term twice; give each one price", param_hint="--commitment")
    if (spot is None) != (spot_share is None):
        raise typer.BadParameter("give both --spot and --spot-share, or neither", param_hint="--spot")
    if spot is None or spot_share is None:
        return Prices(on_demand, terms)
    given("--spot", lambda price: _below(price, on_demand), spot)
    return Prices(on_demand, terms, spot, given("--spot-share", share, spot_share))


def _term(text: str, on_demand: float) -> "Term":
    from policies.mix.commitments import Term

    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(f"must be a term of years or months and a price, such as 1y=0.63 or 6m=0.8, not {text!r}")
    try:
        price = float(found["price"])
    except ValueError:
        raise ValueError(f"{text!r}: {found['price']!r} is not a price") from None
    name = found["count"] + found["unit"]
    try:
        return Term(name, int(found["count"]) * _WEEKS[found["unit"]], _below(price, on_demand))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _below(price: float, on_demand: float) -> float:
    if not 0 < price < on_demand:
        limit = "" if on_demand == math.inf else f" and below on-demand ({on_demand:g}), or it can never save"
        raise ValueError(f"the price must be above 0{limit}; it is {price:g}")
    return price


def _moment_s(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return moment_s(text, "--history-until")
    return seconds if math.isfinite(seconds) else moment_s(text, "--history-until")


def _hours(path: Path, until_s: float | None) -> tuple["Hours", "Hours"]:
    """The hours seen and the hours paid."""
    from policies.mix.hours import Hours
    from simulations.load_file import LoadFileError, read_load

    load = read_load(path)
    if (negative := load.value < 0).any():
        row = int(negative.argmax())
        raise LoadFileError(f"{path}: column value, row {row + 1}: {load.value[row]:g} is below 0; units are needed")
    try:
        hours = Hours.of(load.at_s, load.value)
    except ValueError as error:
        raise LoadFileError(f"{path}: {error}") from error
    seen, paid = (hours, hours) if until_s is None else (hours.before(until_s), hours.since(until_s))
    if seen.known.size < _FEWEST_HOURS:
        until = "" if until_s is None else f" by {moment_text(until_s)}"
        raise LoadFileError(f"{path}: {seen.known.size} known hours{until}; a plan needs at least {_FEWEST_HOURS}")
    if not paid.known.size:
        last = moment_text(hours.start_s + 3600 * hours.units.size)
        raise LoadFileError(f"{path}: no hour to pay for since --history-until; the file ends at {last}")
    return seen, paid


def _made(prices: "Prices", seen: "Hours", paid: "Hours") -> _Made:
    from policies.mix.commitments import best, bill, units_interval
    from policies.mix.ladder import hold_now

    units = best(seen.known, prices)
    try:
        holding = hold_now(seen.weeks(), prices)
    except ValueError:
        holding = None  # too little is known for a trend
    cost = bill(paid.known, units, prices)
    return _Made(prices, seen, paid, tuple(units.tolist()), cost, units_interval(seen.units, prices), holding)


def _warn(made: _Made) -> None:
    """Say what the figures do not tell by themselves."""
    both = {id(hours): hours for hours in (made.seen, made.paid)}.values()
    if unknown := sum(hours.units.size - hours.known.size for hours in both):
        total = sum(hours.units.size for hours in both)
        note(f"warning: {unknown} of {total} hours have no sample: they are unknown, neither planned on nor paid for")
    days = made.seen.known.size / 24
    if days < 7:  # noqa: PLR2004 - a week
        note(f"warning: {days:.1f} days were seen; without a whole week, weekends or working days may be missing")
    bought = [term for term, units in zip(made.prices.terms, made.units, strict=True) if units > 0]
    shorter = [term for term in made.prices.terms if bought and term.weeks < bought[0].weeks]
    if shorter:
        long, short = bought[0], max(shorter, key=lambda term: term.weeks)
        weeks = long.weeks * long.price / short.price
        note(f"{long.name} pays where its units will be needed for {weeks:.0f} weeks or more; else take {short.name}")
    if made.holding is not None:
        low, middle, high = _growth(made.holding)
        note(f"demand has grown by {middle:.0%} a year (95 %: {low:.0%} to {high:.0%}), see hold now")


def _growth(holding: "Holding") -> tuple[float, float, float]:
    """Growth a year as a share: the low end of its 95 % interval, the middle, the high end."""
    drift = holding.drift
    low, middle, high = (
        math.expm1(_YEAR_WEEKS * (drift.trend + sides * drift.trend_sd)) for sides in (-_SURE, 0.0, _SURE)
    )
    return low, middle, high


def _figures(made: _Made) -> dict[str, float]:
    from policies.mix.commitments import best, bill

    hours, prices = made.paid.known, made.prices
    return {
        "cost_usd": made.bill.total_usd,
        "all_on_demand_usd": float(hours.sum()) * prices.on_demand,
        "lower_bound_usd": bill(hours, best(hours, prices), prices).total_usd,
        "uncommitted_usd": bill(hours, best(hours, prices.uncommitted), prices.uncommitted).total_usd,
    }


def _document(made: _Made) -> dict[str, object]:
    bill = made.bill
    return {
        "commitments": _by_term(made, made.units),
        **_figures(made),
        "committed_usd": bill.committed_usd,
        "spot_usd": bill.spot_usd,
        "on_demand_usd": bill.on_demand_usd,
        "used_ratio": bill.used_ratio,
        "covered_ratio": bill.covered_ratio,
        "units_interval": made.interval,
        "hours_seen": made.seen.known.size,
        "hours_paid": made.paid.known.size,
        "hold_now": _hold_now(made),
    }


def _hold_now(made: _Made) -> dict[str, object] | None:
    if made.holding is None:
        return None
    low, middle, high = _growth(made.holding)
    return {
        "commitments": _by_term(made, made.holding.units.tolist()),
        "growth_per_year": middle,
        "growth_interval": (low, high),
        "spread_per_week": made.holding.drift.spread,
    }


def _by_term(made: _Made, units: Sequence[float]) -> dict[str, float]:
    return {term.name: each for term, each in zip(made.prices.terms, units, strict=True)}


def _table(made: _Made) -> "Table":
    """A line for each kind of capacity, the total, and what it is compared with."""
    bill, prices, hours = made.bill, made.prices, made.paid.known.size
    held = [None] * len(made.units) if made.holding is None else made.holding.units.tolist()
    rows: list[list[object]] = []
    for term, units, now in zip(prices.terms, made.units, held, strict=True):
        sure = f"{made.interval[0]:.2f} to {made.interval[1]:.2f}" if units and made.interval else None
        used = f"{bill.used_ratio:.1%}" if units and bill.used_ratio is not None else None
        hold = None if now is None else f"{now:.2f}"
        even = f"{term.price / prices.on_demand:.1%}"
        rows.append(
            [term.name, f"{units:.2f}", sure, hold, f"{term.price:g}", even, used, _usd(units * term.price * hours)]
        )
    blank = [None] * 3
    if prices.spot is not None:
        rows.append(["spot", *blank, f"{prices.spot:g}", None, None, _usd(bill.spot_usd)])
    rows.append(["on-demand", *blank, f"{prices.on_demand:g}", None, None, _usd(bill.on_demand_usd)])
    titles = {"cost_usd": "total", "all_on_demand_usd": "all on-demand", "lower_bound_usd": "best in hindsight"}
    if prices.spot is not None:
        titles["uncommitted_usd"] = "no commitments"
    figures = _figures(made)
    rows += [[title, *blank, *blank, _usd(figures[name])] for name, title in titles.items()]
    columns = ("UNITS", "95 % OF DRAWS", "HOLD NOW", "PRICE", "BREAK-EVEN", "USED", "COST")
    return table_of({"CAPACITY": "left", **dict.fromkeys(columns, "right")}, rows)


def _usd(amount: float) -> str:
    return f"{amount:,.2f}"
