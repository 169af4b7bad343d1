"""What a tournament is told at each step, and what it answers: named tuples, as compiled code reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray


class Forecasts(NamedTuple):
    """What the models say at each step."""

    told: FloatArray  # means above the base and scales, of the largest and of the last [lane, step, 4]
    base: FloatArray  # log demand [lane, step]
    peak: FloatArray  # largest log demand of the last week or so [lane, step]
    incumbent: IntArray  # what the incumbent orders [lane, step]
    yesterday: FloatArray  # largest log demand a day before an order made now serves [lane, step]


class Came(NamedTuple):
    """What came at each step, `[lane, step]`."""

    demand: FloatArray  # in replicas
    usable: IntArray  # 2 known, 1 a lower bound, 0 not known
    ready: FloatArray  # replicas that were ready; negative where nobody knows, then what was ordered counts
    late: FloatArray  # share late by an indicator from outside; negative where there is none


class Terms(NamedTuple):
    """What binds a lane, `[lane]`."""

    low: IntArray
    high: IntArray
    startup: IntArray  # steps
    lag: IntArray  # steps, at least 1
    budget: FloatArray  # share of the load that may be late
    as_incumbent: BoolArray  # as late as the incumbent; `budget` until that is measured, and with an SLO at most that
    hour: FloatArray  # most that may be late in an hour, as a share of an hour's load; inf = no limit
    price: FloatArray  # of a replica's load that is late, in replicas; 0 = the share alone counts
    churn: FloatArray  # replica-steps that starting or stopping a replica costs
    hold: IntArray  # steps of a stabilisation window that the user wrote
    slo: BoolArray  # `budget` is that of an SLO
    acted: BoolArray  # what is ready was ordered here, so that what is late tells of these orders


class Ruling(NamedTuple):
    """What came of each step, `[lane, step]`."""

    order: IntArray
    candidate: IntArray
    known: IntArray  # steps whose load was known, this one included
    expected: FloatArray  # log demand that was expected when the order serves
    upper: FloatArray  # with the margin that is in the order, where it has one

    @classmethod
    def empty(cls, lanes: int, steps: int) -> Ruling:
        """To be filled."""
        order, candidate, known = (np.zeros((lanes, steps), np.int64) for _ in range(3))
        return cls(order, candidate, known, np.full((lanes, steps), -np.inf), np.full((lanes, steps), -np.inf))
