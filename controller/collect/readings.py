"""From answers to readings: every value gets an age, a status and a reason, and a hole never becomes a zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, isfinite
from typing import TYPE_CHECKING

import numpy as np

from controller.records import Answered, Unanswered
from policies.model import Readings, Status, Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.collect.questions import Place, Questions
    from controller.records import Answer
    from policies.arrays import IntArray

MAX_AGE_S = 90.0  # a minute's scrape interval, and half a minute of grace
FUTURE_S = 5.0  # a sample this far ahead of our clock is not believed
REMEMBERED_S = 3600.0  # how long a larger number of scrape targets is remembered
INT64_MAX = 2**63 - 1

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One track's value with its age and standing."""

    value_milli: int
    age_s: float
    status: Status
    why: Why


def missing(why: Why) -> Reading:
    """Nothing could be read, and why."""
    return Reading(0, 0.0, Status.MISSING, why)


@dataclass(frozen=True, slots=True)
class Values:
    """One answer, indexed by key: by workload, or by workload and pod."""

    answer: Answer
    by_key: dict[Key, list[float]] = field(default_factory=dict)
    by_pod: dict[Key, dict[str, list[float]]] = field(default_factory=dict)

    @classmethod
    def of(cls, answer: Answer) -> Values:
        """The answer's values by their keys; an answer that did not come has none."""
        values = cls(answer)
        if isinstance(answer, Unanswered):
            return values
        for key, value in zip(answer.keys, answer.values, strict=True):
            if answer.query.per_pod:
                values.by_pod.setdefault(key[:-1], {}).setdefault(key[-1], []).append(value)
            else:
                values.by_key.setdefault(key, []).append(value)
        return values


@dataclass(frozen=True, slots=True)
class _Most:
    """The largest number seen lately, and when it was last seen."""

    at_s: float
    count: int

    def or_now(self, count: int, now_s: float, keep_s: float) -> _Most:
        """This one, or `count` now where that is no smaller or this one is too old."""
        return _Most(now_s, count) if count >= self.count or now_s - self.at_s > keep_s else self


class Coverage:
    """How many scrape targets each series lately rested on, to notice when some are gone.

    Targets may be the workload's own pods or those of a gateway before it. So their number is compared with
    what it lately was, less the share by which the workload's ready pods became fewer.
    """

    def __init__(self) -> None:
        self._most: dict[tuple[int, Key], tuple[_Most, _Most]] = {}

    def lacks(self, place: Place, targets: int, ready: int, now_s: float) -> bool:
        """Whether targets are gone that the fall in ready pods does not explain."""
        nothing = _Most(now_s, 0), _Most(now_s, 0)
        most, most_ready = self._most.get((place.query, place.key), nothing)
        most = most.or_now(targets, now_s, REMEMBERED_S)
        most_ready = most_ready.or_now(ready, now_s, REMEMBERED_S + MAX_AGE_S)  # a scrape follows its pod
        self._most[place.query, place.key] = most, most_ready
        if ready == 0:
            return targets < most.count
        return targets * most_ready.count < most.count * ready

    def forget(self) -> None:
        """Start anew, as the questions have changed."""
        self._most.clear()


def readings_of(
    questions: Questions, answers: Sequence[Values], coverage: Coverage, ready: IntArray, now_s: float
) -> Readings:
    """The reading of every track, `[track]`; `ready` holds the ready pods of each track's lane, `[track]`."""
    rows = [
        _read(place, answers[place.query], coverage, int(ready[track]), now_s)
        for track, place in enumerate(questions.places)
    ]
    return Readings(
        value_milli=np.array([row.value_milli for row in rows], np.int64),
        age_s=np.array([row.age_s for row in rows], np.float64),
        status=np.array([row.status for row in rows], np.int8),
        why=np.array([row.why for row in rows], np.int8),
    )


def _read(place: Place, values: Values, coverage: Coverage, ready: int, now_s: float) -> Reading:
    answer = values.answer
    if isinstance(answer, Unanswered):
        return missing(answer.why)
    value = _value(place, values)
    if isinstance(value, Why):
        return missing(value)
    status, why, age_s = _standing(place, answer, coverage, ready, now_s)
    return Reading(milli(value), age_s, status, why)


def _value(place: Place, values: Values) -> float | Why:
    """The track's value, or why there is none that can be used. Pods are summed."""
    if place.key in values.by_pod:
        pods = values.by_pod[place.key]
        found = [value for series in pods.values() for value in series]
        if any(len(series) > 1 for series in pods.values()):
            return Why.AMBIGUOUS
    else:
        found = values.by_key.get(place.key, [])
        if len(found) > 1:
            return Why.AMBIGUOUS
    if not found:
        return Why.NO_SERIES
    if not all(isfinite(value) and value >= 0 for value in found):
        return Why.NOT_FINITE
    return sum(found)


def _standing(
    place: Place, answer: Answered, coverage: Coverage, ready: int, now_s: float
) -> tuple[Status, Why, float]:
    """How far the value can be trusted, by its witness."""
    if answer.newest_at_s is None:
        return Status.STALE, Why.UNKNOWN_FRESHNESS, 0.0
    newest_at_s = answer.newest_at_s.get(place.key)
    if newest_at_s is None:
        return Status.STALE, Why.TOO_OLD, MAX_AGE_S
    age_s = now_s - newest_at_s
    if age_s < -FUTURE_S:
        return Status.STALE, Why.FROM_THE_FUTURE, 0.0
    if age_s > MAX_AGE_S:
        return Status.STALE, Why.TOO_OLD, age_s
    targets = None if answer.targets is None else answer.targets.get(place.key)
    if targets is not None and coverage.lacks(place, targets, ready, now_s):
        return Status.CENSORED, Why.PARTIAL_SERIES, max(age_s, 0.0)
    return Status.FRESH, Why.OK, max(age_s, 0.0)


def milli(value: float) -> int:
    """In thousandths, rounded up as Kubernetes rounds quantities, saturated at the largest int64."""
    scaled = value * 1000.0
    return INT64_MAX if scaled >= INT64_MAX else ceil(scaled - 1e-6)
