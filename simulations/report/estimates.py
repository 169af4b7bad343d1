"""Figures of a what-if as people read them: each in its own form, with its interval."""

from __future__ import annotations

import math

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
_PERCENT = 100.0
_MOST_DIGITS = 4  # of a mean, and behind the point
_NOISE = 1e-9


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
    """A value with half of its interval behind it, in plain text: 4,028 ±12, or 0.74 ±0.09 % of a share.

    Both have the digits that the half is worth: one, or two where the first is a 1 (as the Particle Data Group rounds).
    Where an interval ends at 0 or 1, the half is that of its other side.
    """
    if estimate.low is None or estimate.high is None:
        return figure_text(name, estimate.mean)
    share = name in _RATIOS
    mean, half = estimate.mean, max(estimate.high - estimate.mean, estimate.mean - estimate.low)
    if share:
        mean, half = mean * _PERCENT, half * _PERCENT
    digits = _digits(mean, half)
    if round(half, digits) == 0:
        return figure_text(name, estimate.mean)
    sign = "+" if name == _CHANGE and round(mean, digits) > 0 else ""
    return f"{sign}{round(mean, digits) + 0.0:,.{digits}f} ±{half:,.{digits}f}{' %' if share else ''}"


def _digits(mean: float, half: float) -> int:
    """Digits behind the point: 0 of ±12, 1 of ±1.2, 2 of ±0.04. Of a mean there are one at least, and four at most."""
    if half <= 0:
        return 0
    place = _place(half)
    digits = (int(half / 10.0**place + _NOISE) == 1) - place
    if mean:
        digits = min(max(digits, -_place(mean)), _MOST_DIGITS - 1 - _place(mean))
    return max(0, min(digits, _MOST_DIGITS))


def _place(value: float) -> int:
    """The place of the first digit: 2 of 123, -1 of 0.12."""
    return math.floor(math.log10(abs(value)))


def saving_text(saving: Estimate) -> str:
    """What became of the cost: saves 5.2 ±0.4 %, or costs 3.1 ±0.2 % more."""
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
