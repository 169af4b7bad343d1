"""What a metric is: its name, its labels, and the PromQL about itself.

A value builds its own queries, so that none can misspell a name or a label, nor ask a gauge for its rate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

_WINDOW = re.compile(r"(\d+(ms|s|m|h|d|w|y))+|\$__rate_interval|\$__interval", re.ASCII)


@dataclass(frozen=True, slots=True)
class Counter:
    """What only grows, and is asked for its rate. `name` ends in ``_total``."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    def rate(self, window: str, **equal: str) -> str:
        """PromQL of the growth per second over `window`, of the series whose labels equal those given."""
        return f"rate({_selector(self.name, self.labels, equal)}[{_window(window)}])"

    def increase(self, window: str, **equal: str) -> str:
        """PromQL of the growth over `window`."""
        return f"increase({_selector(self.name, self.labels, equal)}[{_window(window)}])"


@dataclass(frozen=True, slots=True)
class Gauge:
    """What goes up and down, and is asked for its value."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    def value(self, **equal: str) -> str:
        """PromQL of the present value, of the series whose labels equal those given."""
        return _selector(self.name, self.labels, equal)

    def largest(self, window: str, **equal: str) -> str:
        """PromQL of each series' largest value over `window`."""
        return f"max_over_time({_selector(self.name, self.labels, equal)}[{_window(window)}])"

    def rate(self, window: str, **_equal: str) -> NoReturn:
        """A gauge has no rate: its resets to lower values would be taken for restarts. Raises TypeError."""
        raise TypeError(f"{self.name} is a gauge; a rate over {window} needs a counter")


@dataclass(frozen=True, slots=True)
class Histogram:
    """How a quantity is spread. `buckets` are upper bounds in the metric's unit, without +Inf."""

    name: str
    help: str
    buckets: tuple[float, ...]
    labels: tuple[str, ...] = ()
    unit: str = ""

    def quantile(self, quantile: float, window: str, *, by: Sequence[str] = (), **equal: str) -> str:
        """PromQL of a quantile over `window`, for each combination of the labels `by`: its own, or `cluster`."""
        if not 0 <= quantile <= 1:
            raise ValueError(f"{self.name}: a quantile lies between 0 and 1, not at {quantile:g}")
        _check_labels(self.name, (*self.labels, "cluster"), by)
        rate = f"rate({_selector(f'{self.name}_bucket', self.labels, equal)}[{_window(window)}])"
        return f"histogram_quantile({quantile:g}, sum by ({', '.join(('le', *by))}) ({rate}))"

    def mean(self, window: str, **equal: str) -> str:
        """PromQL of the mean over `window`."""
        total, count = (
            f"rate({_selector(f'{self.name}_{part}', self.labels, equal)}[{_window(window)}])"
            for part in ("sum", "count")
        )
        return f"{total} / {count}"


Metric = Counter | Gauge | Histogram


def _window(window: str) -> str:
    if not _WINDOW.fullmatch(window):
        raise ValueError(f"{window!r} is not a PromQL duration such as 5m")
    return window


def _selector(name: str, labels: tuple[str, ...], equal: dict[str, str]) -> str:
    _check_labels(name, labels, equal)
    matchers = ",".join(f'{label}="{_escaped(value)}"' for label, value in equal.items())
    return f"{name}{{{matchers}}}" if matchers else name


def _check_labels(name: str, labels: tuple[str, ...], given: Sequence[str] | dict[str, str]) -> None:
    for label in given:
        if label not in labels:
            raise ValueError(f"{name} has no label {label}; it has {', '.join(labels) or 'none'}")


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
