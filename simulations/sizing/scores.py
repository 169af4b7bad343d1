"""What requests wasted and missed on the usage that they met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.resources.model import DAY_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.arrays import FloatArray
    from policies.resources.model import Resource
    from simulations.sizing.walk import Walked

_WEEK_S = 7 * DAY_S


@dataclass(frozen=True, slots=True)
class Score:
    """One container: the last advice in cores or bytes, and figures of the time after its warm-up; None: none served.

    `slack_ratio` is the mean of max(0, 1 - use / request), `overrun_ratio` the share of samples above the request. An
    excursion is a run of samples above the request; of memory each such sample is one, for it is a kill.
    """

    series: str
    resource: Resource
    lower: float | None
    target: float | None
    upper: float | None
    slack_ratio: float | None
    overrun_ratio: float | None
    excursions_per_week: float | None
    changes_per_day: float | None


def scores(walk: Walked) -> list[Score]:
    """The score of every series, in their order."""
    return list(_each(walk))


def _each(walk: Walked) -> Iterator[Score]:
    usage, advice = walk.usage, walk.advice
    for n, series in enumerate(usage.series):
        span = slice(int(usage.start[n]), int(usage.start[n + 1]))
        request = walk.request[span]
        served = ~np.isnan(request)
        figures = _figures(walk, usage.at_s[span][served], usage.value[span][served], request[served])
        lower, target, upper = (_number(each[n]) for each in (advice.lower, advice.target, advice.upper))
        yield Score(series, walk.rules.resource, lower, target, upper, *figures)


def _figures(
    walk: Walked, at_s: FloatArray, value: FloatArray, request: FloatArray
) -> tuple[float | None, float | None, float | None, float | None]:
    if not at_s.size:
        return None, None, None, None
    over = value > request
    runs = over.sum() if walk.rules.resource == "memory" else over[0] + (over[1:] & ~over[:-1]).sum()
    changes = np.count_nonzero(np.diff(request))
    step_s = np.median(np.diff(at_s)) if at_s.size > 1 else DAY_S
    served_s = at_s[-1] - at_s[0] + step_s  # a sample stands for the step after it
    used = np.divide(value, request, out=np.ones_like(value), where=request > 0)
    slack = np.maximum(0.0, 1.0 - used)
    return (
        float(slack.mean()),
        float(over.mean()),
        float(runs * _WEEK_S / served_s),
        float(changes * DAY_S / served_s),
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
