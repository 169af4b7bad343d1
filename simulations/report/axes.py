"""Axes: where ticks stand and what they say, for numbers and for wall times in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, log10

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
_TIME_STEPS_S = (
    *(MINUTE_S * each for each in (1, 2, 5, 10, 15, 30)),
    *(HOUR_S * each for each in (1, 2, 3, 6, 12)),
    *(DAY_S * each for each in (1, 2, 4, 7, 14, 28)),
)
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_SLACK = 1e-9
_LARGE = ((1_000_000, 1_000_000, "M"), (10_000, 1000, "k"))
_FROM_TEN = 10


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A span of values onto a span of pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        span = self.high - self.low or 1.0
        return self.start + (value - self.low) / span * (self.end - self.start)


def number_ticks(high: float, *, about: int = 4) -> list[Tick]:
    """Ticks from 0 to at or above `high`, at round numbers."""
    step = _nice_step((high or 1.0) / about)
    last = max(1, ceil((high or 1.0) / step - _SLACK))
    return [Tick(step * each, _number(step * each, step)) for each in range(last + 1)]


def time_ticks(start_s: float, end_s: float, *, about: int = 8) -> list[Tick]:
    """Ticks at round times of day in UTC; midnights say the date."""
    wanted = (end_s - start_s) / about
    step = next((each for each in _TIME_STEPS_S if each >= wanted), _TIME_STEPS_S[-1])
    first = ceil(start_s / step - _SLACK) * step
    count = max(0, floor((end_s - first) / step + _SLACK) + 1)
    return [Tick(first + step * each, _moment(first + step * each)) for each in range(count)]


def moment_text(at_s: float) -> str:
    """A day and a time of day in UTC: Thu 19 Nov 20:05."""
    moment = datetime.fromtimestamp(at_s, UTC)
    return f"{moment:%a} {moment.day} {moment:%b %H:%M}"


def _nice_step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return next(nice * power for nice in _NICE if nice * power >= rough * (1 - _SLACK))


def _number(value: float, step: float) -> str:
    for least, size, sign in _LARGE:
        if value >= least:
            return f"{value / size:,.10g}{sign}"
    places = max(0, -floor(log10(step) + _SLACK)) + (1 if 2.4 < step / 10 ** floor(log10(step) + _SLACK) < 2.6 else 0)  # noqa: PLR2004 - a step of 2.5 needs one more place
    return f"{value:,.{places if step < _FROM_TEN else 0}f}"


def _moment(at_s: float) -> str:
    moment = datetime.fromtimestamp(at_s, UTC)
    if moment.hour == moment.minute == 0:
        return f"{moment:%a} {moment.day} {moment:%b}"
    return f"{moment:%H:%M}"
