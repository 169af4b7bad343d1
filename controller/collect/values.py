"""Answers as arrays: the row of every key, and what the series in it say."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from controller.records import Unanswered
from policies.arrays import INT64_MAX, any_by, booleans, floats, integers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from controller.records import Answer
    from policies.arrays import BoolArray, FloatArray, IntArray

NOWHERE = -1  # the row of a key that the answer does not have

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """One answer by its distinct keys: the sum of the series of a key, and what is wrong with them, `[row]`."""

    answer: Answer
    rows: Mapping[Key, int]
    value: FloatArray
    many: BoolArray  # more than one series
    wrong: BoolArray  # one of them is not finite, or below zero

    @classmethod
    def of(cls, answer: Answer) -> Values:
        """The answer's values by their keys; an answer that did not come has none."""
        if isinstance(answer, Unanswered):
            return cls(answer, {}, floats(0), booleans(0), booleans(0))
        each = np.array(answer.values, np.float64)
        wrong = ~(np.isfinite(each) & (each >= 0))
        rows: dict[Key, int] = dict(zip(answer.keys, range(each.size), strict=True))
        if len(rows) == each.size:
            return cls(answer, rows, each, booleans(each.size), wrong)
        rows = {key: row for row, key in enumerate(dict.fromkeys(answer.keys))}
        row = find(rows, answer.keys)
        value = floats(len(rows))
        np.add.at(value, row, each)
        return cls(answer, rows, value, np.bincount(row, minlength=len(rows)) > 1, any_by(row, wrong, len(rows)))


@dataclass(frozen=True, slots=True)
class Sums:
    """What was found for each track, `[track]`: how many series, their sum, and what is wrong with them."""

    series: IntArray
    value: FloatArray
    many: BoolArray
    wrong: BoolArray

    @classmethod
    def none(cls, tracks: int) -> Sums:
        """Nothing was found."""
        return cls(integers(tracks), floats(tracks), booleans(tracks), booleans(tracks))

    def put(self, tracks: IntArray, values: Values, row: IntArray) -> None:
        """Take the one row of each of these tracks; NOWHERE where there is none."""
        found = row != NOWHERE
        there, row = tracks[found], row[found]
        self.series[there], self.value[there] = 1, values.value[row]
        self.many[there], self.wrong[there] = values.many[row], values.wrong[row]

    def add(self, track: IntArray, values: Values, row: IntArray) -> None:
        """Add these rows to their tracks, of which one may have several."""
        count = self.series.size
        self.series[:] += np.bincount(track, minlength=count)
        self.value[:] += np.bincount(track, weights=values.value[row], minlength=count)
        self.many[:] |= any_by(track, values.many[row], count)
        self.wrong[:] |= any_by(track, values.wrong[row], count)


def find(rows: Mapping[Key, int], keys: Sequence[Key]) -> IntArray:
    """The row of each key, NOWHERE for one that is not there."""
    return np.fromiter(map(rows.get, keys, repeat(NOWHERE)), np.int64, len(keys))


def milli(values: FloatArray) -> IntArray:
    """In thousandths, rounded up as Kubernetes rounds quantities, saturated at the largest int64; 0 if not finite."""
    scaled = np.where(np.isfinite(values), values, 0.0) * 1000.0
    most = scaled >= INT64_MAX
    whole = np.ceil(np.where(most, 0.0, scaled) - 1e-6).astype(np.int64)
    return np.where(most, INT64_MAX, whole)
