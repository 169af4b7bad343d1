"""What is told of a workload's next week, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.forecast.maximum import LEVELS

if TYPE_CHECKING:
    from policies.forecast.plans import Plans

_TOLD_S = ((3600.0, "an hour"), (86_400.0, "a day"), (7 * 86_400.0, "a week"))
_IN_MINUTES_S, _IN_HOURS_S = 2 * 3600.0, 48 * 3600.0  # and shorter
_MEDIAN, _HIGH = LEVELS.index(0.5), LEVELS.index(0.9)


def outlook_sentences(plans: Plans, lane: int, now_s: float) -> tuple[str, ...]:
    """The next week of a lane in two sentences, none where nothing recent enough is said."""
    if not plans.told_at(now_s)[lane]:
        return ()
    return (_needs(plans, lane, now_s), _maximum(plans, lane, now_s))


def _needs(plans: Plans, lane: int, now_s: float) -> str:
    told = []
    for ahead_s, words in _TOLD_S:
        said = plans.replicas_in(ahead_s, now_s)[lane]
        if np.isfinite(said).all():
            told.append(f"{said[_MEDIAN]:.1f} replicas in {words} (p90: {said[_HIGH]:.1f})")
    return f"Demand is expected to need {', '.join(told)}." if told else "Nobody speaks for its demand an hour ahead."


def _maximum(plans: Plans, lane: int, now_s: float) -> str:
    median, high = (plans.above_maximum_at(now_s)[lane] - now_s).tolist()
    bound = [_bound(plans, lane, level) for level in range(len(LEVELS))]
    if np.isfinite(median):
        early = f" (p90: {_about(high)})" if np.isfinite(high) else ""
        return f"It will need more than {bound[_MEDIAN]} in about {_about(median)}{early}."
    if np.isfinite(high):
        return (
            f"It is not expected to need more than {bound[_HIGH]} within a week, but may in about {_about(high)} (p90)."
        )
    return f"It is not expected to need more than {bound[_MEDIAN]} within a week."


def _bound(plans: Plans, lane: int, level: int) -> str:
    if plans.bound_by_quota()[lane, level]:
        return f"its quota allows ({plans.quota[lane]:.0f})"
    return f"its maximum of {plans.maximum[lane, level]}"


def _about(time_s: float) -> str:
    if time_s < _IN_MINUTES_S:
        return f"{time_s / 60:.0f} min"
    return f"{time_s / 3600:.0f} h" if time_s < _IN_HOURS_S else f"{time_s / 86_400:.0f} days"
