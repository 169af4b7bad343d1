"""Which expert speaks for a row and horizon, and when one that does badly stops speaking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from policies.codes import Code
from policies.forecast.bands import SCORED

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, SmallArray

COVERAGE_LOST = 0.85  # of the 0.95 quantile in the newest block of the backtest: below it an expert is demoted,
COVERAGE_REGAINED = 0.90  # and from here on it may return
NOTHING_HOLDS = 0.60  # below it an expert is not even a substitute
ERROR_LOST = 1.5  # times the other's pinball loss there: demoted,
ERROR_REGAINED = 1.2  # and back
JUDGED_ON = 12.0  # independent misses; on fewer nobody is demoted
SWITCH = 0.95  # of its loss counts for the one in charge (at first the ridge), so that near ties do not change it

_COVERAGE_AT = SCORED.index(0.95)


class Expert(Code):
    """Who speaks."""

    RIDGE = 0
    SEASONAL = 1
    NONE = 2  # both are out of range: nothing is said


EXPERTS = (Expert.RIDGE, Expert.SEASONAL)


def demoted_now(coverage: FloatArray, recent: FloatArray, judged: FloatArray, before: BoolArray) -> BoolArray:
    """Which experts are out of their range, `[row, expert, horizon]`.

    `coverage` and `recent` (pinball loss) are `[row, expert, horizon, scored]` in the newest block, `judged` how many
    independent misses that rests on, `before` who was demoted. One that is not judged anew stays as it was.
    """
    loss, held = recent.sum(axis=3), coverage[..., _COVERAGE_AT]
    other = loss[:, ::-1]
    both = (judged >= JUDGED_ON).all(axis=1, keepdims=True)
    lost = (held < COVERAGE_LOST) | (both & (loss > ERROR_LOST * other))
    regained = (held >= COVERAGE_REGAINED) & (~both | (loss <= ERROR_REGAINED * other))
    return np.where(judged >= JUDGED_ON, lost | (before & ~regained), before)


def in_charge(loss: FloatArray, coverage: FloatArray, demoted: BoolArray, before: SmallArray | None) -> SmallArray:
    """The expert of each row and horizon, `[row, horizon]`.

    Of those in their range the one with the smaller `loss` (infinite: it cannot speak), with a margin for the one
    that was in charge; where none is in its range the better covered one, unless its band holds next to nothing.
    """
    weighed = loss.copy()
    was = np.zeros(loss[:, 0].shape, np.int8) if before is None else before
    for expert in EXPERTS:
        weighed[:, expert] *= np.where(was == expert, SWITCH, 1.0)
    unable = ~np.isfinite(loss)
    eligible = np.where(demoted, np.inf, weighed)
    charge = np.where(eligible[:, Expert.RIDGE] < eligible[:, Expert.SEASONAL], Expert.RIDGE, Expert.SEASONAL)
    none = ~np.isfinite(eligible).any(axis=1) & demoted.any(axis=1)
    held = np.where(unable, -1.0, coverage[..., _COVERAGE_AT])
    covered = np.where(held[:, Expert.RIDGE] > held[:, Expert.SEASONAL], Expert.RIDGE, Expert.SEASONAL)
    charge = np.where(none, covered, charge).astype(np.int8)
    charge[none & (held.max(axis=1) < NOTHING_HOLDS)] = Expert.NONE
    return charge
