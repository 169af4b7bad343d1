"""Figures of a what-if as people read them: each in its own form, with its interval."""

from __future__ import annotations

from simulations.report.points import Around
from simulations.report.words import amount, percent
from simulations.whatif.answer import Estimate

SHOWN = 0.005  # money below it shows as nothing
TITLES = {
    "cost": "cost",
    "cost_per_million": "per million",
    "late_ratio": "late",
    "unserved_ratio": "unserved",
    "available_time_ratio": "available, of time",
    "available_request_ratio": "available, of load",
    "replicas": "replicas",
    "churn_per_day": "changes a day",
    "losses_per_day": "losses a day",
}
_RATIOS = frozenset({name for name in TITLES if name.endswith("_ratio")} | {"saving_ratio"})
_AVAILABLE = "available"
_COST, _CHANGE = "cost", "change"
_WHOLE_FROM = 1000


def figure_text(name: str, value: float) -> str:
    """One value: 1,234 or 12.34 of money, 1.2 % of a share, 99.950 % of availability, else three digits.

    `change` is of money, with its sign.
    """
    if name == _CHANGE:
        return f"{value:+,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:+,.2f}" if abs(value) >= SHOWN else "0.00"
    sign = "-" if value < 0 else ""
    size = abs(value)
    if name.startswith(_AVAILABLE) and size:
        return f"{sign}{size * 100:.3f} %"
    if name in _RATIOS:
        return f"{sign}{percent(size)}"
    if name == _COST:
        return f"{sign}{size:,.0f}" if size >= _WHOLE_FROM else f"{sign}{size:,.2f}"
    return f"{sign}{amount(size)}"


def range_text(name: str, estimate: Estimate) -> str:
    """The interval: 11.2 to 13.4, or that there is none."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    low, high = (figure_text(name, each) for each in (estimate.low, estimate.high))
    return f"{low.removesuffix(' %') if high.endswith(' %') else low} to {high}"


def estimate_text(name: str, estimate: Estimate) -> str:
    """A value with its interval behind it, in plain text."""
    if estimate.low is None:
        return figure_text(name, estimate.mean)
    return f"{figure_text(name, estimate.mean)} ({range_text(name, estimate)})"


def saving_text(saving: Estimate) -> str:
    """What became of the cost: saves 5.2 % (4 to 6 %), or costs 3.1 % (2 to 4 %) more."""
    if saving.mean >= 0:
        return f"saves {estimate_text('saving_ratio', saving)}"
    low, high = (None if each is None else -each for each in (saving.high, saving.low))
    return f"costs {estimate_text('saving_ratio', Estimate(-saving.mean, low, high))} more"


def estimate_html(name: str, estimate: Estimate) -> str:
    """A value with its interval below it, as HTML."""
    return f'{figure_text(name, estimate.mean)}<span class="range">{range_text(name, estimate)}</span>'


def around(estimate: Estimate, factor: float = 1.0) -> Around:
    """As it is drawn, in other units."""
    low, high = (None if each is None else each * factor for each in (estimate.low, estimate.high))
    return Around(estimate.mean * factor, low, high)
