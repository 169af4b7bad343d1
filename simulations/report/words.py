"""Figures and verdicts as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulations.audit.figures import cost_ratio, late_interval
from simulations.audit.verdict import EVEN_RATIO

if TYPE_CHECKING:
    from simulations.audit.figures import Interval
    from simulations.audit.verdict import AsLate, Audited

_PLAIN_FROM = 100
_SMALL = 0.1
_SAME_RATIO = 1e-5


def count(value: float) -> str:
    """A number of replica-hours: 12,345 or 3.2."""
    return f"{value:,.0f}" if value >= _PLAIN_FROM else f"{value:.1f}"


def amount(value: float) -> str:
    """A number to three digits, in plain digits: 1,234 or 0.52."""
    return f"{value:,.0f}" if value >= _PLAIN_FROM else f"{value:.3g}"


def money(price: float | None, replica_hours: float, currency: str) -> str:
    """What replica-hours cost; a dash without a price."""
    return "-" if price is None else f"{price * replica_hours:,.2f} {currency}"


def percent(value: float) -> str:
    """A share as per cent: 1.23 %, 45.6 %, 0.004 %."""
    shown = value * 100
    return f"{shown:.1f} %" if shown >= 10 else f"{shown:.2f} %" if shown >= _SMALL or not shown else f"{shown:.2g} %"  # noqa: PLR2004 - two digits before the point


def share(value: float, around: Interval | None) -> str:
    """A share with its interval: 1.2 % (0.8 to 1.9)."""
    if around is None:
        return percent(value)
    return f"{percent(value)} ({percent(around.low)[:-2]} to {percent(around.high)[:-2]})"


def ratio(value: float, around: Interval | None) -> str:
    """A ratio with its interval: 0.93 (0.90 to 0.96)."""
    return f"{value:.2f}" if around is None else f"{value:.2f} ({around.low:.2f} to {around.high:.2f})"


def verdict(each: Audited) -> str:
    """What it comes to, in a sentence: cost and late, today and with Foresail."""
    days, before, after = each.scored_days, each.incumbent, each.foresail
    return (
        f"over {days:.1f} days it paid {count(before.replica_hours)} replica-hours and {percent(before.late_ratio)} of"
        f" the load was late; Foresail would have paid {_change(each.cost_ratio)} and {percent(after.late_ratio)} would"
        f" have been late{_sure(each)}.{'' if each.as_late is None else _as_late(each, each.as_late)}"
    )


def _as_late(each: Audited, allowed: AsLate) -> str:
    """What the difference in cost is worth, where lateness differs the other way."""
    late, change = allowed.foresail.late_ratio, _change(cost_ratio(allowed.foresail, each.incumbent))
    what = "costs less but is late more" if each.cost_ratio < 1 else "costs more but is late less"
    return (
        f" So Foresail {what}. Asked to keep {percent(allowed.late_ratio)} late, {_as_asked(each, allowed)}, Foresail"
        f" would have paid {change} and {percent(late)} would have been late."
    )


def _as_asked(each: Audited, allowed: AsLate) -> str:
    """Where the late share that was asked for comes from."""
    if abs(allowed.late_ratio - each.incumbent.late_ratio) < _SAME_RATIO:
        return "as it was"
    return f"the {'least' if allowed.late_ratio > each.incumbent.late_ratio else 'most'} that can be asked"


def _change(cost_ratio: float) -> str:
    change = cost_ratio - 1.0
    if abs(change) < EVEN_RATIO:
        return "as much"
    return f"{abs(change) * 100:.0f} % {'more' if change > 0 else 'less'}"


def _sure(each: Audited) -> str:
    """Whether days differ so much that cost, or lateness, may be as it was."""
    doubts = []
    if each.cost is not None and each.cost.low <= 1.0 <= each.cost.high and abs(each.cost_ratio - 1) >= EVEN_RATIO:
        doubts.append("cost")
    change = late_interval(each.foresail, each.incumbent)
    if change is not None and change.low <= 0.0 <= change.high:
        doubts.append("late share")
    if each.cost is None:
        return " (too few days to say how sure this is)"
    return f" (days differ so much that the {' and the '.join(doubts)} may well be unchanged)" if doubts else ""
