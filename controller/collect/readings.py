"""From answers to readings: every value gets an age, a status and a reason, and a hole never becomes a zero."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from controller.collect.values import milli
from controller.records import Unanswered
from policies.arrays import booleans, floats, integers, small
from policies.model import UNKNOWN, Readings, Status, Why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.collect.coverage import Coverage
    from controller.collect.questions import Group
    from controller.collect.values import Key, Sums, Values
    from policies.arrays import BoolArray, FloatArray, IntArray, SmallArray

MAX_AGE_S = 90.0  # a minute's scrape interval, and half a minute of grace
FUTURE_S = 5.0  # a sample this far ahead of our clock is not believed

_STATUS = small(len(Why), Status.MISSING)  # by what a value's witness says
for _why, _status in (
    (Why.OK, Status.FRESH),
    (Why.PARTIAL_SERIES, Status.CENSORED),
    (Why.TOO_OLD, Status.STALE),
    (Why.FROM_THE_FUTURE, Status.STALE),
    (Why.UNKNOWN_FRESHNESS, Status.STALE),
):
    _STATUS[_why] = _status


class _Witness:
    """What the witnesses say, `[track]`: when the newest sample was taken, and from how many targets."""

    def __init__(self, groups: Sequence[Group], answers: Sequence[Values], tracks: int) -> None:
        self.newest_at_s = floats(tracks, np.nan)
        self.targets = integers(tracks, UNKNOWN)
        self.silent = booleans(tracks)  # freshness cannot be derived
        self.unanswered = small(tracks, Why.OK)
        for group, values in zip(groups, answers, strict=True):
            answer, rows = values.answer, group.tracks
            if isinstance(answer, Unanswered):
                self.unanswered[rows] = answer.why
                continue
            self.silent[rows] = answer.newest_at_s is None
            self.newest_at_s[rows] = _told(answer.newest_at_s, group.keys, np.nan)
            self.targets[rows] = _told(answer.targets, group.keys, UNKNOWN)


def _told(said: Mapping[Key, float] | None, keys: Sequence[Key], otherwise: float) -> FloatArray:
    if said is None:
        return floats(len(keys), otherwise)
    return np.fromiter(map(said.get, keys, repeat(otherwise)), np.float64, len(keys))


def readings_of(
    asked: tuple[Sequence[Group], Sequence[Values]], found: Sums, coverage: Coverage, pods: IntArray, now_s: float
) -> Readings:
    """The reading of every track, `[track]`.

    `asked` are the groups of tracks with the answer to each one's query, `found` what these hold for each track;
    `pods` are the ready and the listed pods of each track's lane, `[2, track]`.
    """
    witness = _Witness(*asked, found.series.size)
    unusable = _unusable(witness, found)
    missing = unusable != Why.OK
    age_s = np.where(witness.silent, 0.0, now_s - witness.newest_at_s)
    why = np.where(missing, unusable, _standing(witness, age_s))
    counted = np.where(why == Why.OK, witness.targets, UNKNOWN)
    why[coverage.lacking(counted, pods, now_s)] = Why.PARTIAL_SERIES
    age_s = np.where(np.isnan(age_s), MAX_AGE_S, np.maximum(age_s, 0.0))
    return Readings(
        value_milli=np.where(missing, 0, milli(found.value)),
        age_s=np.where(missing, 0.0, age_s),
        status=np.where(missing, np.int8(Status.MISSING), _STATUS[why]),
        why=why,
        targets=coverage.expected(pods),
    )


def _unusable(witness: _Witness, found: Sums) -> SmallArray:
    """Why there is no value that can be used; OK where there is one."""
    answered = witness.unanswered == Why.OK
    return _last_of(
        witness.unanswered,
        (answered & found.wrong, Why.NOT_FINITE),
        (answered & (found.series == 0), Why.NO_SERIES),
        (answered & found.many, Why.AMBIGUOUS),
    )


def _standing(witness: _Witness, age_s: FloatArray) -> SmallArray:
    """How far a value can be trusted by the age of its newest sample."""
    return _last_of(
        small(age_s.size, Why.OK),
        (~(age_s <= MAX_AGE_S), Why.TOO_OLD),
        (age_s < -FUTURE_S, Why.FROM_THE_FUTURE),
        (witness.silent, Why.UNKNOWN_FRESHNESS),
    )


def _last_of(first: SmallArray, *rules: tuple[BoolArray, Why]) -> SmallArray:
    why = first.copy()
    for rows, code in rules:
        why[rows] = code
    return why
