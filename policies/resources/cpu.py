"""Foresail's own sizing of CPU: candidates replayed on what came, and raises as soon as usage stays above the request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from policies.resources import cpu_loops as at
from policies.resources.codes import COUNT, codes_of
from policies.resources.model import DAY_S, HOUR_S, Recommendation

if TYPE_CHECKING:
    from policies.arrays import BoolArray, FloatArray, IntArray
    from policies.resources.codes import CodeArray

HALF_LIFE_H = 96.0
RAISE_AFTER_S = 120.0


@dataclass(frozen=True, slots=True)
class CpuTerms:
    """What is asked for: samples `step_s` apart, a choice every `every_s`, a share above the request, changes a day."""

    step_s: float = 60.0
    every_s: float = HOUR_S
    overrun_ratio: float = 0.01
    changes_per_day: float = 8.0

    def rows(self) -> FloatArray:
        """As the compiled loops take them."""
        per_hour = HOUR_S / self.step_s
        period = max(1.0, np.round(self.every_s / self.step_s))
        rows = np.zeros(7)
        rows[at.PRICE] = PRICE / self.overrun_ratio
        rows[at.OVERRUN], rows[at.RATE] = self.overrun_ratio, self.changes_per_day
        rows[at.FADE] = 0.5 ** (period / per_hour / HALF_LIFE_H)
        rows[at.RAISE_AFTER] = max(1.0, RAISE_AFTER_S // self.step_s)
        rows[at.PERIOD], rows[at.PER_HOUR] = period, np.round(per_hour)
        return rows


PRICE = 0.04  # of a sample above the request, over the share that may be: 1 % makes 4 times its slack


@dataclass(slots=True)
class CpuState:
    """What is remembered of each container. Written to by `requests_of`."""

    terms: CpuTerms
    now: int  # samples taken
    ring: CodeArray  # [container, sample of the week]
    counted: IntArray  # [container, window, code]
    span: IntArray  # lowest and highest code, [container, 2]
    own: FloatArray  # [container, column]
    said: FloatArray  # [container, expert]
    loss: FloatArray  # [container, candidate]
    above: IntArray  # samples above the request and all samples of the period, [container, 2]
    fresh: BoolArray  # whether experts were asked, [container]

    @classmethod
    def start(cls, containers: int, terms: CpuTerms) -> CpuState:
        """Nothing was seen of any container."""
        per_hour = round(HOUR_S / terms.step_s)
        own = np.zeros((containers, at.COLUMNS), np.float32)
        own[:, at.TOKENS] = terms.changes_per_day
        return cls(
            terms,
            0,
            np.zeros((containers, at.RING_H * per_hour), np.uint16),
            np.zeros((containers, at.WINDOWS_H.size, COUNT), np.uint16),
            np.zeros((containers, 2), np.int64),
            own,
            np.zeros((containers, at.EXPERTS), np.float32),
            np.zeros((containers, at.CANDIDATES), np.float32),
            np.zeros((containers, 2), np.int64),
            np.zeros(containers, np.bool_),
        )


def requests_of(state: CpuState, usage: FloatArray) -> FloatArray:
    """Take the next samples, in cores, `[container, sample]`; NaN is none. The requests that held meanwhile, alike.

    0 is no request: nothing was seen yet. What comes after a sample is not known when its request is made.
    """
    requests = np.zeros(usage.shape)
    at.advance(
        codes_of(usage),
        state.now,
        state.terms.rows(),
        state.ring,
        state.counted,
        state.span,
        state.own,
        state.said,
        state.loss,
        state.above,
        requests,
        state.fresh,
    )
    state.now += usage.shape[1]
    return requests


def recommended(state: CpuState) -> Recommendation:
    """The request of each container now, and the range of the candidates that it is made of; NaN where none is."""
    request = state.own[:, at.REQUEST].astype(np.float64)
    known = request > 0
    lower, upper = (state.own[:, column].astype(np.float64) for column in (at.LOWER, at.UPPER))
    target = np.where(known, request, np.nan)
    return Recommendation(
        np.where(known, np.minimum(np.where(lower > 0, lower, request), request), np.nan),
        target,
        np.where(known, np.maximum(upper, request), np.nan),
    )


__all__ = ["DAY_S", "CpuState", "CpuTerms", "recommended", "requests_of"]
